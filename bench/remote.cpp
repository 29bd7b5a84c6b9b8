// What it costs that a decode node is another process: the time per token of a
// batch of requests, from gateway to clients, with the node in this process and
// with the node reached over loopback, in turns; and how many messages carry
// their tokens.
//
// --model F  a GGUF file instead of a random model of the demo's shape

#include <benchmark/benchmark.h>

#include <cstring>
#include <filesystem>

#include "actors/gateway.hpp"
#include "actors/prefill_node.hpp"
#include "actors/registry.hpp"
#include "bench/handoff_process.hpp"
#include "bench/handoff_setup.hpp"
#include "bench/place.hpp"
#include "runtime/cluster/certs.hpp"

namespace {

using namespace troupe;
using namespace troupe::bench;

constexpr auto patience = std::chrono::minutes{1};
constexpr auto prompt_tokens = 32u;
constexpr auto answer_tokens = 256u;

std::string model_name = demo;

double median(std::vector<double> xs) {
  std::sort(xs.begin(), xs.end());
  return xs[xs.size() / 2];
}

void report(benchmark::State& state, const std::string& name,
            const std::vector<double>& xs) {
  state.counters[name] = median(xs);
  state.counters[name + "_min"] = *std::min_element(xs.begin(), xs.end());
  state.counters[name + "_max"] = *std::max_element(xs.begin(), xs.end());
}

std::optional<tls_files> tls_in(const std::string& directory,
                                const std::string& node) {
  if (directory.empty())
    return {};
  return tls_files{directory + "/" + node + ".pem",
                   directory + "/" + node + ".key", directory + "/ca.pem"};
}

/// A folder with certificates for both processes, gone with this object.
class certificates {
public:
  explicit certificates(bool wanted) {
    if (!wanted)
      return;
    auto name = (std::filesystem::temp_directory_path() / "troupe-bench-XXXXXX")
                    .string();
    if (mkdtemp(name.data()) == nullptr
        || !make_certs({name, {"front", "node"}, 1}))
      std::abort();
    directory = name;
  }
  ~certificates() {
    if (!directory.empty())
      std::filesystem::remove_all(directory);
  }
  std::string directory; ///< "": no TLS
};

/// Runs a decode node until standard input ends; says its port.
int run_decode(const std::string& certs) {
  auto here = place{tls_in(certs, "node")};
  auto m = model_of(model_name);
  auto decode = here.system->spawn<caf::detached>(
      decode_node, node_of(node_role::decode, m, arena_of(*m), 1));
  auto port = here.transport->publish(decode, 0);
  if (!port)
    return 1;
  std::printf("%u 0\n", unsigned{*port});
  std::fflush(stdout);
  while (std::getchar() != EOF)
    ;
  std::_Exit(0);
}

// -- clients ------------------------------------------------------------------

/// When each request of a batch got its tokens.
class arrivals {
public:
  void token(request_id r) {
    auto at = now();
    auto guard = std::lock_guard{mutex_};
    times_[r].push_back(at);
  }
  void end(const finish_event& e) {
    auto guard = std::lock_guard{mutex_};
    if (e.reason != finish_reason::length)
      failure_ = e.message.empty() ? "ended too soon" : e.message;
    ++ended_;
    changed_.notify_all();
  }

  /// Milliseconds per token while all `requests` generate; nullopt if one of
  /// them failed.
  std::optional<double> wait(size_t requests) {
    auto guard = std::unique_lock{mutex_};
    if (!changed_.wait_for(guard, patience, [&] { return ended_ == requests; })
        || !failure_.empty())
      return std::nullopt;
    auto from = time_point::min();
    auto to = time_point::max();
    for (auto& [r, at] : times_) {
      from = std::max(from, at.front());
      to = std::min(to, at.back());
    }
    auto of_requests = std::vector<double>{};
    for (auto& [r, at] : times_) {
      auto first = std::lower_bound(at.begin(), at.end(), from);
      auto last = std::upper_bound(at.begin(), at.end(), to) - 1;
      if (last - first < 64)
        return std::nullopt; // not beside each other
      of_requests.push_back(to_ms(*last - *first)
                            / static_cast<double>(last - first));
    }
    return median(of_requests);
  }

private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<request_id, std::vector<time_point>> times_;
  size_t ended_ = 0;
  std::string failure_;
};

client_actor::behavior_type client(client_actor::pointer,
                                   std::shared_ptr<arrivals> seen) {
  return {[=](const token_event& e) { seen->token(e.request); },
          [=](const finish_event& e) { seen->end(e); }};
}

/// A gateway whose requests go to one decode node.
struct path {
  path(caf::actor_system& sys, const model& m, const prefill_actor& prefill,
       const decode_actor& to)
      : system(sys), decode(to) {
    reg = sys.spawn(registry, registry_options{});
    caf::anon_send(reg, add_prefill{1, prefill});
    caf::anon_send(reg, add_decode{2, decode});
    auto g = gateway_options{};
    g.registry = reg;
    g.vocab = m.params.vocab;
    g.context = m.params.context;
    gate = sys.spawn(gateway, std::move(g));
  }
  ~path() {
    caf::anon_send_exit(gate, caf::exit_reason::user_shutdown);
    caf::anon_send_exit(reg, caf::exit_reason::user_shutdown);
  }

  /// Milliseconds per token of so many requests at once.
  std::optional<double> tpot(uint32_t requests) {
    auto seen = std::make_shared<arrivals>();
    auto to = system.spawn(client, seen);
    for (auto i = 0u; i < requests; ++i) {
      auto r = generate_request{};
      r.prompt = spec_of(next_seq(), prompt_tokens).prompt;
      r.max_tokens = answer_tokens;
      r.ignore_end = true;
      r.sampling.temperature = 0;
      caf::anon_send(gate, submit{std::move(r), to});
    }
    auto ms = seen->wait(requests);
    caf::anon_send_exit(to, caf::exit_reason::user_shutdown);
    return ms;
  }

  /// Milliseconds that a question to the idle node takes.
  double there_and_back() {
    auto all = std::vector<double>{};
    auto self = caf::scoped_actor{system};
    for (auto i = 0; i < 200; ++i) {
      auto begin = now();
      self->request(decode, patience, status_query{})
          .receive([](const node_status&) {}, [](const caf::error&) {});
      all.push_back(to_ms(now() - begin));
    }
    return median(all);
  }

  caf::actor_system& system;
  decode_actor decode;
  registry_actor reg;
  gateway_actor gate;
};

// -- counting -----------------------------------------------------------------

struct counted {
  std::atomic<uint64_t> messages = 0; ///< of the decode node
  std::atomic<uint64_t> tokens = 0;   ///< in them
  std::atomic<uint32_t> ended = 0;
};

stream_actor::behavior_type counter(stream_actor::pointer self,
                                    caf::actor_addr decode,
                                    std::shared_ptr<counted> seen) {
  return {[=](const step_output& step) {
            auto of_node = self->current_sender() == decode;
            seen->messages += of_node;
            for (auto& o : step.sequences) {
              seen->tokens += of_node ? o.tokens.size() : 0;
              seen->ended += o.reason != finish_reason::none;
            }
          },
          [](const sequence_moved&) {}};
}

uint64_t steps_of(caf::actor_system& sys, const decode_actor& node) {
  auto steps = uint64_t{0};
  auto self = caf::scoped_actor{sys};
  self->request(node, patience, status_query{})
      .receive([&](const node_status& s) { steps = s.steps; },
               [](const caf::error&) {});
  return steps;
}

// Has `decode` generate for so many destinations, and counts.
bool count_messages(benchmark::State& state, caf::actor_system& sys,
                    const prefill_actor& prefill, const decode_actor& decode,
                    uint32_t requests, uint32_t destinations) {
  auto seen = std::make_shared<counted>();
  auto streams = std::vector<stream_actor>{};
  for (auto i = 0u; i < destinations; ++i)
    streams.push_back(
        sys.spawn(counter, caf::actor_cast<caf::actor_addr>(decode), seen));
  auto before = steps_of(sys, decode);
  for (auto i = 0u; i < requests; ++i) {
    auto j = prefill_job{};
    j.spec = spec_of(next_seq(), prompt_tokens);
    j.spec.max_tokens = answer_tokens;
    j.decode = caf::actor_cast<kv_destination_actor>(decode);
    j.stream = streams[i % destinations];
    caf::anon_send(prefill, std::move(j));
  }
  auto until = now() + patience;
  while (seen->ended < requests && now() < until)
    std::this_thread::sleep_for(std::chrono::milliseconds{5});
  auto steps = steps_of(sys, decode) - before;
  for (auto& s : streams)
    caf::anon_send_exit(s, caf::exit_reason::user_shutdown);
  auto prefix = "to" + std::to_string(destinations) + "_";
  state.counters[prefix + "steps"] = static_cast<double>(steps);
  state.counters[prefix + "messages"] = static_cast<double>(seen->messages);
  state.counters[prefix + "tokens"] = static_cast<double>(seen->tokens);
  return seen->ended == requests;
}

// args: requests, whether the processes speak mutual TLS
void time_per_token(benchmark::State& state) {
  auto requests = static_cast<uint32_t>(state.range(0));
  auto certs = certificates{state.range(1) != 0};
  auto args = std::vector<std::string>{"--decode", model_name};
  if (!certs.directory.empty())
    args.insert(args.end(), {"--tls", certs.directory});
  auto there = decode_process{std::move(args)};
  auto here = place{tls_in(certs.directory, "front")};
  auto& sys = *here.system;
  auto far = here.transport->connect<decode_actor>("127.0.0.1", there.port());
  if (!there.runs() || !far)
    return state.SkipWithError("the other process cannot be reached");
  auto m = model_of(model_name);
  auto arena = arena_of(*m);
  auto prefill = sys.spawn<caf::detached>(
      prefill_node, node_of(node_role::prefill, m, arena, 1));
  auto near = sys.spawn<caf::detached>(decode_node,
                                       node_of(node_role::decode, m, arena, 1));
  {
    auto local = path{sys, *m, prefill, near};
    auto remote = path{sys, *m, prefill, *far};
    auto counts = count_messages(state, sys, prefill, *far, requests, 1)
                  && count_messages(state, sys, prefill, *far, requests, 2);
    if (!counts || !local.tpot(requests) || !remote.tpot(requests))
      return state.SkipWithError("a request failed");
    auto with = std::vector<double>{}, without = with, adds = with;
    auto turn = 0;
    for (auto _ : state) {
      auto& first = turn % 2 == 0 ? local : remote;
      auto& second = turn++ % 2 == 0 ? remote : local;
      auto a = first.tpot(requests);
      auto b = second.tpot(requests);
      if (!a || !b)
        return state.SkipWithError("a request failed");
      if (&first == &remote)
        std::swap(a, b);
      without.push_back(*a);
      with.push_back(*b);
      adds.push_back(*b - *a);
      state.SetIterationTime(*b / 1000);
    }
    report(state, "near_ms", without);
    report(state, "far_ms", with);
    report(state, "adds_ms", adds);
    state.counters["near_question_ms"] = local.there_and_back();
    state.counters["far_question_ms"] = remote.there_and_back();
  }
  caf::anon_send_exit(prefill, caf::exit_reason::user_shutdown);
  caf::anon_send_exit(near, caf::exit_reason::user_shutdown);
}

BENCHMARK(time_per_token)
    ->ArgNames({"requests", "tls"})
    ->ArgsProduct({{1, 8}, {0, 1}})
    ->Iterations(15)
    ->UseManualTime()
    ->Unit(benchmark::kMillisecond);

} // namespace

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  auto decode = false;
  auto certs = std::string{};
  for (auto i = 1; i + 1 < argc; i += 2) {
    auto flag = std::string{argv[i]};
    decode = decode || flag == "--decode";
    if (flag == "--model" || flag == "--decode")
      model_name = argv[i + 1];
    else if (flag == "--tls")
      certs = argv[i + 1];
  }
  if (decode)
    return run_decode(certs);
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
