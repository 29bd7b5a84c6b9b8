#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/base/ids.hpp"
#include "core/sampling/fused_sampler.hpp"
#include "core/serving/finish_reason.hpp"
#include "core/serving/token_stream.hpp"
#include "core/text/stop_matcher.hpp"
#include "core/text/stream_decoder.hpp"

namespace troupe {

struct answer_limits {
  uint32_t max_tokens = 0;
  std::vector<std::string> stop;
  bool want_logprob = false;
};

/// Makes of what nodes say of a sequence what its client gets: each token once
/// and in order, its text, and nothing from a stop string on. How nodes group
/// tokens does not show but in the size of pieces.
class answer_stream {
public:
  /// Tokens that follow those of the pieces before.
  struct piece {
    uint32_t index = 0; ///< of the first
    std::vector<token_id> tokens;
    std::string text;             ///< whole UTF-8; may lag behind
    std::vector<sampled> details; ///< one a token, if asked for
  };

  answer_stream() = default;

  /// As `begin`.
  answer_stream(std::shared_ptr<const tokenizer> text, answer_limits limits) {
    begin(std::move(text), std::move(limits));
  }

  /// `text` may be null: then pieces have none, and nothing stops at one.
  /// REQUIRES: nothing has happened yet.
  void begin(std::shared_ptr<const tokenizer> text, answer_limits limits);

  /// Tokens [index, index + tokens.size()), of whatever life of the sequence:
  /// a token is a function of its position. `reason`, unless none: after them
  /// it ends. False, and nothing is taken, if they go beyond `max_tokens`.
  bool accept(uint32_t index, const std::vector<token_id>& tokens,
              const std::vector<sampled>& details, finish_reason reason);

  /// What is ready and has not been given out, `most` tokens of it, up to the
  /// first one that `allowed` refuses, which is asked before each.
  std::optional<piece> take(const std::function<bool()>& allowed,
                            size_t most = SIZE_MAX);

  /// Whether all of it has been given out, and why it ends there; else none.
  finish_reason end() const;

  /// Text that was held back, once it has ended.
  std::string finish();

  /// Tokens given out.
  uint32_t delivered() const { return delivered_; }
  /// All that is known without a gap.
  const std::vector<token_id>& ready() const { return stream_.ready(); }
  bool has_gap() const { return stream_.has_gap(); }

private:
  bool stopped() const { return stops_ && stops_->stopped(); }
  void give(piece& p);

  answer_limits limits_;
  std::optional<stream_decoder> decoder_;
  std::optional<stop_matcher> stops_;
  token_stream stream_;
  uint32_t delivered_ = 0;
  std::map<uint32_t, sampled> details_; ///< by position, until given out
  /// The end that a node announced; it counts once all tokens are here.
  std::optional<std::pair<uint32_t, finish_reason>> announced_;
};

} // namespace troupe
