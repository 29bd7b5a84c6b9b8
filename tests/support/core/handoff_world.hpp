#pragma once

#include <map>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "core/base/random.hpp"
#include "core/kv/fences.hpp"
#include "core/kv/handoff.hpp"
#include "tests/support/core/handoff_model.hpp"

namespace troupe::testing::world {

// -- messages -----------------------------------------------------------------

/// Never used twice: a node that comes back is another one.
using actor = uint32_t;
/// All sessions, and what they know of nodes.
inline constexpr actor sessions = 0;

/// A sequence as it was placed, in one of its lives.
struct spec {
  seq_id seq = 0;
  epoch_t epoch = 0;
  uint32_t prompt = 0; ///< tokens
  uint32_t max_tokens = 0;
  std::vector<token_id> emitted;

  uint32_t max_length() const { return prompt + max_tokens; }
  uint32_t tokens() const {
    return prompt + static_cast<uint32_t>(emitted.size());
  }
};

struct offer {
  kv_offer what;
  spec of;
};
/// Compute a prompt; it decodes at `decode`, or here if that is 0.
struct job {
  spec of;
  actor decode = 0;
};
struct cancel {
  seq_id seq = 0;
  epoch_t epoch = 0;
};
struct fetch {
  seq_id seq = 0;
  epoch_t epoch = 0;
  actor to = 0;
};
struct output {
  seq_id seq = 0;
  epoch_t epoch = 0;
  uint32_t index = 0;
  std::vector<token_id> tokens;
  bool failed = false;
};
struct moved {
  seq_id seq = 0;
  epoch_t epoch = 0;
};
/// The sender is dead.
struct down {};

using message =
    std::variant<offer, kv_grant, kv_chunk, kv_credit, kv_commit, kv_accepted,
                 kv_abort, job, cancel, fetch, output, moved, down>;

struct envelope {
  actor from = 0;
  actor to = 0;
  message what;

  /// Of a handoff, so that the link may do with it what it likes. The others
  /// come late, but once, and in order.
  bool of_handoff() const { return what.index() < 7; }
};

/// "kv_chunk 3@1.2 #4 blocks 0+1 layers 0+2"
std::string describe(const message& m);

// -- bytes and tokens ---------------------------------------------------------

inline constexpr auto layout = kv_layout{2, 1, 1, 0, kv_dtype::f16};

/// The token at a position of an answer, whoever computes it.
inline token_id token_of(seq_id seq, size_t index) {
  return static_cast<token_id>(seq * 1000 + index);
}
std::vector<token_id> tokens_of(seq_id seq, size_t count);

/// Writes the KV of the tokens [first, last), recognisable ever after.
void write_kv(page_table& table, seq_id seq, uint32_t first, uint32_t last);
/// The first token whose KV is not what write_kv wrote; `table.length()` if
/// there is none.
uint32_t first_wrong(const page_table& table, seq_id seq);

// -- what all share -----------------------------------------------------------

/// The time, the seed, the wire, and the first thing that went wrong.
class context {
public:
  explicit context(const model_options& opts) : options(opts) {}

  /// Uniform below `below`, which is not 0.
  uint64_t draw(uint64_t below) {
    return random_bits(options.seed, draws_++) % below;
  }
  bool one_in(uint64_t n) { return draw(n) == 0; }
  bool has(model_bug bug) const { return options.bug == bug; }

  /// Messages between processes carry bytes, others carry references.
  void post(actor from, actor to, message m);
  /// What a state machine wants sent. `with` goes with an offer: the sequence
  /// and its tokens so far.
  void post(actor from, actor to, kv_outbox box, const spec& with = {});
  /// Who watches a dead actor hears of it.
  void watch(actor who, actor whom) {
    if (whom < dead.size() && dead[whom])
      post(whom, who, down{});
  }

  void broken(std::string what);
  bool ok() const { return out.violation.empty(); }
  template <class F>
  void note(F line) {
    if (options.trace)
      out.trace.push_back(line());
  }

  model_options options;
  model_outcome out;
  time_point now = time_point{} + std::chrono::hours{1};
  handoff_timing timing{std::chrono::milliseconds{500}, std::chrono::seconds{8},
                        std::chrono::seconds{20}};
  std::vector<envelope> wire;
  std::vector<bool> dead;        ///< by actor
  std::vector<uint32_t> process; ///< by actor

private:
  uint64_t draws_ = 0;
};

/// The real ones, unless they are what is broken.
class fences {
public:
  explicit fences(const context& c) : off_(c.has(model_bug::no_fence)) {}

  void add(seq_id seq, epoch_t epoch, bool taken) {
    marks_.add(seq, epoch, taken);
  }
  bool over(seq_id seq, epoch_t epoch) const {
    return !off_ && marks_.over(seq, epoch);
  }
  bool taken(seq_id seq, epoch_t epoch) const {
    return marks_.taken(seq, epoch);
  }

private:
  troupe::fences marks_;
  bool off_;
};

/// Whether a commit fits what was offered with it.
bool consistent(const kv_commit& m, const spec& s);

} // namespace troupe::testing::world
