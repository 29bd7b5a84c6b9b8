#include "runtime/whole_file.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>

namespace troupe {

namespace {

error failed(const std::string& path, int number) {
  return fail(errc::io_error, path + ": " + std::strerror(number));
}

class descriptor {
public:
  explicit descriptor(int fd) : fd_(fd) {}
  ~descriptor() {
    if (fd_ >= 0)
      ::close(fd_);
  }
  descriptor(const descriptor&) = delete;
  descriptor& operator=(const descriptor&) = delete;
  int get() const { return fd_; }

private:
  int fd_;
};

bool write_all(int fd, const std::string& text) {
  for (size_t done = 0; done < text.size();) {
    auto n = ::write(fd, text.data() + done, text.size() - done);
    if (n < 0 && errno == EINTR)
      continue;
    if (n <= 0)
      return false;
    done += static_cast<size_t>(n);
  }
  return ::fsync(fd) == 0;
}

} // namespace

result<std::string> read_whole_file(const std::string& path, size_t most) {
  auto in = std::ifstream{path, std::ios::binary};
  if (!in)
    return failed(path, errno);
  auto text = std::string(most + 1, '\0');
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (in.bad())
    return fail(errc::io_error, path + ": cannot be read");
  text.resize(static_cast<size_t>(in.gcount()));
  if (text.size() > most)
    return fail(errc::io_error,
                path + ": has more than " + std::to_string(most) + " bytes");
  return text;
}

result<void> replace_file(const std::string& path, const std::string& text) {
  auto next = path + ".new";
  {
    auto file = descriptor{
        ::open(next.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600)};
    if (file.get() < 0)
      return failed(next, errno);
    if (!write_all(file.get(), text)) {
      auto why = errno;
      ::unlink(next.c_str());
      return failed(next, why);
    }
  }
  if (::rename(next.c_str(), path.c_str()) != 0) {
    auto why = errno;
    ::unlink(next.c_str());
    return failed(path, why);
  }
  // The name as well, where the file system can do that.
  auto folder = std::filesystem::path{path}.parent_path();
  auto at = descriptor{::open(folder.empty() ? "." : folder.c_str(),
                              O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  if (at.get() >= 0)
    ::fsync(at.get());
  return {};
}

} // namespace troupe
