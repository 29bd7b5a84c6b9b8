#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>

namespace troupe {

/// Who opened a connection. The one who did sends the client's handshake.
enum class link_side : uint8_t { accepted, dialed };

/// Reads along in what a peer sends, before CAF's broker acts on it: the
/// broker believes every header and allocates what it announces. A frame of
/// BASP is a header of 32 bytes and the payload that it announces.
class frame_check {
public:
  static constexpr size_t header_bytes = 32;
  /// A handshake holds a node's name and the types of one actor's messages.
  static constexpr size_t max_handshake = size_t{64} << 10;
  /// One, one more that selects the connection, and some to spare. Each may
  /// make the broker remember another node.
  static constexpr uint32_t max_handshakes = 4;

  /// No payload above `max_frame` bytes.
  frame_check(link_side side, size_t max_frame)
      : side_(side), max_frame_(max_frame) {}

  /// A whole header or a whole payload, as they alternate. What is wrong with
  /// it; none if the broker may see it.
  std::optional<std::string> take(std::span<const char> bytes);

  /// Payload bytes that have been announced and not yet taken.
  size_t due() const { return due_; }

  /// The peer's handshake is complete.
  bool established() const { return established_; }

private:
  std::optional<std::string> take_header(std::span<const char> bytes);

  link_side side_;
  size_t max_frame_;
  size_t due_ = 0;
  uint32_t handshakes_ = 0;
  bool established_ = false;
};

} // namespace troupe
