// What a prefill node and a decode node do, without the actors around them: a
// prompt of 64 tokens with all that is handed over of it, and one step. Random
// weights in Q8_0, 4 layers of 8 heads × 64 (hidden 512, feed-forward 1536,
// vocabulary 4096), KV in f16, one thread.

#include <benchmark/benchmark.h>

#include <caf/all.hpp>
#include <caf/binary_serializer.hpp>

#include "actors/decode_node.hpp"
#include "actors/prefill_node.hpp"
#include "bench/handoff_actors.hpp"
#include "bench/handoff_setup.hpp"
#include "bench/timed_loop.hpp"
#include "runtime/system_config.hpp"

namespace {

using namespace troupe;
using namespace troupe::bench;

constexpr auto prompt_tokens = 64u;
/// After so many steps sequences begin anew, so that contexts stay alike.
constexpr auto steps_of_sequence = 64u;

std::shared_ptr<const model> seed_model() {
  auto p = hparams{};
  p.vocab = 4096;
  p.context = 2048;
  p.hidden = 512;
  p.layers = 4;
  p.heads = 8;
  p.kv_heads = 8;
  p.head_dim = 64;
  p.ffn = 1536;
  p.rope_dim = 64;
  auto o = test::random_model_options{};
  o.type = dtype::q8_0;
  return test::random_model::make(p, o);
}

stream_actor::behavior_type no_stream(stream_actor::pointer, int) {
  return {[](const step_output&) {}, [](const sequence_moved&) {}};
}

kv_destination_actor::behavior_type
no_destination(kv_destination_actor::pointer, int) {
  return {[](const handoff_offer&) {}, [](const kv_chunk&) {},
          [](const kv_commit&) {}, [](const kv_abort&) {}};
}

/// Handles that jobs need; nothing is sent to them.
struct somebody {
  ~somebody() {
    caf::anon_send_exit(stream, caf::exit_reason::user_shutdown);
    caf::anon_send_exit(destination, caf::exit_reason::user_shutdown);
  }

  prefill_job job(uint32_t tokens_to_come) const {
    auto j = prefill_job{};
    j.spec = spec_of(next_seq(), prompt_tokens);
    j.spec.max_tokens = tokens_to_come;
    j.spec.sampling.temperature = 0;
    j.stream = stream;
    return j;
  }

  system_config config;
  caf::actor_system system{config};
  stream_actor stream = system.spawn(no_stream, 0);
  kv_destination_actor destination = system.spawn(no_destination, 0);
};

/// The other side of a handoff: takes everything at once and, of another
/// process, by its bytes.
class receiver {
public:
  receiver(somebody& who, bool bytes) : who_(who), bytes_(bytes) {}

  void take(prefill_state& from) {
    auto effects = from.take_effects();
    for (auto& [to, m] : effects.to_decode)
      std::visit([&](auto& x) { take(from, x); }, m);
  }

  bool done() const { return done_; }
  uint64_t sent() const { return sent_; }

private:
  void take(prefill_state& from, const kv_offer& m) {
    from.on(kv_grant{m.seq, m.epoch, 8}, who_.destination, now());
  }
  void take(prefill_state& from, kv_chunk& m) {
    write(m);
    from.on(kv_credit{m.seq, m.epoch, m.index}, now());
    take(from);
  }
  void take(prefill_state& from, kv_commit& m) {
    write(m);
    from.on(kv_accepted{m.seq, m.epoch});
    done_ = true;
  }
  template <class M>
  void take(prefill_state&, const M&) {
    std::abort();
  }

  template <class M>
  void write(M& m) {
    if (!bytes_)
      return;
    wire_.clear();
    auto sink = caf::binary_serializer{who_.system, wire_};
    if (sink(m))
      std::abort();
    benchmark::DoNotOptimize(wire_.data());
    sent_ += wire_.size();
  }

  somebody& who_;
  bool bytes_;
  std::vector<char> wire_;
  bool done_ = false;
  uint64_t sent_ = 0;
};

// A prompt, its first token, and its KV on the way to a decode node.
// args: whether that is in another process, so that bytes are written
void prefill(benchmark::State& state) {
  auto who = somebody{};
  auto m = seed_model();
  auto node = prefill_state{};
  node.init(node_of(node_role::prefill, m, arena_of(*m), 1));
  auto bytes = uint64_t{0};
  for (auto _ : timed_loop{state, "4 layers of 8 heads of 64 computed for 64 "
                                  "tokens, one sampled, all KV handed over"}) {
    auto to = receiver{who, state.range(0) == 1};
    auto job = who.job(2);
    job.decode = who.destination;
    node.submit(std::move(job), now());
    while (!to.done()) {
      if (!node.has_step())
        return state.SkipWithError("the handoff stands still");
      auto began = now();
      node.begin_step(began);
      to.take(node);
      node.compute();
      node.end_step(began, now());
      to.take(node);
    }
    bytes = to.sent();
  }
  state.counters["bytes"] = static_cast<double>(bytes);
}

BENCHMARK(prefill)
    ->Name("seed/DisaggPrefillNode/prefill")
    ->ArgName("bytes")
    ->Arg(0)
    ->Arg(1)
    ->Unit(benchmark::kMicrosecond);

/// A decode node whose batch is always the same in number.
class decoding_node {
public:
  decoding_node(somebody& who, uint32_t sequences)
      : who_(who), sequences_(sequences), model_(seed_model()) {
    node_.init(node_of(node_role::mixed, model_, arena_of(*model_), 1));
  }

  /// Sequences of 64 tokens that have just begun to decode.
  void renew() {
    for (auto seq : running_)
      node_.cancel({seq, last_move(next_placement(0))}, now());
    running_.clear();
    for (auto i = 0u; i < sequences_; ++i) {
      auto job = who_.job(2 * steps_of_sequence);
      running_.push_back(job.spec.seq);
      node_.submit(std::move(job), now());
    }
    while (tokens() < sequences_)
      ;
  }

  /// One step, with what is to be sent of it; the number of tokens.
  size_t tokens() {
    auto began = now();
    node_.step(began);
    auto ended = now();
    auto report = node_.stepped(ended - began, ended);
    benchmark::DoNotOptimize(report);
    auto count = size_t{0};
    for (auto& [stream, o] : node_.take_effects().outputs)
      count += o.tokens.size();
    return count;
  }

private:
  somebody& who_;
  uint32_t sequences_;
  std::shared_ptr<const model> model_;
  decode_state node_;
  std::vector<seq_id> running_;
};

// One token for each sequence, after 64 to 128 others.
// args: sequences
void step(benchmark::State& state) {
  auto who = somebody{};
  auto sequences = static_cast<uint32_t>(state.range(0));
  auto node = decoding_node{who, sequences};
  auto left = 0u;
  auto loop =
      timed_loop{state, "4 layers of 8 heads of 64 computed for a token "
                        "of each sequence, and one sampled"};
  for (auto _ : loop) {
    if (left-- == 0) {
      state.PauseTiming();
      node.renew();
      left = steps_of_sequence - 1;
      state.ResumeTiming();
      loop.restart();
    }
    if (node.tokens() != sequences)
      return state.SkipWithError("a step without all sequences");
  }
}

BENCHMARK(step)
    ->Name("seed/DisaggDecodeNode/step")
    ->ArgName("sequences")
    ->Arg(1)
    ->Arg(8)
    ->Unit(benchmark::kMicrosecond);

} // namespace
