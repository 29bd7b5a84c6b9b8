#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "core/base/ids.hpp"
#include "core/serving/route_recent.hpp"
#include "core/serving/ticket_slab.hpp"

namespace troupe {

struct route_options {
  /// Blocks of prompts, and sessions, whose workers are remembered: hints of
  /// 40 and 24 bytes.
  size_t remembered_blocks = 65'536;
  size_t remembered_sessions = 16'384;
  uint32_t block_tokens = 16;
  /// A session leaves its worker for one that has so many tokens less to do.
  uint32_t session_worth = 4096;
};

/// A request, as far as it matters to where it goes.
struct route_request {
  /// Tokens to compute, and those that are expected to follow.
  uint32_t prompt = 0;
  uint32_t answer = 0;
  /// Of its full blocks, each of it and all before: see `prefix_chain`.
  std::span<const uint64_t> prefix = {};
  /// Requests of one session stay together; 0: of none.
  uint64_t session = 0;
};

/// A digest for each full block of `tokens`, chained over those before, so that
/// equal ones mean equal prefixes. Other `salt`, other digests.
std::vector<uint64_t> prefix_chain(std::string_view salt,
                                   std::span<const token_id> tokens,
                                   uint32_t block_tokens);

/// Spreads requests over workers that are alike but for their capacity, in a
/// time that does not grow with their number:
///
/// - the less loaded of two that are drawn (Mitzenmacher 2001), the load being
///   tokens to do by capacity;
/// - or one that was given the longest part of the prefix before, or that has
///   the session, if it has less to do with what it saves than the others
///   without;
/// - never one that has as many requests as its capacity, is drained or gone.
///
/// A `router` knows what nodes report and compares all of them; this is for
/// many of them, or for clusters of them, of which only that is known which was
/// sent there. One thread at a time.
class route_table {
public:
  /// One life of a worker; 0: none.
  using worker = uint32_t;

  /// A request at its worker.
  struct ticket {
    uint64_t id = 0;
    worker at = 0;
    uint32_t cached = 0; ///< tokens of the prompt that may be there
  };

  explicit route_table(const route_options& options = {})
      : options_(options), blocks_(options.remembered_blocks),
        sessions_(options.remembered_sessions) {}

  /// Takes `capacity` requests at a time. 0: there are too many workers.
  worker join(uint32_t capacity);
  /// Gone, with its requests.
  void leave(worker w);
  /// Gets no more requests, or again; those that it has stay.
  void drain(worker w, bool on = true);
  /// Takes effect on requests to come. No effect on a worker that is not known,
  /// as of all of these.
  void resize(worker w, uint32_t capacity);

  /// Books the request at a worker; nothing if none has room. `random`: 64
  /// random bits.
  std::optional<ticket> choose(const route_request& r, uint64_t random);
  /// Its prompt is computed: what is left to do is the answer.
  void prefilled(const ticket& t);
  /// It has ended. False, and no effect, if it had already, or if its worker is
  /// gone.
  bool complete(const ticket& t);
  /// The worker has KV of these blocks, or will have soon.
  void cached(worker w, std::span<const uint64_t> prefix);

  /// Requests at a worker; 0 of one that is not known.
  uint32_t requests(worker w) const;
  /// Requests that could be taken now.
  uint64_t room() const;

private:
  static constexpr auto slot_bits = 20;
  static constexpr auto closed = ~uint32_t{0};

  struct slot {
    worker id = 0; ///< 0: empty
    uint32_t generation = 0;
    uint32_t capacity = 0;
    uint32_t requests = 0;
    uint64_t tokens = 0;  ///< to do
    uint32_t at = closed; ///< its place in `open_`
    bool drained = false;
  };
  struct booking {
    worker at = 0;
    uint32_t prompt = 0;
    uint32_t answer = 0;
  };
  /// Who was given a block, the last one first.
  using holders = std::array<worker, 4>;
  struct candidate;

  slot* find(worker w);
  const slot* find(worker w) const;
  void update(slot& s);
  void consider(candidate& best, worker w, const route_request& r,
                uint32_t saved, uint32_t bonus) const;
  uint32_t known_blocks(std::span<const uint64_t> prefix, holders& who);
  ticket book(const route_request& r, const candidate& at);

  route_options options_;
  std::vector<slot> slots_;
  std::vector<uint32_t> empty_; ///< slots
  std::vector<uint32_t> open_;  ///< slots that have room, in no order
  ticket_slab<booking> bookings_;
  recent_map<holders> blocks_;
  recent_map<worker> sessions_;
};

} // namespace troupe
