#include "core/constrain/frame_pool.hpp"

#include <algorithm>

namespace troupe::constrain {

namespace {

constexpr auto none = ~uint32_t{0};

uint32_t hash_of(std::span<const grammar_item> frames, uint32_t depth) {
  auto h = uint64_t{depth} * 0x9e3779b97f4a7c15u;
  auto mix = [&](uint32_t a, uint32_t b) {
    h = (h ^ (uint64_t{a} << 32 | b)) * 0xff51afd7ed558ccdu;
    h ^= h >> 33;
  };
  for (auto& f : frames) {
    mix(f.position, f.frames);
    mix(f.count, f.texts);
  }
  return static_cast<uint32_t>(h);
}

} // namespace

void state_key::mix(uint64_t x, uint64_t y) {
  a = (a ^ x) * 0xff51afd7ed558ccdu;
  a ^= a >> 32;
  b = (b ^ y ^ (a << 1)) * 0xc4ceb9fe1a85ec53u;
  b ^= b >> 29;
  a += b * 0x9e3779b97f4a7c15u;
}

frame_pool::frame_pool() : buckets_(16, none) {
  sets_.push_back({0, 0, 0, 0, none, {}});
  texts_.push_back({0, 0, 0});
}

uint32_t frame_pool::intern(std::span<const grammar_item> items, uint32_t depth,
                            state_key key) {
  auto hash = hash_of(items, depth);
  for (auto i = bucket(hash); i != none; i = sets_[i].next) {
    auto& s = sets_[i];
    if (s.hash == hash && s.depth == depth
        && std::equal(items.begin(), items.end(), frames(i).begin(),
                      frames(i).end()))
      return i;
  }
  if (sets_.size() >= buckets_.size())
    grow();
  auto made = static_cast<uint32_t>(sets_.size());
  auto& head = bucket(hash);
  sets_.push_back({static_cast<uint32_t>(frames_.size()),
                   static_cast<uint32_t>(items.size()), depth, hash, head,
                   key});
  sets_.back().key.mix(depth, items.size());
  head = made;
  frames_.insert(frames_.end(), items.begin(), items.end());
  return made;
}

// Buckets go on having the youngest first, as `release` needs it.
void frame_pool::grow() {
  buckets_.assign(buckets_.size() * 2, none);
  for (auto i = uint32_t{1}; i < sets_.size(); ++i) {
    auto& head = bucket(sets_[i].hash);
    sets_[i].next = head;
    head = i;
  }
}

uint32_t frame_pool::add_text(uint32_t before, uint32_t begin, uint32_t end) {
  // Ways through the grammar that meet have the same list.
  for (auto i = texts_.size(); --i > 0 && texts_[i].end == end;)
    if (texts_[i].before == before && texts_[i].begin == begin)
      return static_cast<uint32_t>(i);
  texts_.push_back({before, begin, end});
  return static_cast<uint32_t>(texts_.size() - 1);
}

frame_pool::mark frame_pool::top() const {
  return {static_cast<uint32_t>(sets_.size()),
          static_cast<uint32_t>(frames_.size()),
          static_cast<uint32_t>(texts_.size())};
}

void frame_pool::release(const mark& to) {
  for (; sets_.size() > to.sets; sets_.pop_back())
    bucket(sets_.back().hash) = sets_.back().next;
  frames_.resize(to.frames);
  texts_.resize(to.texts);
}

size_t frame_pool::memory_bytes() const {
  return sets_.capacity() * sizeof(set)
         + frames_.capacity() * sizeof(grammar_item)
         + texts_.capacity() * sizeof(text)
         + buckets_.capacity() * sizeof(uint32_t);
}

} // namespace troupe::constrain
