#include "core/trace/look/trace_tail.hpp"

#include <utility>

#include "core/trace/trace_part.hpp"

namespace troupe {

bool trace_tail::poll(const trace_filter& f, const trace_sink& sink) {
  auto parts = open_trace_parts(file_);
  if (parts.empty())
    return true; // between two names, or not begun
  if (!process_)
    begin(parts.front().header());
  if (parts.front().header().process != *process_) {
    complaints_.push_back("another process writes it now");
    follower_ = {};
    begin(parts.back().header());
  }
  for (auto part = parts.rbegin(); part != parts.rend(); ++part) {
    auto& h = part->header();
    if (h.file < number_)
      continue;
    if (h.file > number_) {
      if (auto gone = h.file - number_ - 1; gone > 0)
        complaints_.push_back(std::to_string(gone)
                              + " of its files came and went unseen");
      begin(h);
    }
    // Nothing is added to one that has a successor.
    auto whole = std::next(part) != parts.rend();
    if (part->size() == size_ && !whole)
      continue;
    size_ = part->size();
    auto ok = follower_.read(part->map(), f, sink, whole);
    tell();
    if (!ok)
      return false;
  }
  return true;
}

void trace_tail::begin(const trace_file_header& h) {
  process_ = h.process;
  number_ = h.file;
  size_ = 0;
  told_ = 0;
  follower_.begin_file();
}

void trace_tail::tell() {
  auto& all = follower_.reader().findings();
  for (; told_ < all.size(); ++told_)
    complaints_.push_back("at byte " + std::to_string(all[told_].offset) + ": "
                          + all[told_].what);
}

std::vector<std::string> trace_tail::take_complaints() {
  return std::exchange(complaints_, {});
}

} // namespace troupe
