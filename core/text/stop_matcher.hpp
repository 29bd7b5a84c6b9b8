#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace troupe {

/// Cuts a stream of text before the first of some strings, that is, where one
/// begins earliest. Text that may be the beginning of one is held back until
/// that is decided. Each byte costs one step per string (Knuth, Morris and
/// Pratt, "Fast pattern matching in strings", 1977).
class stop_matcher {
public:
  /// Empty strings are ignored.
  explicit stop_matcher(std::vector<std::string> stops);

  /// Text that is certain not to belong to a stop string. Nothing follows
  /// once `stopped()`.
  std::string push(std::string_view text);

  /// What is held back at the end: up to a stop string, if there is one.
  std::string finish();

  bool stopped() const { return stopped_; }

private:
  struct pattern {
    std::string text;
    std::vector<uint32_t> border;  // of each prefix: its longest border
    uint32_t matched = 0;          // bytes of it at the end of the stream
    std::optional<uint64_t> found; // where in the stream it first begins
  };
  static void advance(pattern& p, std::string_view text, uint64_t from);
  std::string release(uint64_t end);
  std::string cut(uint64_t at);

  std::vector<pattern> patterns_;
  std::string held_;
  uint64_t released_ = 0; // bytes of the stream before held_
  bool stopped_ = false;
};

} // namespace troupe
