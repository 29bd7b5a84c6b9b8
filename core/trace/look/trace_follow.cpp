#include "core/trace/look/trace_follow.hpp"

#include "core/trace/encode.hpp"

namespace troupe {

namespace {

void append(std::vector<std::byte>& to, const_bytes bytes) {
  to.insert(to.end(), bytes.begin(), bytes.end());
}

// In as many chunks as it takes.
void append_chunks(std::vector<std::byte>& to, const trace_moment& moment,
                   const_bytes records) {
  while (!records.empty()) {
    auto n = size_t{0};
    while (n < records.size()) {
      auto r = load_unaligned<trace_record>(records.data() + n);
      if (n + r.bytes > trace_chunk_most)
        break;
      n += r.bytes;
    }
    auto h = make_trace_chunk(0, moment, 0, records.first(n));
    append(to, std::as_bytes(std::span{&h, 1}));
    append(to, records.first(n));
    records = records.subspan(n);
  }
}

} // namespace

void trace_follower::begin_file() {
  reader_ = {};
  names_.clear();
}

bool trace_follower::read(const_bytes file, const trace_filter& f,
                          const trace_sink& sink, bool whole) {
  auto chunks = std::vector<trace_chunk>{};
  while (auto c = reader_.next(file, whole))
    chunks.push_back(*c);
  if (chunks.empty())
    return true;
  if (!first_)
    first_ = chunks.front().header.moment;
  auto all = together(chunks);
  auto in = trace_input{"", all};
  auto m = read_trace({&in, 1});
  if (!origin_ns_ && !m.messages.empty())
    origin_ns_ = m.begin_ns();
  for (auto& done : m.handlings)
    for (auto i : done)
      if (f.takes(m, i) && !sink(show_message(m, i, *origin_ns_, false)))
        return false;
  keep(chunks);
  return true;
}

// A trace of its own, of what is new and what that may speak of.
std::vector<std::byte>
trace_follower::together(const std::vector<trace_chunk>& chunks) const {
  auto all = std::vector<std::byte>{};
  auto h = make_trace_header(reader_.header()->process, 0, 0);
  append(all, std::as_bytes(std::span{&h, 1}));
  // Its first moment is the trace's, so that ticks are always the same.
  auto begin = make_trace_chunk(0, *first_, 0, {});
  append(all, std::as_bytes(std::span{&begin, 1}));
  append_chunks(all, *first_, names_);
  auto open = raw_bytes{};
  for (auto& [at, a] : arrivals_)
    open.insert(open.end(), a.record.begin(), a.record.end());
  for (auto& [number, record] : departures_)
    open.insert(open.end(), record.begin(), record.end());
  append_chunks(all, *first_, open);
  for (auto& c : chunks)
    append_chunks(all, c.header.moment, c.records);
  return all;
}

void trace_follower::keep(const std::vector<trace_chunk>& chunks) {
  auto each = [&](auto f) {
    for (auto& c : chunks)
      for_each_record(c.records, f);
  };
  each([this](trace_kind k, const_bytes record) {
    auto bytes = raw_bytes(record.begin(), record.end());
    if (k == trace_kind::sent) {
      auto r = load_unaligned<trace_sent>(record.data());
      if (r.head.flags & trace_left)
        departures_[r.message] = std::move(bytes);
      else
        arrivals_.emplace(place{r.receiver_node, r.receiver, r.message},
                          arrival{std::move(bytes), r.head.ticks});
    } else if (k != trace_kind::handled) {
      names_.insert(names_.end(), bytes.begin(), bytes.end());
    }
  });
  each([this](trace_kind k, const_bytes record) {
    if (k == trace_kind::handled)
      forget(record);
  });
  // What left for other processes is never seen to arrive, and what is left of
  // damaged chunks is never handled.
  if (departures_.size() > most_open)
    departures_.clear();
  if (arrivals_.size() > most_open)
    arrivals_.clear();
}

void trace_follower::forget(const_bytes handled) {
  auto r = load_unaligned<trace_handled>(handled.data());
  auto [from, to] = arrivals_.equal_range({r.node, r.actor, r.message});
  auto latest = to;
  for (auto i = from; i != to; ++i)
    if (i->second.ticks <= r.head.ticks
        && (latest == to || i->second.ticks > latest->second.ticks))
      latest = i;
  if (latest == to)
    return;
  auto a = load_unaligned<trace_sent>(latest->second.record.data());
  if ((a.head.flags & trace_marked) && a.process == reader_.header()->process)
    departures_.erase(a.cause);
  arrivals_.erase(latest);
}

} // namespace troupe
