#include "core/trace/recent_trace.hpp"

#include <algorithm>
#include <utility>

#include "core/trace/encode.hpp"
#include "core/trace/trace_part.hpp"

namespace troupe {

namespace {

// Of a file whose end is taken: names stand at its beginning.
constexpr auto most_head = uint64_t{1} << 20;
// An end of less tells nothing.
constexpr auto least_tail = uint64_t{4} << 10;

// The records of a file's beginning that name types, nodes and actors, as a
// chunk of its first moment.
raw_bytes names_of(const_bytes head) {
  auto names = raw_bytes{};
  auto moment = trace_moment{};
  auto reader = trace_file_reader{};
  while (auto c = reader.next(head, false)) {
    if (moment.ticks == 0)
      moment = c->header.moment;
    for_each_record(c->records, [&](trace_kind k, const_bytes record) {
      if (k != trace_kind::sent && k != trace_kind::handled)
        names.insert(names.end(), record.begin(), record.end());
    });
  }
  auto h = make_trace_chunk(0, moment, 0, names);
  auto bytes = std::as_bytes(std::span{&h, 1});
  names.insert(names.begin(), bytes.begin(), bytes.end());
  return names;
}

// A file in which reading goes on behind the names with the first chunk that
// is whole.
std::vector<std::byte> end_of(const trace_part& part, uint64_t most) {
  auto head = part.read(0, std::min(most_head, most / 4));
  auto names = names_of(head);
  auto used = sizeof(trace_file_header) + names.size();
  auto n = most - std::min<uint64_t>(most, used);
  auto bytes = std::vector<std::byte>{};
  auto h = std::as_bytes(std::span{&part.header(), 1});
  bytes.reserve(most);
  bytes.insert(bytes.end(), h.begin(), h.end());
  bytes.insert(bytes.end(), names.begin(), names.end());
  auto tail = part.read(part.size() - std::min(n, part.size()), n);
  bytes.insert(bytes.end(), tail.begin(), tail.end());
  return bytes;
}

} // namespace

std::vector<trace_input> recent_trace::inputs() const {
  auto all = std::vector<trace_input>{};
  for (auto& f : files)
    all.push_back({"", f});
  return all;
}

recent_trace read_recent_trace(const std::string& file, uint64_t most) {
  auto t = recent_trace{};
  for (auto& part : open_trace_parts(file)) {
    auto left = most - t.bytes;
    if (part.size() <= left)
      t.files.push_back(part.read(0, part.size()));
    else if (t.left_out == 0 && left >= least_tail)
      t.files.push_back(end_of(part, left));
    else
      left = 0;
    auto n = left == 0 ? 0 : t.files.back().size();
    t.bytes += n;
    t.left_out += part.size() - std::min<uint64_t>(n, part.size());
  }
  return t;
}

} // namespace troupe
