#include "core/trust/audit_files.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <system_error>

namespace troupe {

namespace {

error failed(const std::string& path, const char* what, int code) {
  return fail(errc::io_error, path + ": " + what + ": "
                                  + std::generic_category().message(code));
}

class descriptor {
public:
  explicit descriptor(int fd) : fd_(fd) {}
  descriptor(descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  descriptor& operator=(descriptor&&) = delete;
  ~descriptor() {
    if (fd_ >= 0)
      ::close(fd_);
  }
  int get() const { return fd_; }
  bool ok() const { return fd_ >= 0; }

private:
  int fd_;
};

class posix_file : public audit_file {
public:
  posix_file(std::string path, descriptor fd, uint64_t size)
      : path_(std::move(path)), fd_(std::move(fd)), size_(size) {}

  result<void> append(const_bytes bytes) override {
    // A write beyond RLIMIT_FSIZE would raise a signal that ends the process.
    auto allowed = rlimit{};
    if (::getrlimit(RLIMIT_FSIZE, &allowed) == 0
        && allowed.rlim_cur != RLIM_INFINITY
        && size_ + bytes.size() > allowed.rlim_cur)
      return failed(path_, "cannot be written", EFBIG);
    while (!bytes.empty()) {
      auto n = ::pwrite(fd_.get(), bytes.data(), bytes.size(),
                        static_cast<off_t>(size_));
      if (n < 0 && errno == EINTR)
        continue;
      if (n <= 0)
        return failed(path_, "cannot be written", n < 0 ? errno : ENOSPC);
      size_ += static_cast<uint64_t>(n);
      bytes = bytes.subspan(static_cast<size_t>(n));
    }
    return {};
  }

  result<void> sync() override {
    if (::fdatasync(fd_.get()) != 0)
      return failed(path_, "cannot be made durable", errno);
    return {};
  }

  result<void> cut(uint64_t size) override {
    if (::ftruncate(fd_.get(), static_cast<off_t>(size)) != 0)
      return failed(path_, "cannot be cut", errno);
    size_ = size;
    return sync();
  }

private:
  std::string path_;
  descriptor fd_;
  uint64_t size_;
};

// The name of a new file is durable only once its directory is.
result<void> sync_directory_of(const std::string& path) {
  auto folder = std::filesystem::path{path}.parent_path();
  auto at = descriptor{::open(folder.empty() ? "." : folder.c_str(),
                              O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  // Some file systems cannot; then there is nothing to be done about it.
  if (at.ok() && ::fsync(at.get()) != 0 && errno != EINVAL)
    return failed(path, "its directory cannot be made durable", errno);
  return {};
}

result<uint64_t> size_of(const std::string& path, int fd) {
  struct stat s = {};
  if (::fstat(fd, &s) != 0)
    return failed(path, "cannot be looked at", errno);
  if (!S_ISREG(s.st_mode))
    return fail(errc::io_error, path + ": is not a file");
  return static_cast<uint64_t>(s.st_size);
}

class posix_folder : public audit_folder {
public:
  posix_folder(std::string path, descriptor lock)
      : path_(std::move(path)), lock_(std::move(lock)) {}

  result<uint32_t> segments() override {
    auto n = uint32_t{0};
    while (::access(name(n).c_str(), F_OK) == 0)
      ++n;
    return n;
  }

  result<audit_bytes> read(uint32_t segment) override {
    return map_audit_file(name(segment));
  }

  result<std::unique_ptr<audit_file>> create(uint32_t segment) override {
    auto file = open_at(segment, O_CREAT);
    if (!file)
      return file;
    if (auto ok = (*file)->cut(0); !ok)
      return ok.failure();
    if (auto ok = sync_directory_of(name(segment)); !ok)
      return ok.failure();
    return file;
  }

  result<std::unique_ptr<audit_file>> open(uint32_t segment) override {
    return open_at(segment, 0);
  }

  std::string name(uint32_t segment) const override {
    return audit_segment_name(path_, segment);
  }

private:
  result<std::unique_ptr<audit_file>> open_at(uint32_t segment, int flags) {
    auto path = name(segment);
    auto fd =
        descriptor{::open(path.c_str(), O_RDWR | O_CLOEXEC | flags, 0600)};
    if (!fd.ok())
      return failed(path, "cannot be opened", errno);
    auto size = size_of(path, fd.get());
    if (!size)
      return size.failure();
    return std::unique_ptr<audit_file>{
        std::make_unique<posix_file>(path, std::move(fd), *size)};
  }

  std::string path_;
  descriptor lock_;
};

} // namespace

std::string audit_segment_name(const std::string& path, uint32_t segment) {
  return segment == 0 ? path : path + "." + std::to_string(segment);
}

result<std::unique_ptr<audit_folder>>
open_audit_folder(const std::string& path) {
  auto lock =
      descriptor{::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600)};
  if (!lock.ok())
    return failed(path, "cannot be opened", errno);
  if (::flock(lock.get(), LOCK_EX | LOCK_NB) != 0)
    return failed(path, "another process writes this log", errno);
  if (auto size = size_of(path, lock.get()); !size)
    return size.failure();
  return std::unique_ptr<audit_folder>{
      std::make_unique<posix_folder>(path, std::move(lock))};
}

result<audit_bytes> map_audit_file(const std::string& path) {
  auto fd = descriptor{::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
  if (!fd.ok())
    return failed(path, "cannot be opened", errno);
  auto size = size_of(path, fd.get());
  if (!size)
    return size.failure();
  if (*size == 0)
    return audit_bytes{};
  auto at = ::mmap(nullptr, *size, PROT_READ, MAP_SHARED, fd.get(), 0);
  if (at == MAP_FAILED)
    return failed(path, "cannot be mapped", errno);
  ::madvise(at, *size, MADV_SEQUENTIAL);
  auto n = static_cast<size_t>(*size);
  return audit_bytes{{at, [n](void* p) { ::munmap(p, n); }},
                     {static_cast<const std::byte*>(at), n}};
}

} // namespace troupe
