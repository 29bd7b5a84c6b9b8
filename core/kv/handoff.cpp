#include "core/kv/handoff.hpp"

#include <algorithm>
#include <array>
#include <cassert>
#include <cstring>
#include <utility>

#define XXH_STATIC_LINKING_ONLY
#include <xxhash.h>

namespace troupe {

namespace {

kv_digest to_digest(XXH128_hash_t h) {
  return {h.low64, h.high64};
}

template <class F>
void for_each_slice(const kv_layout& layout, const kv_chunk& c, F f) {
  auto bytes = c.layers * layout.layer_bytes();
  auto offset = c.first_layer * layout.layer_bytes();
  for (uint32_t i = 0; i < c.blocks; ++i)
    f(i,
      c.payload.blocks.empty() ? c.payload.bytes.data() + i * bytes
                               : c.payload.blocks[i].get() + offset,
      bytes);
}

// Whether a chunk is whole and within the offered range. A chunk that came
// over a network is hostile until this said yes.
bool plausible(const kv_offer& offer, const kv_chunk& c) {
  auto in_range = [](uint32_t first, uint32_t count, uint32_t limit) {
    return count > 0 && count <= limit && first <= limit - count;
  };
  if (!in_range(c.first_block, c.blocks, offer.max_blocks)
      || !in_range(c.first_layer, c.layers, offer.layout.layers))
    return false;
  if (!c.payload.blocks.empty())
    return c.payload.blocks.size() == c.blocks && c.payload.bytes.empty()
           && std::all_of(c.payload.blocks.begin(), c.payload.blocks.end(),
                          [](const block_ref& b) { return b != nullptr; });
  return c.payload.bytes.size()
         == size_t{c.blocks} * c.layers * offer.layout.layer_bytes();
}

} // namespace

kv_digest digest_of(const kv_layout& layout, const kv_chunk& chunk) {
  XXH3_state_t state;
  XXH3_128bits_reset(&state);
  // Where the bytes belong, too: damage there would put them elsewhere.
  auto header = std::array<uint64_t, 7>{
      chunk.seq,    chunk.epoch,       chunk.index, chunk.first_block,
      chunk.blocks, chunk.first_layer, chunk.layers};
  XXH3_128bits_update(&state, header.data(), sizeof(header));
  for_each_slice(layout, chunk, [&](uint32_t, const std::byte* p, size_t n) {
    XXH3_128bits_update(&state, p, n);
  });
  return to_digest(XXH3_128bits_digest(&state));
}

kv_digest digest_of(const std::vector<kv_digest>& chunks,
                    const kv_commit& commit) {
  static_assert(sizeof(kv_digest) == 16);
  XXH3_state_t state;
  XXH3_128bits_reset(&state);
  XXH3_128bits_update(&state, chunks.data(), chunks.size() * sizeof(kv_digest));
  XXH3_128bits_update(&state, &commit.tokens, sizeof(commit.tokens));
  XXH3_128bits_update(&state, commit.emitted.data(),
                      commit.emitted.size() * sizeof(token_id));
  return to_digest(XXH3_128bits_digest(&state));
}

// -- sender -------------------------------------------------------------------

kv_sender::kv_sender(kv_offer offer, handoff_timing timing)
    : offer_(std::move(offer)), timing_(timing) {}

bool kv_sender::ours(seq_id seq, epoch_t epoch) const {
  return seq == offer_.seq && epoch == offer_.epoch;
}

void kv_sender::start(time_point now, kv_outbox& out) {
  last_progress_ = last_send_ = now;
  out.push_back(offer_);
}

void kv_sender::push(const page_table& table, uint32_t first_block,
                     uint32_t blocks, uint32_t first_layer, uint32_t layers,
                     time_point now, kv_outbox& out) {
  if (over())
    return;
  assert(!commit_ && first_block + blocks <= offer_.max_blocks);
  // A block of a large model may exceed a chunk: then its layers are split.
  auto layer_bytes = std::max<size_t>(1, offer_.layout.layer_bytes());
  auto at_once =
      static_cast<uint32_t>(std::max<size_t>(1, max_chunk_bytes / layer_bytes));
  for (uint32_t done = 0; done < layers; done += at_once)
    queue(table, first_block, blocks, first_layer + done,
          std::min(at_once, layers - done));
  pump(now, out);
}

void kv_sender::queue(const page_table& table, uint32_t first_block,
                      uint32_t blocks, uint32_t first_layer, uint32_t layers) {
  auto slice = std::max<size_t>(1, layers * offer_.layout.layer_bytes());
  auto per_chunk =
      static_cast<uint32_t>(std::max<size_t>(1, max_chunk_bytes / slice));
  for (uint32_t done = 0; done < blocks;) {
    auto c = kv_chunk{};
    c.seq = offer_.seq;
    c.epoch = offer_.epoch;
    c.index = static_cast<uint32_t>(chunks_.size());
    c.first_block = first_block + done;
    c.blocks = std::min(per_chunk, blocks - done);
    c.first_layer = first_layer;
    c.layers = layers;
    c.layer_bytes = offer_.layout.layer_bytes();
    for (uint32_t i = 0; i < c.blocks; ++i)
      c.payload.blocks.push_back(table.lease(c.first_block + i).ref());
    c.digest = digest_of(offer_.layout, c);
    done += c.blocks;
    digests_.push_back(c.digest);
    acknowledged_.push_back(false);
    chunks_.push_back(std::move(c));
  }
}

void kv_sender::finish(uint32_t tokens, std::vector<token_id> emitted,
                       time_point now, kv_outbox& out) {
  if (over())
    return;
  assert(!commit_);
  commit_ =
      kv_commit{offer_.seq, offer_.epoch, static_cast<uint32_t>(chunks_.size()),
                {},         tokens,       std::move(emitted)};
  commit_->digest = digest_of(digests_, *commit_);
  pump(now, out);
}

void kv_sender::pump(time_point now, kv_outbox& out) {
  if (state_ != state::sending)
    return;
  for (; next_ < chunks_.size() && next_ - acknowledged_count_ < window_;
       ++next_) {
    out.push_back(chunks_[next_]);
    last_send_ = now;
  }
  // The commit follows the last chunks at once: a sequence may be waiting.
  if (commit_ && next_ == chunks_.size()) {
    state_ = state::committing;
    out.push_back(*commit_);
    last_send_ = now;
  }
}

void kv_sender::alive(time_point now) {
  last_progress_ = now;
  unanswered_ = 0;
}

void kv_sender::on(const kv_grant& m, time_point now, kv_outbox& out) {
  if (!ours(m.seq, m.epoch) || state_ != state::offered)
    return;
  alive(now);
  queued_ = m.credit == 0;
  if (queued_)
    return;
  state_ = state::sending;
  window_ = std::min(m.credit, max_window);
  pump(now, out);
}

void kv_sender::on(const kv_credit& m, time_point now, kv_outbox& out) {
  if (!ours(m.seq, m.epoch) || over() || m.index >= next_
      || acknowledged_[m.index])
    return;
  acknowledged_[m.index] = true;
  ++acknowledged_count_;
  chunks_[m.index].payload = {};
  alive(now);
  pump(now, out);
}

void kv_sender::on(const kv_accepted& m) {
  if (ours(m.seq, m.epoch) && state_ == state::committing)
    state_ = state::done;
}

void kv_sender::on(const kv_abort& m) {
  if (!ours(m.seq, m.epoch) || over())
    return;
  failed_with(m.code == errc::none ? errc::abandoned : m.code, m.reason);
}

// Who has taken a sequence and is done with it knows as little of the handoff
// as who never heard of it. Silence tells nothing either.
void kv_sender::failed_with(errc code, std::string reason) {
  may_be_taken_ = state_ == state::committing
                  && (code == errc::timeout || code == errc::unknown_sequence
                      || code == errc::stale_epoch);
  state_ = state::failed;
  failure_ = fail(code, std::move(reason));
}

void kv_sender::tick(time_point now, kv_outbox& out) {
  if (over())
    return;
  // While the source itself is still computing there is nothing to answer.
  auto waiting = state_ != state::sending || acknowledged_count_ < next_;
  if (!waiting) {
    alive(now);
    return;
  }
  // A destination that said "wait" is asked again at leisure.
  auto pause = state_ == state::offered && queued_
                   ? std::max(timing_.resend, timing_.lease / 4)
                   : timing_.resend;
  if (now - last_send_ < pause)
    return;
  // An answer may lie behind this very tick, after a long step: silence counts
  // only once it was asked into.
  if (now - last_progress_ >= timing_.lease && unanswered_ >= 2) {
    abort(errc::timeout, "the destination of a KV handoff fell silent", out);
    return;
  }
  ++unanswered_;
  last_send_ = now;
  switch (state_) {
  case state::offered:
    out.push_back(offer_);
    break;
  case state::sending:
  case state::committing:
    for (uint32_t i = 0; i < next_; ++i)
      if (!acknowledged_[i])
        out.push_back(chunks_[i]);
    if (state_ == state::committing)
      out.push_back(*commit_);
    break;
  case state::done:
  case state::failed:
    break;
  }
}

void kv_sender::abort(errc code, std::string reason, kv_outbox& out) {
  if (over())
    return;
  failed_with(code, reason);
  chunks_.clear();
  out.push_back(kv_abort{offer_.seq, offer_.epoch, code, std::move(reason)});
}

// -- receiver -----------------------------------------------------------------

kv_receiver::kv_receiver(kv_offer offer, options opts, block_pool& pool,
                         std::vector<block_lease> leases, time_point now)
    : offer_(std::move(offer)), opts_(std::move(opts)), pool_(&pool),
      leases_(std::move(leases)),
      filled_(leases_.size() * offer_.layout.layers, false),
      last_progress_(now) {}

result<void> kv_receiver::check(const kv_offer& offer, const kv_layout& layout,
                                const std::string& model) {
  if (offer.version != kv_handoff_version)
    return fail(errc::layout_mismatch,
                "the offer is of protocol version "
                    + std::to_string(offer.version) + "; this build speaks "
                    + std::to_string(kv_handoff_version));
  if (offer.model != model)
    return fail(errc::layout_mismatch,
                "the offered KV belongs to another model");
  if (offer.layout != layout)
    return fail(errc::layout_mismatch,
                "the offered KV has another layer count, head shape or dtype");
  if (offer.blocks == 0 || offer.blocks > offer.max_blocks)
    return fail(errc::invalid_argument,
                "a handoff of " + std::to_string(offer.blocks) + " of at most "
                    + std::to_string(offer.max_blocks) + " blocks");
  return {};
}

result<kv_receiver> kv_receiver::open(const kv_offer& offer, block_pool& pool,
                                      options opts, time_point now,
                                      kv_outbox& out) {
  if (auto ok = check(offer, pool.layout(), opts.model); !ok)
    return ok.failure();
  auto wanted = std::clamp(opts.reserve, offer.blocks, offer.max_blocks);
  auto leases = pool.reserve(wanted);
  if (!leases)
    return fail(errc::no_free_blocks,
                std::to_string(wanted) + " KV blocks wanted, "
                    + std::to_string(pool.available()) + " of "
                    + std::to_string(pool.capacity()) + " are free");
  auto r = kv_receiver{offer, std::move(opts), pool, std::move(*leases), now};
  out.push_back(kv_grant{offer.seq, offer.epoch, r.opts_.window});
  return r;
}

bool kv_receiver::ours(seq_id seq, epoch_t epoch) const {
  return seq == offer_.seq && epoch == offer_.epoch;
}

void kv_receiver::on(const kv_offer& m, time_point now, kv_outbox& out) {
  if (!ours(m.seq, m.epoch) || state_ != state::receiving)
    return;
  alive(now);
  out.push_back(kv_grant{m.seq, m.epoch, opts_.window});
}

void kv_receiver::on(const kv_chunk& m, time_point now, kv_outbox& out) {
  if (!ours(m.seq, m.epoch))
    return;
  if (state_ != state::receiving || received_.count(m.index) != 0) {
    // Already here: the acknowledgement was lost.
    if (state_ != state::failed)
      out.push_back(kv_credit{m.seq, m.epoch, m.index});
    return;
  }
  auto inside = plausible(offer_, m);
  if (inside && !extend(m.first_block + m.blocks)) {
    fail_with(errc::no_free_blocks,
              "no KV block is free for what the sequence has grown by", out);
    return;
  }
  if (!inside || !fits(m)) {
    fail_with(errc::layout_mismatch,
              "KV chunk " + std::to_string(m.index)
                  + " lies outside what was offered",
              out);
    return;
  }
  if (digest_of(offer_.layout, m) != m.digest) {
    fail_with(errc::digest_mismatch,
              "KV chunk " + std::to_string(m.index) + " is damaged", out);
    return;
  }
  place(m);
  alive(now);
  out.push_back(kv_credit{m.seq, m.epoch, m.index});
  if (early_)
    on(kv_commit{*early_}, now, out);
}

// Takes places for blocks that the offer did not count.
bool kv_receiver::extend(uint32_t blocks) {
  if (blocks <= leases_.size())
    return true;
  auto more = pool_->reserve(blocks - static_cast<uint32_t>(leases_.size()));
  if (!more)
    return false;
  for (auto& lease : *more)
    leases_.push_back(std::move(lease));
  filled_.resize(leases_.size() * offer_.layout.layers, false);
  return true;
}

// Every layer of every block comes once, so that what was digested stays; and
// bytes from a network never go into memory that another node lent.
bool kv_receiver::fits(const kv_chunk& m) const {
  auto by_reference = !m.payload.blocks.empty();
  if (by_reference_.value_or(by_reference) != by_reference
      || m.index >= filled_.size())
    return false;
  for (uint32_t i = 0; i < m.blocks; ++i) {
    auto& lease = leases_[m.first_block + i];
    if (by_reference && lease.has_memory()
        && lease.ref() != m.payload.blocks[i])
      return false;
    auto base = size_t{m.first_block + i} * offer_.layout.layers;
    for (uint32_t l = 0; l < m.layers; ++l)
      if (filled_[base + m.first_layer + l])
        return false;
  }
  return true;
}

void kv_receiver::place(const kv_chunk& m) {
  by_reference_ = !m.payload.blocks.empty();
  for_each_slice(
      offer_.layout, m, [&](uint32_t i, const std::byte* p, size_t n) {
        auto& lease = leases_[m.first_block + i];
        if (!m.payload.blocks.empty()) {
          lease.attach(m.payload.blocks[i]);
        } else {
          if (!lease.has_memory())
            lease.materialise();
          std::memcpy(
              lease.data() + m.first_layer * offer_.layout.layer_bytes(), p, n);
        }
        auto base = size_t{m.first_block + i} * offer_.layout.layers;
        for (uint32_t l = 0; l < m.layers; ++l)
          filled_[base + m.first_layer + l] = true;
      });
  received_.emplace(m.index, m.digest);
}

void kv_receiver::alive(time_point now) {
  last_progress_ = now;
  suspect_ = false;
}

void kv_receiver::on(const kv_commit& m, time_point now, kv_outbox& out) {
  if (!ours(m.seq, m.epoch) || state_ == state::failed)
    return;
  if (state_ == state::accepted) {
    out.push_back(kv_accepted{m.seq, m.epoch});
    return;
  }
  auto blocks = kv_layout::blocks_for(m.tokens);
  if (m.tokens == 0 || blocks < offer_.blocks || blocks > offer_.max_blocks) {
    fail_with(errc::layout_mismatch,
              "the committed position does not fit the blocks sent", out);
    return;
  }
  alive(now);
  if (received_.size() < m.chunks && m.chunks <= filled_.size()) {
    // It overtook a chunk, or one was lost; whatever comes again completes it.
    early_ = m;
    return;
  }
  auto digests = std::vector<kv_digest>{};
  for (auto& [index, digest] : received_)
    digests.push_back(digest);
  auto end = filled_.begin()
             + std::min<ptrdiff_t>(ptrdiff_t{blocks} * offer_.layout.layers,
                                   ptrdiff_t(filled_.size()));
  auto there = [](bool b) { return b; };
  auto whole =
      blocks <= leases_.size() && received_.size() == m.chunks
      && (received_.empty() || received_.rbegin()->first + 1 == m.chunks)
      && std::all_of(filled_.begin(), end, there)
      && std::none_of(end, filled_.end(), there);
  if (!whole || digest_of(digests, m) != m.digest) {
    fail_with(errc::digest_mismatch,
              "the KV that arrived is not the KV that was committed", out);
    return;
  }
  commit_ = m;
  state_ = state::accepted;
  out.push_back(kv_accepted{m.seq, m.epoch});
}

void kv_receiver::on(const kv_abort& m) {
  // Once accepted the sequence is ours, and a late abort changes nothing.
  if (!ours(m.seq, m.epoch) || state_ != state::receiving)
    return;
  state_ = state::failed;
  failure_ = fail(m.code == errc::none ? errc::abandoned : m.code, m.reason);
  leases_.clear();
}

void kv_receiver::tick(time_point now, kv_outbox& out) {
  if (state_ != state::receiving
      || now - last_progress_ < opts_.timing.compute_lease)
    return;
  // What it has sent may lie behind this very tick: look again at the next.
  if (std::exchange(suspect_, true))
    fail_with(errc::timeout, "the source of a KV handoff fell silent", out);
}

void kv_receiver::abort(errc code, std::string reason, kv_outbox& out) {
  if (state_ == state::receiving)
    fail_with(code, std::move(reason), out);
}

void kv_receiver::fail_with(errc code, std::string reason, kv_outbox& out) {
  state_ = state::failed;
  failure_ = fail(code, reason);
  leases_.clear();
  out.push_back(kv_abort{offer_.seq, offer_.epoch, code, std::move(reason)});
}

page_table kv_receiver::take_table() {
  assert(accepted());
  auto table = page_table{};
  for (auto& lease : leases_)
    table.append(std::move(lease));
  leases_.clear();
  table.set_length(commit_.tokens);
  return table;
}

} // namespace troupe
