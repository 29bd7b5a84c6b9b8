#include "tests/support/core/temp_dir.hpp"

#include <cerrno>
#include <stdexcept>
#include <system_error>

#include <cstdlib>

namespace troupe::testing {

temp_dir::temp_dir() {
  auto name =
      (std::filesystem::temp_directory_path() / "troupe-XXXXXX").string();
  if (!::mkdtemp(name.data()))
    throw std::system_error(errno, std::system_category(), name);
  path_ = name;
}

temp_dir::~temp_dir() {
  auto ignored = std::error_code{};
  std::filesystem::remove_all(path_, ignored);
}

} // namespace troupe::testing
