// What operations cost through their actors: a question and its answer, with
// whoever asks in the same process, and over a connection on loopback. A
// message's way is most of it; what is decided in between is timed by the
// benchmarks of the same names without "actor".

#include <benchmark/benchmark.h>

#include <caf/all.hpp>
#include <caf/scoped_actor.hpp>

#include "actors/auditor.hpp"
#include "actors/batch_controller.hpp"
#include "actors/decode_node.hpp"
#include "actors/gateway.hpp"
#include "actors/local_ranks.hpp"
#include "actors/model_manager.hpp"
#include "actors/preempt_scheduler.hpp"
#include "actors/prefill_node.hpp"
#include "actors/profiler.hpp"
#include "actors/registry.hpp"
#include "actors/response_cache.hpp"
#include "bench/handoff_setup.hpp"
#include "bench/place.hpp"
#include "bench/timed_loop.hpp"
#include "tests/support/core/audit_world.hpp"
#include "tests/support/core/temp_dir.hpp"
#include "tests/support/core/tiny_model.hpp"

namespace {

using namespace troupe;
using namespace troupe::bench;

constexpr auto patience = std::chrono::seconds{10};

enum class where { here, loopback };

/// Two actor systems, one of which has the actor that the other one asks, or
/// one alone that does both.
class question {
public:
  explicit question(where w) {
    if (w == where::loopback)
      far_.emplace();
  }
  ~question() {
    for (auto& a : actors_)
      caf::anon_send_exit(a, caf::exit_reason::user_shutdown);
  }

  caf::actor_system& there() { return *(far_ ? *far_ : near_).system; }
  caf::actor_system& here() { return *near_.system; }
  caf::scoped_actor& self() { return self_; }

  /// As whoever asks sees it; it ends with this object.
  template <class Handle>
  Handle seen(const Handle& actor) {
    end_with_this(actor);
    if (!far_)
      return actor;
    auto port = far_->transport->publish(actor, 0);
    if (!port)
      std::abort();
    auto a = near_.transport->connect<Handle>("127.0.0.1", *port);
    if (!a)
      std::abort();
    return *a;
  }

  template <class Handle>
  void end_with_this(const Handle& actor) {
    actors_.push_back(caf::actor_cast<caf::actor>(actor));
  }

  /// The answer, or what is like none.
  template <class Answer, class Handle, class Message>
  Answer ask(const Handle& of, Message m) {
    auto answer = Answer{};
    self_->request(of, patience, std::move(m))
        .receive([&](Answer& a) { answer = std::move(a); },
                 [](const caf::error& e) {
                   std::fprintf(stderr, "%s\n", to_string(e).c_str());
                   std::abort();
                 });
    return answer;
  }

private:
  std::optional<place> far_;
  place near_;
  std::vector<caf::actor> actors_;
  caf::scoped_actor self_{*near_.system};
};

/// Mixed nodes that have nothing to do.
std::vector<decode_actor> idle_nodes(caf::actor_system& system, uint32_t n) {
  auto m = test::random_model::make(shape(1, 32), {});
  auto all = std::vector<decode_actor>{};
  for (auto i = 1u; i <= n; ++i) {
    auto o = node_of(node_role::mixed, m, arena_of(*m), 1);
    o.id = i;
    all.push_back(system.spawn<caf::detached>(decode_node, std::move(o)));
  }
  return all;
}

void place_and_release(benchmark::State& state, where w) {
  auto q = question{w};
  auto home = q.there().spawn(registry, registry_options{});
  auto to = q.seen(home);
  auto number = node_id{0};
  for (auto& node : idle_nodes(q.there(), 8)) {
    q.end_with_this(node);
    caf::anon_send(home, add_mixed{++number, node});
  }
  auto request = request_id{0};
  for (auto _ :
       timed_loop{state, "asked of the registry: one of 8 nodes chosen, "
                         "and handles to it"}) {
    auto p = q.ask<placement>(to, place_request{++request, {}, {100, 50}});
    if (!p.prefill)
      state.SkipWithError("no node");
    q.self()->send(to, release_placement{request});
  }
}

model_versions canary_of_ten_percent() {
  auto m = model_versions{};
  for (auto* name : {"v1", "v2"}) {
    auto v = *m.load(name, 1, {});
    m.loaded(v, {});
    m.warmed(v, {});
    if (!(m.active() == 0 ? m.activate(v, {}, "")
                          : m.start_canary(v, 0.1, 1, {})))
      std::abort();
  }
  return m;
}

void route_request(benchmark::State& state, where w) {
  auto q = question{w};
  auto opts = model_manager_options{};
  opts.desk = std::make_shared<version_desk>(canary_of_ten_percent());
  auto to = q.seen(q.there().spawn(model_manager, std::move(opts)));
  auto key = uint64_t{0};
  for (auto _ :
       timed_loop{state, "asked of the model manager, with the request "
                         "given back"}) {
    auto r = q.ask<routed_version>(to, route_version{std::to_string(++key)});
    q.self()->send(to, version_done{r.ticket, r.version});
  }
}

void latencies(benchmark::State& state, where w) {
  auto q = question{w};
  auto to = q.seen(q.there().spawn(profiler, profiler_options{}));
  auto p = request_profile{};
  p.stages = {{stage::prefill, 0, 5'000'000}, {stage::decode, 0, 9'000'000}};
  for (auto i = 0; i < 1000; ++i)
    q.self()->send(to, p);
  for (auto _ :
       timed_loop{state, "a request's stages told to the profiler, and "
                         "percentiles of all asked of it"}) {
    q.self()->send(to, p);
    auto l = q.ask<stage_latencies>(to, latency_query{});
    if (l.stages.empty())
      state.SkipWithError("no stages");
  }
}

void look_up(benchmark::State& state, where w) {
  auto q = question{w};
  auto opts = response_cache_service_options{};
  opts.exact.enabled = true;
  auto to = q.seen(q.there().spawn(response_cache_service, std::move(opts)));
  auto asked = cache_lookup{};
  asked.tenant = "acme";
  asked.version = 1;
  asked.prompt.assign(64, 7);
  auto miss = q.ask<cache_reply>(to, asked);
  auto answer =
      kept_answer{std::vector<token_id>(64, 9), {}, finish_reason::stop};
  q.self()->send(to, cache_fill{miss.flight, miss.turn, answer});
  for (auto _ :
       timed_loop{state, "64 tokens asked of the response cache, which "
                         "has 64 in answer"})
    if (q.ask<cache_reply>(to, asked).answer.tokens.size() != 64)
      state.SkipWithError("no answer");
}

void plan(benchmark::State& state, where w) {
  auto q = question{w};
  auto self = caf::actor_cast<schedule_sink>(q.self().ptr());
  auto to = q.seen(q.there().spawn(preempt_scheduler, self, schedule_policy{}));
  auto v = schedule_view{};
  v.max_rows = 64;
  v.capacity = 1000;
  v.store = true;
  for (auto i = 1u; i <= 16; ++i) {
    auto e = schedule_entry{};
    e.seq = i;
    e.phase = i <= 8 ? schedule_phase::running : schedule_phase::waiting;
    e.prompt = e.tokens_to_compute = 500;
    e.max_tokens = 512;
    (i <= 8 ? e.blocks : e.blocks_to_start) = 32;
    v.entries.push_back(e);
  }
  for (auto _ :
       timed_loop{state, "a view of 16 sequences to the scheduler, and "
                         "its plan back"}) {
    ++v.number;
    q.self()->send(to, v);
    q.self()->receive([](const schedule_plan&) {});
  }
}

// It answers whoever did not ask last, and whoever's limits have changed.
void next_batch(benchmark::State& state, where w) {
  auto q = question{w};
  auto other = caf::scoped_actor{q.self()->system()};
  auto to = q.seen(q.there().spawn(batch_control, batch_controller_options{}));
  auto m = step_report{};
  m.shape.rows = 8;
  m.took = 5'000'000;
  m.demand.decoding = 8;
  auto turn = false;
  for (auto _ : timed_loop{state, "a step of 8 rows told to the batch "
                                  "controller, and limits back"}) {
    auto& self = std::exchange(turn, !turn) ? other : q.self();
    self->send(to, m);
    self->receive([](const batch_limits&) {});
  }
}

// A session takes from three buckets, and gives back: there is no node. Or it
// is refused.
void limit(benchmark::State& state, where w, bool allowed) {
  auto q = question{w};
  auto many =
      rate_limit{1'000'000'000'000, std::chrono::seconds{1}, 1'000'000'000'000};
  auto wide = tenant_limits{many, many, many, 1'000'000};
  auto table = limits_table{};
  for (auto i = 0; i < 8; ++i) {
    auto& o = table.organisations["tenant-" + std::to_string(i)];
    o.limits = o.keys["key"].limits = o.keys["key"].models["model"] = wide;
  }
  if (!allowed)
    table.organisations["tenant-0"].limits.requests =
        rate_limit{1, std::chrono::hours{24}, 1};
  auto home = q.there().spawn(registry, registry_options{});
  q.end_with_this(home);
  auto o = gateway_options{};
  o.registry = home;
  o.vocab = 4096;
  o.context = 2048;
  auto now = time_point{q.there().clock().now()};
  auto limits = std::make_shared<rate_limiter>(std::move(table), now);
  o.session.limits = limits;
  // Takes the one that there is, if there is one only.
  auto who = limits->resolve({"tenant-0", "key", "model"}, now);
  auto taken = limits->reserve(who, now, 1, 1);
  auto to = q.seen(q.there().spawn(gateway, std::move(o)));
  auto m = submit{};
  m.request.prompt.assign(64, 7);
  m.request.max_tokens = 16;
  m.request.organisation = "tenant-0";
  m.request.key = "key";
  m.request.model = "model";
  m.client = caf::actor_cast<client_actor>(q.self().ptr());
  auto why = allowed ? errc::no_node : errc::overloaded;
  auto told = allowed ? "a request that the limits of three levels admit, its "
                        "session, and its end, since there is no node"
                      : "a request that an organisation's limit refuses, its "
                        "session, and its end";
  auto end = [&] {
    q.ask<admitted>(to, m);
    auto code = errc::none;
    q.self()->receive([&](const finish_event& e) { code = e.code; });
    return code;
  };
  for (auto _ : timed_loop{state, told})
    if (end() != why)
      state.SkipWithError("it ended otherwise");
}

// A session compiles the schema, and validates the answer when it is whole.
// What it asks for tokens is the benchmark, so that nothing is computed.
void validate(benchmark::State& state, where w, bool valid) {
  auto q = question{w};
  auto home = q.there().spawn(registry, registry_options{});
  q.end_with_this(home);
  auto text = *tokenizer::make(testing::tiny_model()->vocab);
  auto o = gateway_options{};
  o.registry = home;
  o.vocab = testing::tiny_vocab_size;
  o.context = 256;
  o.end_tokens = text->end_tokens();
  o.text = text;
  auto to = q.seen(q.there().spawn(gateway, std::move(o)));
  auto m = submit{};
  m.request.prompt.assign(16, 7);
  m.request.form = {answer_form::kind::json_schema, R"({
    "$schema": "http://json-schema.org/draft-07/schema#",
    "type": "object",
    "required": ["name", "size"],
    "properties": {
      "name": {"type": "string", "minLength": 1, "maxLength": 64},
      "size": {"type": "integer", "minimum": 1, "maximum": 4096},
      "share": {"type": "number", "minimum": 0, "maximum": 2},
      "mode": {"enum": ["fast", "exact"]}
    },
    "additionalProperties": false
  })"};
  m.client = caf::actor_cast<client_actor>(q.self().ptr());
  auto node = caf::scoped_actor{q.there()};
  caf::anon_send(home, add_mixed{1, caf::actor_cast<decode_actor>(node.ptr())});
  auto said = sequence_output{};
  said.tokens = text->encode(
      valid ? R"({"name":"a fox","size":128,"share":0.7,"mode":"fast"})"
            : R"({"name":"","size":"many"})");
  said.reason = finish_reason::stop;
  auto answered = [&] {
    q.ask<admitted>(to, m);
    auto late = caf::after(patience) >> [] { std::abort(); };
    node->receive(
        [&](const prefill_job& j) {
          said.request = j.spec.request;
          said.seq = j.spec.seq;
          said.epoch = j.spec.epoch;
          node->send(j.stream, step_output{{said}});
        },
        late);
    auto end = std::optional<finish_reason>{};
    while (!end)
      q.self()->receive([](const token_event&) {},
                        [&](const finish_event& e) { end = e.reason; }, late);
    // That it is to forget the sequence.
    node->receive([](const cancel_sequence&) {}, late);
    return *end;
  };
  auto expected = valid ? finish_reason::stop : finish_reason::error;
  auto told = valid ? "a request for an object of four members: its schema "
                      "compiled, an answer of that form told by a node that "
                      "computes nothing, validated, and brought to the client"
                    : "a request for an object of four members: its schema "
                      "compiled, an answer that is not of that form told by a "
                      "node that computes nothing, and refused";
  for (auto _ : timed_loop{state, told})
    if (answered() != expected)
      return state.SkipWithError("it ended otherwise");
}

// -- nodes that compute -------------------------------------------------------

constexpr auto prompt_tokens = 64u;

node_options demo_node(node_role role, node_id id,
                       const std::shared_ptr<const model>& m) {
  auto o = node_of(role, m, arena_of(*m), 1);
  o.id = id;
  return o;
}

prefill_job job_for(const stream_actor& stream, uint32_t prompt,
                    uint32_t answer) {
  auto j = prefill_job{};
  j.spec = spec_of(next_seq(), prompt);
  j.spec.max_tokens = answer;
  j.spec.sampling.temperature = 0;
  j.stream = stream;
  return j;
}

// Of what one message of a node tells: how many sequences are over.
uint32_t ended_in(const step_output& m) {
  return static_cast<uint32_t>(std::ranges::count_if(
      m.sequences, [](auto& s) { return s.reason != finish_reason::none; }));
}

// Ranks are threads of the node's process.
constexpr auto ranks = 4u;

// Prompts are computed, too, each for 512 tokens.
void decode(benchmark::State& state, where w, uint32_t sequences,
            std::optional<rank_kind> shared = {}) {
  auto q = question{w};
  auto m = model_of(demo);
  auto o = demo_node(node_role::mixed, 1, m);
  if (shared) {
    auto setup = set_up_ranks(m, *shared, ranks, o.arena->layout().dtype);
    if (!setup)
      return state.SkipWithError(setup.failure().message.c_str());
    o.ranks = start_local_ranks(q.there(), *setup, o);
  }
  auto node = q.seen(q.there().spawn<caf::detached>(decode_node, o));
  auto stream = caf::actor_cast<stream_actor>(q.self().ptr());
  auto begin = [&](uint32_t n) {
    for (; n > 0; --n)
      q.self()->send(node, job_for(stream, prompt_tokens, 512));
  };
  begin(sequences);
  for (auto begun = 0u; begun < sequences;)
    q.self()->receive([&](const step_output& s) {
      for (auto& t : s.sequences)
        begun += t.index == 0;
    });
  for (auto _ : timed_loop{
           state, shared
                      ? "a step of the demo model's shape computed by a node "
                        "and three ranks beside it, and its token brought to "
                        "whoever asked; a sequence of 64 to 576 tokens"
                      : "a step of the demo model's shape computed by a "
                        "node, and its tokens brought to whoever asked; "
                        "sequences of 64 to 576 tokens"})
    q.self()->receive([&](const step_output& s) { begin(ended_in(s)); });
}

// The second token comes from the decode node.
void prefill(benchmark::State& state, where w) {
  auto q = question{w};
  auto m = model_of(demo);
  auto node = q.seen(q.there().spawn<caf::detached>(
      prefill_node, demo_node(node_role::prefill, 1, m)));
  auto decodes = q.seen(q.there().spawn<caf::detached>(
      decode_node, demo_node(node_role::decode, 2, m)));
  auto stream = caf::actor_cast<stream_actor>(q.self().ptr());
  for (auto _ :
       timed_loop{state, "64 tokens of the demo model's shape computed by a "
                         "prefill node, their KV handed over, and a step of a "
                         "decode node"}) {
    auto j = job_for(stream, prompt_tokens, 2);
    j.decode = caf::actor_cast<kv_destination_actor>(decodes);
    q.self()->send(node, std::move(j));
    auto ended = 0u;
    while (ended == 0)
      q.self()->receive([&](const step_output& s) { ended = ended_in(s); },
                        [](const sequence_moved&) {});
  }
}

// Over loopback one node is here, and the other one there.
void migrate(benchmark::State& state, where w) {
  constexpr auto answer = 512u;
  auto q = question{w};
  auto m = model_of(demo);
  auto spawn = [&](caf::actor_system& at, node_id id) {
    return at.spawn<caf::detached>(decode_node,
                                   demo_node(node_role::mixed, id, m));
  };
  decode_actor nodes[] = {q.seen(spawn(q.there(), 1)), spawn(q.here(), 2)};
  q.end_with_this(nodes[1]);
  auto stream = caf::actor_cast<stream_actor>(q.self().ptr());
  auto job = prefill_job{};
  auto holder = 0;
  auto left = 0u; // tokens that are to come
  auto take = [&] {
    q.self()->receive(
        [&](const step_output& s) {
          for (auto& t : s.sequences)
            if (t.seq == job.spec.seq)
              left = answer - t.index - static_cast<uint32_t>(t.tokens.size());
        },
        [](const sequence_moved&) {});
  };
  auto begin = [&] {
    if (job.spec.seq != 0)
      q.self()->send(nodes[holder], cancel_sequence{job.spec.seq, ~epoch_t{0}});
    job = job_for(stream, 1400, answer);
    q.self()->send(nodes[holder], job);
    for (left = answer; left == answer;)
      take();
  };
  auto loop = timed_loop{
      state, "the KV of a sequence of 1,400 to 1,912 tokens of the demo "
             "model's shape moved to another node, with its digests checked, "
             "while it generates"};
  for (auto _ : loop) {
    if (left < answer / 2) {
      state.PauseTiming();
      begin();
      state.ResumeTiming();
      loop.restart();
    }
    auto to = caf::actor_cast<kv_destination_actor>(nodes[1 - holder]);
    q.ask<migrated>(nodes[holder], migrate_sequence{job.spec.request, to});
    holder = 1 - holder;
    while (q.self()->has_next_message())
      take();
  }
}

void log(benchmark::State& state, where w) {
  auto q = question{w};
  auto dir = testing::temp_dir{};
  auto folder = open_audit_folder(dir.file("audit.log"));
  auto opts = auditor_options{};
  opts.log = std::make_shared<audit_log>(*audit_log::open(
      *std::move(folder), testing::test_key(), audit_log_options{}, {}));
  auto to = q.seen(q.there().spawn<caf::detached>(auditor, std::move(opts)));
  auto n = uint64_t{0};
  for (auto _ : timed_loop{state, "a record told to the auditor, until it is "
                                  "durable on this disk"}) {
    auto r = audit_record{};
    r.kind = audit_kind::finished;
    r.request = ++n;
    if (!q.ask<audit_receipt>(to, audit_batch{{r}}).kept)
      state.SkipWithError("not kept");
  }
}

template <class F>
void both(const std::string& name, F f) {
  for (auto w : {where::here, where::loopback})
    benchmark::RegisterBenchmark(
        (name + (w == where::here ? "/actor" : "/actor over loopback")).c_str(),
        [f, w](benchmark::State& s) { f(s, w); })
        ->Unit(benchmark::kMicrosecond)
        ->UseRealTime();
}

[[maybe_unused]] const auto registered = [] {
  both("seed/InferenceGateway/route+complete", place_and_release);
  both("seed/ModelVersionManager/route_request", route_request);
  both("seed/ProductionProfiler/record+stats", latencies);
  both("seed/SemanticResponseCache/lookup hit", look_up);
  both("seed/PreemptScheduler/plan", plan);
  for (auto allowed : {false, true})
    both(std::string{"seed/TokenBucketRateLimiter/consume_"}
             + (allowed ? "allowed_and_settle" : "denied"),
         [allowed](benchmark::State& s, where w) { limit(s, w, allowed); });
  for (auto valid : {true, false})
    both(std::string{"seed/SchemaValidator/answer_"}
             + (valid ? "valid" : "invalid"),
         [valid](benchmark::State& s, where w) { validate(s, w, valid); });
  both("seed/AdaptiveBatchController/next_batch", next_batch);
  for (auto n : {1u, 8u})
    both("seed/DisaggDecodeNode/step/sequences:" + std::to_string(n),
         [n](benchmark::State& s, where w) { decode(s, w, n); });
  for (auto [name, kind] : {std::pair{"TensorParallelShard", rank_kind::tensor},
                            {"SequenceParallelScatter", rank_kind::sequence}})
    both(
        "seed/" + std::string{name} + "/step/ranks:4",
        [kind = kind](benchmark::State& s, where w) { decode(s, w, 1, kind); });
  both("seed/DisaggPrefillNode/prefill", prefill);
  both("seed/KVMigrator/migrate", migrate);
  both("seed/AuditLogger/log durable", log);
  return 0;
}();

} // namespace
