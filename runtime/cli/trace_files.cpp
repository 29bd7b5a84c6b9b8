#include "runtime/cli/trace_files.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <system_error>
#include <unistd.h>
#include <utility>

#include "core/trace/trace_part.hpp"

namespace troupe::cli {

namespace {

constexpr auto large = uint64_t{100} << 20;

void draw_progress(uint64_t done, uint64_t all) {
  constexpr auto width = uint64_t{40};
  auto n = all == 0 ? width : width * done / all;
  std::fprintf(stderr, "\r[%s%s] %llu of %llu MB", std::string(n, '#').c_str(),
               std::string(width - n, '.').c_str(),
               static_cast<unsigned long long>(done / 1'000'000),
               static_cast<unsigned long long>(all / 1'000'000));
  if (done == all)
    std::fprintf(stderr, "\n");
  std::fflush(stderr);
}

void tell_findings(const opened_trace& t) {
  for (size_t i = 0; i < t.inputs.size(); ++i)
    for (auto& f : t.model.findings[i])
      std::fprintf(stderr, "troupe: %s: at byte %llu: %s\n",
                   t.inputs[i].name.c_str(),
                   static_cast<unsigned long long>(f.offset), f.what.c_str());
  for (auto& p : t.model.processes)
    if (p.dropped > 0)
      std::fprintf(stderr,
                   "troupe: a process could not record %llu of its records: "
                   "give it more memory for them, or record less\n",
                   static_cast<unsigned long long>(p.dropped));
}

} // namespace

std::vector<std::string> with_siblings(const std::vector<std::string>& files) {
  auto all = std::vector<std::string>{};
  auto add = [&all](const std::string& f) {
    if (std::find(all.begin(), all.end(), f) == all.end())
      all.push_back(f);
  };
  for (auto& f : files)
    for (auto& name : names_of_trace(f))
      add(name);
  return all;
}

result<opened_trace> open_trace(const std::vector<std::string>& files) {
  auto t = opened_trace{};
  auto bytes = uint64_t{0};
  for (auto& name : with_siblings(files)) {
    auto ignored = std::error_code{};
    // An empty file cannot be mapped, but is one that was cut short.
    if (std::filesystem::file_size(name, ignored) == 0 && !ignored) {
      t.inputs.push_back({name, {}});
      continue;
    }
    auto f = mapped_file::open(name);
    if (!f)
      return f.failure();
    bytes += f->bytes().size();
    t.inputs.push_back({name, f->bytes()});
    t.files.push_back(std::move(*f));
  }
  auto progress = trace_progress{};
  if (bytes > large && ::isatty(STDERR_FILENO))
    progress = draw_progress;
  t.model = read_trace(t.inputs, progress);
  tell_findings(t);
  return t;
}

int exit_code_of(const opened_trace& t) {
  return t.model.damaged() ? exit_failed : exit_ok;
}

result<int64_t> parse_trace_time(const std::string& text) {
  auto x = 0.0;
  auto [rest, ec] = std::from_chars(text.data(), text.data() + text.size(), x);
  auto unit = std::string_view{rest, text.data() + text.size()};
  struct known {
    std::string_view name;
    double ns;
  };
  constexpr known units[] = {{"", 1e6},   {"ms", 1e6}, {"ns", 1},
                             {"us", 1e3}, {"µs", 1e3}, {"s", 1e9}};
  if (ec == std::errc{} && std::isfinite(x))
    for (auto& u : units)
      if (u.name == unit && std::abs(x * u.ns) < 9e18)
        return static_cast<int64_t>(std::llround(x * u.ns));
  return fail(errc::invalid_argument,
              "\"" + text + "\" is no time; write 250us, 1.5ms or 2s");
}

} // namespace troupe::cli
