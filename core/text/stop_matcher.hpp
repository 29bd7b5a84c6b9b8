#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace troupe {

/// Cuts a stream of text before the first of some strings. Text that may be
/// the beginning of one is held back until that is decided.
class stop_matcher {
public:
  /// Empty strings are ignored.
  explicit stop_matcher(std::vector<std::string> stops);

  /// Text that is certain not to belong to a stop string. Nothing follows
  /// once `stopped()`.
  std::string push(std::string_view text);

  /// What is held back at the end.
  std::string finish();

  bool stopped() const { return stopped_; }

private:
  std::vector<std::string> stops_;
  std::string held_;
  bool stopped_ = false;
};

} // namespace troupe
