#pragma once

#include <filesystem>
#include <string>
#include <string_view>

namespace troupe::testing {

/// A directory of its own under the system's temporary one; removed with all
/// that is in it on destruction.
class temp_dir {
public:
  temp_dir();
  ~temp_dir();
  temp_dir(const temp_dir&) = delete;
  temp_dir& operator=(const temp_dir&) = delete;

  const std::filesystem::path& path() const { return path_; }
  /// The path of a file in it.
  std::string file(std::string_view name) const { return path_ / name; }

private:
  std::filesystem::path path_;
};

} // namespace troupe::testing
