#pragma once

#include <algorithm>
#include <cstring>
#include <memory>
#include <vector>

#include "core/kv/swap_file.hpp"

namespace troupe::testing {

/// A file in memory that fails when told to.
class fake_file : public random_access_file {
public:
  std::vector<std::byte> bytes;
  uint64_t most = uint64_t{1} << 30; ///< what limit() says
  uint64_t disk = uint64_t{1} << 30; ///< bytes that fit before it is full
  bool broken = false;               ///< no write succeeds
  bool tears = false;                ///< a failed write leaves half of itself
  bool unreadable = false;
  size_t writes = 0;

  result<void> write(uint64_t offset, const_bytes b) override {
    ++writes;
    auto fits = !broken && offset + b.size() <= disk;
    if (fits || tears) {
      auto n = fits ? b.size() : b.size() / 2;
      bytes.resize(std::max<size_t>(bytes.size(), offset + n));
      std::memcpy(bytes.data() + offset, b.data(), n);
    }
    if (!fits)
      return fail(errc::io_error, "disk: no space left on device");
    return {};
  }

  result<void> read(uint64_t offset, std::span<std::byte> b) override {
    if (unreadable || offset + b.size() > bytes.size())
      return fail(errc::io_error, "disk: cannot be read");
    std::memcpy(b.data(), bytes.data() + offset, b.size());
    return {};
  }

  uint64_t limit() const override { return most; }
};

} // namespace troupe::testing
