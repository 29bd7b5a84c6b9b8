#include "core/trace/trace_part.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <utility>

#include "core/trace/encode.hpp"

namespace troupe {

namespace {

constexpr auto most_parts = 1000u;

// Fewer where the file ends, or cannot be read.
size_t read_at(int fd, void* to, uint64_t n, uint64_t at) {
  auto done = size_t{0};
  while (done < n) {
    auto got = ::pread(fd, static_cast<char*>(to) + done, n - done,
                       static_cast<off_t>(at + done));
    if (got < 0 && errno == EINTR)
      continue;
    if (got <= 0)
      break;
    done += static_cast<size_t>(got);
  }
  return done;
}

bool is_header(const trace_file_header& h) {
  return std::memcmp(h.magic, trace_magic, sizeof trace_magic) == 0
         && h.version == trace_version && h.checksum == checksum_of(h);
}

} // namespace

std::optional<trace_part> trace_part::open(const std::string& name) {
  auto fd = ::open(name.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0)
    return {};
  auto part = trace_part{fd};
  struct stat now = {};
  if (::fstat(fd, &now) != 0 || !S_ISREG(now.st_mode))
    return {};
  part.size_ = static_cast<uint64_t>(now.st_size);
  auto& h = part.header_;
  if (read_at(fd, &h, sizeof h, 0) != sizeof h || !is_header(h))
    return {};
  return part;
}

trace_part::trace_part(trace_part&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)), size_(other.size_),
      header_(other.header_), mapped_(std::exchange(other.mapped_, {})) {}

trace_part& trace_part::operator=(trace_part&& other) noexcept {
  std::swap(fd_, other.fd_);
  std::swap(size_, other.size_);
  std::swap(header_, other.header_);
  std::swap(mapped_, other.mapped_);
  return *this;
}

trace_part::~trace_part() {
  if (!mapped_.empty())
    ::munmap(const_cast<std::byte*>(mapped_.data()), mapped_.size());
  if (fd_ >= 0)
    ::close(fd_);
}

std::vector<std::byte> trace_part::read(uint64_t at, uint64_t n) const {
  auto bytes = std::vector<std::byte>(std::min(n, size_ - std::min(at, size_)));
  bytes.resize(read_at(fd_, bytes.data(), bytes.size(), at));
  return bytes;
}

const_bytes trace_part::map() {
  if (mapped_.empty() && size_ > 0) {
    auto at = ::mmap(nullptr, size_, PROT_READ, MAP_SHARED, fd_, 0);
    if (at != MAP_FAILED)
      mapped_ = {static_cast<const std::byte*>(at), size_};
  }
  return mapped_;
}

std::vector<trace_part> open_trace_parts(const std::string& file) {
  auto parts = std::vector<trace_part>{};
  // A turn while names are opened shows a file twice, and none too few.
  for (auto n = 0u; n < most_parts; ++n) {
    auto name = n == 0 ? file : file + "." + std::to_string(n);
    auto part = trace_part::open(name);
    if (!part && n > 0)
      break;
    if (!part)
      continue;
    auto& h = part->header();
    auto& newest = parts.empty() ? h : parts.front().header();
    auto is_older = parts.empty() || h.file < parts.back().header().file;
    if (h.process == newest.process && is_older)
      parts.push_back(std::move(*part));
  }
  return parts;
}

std::vector<std::string> names_of_trace(const std::string& file) {
  auto names = std::vector{file};
  auto ignored = std::error_code{};
  for (auto n = 1u; n < most_parts; ++n) {
    auto name = file + "." + std::to_string(n);
    if (!std::filesystem::exists(name, ignored))
      break;
    names.push_back(std::move(name));
  }
  return names;
}

} // namespace troupe
