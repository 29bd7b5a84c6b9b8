#include "core/model/mapped_file.hpp"

#include <cerrno>
#include <cstdint>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

namespace troupe {

namespace {

error failed(const std::string& path, const char* what, int code) {
  return fail(errc::io_error,
              path + ": " + what + ": " + std::system_category().message(code));
}

struct descriptor {
  int fd;
  ~descriptor() {
    if (fd >= 0)
      ::close(fd);
  }
};

} // namespace

result<mapped_file> mapped_file::open(const std::string& path) {
  // O_NONBLOCK: opening a pipe that nobody writes to must not hang.
  auto file =
      descriptor{::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)};
  if (file.fd < 0)
    return failed(path, "cannot open", errno);
  struct stat status;
  if (::fstat(file.fd, &status) != 0)
    return failed(path, "cannot examine", errno);
  if (S_ISDIR(status.st_mode))
    return fail(errc::io_error, path + ": is a directory");
  if (!S_ISREG(status.st_mode))
    return fail(errc::io_error, path + ": is not a regular file");
  if (status.st_size == 0)
    return fail(errc::io_error, path + ": is empty");
  auto size = static_cast<size_t>(status.st_size);
  auto at = ::mmap(nullptr, size, PROT_READ, MAP_SHARED, file.fd, 0);
  if (at == MAP_FAILED)
    return failed(path, "cannot map", errno);
  return mapped_file{const_bytes{static_cast<const std::byte*>(at), size}};
}

void mapped_file::release(const_bytes part) const {
  auto first = reinterpret_cast<uintptr_t>(part.data());
  auto last = first + part.size();
  auto start = reinterpret_cast<uintptr_t>(bytes_.data());
  if (first < start || last > start + bytes_.size())
    return;
  // Whole pages: neighbours may still be in use.
  auto page = static_cast<uintptr_t>(::sysconf(_SC_PAGESIZE));
  first = (first + page - 1) / page * page;
  last = last / page * page;
  if (first < last)
    ::madvise(reinterpret_cast<void*>(first), last - first, MADV_DONTNEED);
}

mapped_file::mapped_file(mapped_file&& other) noexcept
    : bytes_(std::exchange(other.bytes_, {})) {}

mapped_file& mapped_file::operator=(mapped_file&& other) noexcept {
  std::swap(bytes_, other.bytes_);
  return *this;
}

mapped_file::~mapped_file() {
  if (!bytes_.empty())
    ::munmap(const_cast<std::byte*>(bytes_.data()), bytes_.size());
}

} // namespace troupe
