#pragma once

#include <memory>
#include <string>

#include "core/text/tokenizer.hpp"

namespace troupe {

/// Turns tokens into text as they come. What it returns is always whole UTF-8:
/// a character split over tokens is held back until it is complete, and bytes
/// that can never become one are replaced by U+FFFD, one for each maximal
/// subpart of an ill-formed sequence (The Unicode Standard, section 3.9, as
/// the W3C's decoders do). Control tokens are no text.
class stream_decoder {
public:
  /// `continues`: the tokens go on where others left off, so that a space at
  /// their beginning is theirs, and not the one that SPM puts before a text.
  explicit stream_decoder(std::shared_ptr<const tokenizer> text,
                          bool continues = false);

  /// Text that became certain with this token; may be empty.
  std::string push(token_id id);

  /// What is left at the end.
  std::string finish();

private:
  std::string take(bool at_end);

  std::shared_ptr<const tokenizer> text_;
  std::string pending_; ///< at most 3 bytes between calls
  bool drop_space_;
};

} // namespace troupe
