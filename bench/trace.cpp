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
#include "bench/paired_runtimes.hpp"
#include "runtime/system_config.hpp"

using namespace troupe;

namespace {

using clock_type = std::chrono::steady_clock;

std::string trace_file() {
  return (std::filesystem::temp_directory_path()
          / ("troupe-bench-" + std::to_string(::getpid()) + ".trace"))
      .string();
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
  state.counters["plain_ns"] = bench::median(plain);
  state.counters["off_adds_ns"] = bench::median(off) - bench::median(plain);
  state.counters["on_adds_ns"] = bench::median(on) - bench::median(off);
}

// -- the model at work --------------------------------------------------------

void throughput(benchmark::State& state, bool payloads) {
  bench::compare(
      state,
      [&](bool on) {
        auto o = bench::demo_options();
        if (on) {
          o.trace.emplace();
          o.trace->file = trace_file();
          o.trace->payloads = payloads;
        }
        return o;
      },
      [](bool, generate_request&) {});
  std::filesystem::remove(trace_file());
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
