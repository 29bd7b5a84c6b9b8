// What a recording of messages costs: for a message between two actors, and for
// the demo model at work. Each figure is a difference, or a ratio, of turns
// with and without it in one run.

#include <caf/all.hpp>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <future>
#include <optional>
#include <string>
#include <vector>

#include <benchmark/benchmark.h>

#include "actors/observed.hpp"
#include "actors/trace_recorder.hpp"
#include "runtime/runtime.hpp"
#include "runtime/system_config.hpp"

using namespace troupe;

namespace {

using clock_type = std::chrono::steady_clock;

std::string trace_file() {
  return (std::filesystem::temp_directory_path()
          / ("troupe-bench-" + std::to_string(::getpid()) + ".trace"))
      .string();
}

double median(std::vector<double> xs) {
  auto middle = xs.begin() + static_cast<ptrdiff_t>(xs.size() / 2);
  std::nth_element(xs.begin(), middle, xs.end());
  return *middle;
}

// -- a message ----------------------------------------------------------------

using hop_actor = caf::typed_actor<caf::reacts_to<step_tick>>;

struct hop_state {
  static constexpr const char* name = "hop";
  hop_state() = default;
};

struct bare_state {
  static constexpr const char* name = "bare";
  bare_state() = default;
};

template <class Pointer>
hop_actor::behavior_type hop(Pointer self, std::promise<void>* done) {
  return {
      [=](const step_tick& t) {
        if (t.number == 0)
          done->set_value();
        else
          self->send(self, step_tick{t.number - 1});
      },
  };
}

hop_actor::behavior_type observed_hop(actor_pointer<hop_actor, hop_state> self,
                                      std::promise<void>* done) {
  return hop(self, done);
}

hop_actor::behavior_type bare_hop(hop_actor::stateful_pointer<bare_state> self,
                                  std::promise<void>* done) {
  return hop(self, done);
}

constexpr auto hops = uint64_t{200'000};

// ns a message.
template <class F>
double turn(caf::actor_system& system, F actor) {
  auto done = std::promise<void>{};
  auto a = system.spawn(actor, &done);
  auto begin = clock_type::now();
  caf::anon_send(a, step_tick{hops});
  done.get_future().wait();
  auto took = clock_type::now() - begin;
  caf::anon_send_exit(a, caf::exit_reason::user_shutdown);
  return std::chrono::duration<double, std::nano>(took).count()
         / static_cast<double>(hops);
}

class recording {
public:
  recording(caf::actor_system& system, bool payloads) : system_(system) {
    auto o = trace_options{};
    o.file = trace_file();
    o.payloads = payloads;
    recorder_ = *start_trace_recorder(system, std::move(o));
  }
  ~recording() {
    auto self = caf::scoped_actor{system_};
    self->request(recorder_, caf::infinite,
                  trace_command{trace_command::kind::stop})
        .receive([](const trace_status&) {}, [](const caf::error&) {});
    self->send_exit(recorder_, caf::exit_reason::user_shutdown);
  }

private:
  caf::actor_system& system_;
  trace_recorder_actor recorder_;
};

void message(benchmark::State& state, bool payloads) {
  auto config = system_config{};
  config.set("scheduler.max-threads", size_t{1});
  auto system = caf::actor_system{config};
  auto plain = std::vector<double>{};
  auto off = std::vector<double>{};
  auto on = std::vector<double>{};
  for (auto _ : state) {
    plain.push_back(turn(system, bare_hop));
    off.push_back(turn(system, observed_hop));
    auto r = recording{system, payloads};
    on.push_back(turn(system, observed_hop));
  }
  std::filesystem::remove(trace_file());
  state.counters["plain_ns"] = median(plain);
  state.counters["off_adds_ns"] = median(off) - median(plain);
  state.counters["on_adds_ns"] = median(on) - median(off);
}

// -- the model at work --------------------------------------------------------

constexpr auto at_once = 8;
constexpr auto answer = uint32_t{128};

// Tokens a second.
double serve(runtime& rt, uint64_t seed) {
  auto all = std::vector<generation>{};
  auto begin = clock_type::now();
  for (auto i = 0; i < at_once; ++i) {
    auto r = generate_request{};
    r.prompt.assign(64, static_cast<token_id>(300 + (seed * 31 + i) % 3000));
    r.max_tokens = answer;
    r.ignore_end = true;
    r.sampling.seed = seed + static_cast<uint64_t>(i);
    if (auto g = rt.submit(std::move(r)))
      all.push_back(std::move(*g));
  }
  for (auto& g : all)
    collect(g);
  auto took = std::chrono::duration<double>(clock_type::now() - begin).count();
  return at_once * answer / took;
}

std::optional<runtime> open(bool traced, bool payloads) {
  auto o = runtime_options{};
  o.model = TROUPE_SOURCE_DIR "/models/troupe-demo.gguf";
  if (traced) {
    o.trace.emplace();
    o.trace->file = trace_file();
    o.trace->payloads = payloads;
  }
  auto rt = runtime::open(std::move(o));
  if (!rt)
    return {};
  return std::move(*rt);
}

// Pairs of turns, each of several batches, in a runtime with and in one without
// a recording.
void throughput(benchmark::State& state, bool payloads) {
  constexpr auto batches = 6;
  auto ratios = std::vector<double>{};
  auto rates = std::vector<double>{};
  auto seed = uint64_t{0};
  for (auto _ : state) {
    double rate[2];
    for (auto k : {0, 1}) {
      // Which of them comes first takes turns too.
      auto traced = (k + static_cast<int>(ratios.size())) % 2 == 1;
      auto rt = open(traced, payloads);
      if (!rt)
        return state.SkipWithError("the runtime does not start");
      serve(*rt, ++seed);
      auto all = std::vector<double>{};
      for (auto i = 0; i < batches; ++i)
        all.push_back(serve(*rt, ++seed));
      rate[traced] = median(all);
    }
    ratios.push_back(rate[1] / rate[0]);
    rates.push_back(rate[0]);
  }
  std::filesystem::remove(trace_file());
  state.counters["tokens_per_s_off"] = median(rates);
  state.counters["on_over_off"] = median(ratios);
}

} // namespace

BENCHMARK_CAPTURE(message, headers, false)->Iterations(31);
BENCHMARK_CAPTURE(message, payloads, true)->Iterations(31);
BENCHMARK_CAPTURE(throughput, headers, false)
    ->Iterations(15)
    ->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(throughput, payloads, true)
    ->Iterations(15)
    ->Unit(benchmark::kMillisecond);
