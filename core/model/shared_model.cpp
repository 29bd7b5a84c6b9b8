#include "core/model/shared_model.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <compare>
#include <filesystem>
#include <map>
#include <mutex>
#include <optional>
#include <vector>

namespace troupe {

namespace {

// What changes when somebody writes to a file, or puts another in its place.
struct file_state {
  std::string path;
  dev_t device = 0;
  ino_t inode = 0;
  off_t size = 0;
  int64_t seconds = 0;
  int64_t nanoseconds = 0;

  auto operator<=>(const file_state&) const = default;
};

using state = std::vector<file_state>;

std::optional<file_state> state_of_file(const std::string& path) {
  struct stat s;
  if (::stat(path.c_str(), &s) != 0)
    return {};
  // Of the last change of any kind: the time of writing can be set at will.
  return file_state{path,      s.st_dev,         s.st_ino,
                    s.st_size, s.st_ctim.tv_sec, s.st_ctim.tv_nsec};
}

// Of a directory with the files in it; nothing if they cannot be looked at.
std::optional<state> state_of(const std::string& path) {
  auto all = state{};
  auto add = [&all](const std::string& p) {
    auto s = state_of_file(p);
    if (s)
      all.push_back(std::move(*s));
    return s.has_value();
  };
  if (!add(path))
    return {};
  auto e = std::error_code{};
  if (std::filesystem::is_directory(path, e)) {
    auto in = std::filesystem::directory_iterator{path, e};
    for (; !e && in != std::filesystem::directory_iterator{}; in.increment(e))
      if (!add(in->path().string()))
        return {};
    if (e)
      return {};
    std::sort(all.begin() + 1, all.end());
  }
  return all;
}

struct registry {
  std::mutex mutex;
  std::map<state, std::weak_ptr<const model>> loaded;
};

registry& all_loaded() {
  static auto& r = *new registry; // runtimes may be static
  return r;
}

} // namespace

result<std::shared_ptr<const model>>
load_shared_model(const std::string& path) {
  auto& r = all_loaded();
  auto guard = std::lock_guard{r.mutex};
  auto before = state_of(path);
  auto m = load_model(path);
  std::erase_if(r.loaded, [](auto& entry) { return entry.second.expired(); });
  // What was written to meanwhile may be half of one and half of the other.
  if (!m || !before || state_of(path) != before)
    return m;
  auto& known = r.loaded[*std::move(before)];
  // Writes that follow at once may leave the same time.
  if (auto former = known.lock(); former && former->digest == (*m)->digest)
    return former;
  known = *m;
  return m;
}

} // namespace troupe
