#include "core/kv/defrag.hpp"

#include <algorithm>
#include <bit>
#include <cassert>
#include <optional>
#include <vector>

#include "core/kv/block_map.hpp"

namespace troupe {

namespace {

using outcome = block_map::outcome;

struct range {
  uint32_t first;
  uint32_t count;
};

// -- runs ---------------------------------------------------------------------

// Whether the blocks of a segment lie well enough. What still grows gets its
// blocks where they come, and is not put in order for each of them.
bool settled(const block_map::segment& s) {
  return s.runs == 1 || (s.grows && 2 * s.runs <= s.blocks);
}

/// Brings blocks of one sequence side by side. A run that comes to be breaks
/// only shorter ones, and none of a segment that is settled: so this ends, and
/// moves nothing when called again.
class gatherer {
public:
  explicit gatherer(block_map& map) : map_(map), in_place_(map.used()) {}

  /// All segments; false if it had to stop before.
  bool run();

private:
  bool gather(range piece, uint32_t least);
  bool in_order(range piece) const;
  uint32_t cost(uint32_t slot, range piece) const;
  std::optional<uint32_t> window_for(range piece);

  block_map& map_;
  std::vector<uint32_t> in_place_; ///< scratch of window_for, all zero
  /// So many blocks found no place, so more will not.
  uint32_t too_many_ = UINT32_MAX;
};

bool gatherer::run() {
  for (auto& s : map_.segments()) {
    if (settled(s))
      continue;
    if (map_.copies_left() == 0
        || !gather({s.first, s.blocks}, std::max(s.blocks / 4, 2u)))
      return false;
  }
  return true;
}

bool gatherer::in_order(range piece) const {
  auto begin = map_.blocks().begin() + piece.first;
  return std::any_of(
      begin, begin + piece.count,
      [&](const block_map::block& b) { return b.run >= piece.count; });
}

// Where there is no place for all of them, for either half, and so on.
bool gatherer::gather(range piece, uint32_t least) {
  auto [first, n] = piece;
  if (n < least || in_order(piece))
    return true;
  auto window = n < too_many_ ? window_for(piece) : std::nullopt;
  if (!window) {
    too_many_ = std::min(too_many_, n);
    auto half = (n + 1) / 2;
    return gather({first, half}, least)
           && gather({first + half, n - half}, least);
  }
  for (uint32_t k = 0; k < n; ++k)
    if (map_.blocks()[first + k].slot != *window + k
        && map_.put(first + k, *window + k) != outcome::moved)
      return false;
  return true;
}

// Copies to have the piece use a slot; 0: it must not.
uint32_t gatherer::cost(uint32_t slot, range piece) const {
  auto there = map_.in_slot(slot);
  if (there == block_map::vacant || there - piece.first < piece.count)
    return 1;
  if (there == block_map::fixed)
    return 0;
  auto& b = map_.blocks()[there];
  return b.run < piece.count && !settled(map_.segments()[b.segment]) ? 2 : 0;
}

// The cheapest place, the lowest of these, among the slots that should be in
// use in the end.
std::optional<uint32_t> gatherer::window_for(range piece) {
  auto n = piece.count;
  auto for_each_in_place = [&](auto f) {
    for (uint32_t k = 0; k < n; ++k) {
      auto slot = map_.blocks()[piece.first + k].slot;
      if (slot < map_.used() && slot >= k)
        f(in_place_[slot - k]);
    }
  };
  for_each_in_place([](uint32_t& blocks) { ++blocks; });
  auto found = std::optional<uint32_t>{};
  auto least = UINT32_MAX;
  auto begin = uint32_t{0}; // of the slots that can be used, up to `s`
  auto sum = uint32_t{0};   // of the costs of the last n of them
  for (uint32_t s = 0; s < map_.used(); ++s) {
    auto here = cost(s, piece);
    if (here == 0 || map_.begins_slab(s)) {
      begin = here == 0 ? s + 1 : s;
      sum = here;
    } else {
      sum += here;
      if (s - begin >= n)
        sum -= cost(s - n, piece);
    }
    if (s + 1 < begin + n)
      continue;
    auto window = s + 1 - n;
    // Half a copy a block is spent on leaving no gap before the run.
    auto copies = 2 * (sum - in_place_[window]) + (window == begin ? 0 : n);
    if (copies < least) {
      least = copies;
      found = window;
    }
  }
  for_each_in_place([](uint32_t& blocks) { blocks = 0; });
  return found;
}

// -- extent -------------------------------------------------------------------

// Vacant slots below where the used ones should end.
std::vector<range> holes(const block_map& map) {
  auto found = std::vector<range>{};
  for (uint32_t s = 0; s < map.used(); ++s) {
    if (map.in_slot(s) != block_map::vacant)
      continue;
    if (found.empty()
        || !map.side_by_side(found.back().first + found.back().count - 1, s))
      found.push_back({s, 0});
    ++found.back().count;
  }
  return found;
}

// Blocks above that, from the top.
std::vector<range> high_runs(const block_map& map) {
  auto found = std::vector<range>{};
  for (auto s = map.slots(); s-- > map.used();) {
    auto b = map.in_slot(s);
    if (b >= block_map::fixed)
      continue;
    auto* above = found.empty() ? nullptr : &found.back();
    if (above != nullptr && above->first == b + 1 && map.blocks()[b + 1].follows
        && map.side_by_side(s, map.blocks()[b + 1].slot))
      *above = {b, above->count + 1};
    else
      found.push_back({b, 1});
  }
  return found;
}

// Behind the block that comes before them, or where they fit, or where most do.
range& hole_for(const block_map& map, range blocks, std::vector<range>& holes) {
  auto& first = map.blocks()[blocks.first];
  auto* best = &holes.front();
  for (auto& hole : holes) {
    if (first.follows && hole.count >= blocks.count
        && hole.first == map.blocks()[blocks.first - 1].slot + 1)
      return hole;
    if (best->count < blocks.count && hole.count > best->count)
      best = &hole;
  }
  return *best;
}

/// Moves blocks down until the used slots are the lowest; false if it had to
/// stop before.
bool lower(block_map& map) {
  auto there = holes(map);
  if (there.empty())
    return true;
  for (auto blocks : high_runs(map))
    while (blocks.count > 0) {
      auto& hole = hole_for(map, blocks, there);
      if (hole.count == 0)
        return true;
      for (; blocks.count > 0 && hole.count > 0; ++hole.first, --hole.count) {
        auto what = map.put(blocks.first, hole.first);
        if (what == outcome::no_budget)
          return false;
        if (what == outcome::moved)
          ++blocks.first, --blocks.count;
      }
    }
  return true;
}

uint32_t count(const slot_bits& bits) {
  auto n = 0;
  for (auto word : bits)
    n += std::popcount(word);
  return static_cast<uint32_t>(n);
}

} // namespace

// -- interface ----------------------------------------------------------------

kv_fragmentation fragmentation(std::span<page_table* const> tables,
                               const block_arena& arena) {
  auto f = kv_fragmentation{};
  auto taken = arena.taken();
  f.used = count(taken);
  while (!taken.empty() && taken.back() == 0)
    taken.pop_back();
  if (!taken.empty())
    f.extent = static_cast<uint32_t>(taken.size() * 64)
               - static_cast<uint32_t>(std::countl_zero(taken.back()));
  for (auto* table : tables) {
    auto before = std::optional<uint32_t>{};
    for (uint32_t i = 0; i < table->blocks(); ++i) {
      auto slot = arena.slot_of(table->lease(i).ref());
      if (slot) {
        ++f.blocks;
        if (!before || *slot != *before + 1 || arena.begins_slab(*slot))
          ++f.runs;
      }
      before = slot;
    }
  }
  return f;
}

defrag_result compact(std::span<page_table* const> tables, block_arena& arena,
                      uint32_t max_copies) {
  assert(max_copies >= 2);
  auto block_bytes = std::max<size_t>(arena.layout().block_bytes(), 1);
  auto run_blocks = static_cast<uint32_t>(
      std::max<size_t>(defrag_run_bytes / block_bytes, 1));
  auto map = block_map{tables, arena, run_blocks, max_copies};
  // Runs first: they may go down on the way.
  auto all = gatherer{map}.run();
  all = lower(map) && all;
  return {map.copies(), all && map.copies() == 0};
}

} // namespace troupe
