#include "tests/support/core/handoff_world.hpp"

#include <algorithm>
#include <array>
#include <cstring>

namespace troupe::testing::world {

// -- bytes and tokens ---------------------------------------------------------

namespace {

constexpr size_t row_words = 4; // 64-bit words of a token in a layer

// Not random, but nothing that a mistake would hit on.
std::array<uint64_t, row_words> row_of(seq_id seq, uint32_t token,
                                       uint32_t layer) {
  auto r = std::array<uint64_t, row_words>{};
  auto x = seq * 0x9e3779b97f4a7c15u + token * 0xbf58476d1ce4e5b9u + layer + 1;
  for (auto& word : r) {
    x ^= x >> 29;
    x *= 0x94d049bb133111ebu;
    word = x;
  }
  return r;
}

std::byte* row_at(const page_table& table, uint32_t token, uint32_t layer) {
  static_assert(sizeof(row_of(0, 0, 0)) == 32);
  return table.block(token / kv_block_tokens) + layer * layout.layer_bytes()
         + token % kv_block_tokens * sizeof(row_of(0, 0, 0));
}

} // namespace

std::vector<token_id> tokens_of(seq_id seq, size_t count) {
  auto all = std::vector<token_id>(count);
  for (size_t i = 0; i < count; ++i)
    all[i] = token_of(seq, i);
  return all;
}

void write_kv(page_table& table, seq_id seq, uint32_t first, uint32_t last) {
  for (auto t = first; t < last; ++t)
    for (uint32_t l = 0; l < layout.layers; ++l) {
      auto row = row_of(seq, t, l);
      std::memcpy(row_at(table, t, l), row.data(), sizeof(row));
    }
}

uint32_t first_wrong(const page_table& table, seq_id seq) {
  for (uint32_t t = 0; t < table.length(); ++t)
    for (uint32_t l = 0; l < layout.layers; ++l) {
      auto row = row_of(seq, t, l);
      if (std::memcmp(row_at(table, t, l), row.data(), sizeof(row)) != 0)
        return t;
    }
  return table.length();
}

bool consistent(const kv_commit& m, const spec& s) {
  return !m.emitted.empty() && m.emitted.size() >= s.emitted.size()
         && m.emitted.size() < s.max_tokens
         && std::equal(s.emitted.begin(), s.emitted.end(), m.emitted.begin())
         && m.tokens + size_t{1} == s.prompt + m.emitted.size();
}

// -- context ------------------------------------------------------------------

namespace {

// What a network does to a chunk.
void flatten(kv_chunk& c) {
  for (auto& block : c.payload.blocks) {
    auto* from = block.get() + c.first_layer * c.layer_bytes;
    c.payload.bytes.insert(c.payload.bytes.end(), from,
                           from + c.layer_bytes * c.layers);
  }
  c.payload.blocks.clear();
}

} // namespace

void context::post(actor from, actor to, message m) {
  if (auto* chunk = std::get_if<kv_chunk>(&m);
      chunk != nullptr && process[from] != process[to])
    flatten(*chunk);
  note([&] {
    return "  " + std::to_string(from) + " -> " + std::to_string(to) + ": "
           + describe(m);
  });
  wire.push_back({from, to, std::move(m)});
}

void context::post(actor from, actor to, kv_outbox box, const spec& with) {
  for (auto& m : box)
    std::visit(
        [&]<class M>(M& x) {
          if constexpr (std::is_same_v<M, kv_offer>) {
            auto o = offer{std::move(x), with};
            o.of.epoch = o.what.epoch;
            post(from, to, message{std::move(o)});
          } else {
            post(from, to, message{std::move(x)});
          }
        },
        m);
}

void context::broken(std::string what) {
  note([&] { return "VIOLATION: " + what; });
  if (out.violation.empty())
    out.violation = std::move(what);
}

// -- for people ---------------------------------------------------------------

namespace {

std::string life(seq_id seq, epoch_t epoch) {
  return std::to_string(seq) + "@" + std::to_string(epoch >> 32) + "."
         + std::to_string(epoch & 0xffffffffu);
}

struct describer {
  std::string operator()(const offer& m) const {
    return "offer " + life(m.what.seq, m.what.epoch) + " of "
           + std::to_string(m.what.blocks) + " blocks, "
           + std::to_string(m.of.emitted.size()) + " tokens out";
  }
  std::string operator()(const kv_grant& m) const {
    return "grant " + life(m.seq, m.epoch) + " of " + std::to_string(m.credit);
  }
  std::string operator()(const kv_chunk& m) const {
    return "chunk " + life(m.seq, m.epoch) + " #" + std::to_string(m.index)
           + " blocks " + std::to_string(m.first_block) + "+"
           + std::to_string(m.blocks)
           + (m.payload.blocks.empty() ? " by bytes" : " by reference");
  }
  std::string operator()(const kv_credit& m) const {
    return "credit " + life(m.seq, m.epoch) + " #" + std::to_string(m.index);
  }
  std::string operator()(const kv_commit& m) const {
    return "commit " + life(m.seq, m.epoch) + " at " + std::to_string(m.tokens);
  }
  std::string operator()(const kv_accepted& m) const {
    return "accepted " + life(m.seq, m.epoch);
  }
  std::string operator()(const kv_abort& m) const {
    return "abort " + life(m.seq, m.epoch) + ", "
           + std::string{to_string(m.code)};
  }
  std::string operator()(const job& m) const {
    return "job " + life(m.of.seq, m.of.epoch) + ", "
           + std::to_string(m.of.emitted.size()) + " tokens out, for "
           + std::to_string(m.decode);
  }
  std::string operator()(const cancel& m) const {
    return "cancel " + life(m.seq, m.epoch);
  }
  std::string operator()(const fetch& m) const {
    return "fetch " + life(m.seq, m.epoch) + " to " + std::to_string(m.to);
  }
  std::string operator()(const output& m) const {
    return "output " + life(m.seq, m.epoch) + " from " + std::to_string(m.index)
           + ", " + std::to_string(m.tokens.size()) + " tokens"
           + (m.failed ? ", failed" : "");
  }
  std::string operator()(const moved& m) const {
    return "moved " + life(m.seq, m.epoch);
  }
  std::string operator()(const down&) const { return "down"; }
};

} // namespace

std::string describe(const message& m) {
  return std::visit(describer{}, m);
}

} // namespace troupe::testing::world
