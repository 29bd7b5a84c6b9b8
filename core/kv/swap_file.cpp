#include "core/kv/swap_file.hpp"

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <limits>
#include <system_error>
#include <utility>

#define XXH_STATIC_LINKING_ONLY
#include <xxhash.h>
#ifdef __x86_64__
#include <xxh_x86dispatch.h> // the same digests, with this machine's vectors
#endif

namespace troupe {

namespace {

error file_failure(const std::string& path, const char* what, int code) {
  return fail(errc::io_error, path + ": " + what + ": "
                                  + std::generic_category().message(code));
}

kv_digest digest_of(const std::byte* block, size_t bytes) {
  auto h = XXH3_128bits(block, bytes);
  return {h.low64, h.high64};
}

class nameless_file : public random_access_file {
public:
  nameless_file(std::string directory, int fd)
      : directory_(std::move(directory)), fd_(fd) {}
  nameless_file(const nameless_file&) = delete;
  nameless_file& operator=(const nameless_file&) = delete;
  ~nameless_file() override { ::close(fd_); }

  result<void> write(uint64_t offset, const_bytes bytes) override {
    while (!bytes.empty()) {
      auto n =
          ::pwrite(fd_, bytes.data(), bytes.size(), static_cast<off_t>(offset));
      if (n < 0 && errno == EINTR)
        continue;
      if (n <= 0)
        return file_failure(directory_, "cannot write the swap file",
                            n < 0 ? errno : ENOSPC);
      offset += static_cast<uint64_t>(n);
      bytes = bytes.subspan(static_cast<size_t>(n));
    }
    return {};
  }

  result<void> read(uint64_t offset, std::span<std::byte> bytes) override {
    while (!bytes.empty()) {
      auto n =
          ::pread(fd_, bytes.data(), bytes.size(), static_cast<off_t>(offset));
      if (n < 0 && errno == EINTR)
        continue;
      if (n <= 0)
        return file_failure(directory_, "cannot read the swap file",
                            n < 0 ? errno : EIO);
      offset += static_cast<uint64_t>(n);
      bytes = bytes.subspan(static_cast<size_t>(n));
    }
    return {};
  }

  // A write beyond RLIMIT_FSIZE would raise a signal that ends the process.
  uint64_t limit() const override {
    auto most = static_cast<uint64_t>(std::numeric_limits<off_t>::max());
    auto allowed = rlimit{};
    if (::getrlimit(RLIMIT_FSIZE, &allowed) == 0
        && allowed.rlim_cur != RLIM_INFINITY)
      most = std::min(most, static_cast<uint64_t>(allowed.rlim_cur));
    return most;
  }

private:
  std::string directory_;
  int fd_;
};

} // namespace

result<std::shared_ptr<random_access_file>>
open_nameless_file(const std::string& directory) {
  auto path = directory + "/troupe-swap-XXXXXX";
  auto fd = ::mkostemp(path.data(), O_CLOEXEC);
  if (fd < 0)
    return file_failure(directory, "cannot create a swap file", errno);
  auto file = std::make_shared<nameless_file>(directory, fd);
  if (::unlink(path.c_str()) != 0)
    return file_failure(path, "cannot unlink the swap file", errno);
  return std::shared_ptr<random_access_file>{std::move(file)};
}

// -- slots --------------------------------------------------------------------

swap_slot& swap_slot::operator=(swap_slot&& other) noexcept {
  if (this != &other) {
    reset();
    free_ = std::move(other.free_);
    index_ = other.index_;
    digest_ = other.digest_;
  }
  return *this;
}

void swap_slot::reset() {
  if (auto free = std::exchange(free_, nullptr))
    free->freed.push_back(index_);
}

swap_file::swap_file(std::shared_ptr<random_access_file> file,
                     size_t block_bytes, uint32_t slots)
    : file_(std::move(file)), block_bytes_(block_bytes),
      capacity_(static_cast<uint32_t>(std::min<uint64_t>(
          slots, file_->limit() / std::max<size_t>(1, block_bytes)))) {}

uint32_t swap_file::in_use() const {
  return free_->unused - static_cast<uint32_t>(free_->freed.size());
}

result<swap_slot> swap_file::write(const std::byte* block) {
  auto& free = *free_;
  if (free.freed.empty() && free.unused >= capacity_)
    return fail(errc::no_free_blocks,
                "all " + std::to_string(capacity_)
                    + " blocks of the swap file are used");
  auto index = free.unused;
  if (!free.freed.empty()) {
    index = free.freed.back();
    free.freed.pop_back();
  } else {
    ++free.unused;
  }
  auto slot = swap_slot{free_, index};
  if (auto ok = rewrite(slot, block); !ok)
    return ok.failure();
  return slot;
}

result<void> swap_file::rewrite(swap_slot& slot, const std::byte* block) {
  auto ok =
      file_->write(uint64_t{slot.index_} * block_bytes_, {block, block_bytes_});
  if (ok)
    slot.digest_ = digest_of(block, block_bytes_);
  return ok;
}

result<void> swap_file::read(const swap_slot& slot, std::byte* block) {
  auto ok =
      file_->read(uint64_t{slot.index_} * block_bytes_, {block, block_bytes_});
  if (!ok)
    return ok;
  if (digest_of(block, block_bytes_) != slot.digest_)
    return fail(errc::digest_mismatch,
                "block " + std::to_string(slot.index_)
                    + " of the swap file is not what was written");
  return {};
}

} // namespace troupe
