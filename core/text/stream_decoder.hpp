#pragma once

#include <memory>
#include <string>

#include "core/text/tokenizer.hpp"

namespace troupe {

/// Turns tokens into text as they come. What it returns is always whole UTF-8:
/// a character split over tokens is held back until it is complete, and bytes
/// that can never become one are replaced by U+FFFD.
class stream_decoder {
public:
  explicit stream_decoder(std::shared_ptr<const tokenizer> text);

  /// Text that became certain with this token; may be empty.
  std::string push(token_id id);

  /// What is left at the end.
  std::string finish();

private:
  std::shared_ptr<const tokenizer> text_;
  std::string pending_; ///< at most 3 bytes between calls
  bool first_ = true;
};

} // namespace troupe
