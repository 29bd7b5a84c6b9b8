#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <tuple>
#include <variant>
#include <vector>

#include "core/base/bytes.hpp"
#include "core/base/error.hpp"
#include "core/base/ids.hpp"
#include "core/kv/block_pool.hpp"
#include "core/kv/layout.hpp"

namespace troupe {

// The messages of one handoff, in the order of a good run: offer, grant,
// chunk and credit in turn, commit, accepted. `docs/handoff.md` has the
// diagram. Each carries the sequence and the epoch of the handoff it belongs
// to; a message of another epoch is dropped.

/// XXH3-128 of bytes.
struct kv_digest {
  uint64_t low = 0;
  uint64_t high = 0;
  auto fields() { return std::tie(low, high); }
  friend bool operator==(const kv_digest&, const kv_digest&) = default;
};

/// What the protocol and the bytes of a block mean; peers of another version
/// refuse. Goes up with kv_block_tokens, the order of values in a block, or
/// the meaning of a message.
inline constexpr uint32_t kv_handoff_version = 4;

/// Source -> destination: may I send this sequence?
struct kv_offer {
  seq_id seq = 0;
  epoch_t epoch = 0;
  uint32_t version = kv_handoff_version;
  /// Digest of the model file; KV of one model is noise to another.
  std::string model;
  kv_layout layout;
  /// Blocks that will be sent as far as known: a sequence that goes on
  /// generating while it moves needs more in the end.
  uint32_t blocks = 0;
  /// Blocks that the sequence may grow to, and that may be sent at most.
  uint32_t max_blocks = 0;
  auto fields() {
    return std::tie(seq, epoch, version, model, layout.layers, layout.kv_heads,
                    layout.k_dim, layout.v_dim, layout.dtype, blocks,
                    max_blocks);
  }
};

/// Destination -> source: blocks are reserved, `credit` chunks may be in
/// flight. A credit of 0: the offer waits for free blocks; that too is a sign
/// of life.
struct kv_grant {
  seq_id seq = 0;
  epoch_t epoch = 0;
  uint32_t credit = 0;
  auto fields() { return std::tie(seq, epoch, credit); }
};

/// Bytes of KV: by reference while source and destination share an arena,
/// by value once they crossed a network.
struct kv_payload {
  /// One reference a block of the chunk; empty if `bytes` is used.
  std::vector<block_ref> blocks;
  /// [blocks][layers of the chunk], each layout.layer_bytes() long.
  raw_bytes bytes;
};

/// Source -> destination: layers [first_layer, first_layer + layers) of blocks
/// [first_block, first_block + blocks).
struct kv_chunk {
  seq_id seq = 0;
  epoch_t epoch = 0;
  /// 0, 1, 2, … within the handoff.
  uint32_t index = 0;
  uint32_t first_block = 0;
  uint32_t blocks = 0;
  uint32_t first_layer = 0;
  uint32_t layers = 0;
  /// Bytes of one layer of one block, for whoever serialises the chunk.
  uint64_t layer_bytes = 0;
  /// Of all of the above but `layer_bytes`, and the bytes, block by block.
  kv_digest digest;
  kv_payload payload;
};

/// Destination -> source: chunk `index` is in place, and another may be sent.
struct kv_credit {
  seq_id seq = 0;
  epoch_t epoch = 0;
  uint32_t index = 0;
  auto fields() { return std::tie(seq, epoch, index); }
};

/// Source -> destination: all is sent; take over at `tokens`.
struct kv_commit {
  seq_id seq = 0;
  epoch_t epoch = 0;
  uint32_t chunks = 0;
  /// Over the chunks' digests in order of their index, and the fields below.
  kv_digest digest;
  /// Tokens whose KV was sent.
  uint32_t tokens = 0;
  /// Tokens generated so far; the last of them has no KV yet.
  std::vector<token_id> emitted;
  auto fields() {
    return std::tie(seq, epoch, chunks, digest, tokens, emitted);
  }
};

/// Destination -> source: the sequence is mine; you may free it.
struct kv_accepted {
  seq_id seq = 0;
  epoch_t epoch = 0;
  auto fields() { return std::tie(seq, epoch); }
};

/// Either way: this handoff is over, for `code`.
struct kv_abort {
  seq_id seq = 0;
  epoch_t epoch = 0;
  errc code = errc::none;
  std::string reason;
  auto fields() { return std::tie(seq, epoch, code, reason); }
};

/// What a state machine wants sent to its peer, in order.
using kv_message = std::variant<kv_offer, kv_grant, kv_chunk, kv_credit,
                                kv_commit, kv_accepted, kv_abort>;
using kv_outbox = std::vector<kv_message>;

} // namespace troupe
