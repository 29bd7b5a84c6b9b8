#include "runtime/model_path.hpp"

#include <cstdlib>
#include <filesystem>

namespace troupe {

std::string model_name_of(const std::string& path) {
  auto p = std::filesystem::path{path};
  if (!p.has_filename())
    p = p.parent_path();
  auto name =
      p.extension() == ".gguf" ? p.stem().string() : p.filename().string();
  return name.empty() ? "model" : name;
}

std::string absolute_path(const std::string& path) {
  auto failed = std::error_code{};
  auto whole = std::filesystem::absolute(path, failed);
  return failed ? path : whole.lexically_normal().string();
}

std::string default_model() {
  if (auto* from_env = std::getenv("TROUPE_MODEL"); from_env && *from_env)
    return from_env;
  namespace fs = std::filesystem;
  constexpr auto name = "troupe-demo.gguf";
  auto ignored = std::error_code{};
  auto self = fs::read_symlink("/proc/self/exe", ignored);
  // build/release/troupe, or an installed bin/troupe.
  auto home = self.parent_path();
  for (auto& candidate :
       {home / "../../models" / name, home / "../share/troupe/models" / name})
    if (fs::exists(candidate, ignored))
      return fs::weakly_canonical(candidate, ignored).string();
  return (fs::path{"models"} / name).string();
}

result<uint64_t> bytes_of_model(const std::string& path) {
  namespace fs = std::filesystem;
  auto failed = std::error_code{};
  auto sum = uint64_t{0};
  if (!fs::is_directory(path, failed)) {
    sum = fs::file_size(path, failed);
  } else {
    for (auto& f : fs::directory_iterator{path, failed})
      if (auto ignored = std::error_code{}; f.is_regular_file(ignored))
        sum += f.file_size(ignored);
  }
  if (failed)
    return fail(errc::io_error, path + ": " + failed.message());
  return sum;
}

} // namespace troupe
