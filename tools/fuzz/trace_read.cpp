// Reads any bytes as files of message traces: at once and as they grow, it is
// the same; a model of them can be looked at in all ways, whatever it says. The
// first byte says whether the rest is a file, or records, which are put into
// files of two processes, so that no checksum need be guessed.

#include <cstdlib>

#include "core/trace/encode.hpp"
#include "core/trace/look/trace_diagram.hpp"
#include "core/trace/look/trace_export.hpp"
#include "core/trace/look/trace_path.hpp"
#include "core/trace/look/trace_requests.hpp"
#include "core/trace/look/trace_show.hpp"
#include "core/trace/look/trace_stats.hpp"
#include "core/trace/look/trace_why.hpp"
#include "core/trace/trace_check.hpp"

using namespace troupe;

namespace {

using file_bytes = std::vector<std::byte>;

void require(bool x) {
  if (!x)
    std::abort();
}

template <class T>
void append(file_bytes& f, const T& x) {
  auto b = std::as_bytes(std::span{&x, 1});
  f.insert(f.end(), b.begin(), b.end());
}

// What the reader says of a file, read in steps of `step` bytes.
struct reading {
  std::vector<uint64_t> chunks;
  size_t findings = 0;
  bool operator==(const reading&) const = default;
};

reading read(const_bytes file, size_t step) {
  auto r = trace_file_reader{};
  auto all = reading{};
  for (auto n = std::min(step, file.size());;
       n = std::min(n + step, file.size())) {
    while (auto c = r.next(file.first(n), n == file.size())) {
      require(c->offset + sizeof(trace_chunk_header) + c->records.size() <= n);
      all.chunks.push_back(c->offset);
    }
    if (n == file.size())
      break;
  }
  for (auto& f : r.findings())
    require(f.offset <= file.size() && !f.what.empty());
  all.findings = r.findings().size();
  return all;
}

file_bytes file_of(uint64_t process, const_bytes records) {
  auto f = file_bytes{};
  append(f, make_trace_header(process, 0, 0));
  // Two moments, so that ticks are something.
  append(f, make_trace_chunk(0, {100, 1000, 5000}, 0, {}));
  append(f, make_trace_chunk(1, {10'100, 2000, 6000}, 0, records));
  f.insert(f.end(), records.begin(), records.end());
  return f;
}

void look(const trace_model& m) {
  auto c = check_trace(m);
  require(c.messages <= m.messages.size());
  require(c.caused + c.outside <= c.messages);
  auto n = size_t{0};
  auto count = [&n](std::string_view s) {
    n += s.size();
    return true;
  };
  require(show_trace(m, {}, count));
  require(export_perfetto(m, count) && export_otlp(m, count)
          && export_lines(m, count));
  require(!to_text(stats_of(m), m).empty());
  auto requests = requests_of(m);
  require(recent_requests(m, m.messages.size()).size() <= requests.size());
  requests.resize(std::min<size_t>(requests.size(), 3));
  for (auto r : requests) {
    auto d = diagram_of(m, r);
    require(!to_text(d).empty() && !to_html(d).empty());
    require(!why_stuck(m, r).sentence.empty());
    for (auto i : causal_tree(m, r))
      require(critical_path(m, r, i).target == i);
  }
  for (uint32_t i = 0; i < m.messages.size(); ++i)
    require(causes_of(m, i).size() <= 2 * m.messages.size() + 2);
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0)
    return 0;
  auto rest = std::as_bytes(std::span{data + 1, size - 1});
  if (data[0] % 2 == 0) {
    auto whole = read(rest, rest.size() + 1);
    require(read(rest, 7) == whole);
    auto in = trace_input{"fuzz", rest};
    look(read_trace({&in, 1}));
    return 0;
  }
  auto cut = rest.size() / 8 * data[0] / 255 * 8;
  auto a = file_of(1, rest.first(cut));
  auto b = file_of(2, rest.subspan(cut));
  auto files = std::vector<trace_input>{{"a", a}, {"b", b}};
  look(read_trace(files));
  return 0;
}
