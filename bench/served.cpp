// What the demo model's throughput is with an audit log, and with answers that
// keep to a schema, over that without: pairs of turns in one run.

#include <unistd.h>

#include <filesystem>
#include <string>

#include "bench/paired_runtimes.hpp"

using namespace troupe;
namespace fs = std::filesystem;

namespace {

void audited(benchmark::State& state) {
  auto dir = fs::temp_directory_path()
             / ("troupe-bench-" + std::to_string(::getpid()));
  fs::create_directories(dir);
  bench::compare(
      state,
      [&](bool on) {
        auto o = bench::demo_options();
        if (on) {
          o.audit.emplace();
          o.audit->file = dir / "audit.log";
        }
        return o;
      },
      [](bool, generate_request&) {});
  fs::remove_all(dir);
}

// Long enough that no answer ends before it has all its tokens.
constexpr auto people =
    R"({"type":"array","minItems":200,"items":{"type":"object","properties":{
        "name":{"type":"string"},"age":{"type":"integer","minimum":0},
        "tags":{"type":"array","items":{"enum":["red","green","blue"]}}},
        "required":["name","age","tags"],"additionalProperties":false}})";

void constrained(benchmark::State& state) {
  bench::compare(
      state, [](bool) { return bench::demo_options(); },
      [](bool on, generate_request& r) {
        if (!on)
          return;
        r.ignore_end = false;
        r.form = {answer_form::kind::json_schema, people};
      });
}

} // namespace

BENCHMARK(audited)->Iterations(15)->Unit(benchmark::kMillisecond);
BENCHMARK(constrained)->Iterations(15)->Unit(benchmark::kMillisecond);
