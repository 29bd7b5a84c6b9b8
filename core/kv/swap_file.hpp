#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "core/base/bytes.hpp"
#include "core/base/result.hpp"
#include "core/kv/handoff_messages.hpp"

namespace troupe {

/// Bytes that can be written and read back anywhere. Writes and reads whole
/// ranges or fails; after a failed write the range holds anything.
class random_access_file {
public:
  virtual ~random_access_file() = default;
  /// io_error
  virtual result<void> write(uint64_t offset, const_bytes bytes) = 0;
  /// io_error
  virtual result<void> read(uint64_t offset, std::span<std::byte> bytes) = 0;
  /// Bytes that the file may ever hold.
  virtual uint64_t limit() const = 0;
};

/// A new file in `directory` that has no name: its bytes are gone with the
/// process, however that ends. io_error.
result<std::shared_ptr<random_access_file>>
open_nameless_file(const std::string& directory);

/// One block's place in a swap file; move-only, given back on destruction.
class [[nodiscard]] swap_slot;

/// KV blocks in a file of slots of one block each. The digests stay in memory,
/// so whatever happens to the file, what is read is what was written. Not
/// thread-safe.
class swap_file {
public:
  /// At most `slots` blocks of `block_bytes` bytes, and no more than the file
  /// may hold.
  swap_file(std::shared_ptr<random_access_file> file, size_t block_bytes,
            uint32_t slots);

  /// `block_bytes` bytes go to a free slot. no_free_blocks if there is none,
  /// io_error if the file cannot take them; then nothing is held.
  result<swap_slot> write(const std::byte* block);

  /// Puts other bytes into a slot that is held already. io_error: it holds what
  /// it held, or else `read` will tell.
  result<void> rewrite(swap_slot& slot, const std::byte* block);

  /// Fills `block` with what the slot holds. io_error, or digest_mismatch if
  /// that is not what was written.
  result<void> read(const swap_slot& slot, std::byte* block);

  uint32_t capacity() const { return capacity_; }
  uint32_t in_use() const;

private:
  friend class swap_slot;
  struct free_list {
    std::vector<uint32_t> freed;
    uint32_t unused = 0; ///< first slot that was never written
  };

  std::shared_ptr<random_access_file> file_;
  size_t block_bytes_;
  uint32_t capacity_;
  std::shared_ptr<free_list> free_ = std::make_shared<free_list>();
};

class [[nodiscard]] swap_slot {
public:
  /// No slot.
  swap_slot() = default;
  swap_slot(swap_slot&& other) noexcept = default;
  swap_slot& operator=(swap_slot&& other) noexcept;
  ~swap_slot() { reset(); }

  explicit operator bool() const { return free_ != nullptr; }
  void reset();

private:
  friend class swap_file;
  swap_slot(std::shared_ptr<swap_file::free_list> free, uint32_t index)
      : free_(std::move(free)), index_(index) {}

  std::shared_ptr<swap_file::free_list> free_;
  uint32_t index_ = 0;
  kv_digest digest_;
};

} // namespace troupe
