#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>

#include <benchmark/benchmark.h>

#include "bench/timed_loop.hpp"
#include "core/base/random.hpp"
#include "core/serving/model_versions.hpp"
#include "core/serving/prefix_chain.hpp"
#include "core/serving/rate_limiter.hpp"
#include "core/serving/router.hpp"

using namespace troupe;
using troupe::bench::timed_loop;
using namespace std::chrono_literals;

namespace {

constexpr auto t0 = time_point{} + 1h;

rate_limit per_second(uint64_t amount, uint64_t burst) {
  return {amount, 1s, burst};
}

// Each of the three levels limits all four kinds.
tenant_limits wide() {
  auto many = per_second(1'000'000'000'000, 1'000'000'000'000);
  return {many, many, many, 1'000'000};
}

tenant tenant_of(int64_t i) {
  return {"tenant-" + std::to_string(i), "key", "model"};
}

// So many organisations, the first of which is limited otherwise.
limits_table organisations(int64_t n, const tenant_limits& first) {
  auto t = limits_table{};
  for (auto i = int64_t{0}; i < n; ++i) {
    auto& o = t.organisations[tenant_of(i).organisation];
    o.limits = i == 0 ? first : wide();
    o.keys["key"].limits = wide();
    o.keys["key"].models["model"] = wide();
  }
  return t;
}

limits_table eight(const tenant_limits& first) {
  return organisations(8, first);
}

// 100 requests a second, at most 100 at once.
tenant_limits hundred() {
  auto l = wide();
  l.requests = per_second(100, 100);
  return l;
}

// A decision that admits, and the settling of what it reserved: three levels
// with four limits each, of every tenant in turn. args: tenants
void consume_allowed(benchmark::State& state) {
  auto limiter = rate_limiter{organisations(state.range(0), wide()), t0};
  auto all = std::vector<rate_limiter::handle>{};
  for (auto i = int64_t{0}; i < state.range(0); ++i)
    all.push_back(limiter.resolve(tenant_of(i), t0));
  auto now = t0;
  auto turn = size_t{0};
  auto admitted = int64_t{0};
  for (auto _ : timed_loop{state, "twelve limits on three levels reserved and "
                                  "settled, each tenant in turn"}) {
    now += 1ms;
    auto a = limiter.reserve(all[turn], now, 100, 50);
    turn = turn + 1 < all.size() ? turn + 1 : 0;
    admitted += a.is == rate_limiter::verdict::admitted;
    a.held.settle(now, 20);
  }
  state.counters["admitted"] =
      benchmark::Counter(admitted, benchmark::Counter::kAvgIterations);
}

// The decision alone: what it admits stays under way.
void decide_allowed(benchmark::State& state) {
  constexpr auto batch = 100; // within the first cache

  auto limiter = rate_limiter{eight(wide()), t0};
  auto who = limiter.resolve(tenant_of(0), t0);
  auto now = t0;
  auto held = std::vector<rate_limiter::admission>(batch);
  auto loop = timed_loop{state, "twelve limits on three levels, reserved"};
  while (state.KeepRunningBatch(batch)) {
    loop.restart();
    for (auto& a : held) {
      now += 1ms;
      a = limiter.reserve(who, now, 100, 50);
      loop.next();
    }
    state.PauseTiming();
    for (auto& a : held)
      a.held.refund();
    state.ResumeTiming();
  }
}

// The bucket is empty, and says when to come back.
void consume_denied(benchmark::State& state) {
  auto limiter = rate_limiter{eight(hundred()), t0};
  auto who = limiter.resolve(tenant_of(0), t0);
  auto denied = int64_t{0};
  for (auto i = 0; i < 100; ++i)
    limiter.reserve(who, t0, 0, 0).held.settle(t0, 0);
  for (auto _ :
       timed_loop{state, "refused by an empty bucket, with the time to wait"}) {
    auto a = limiter.reserve(who, t0 + 1ms, 0, 0);
    denied += a.is == rate_limiter::verdict::wait;
    benchmark::DoNotOptimize(a.retry_after);
  }
  state.counters["denied"] =
      benchmark::Counter(denied, benchmark::Counter::kAvgIterations);
}

// As the reference's: the clock goes 1 ms a call, and one in ten is allowed.
void consume(benchmark::State& state) {
  auto limiter = rate_limiter{organisations(state.range(0), hundred()), t0};
  auto who = limiter.resolve(tenant_of(0), t0);
  auto now = t0;
  auto admitted = int64_t{0};
  for (auto _ : timed_loop{
           state, "1 ms later each time: one in ten is allowed, and settled"}) {
    now += 1ms;
    auto a = limiter.reserve(who, now, 0, 0);
    admitted += a.is == rate_limiter::verdict::admitted;
    a.held.settle(now, 0);
  }
  state.counters["admitted"] =
      benchmark::Counter(admitted, benchmark::Counter::kAvgIterations);
}

std::unique_ptr<rate_limiter> shared_limiter;

// Decisions and settling by threads that all are one tenant, or each another.
void consume_threads(benchmark::State& state, bool one) {
  if (state.thread_index() == 0)
    shared_limiter = std::make_unique<rate_limiter>(eight(wide()), t0);
  auto who = rate_limiter::handle{};
  auto now = t0;
  auto mine = tenant_of(one ? 0 : state.thread_index());
  for (auto _ : timed_loop{state, "reserved and settled by one of 8 threads"}) {
    if (now == t0) // here the limiter is there for all threads
      who = shared_limiter->resolve(mine, t0);
    now += 1us;
    auto a = shared_limiter->reserve(who, now, 100, 50);
    a.held.settle(now, 20);
  }
}

// What the buckets have now, for headers and the seed's refill: three levels.
void refill(benchmark::State& state) {
  auto limiter = rate_limiter{eight(hundred()), t0};
  auto who = limiter.resolve(tenant_of(0), t0);
  for (auto _ : timed_loop{state, "what is left now, on three levels"}) {
    auto s = limiter.status(who, t0 + 100s);
    benchmark::DoNotOptimize(s);
  }
}

// One token of an answer, asked for and spent.
void take_output(benchmark::State& state) {
  auto limiter = rate_limiter{eight(wide()), t0};
  auto who = limiter.resolve(tenant_of(0), t0);
  auto a = limiter.reserve(who, t0, 100, 4'000'000'000);
  auto now = t0;
  for (auto _ : state)
    benchmark::DoNotOptimize(a.held.take_output(now += 1us));
}

void resolve(benchmark::State& state) {
  auto limiter = rate_limiter{eight(wide()), t0};
  for (auto _ : state)
    benchmark::DoNotOptimize(limiter.resolve(tenant_of(3), t0));
}

// -- routes -------------------------------------------------------------------

// Mixed nodes that have told of rows under way.
router router_of(int64_t nodes) {
  auto r = router{};
  auto load = node_load{};
  load.rows = 8;
  load.decode_context = 800;
  load.free_blocks = load.blocks = 1 << 20;
  load.cost = {1e5, 1e4, 1, 2e4, 10};
  for (auto i = int64_t{1}; i <= nodes; ++i) {
    auto m = static_cast<router::member>(i);
    r.join(m, static_cast<node_id>(i), node_role::mixed);
    r.told(m, load);
  }
  return r;
}

// Of nodes with 16 requests each: a node chosen and booked, and the request of
// longest ago given back.
void route_complete(benchmark::State& state) {
  auto n = state.range(0);
  auto r = router_of(n);
  auto under_way = static_cast<uint64_t>(16 * n);
  auto i = uint64_t{0};
  auto next = [&] {
    auto request = ++i;
    if (request > under_way)
      r.release(request - under_way);
    return r.place(request, {100, 50}, {});
  };
  while (i < under_way)
    next();
  for (auto _ : timed_loop{state, "so many nodes with loads: one chosen and "
                                  "booked, one request given back"})
    benchmark::DoNotOptimize(next());
}

// The same with prompts of 64 blocks of which 8 to 63 are known somewhere.
void route_prefix(benchmark::State& state) {
  auto n = state.range(0);
  auto r = router_of(n);
  auto chains = std::vector<std::vector<uint64_t>>{};
  for (auto i = 0; i < 256; ++i)
    chains.push_back(prefix_chain("", std::vector<token_id>(1024, i), 16));
  auto under_way = static_cast<uint64_t>(16 * n);
  auto i = uint64_t{0};
  auto next = [&] {
    auto request = ++i;
    if (request > under_way)
      r.release(request - under_way);
    auto known = std::span{chains[request % 256]}.first(8 + request % 56);
    return r.place(request, {1024, 100}, {}, 1, {known, 16});
  };
  while (i < under_way)
    next();
  for (auto _ : state)
    benchmark::DoNotOptimize(next());
}

// -- versions -----------------------------------------------------------------

model_versions canary_of_ten_percent() {
  auto m = model_versions{};
  for (auto* name : {"v1", "v2"}) {
    auto v = *m.load(name, 1, t0);
    m.loaded(v, t0);
    m.warmed(v, t0);
    auto ok =
        m.active() == 0 ? m.activate(v, t0, "") : m.start_canary(v, 0.1, 1, t0);
    if (!ok)
      std::abort();
  }
  return m;
}

// Which version a key gets, booked, and given back without an outcome.
void route_version(benchmark::State& state) {
  auto m = canary_of_ten_percent();
  auto key = std::string{"conversation-0000000"};
  auto i = uint64_t{0};
  auto canary = int64_t{0};
  for (auto _ : timed_loop{
           state, "which version a key gets, by a sticky hash, and its end"}) {
    auto digits = ++i;
    for (auto k = key.size() - 7; k < key.size(); ++k, digits /= 10)
      key[k] = static_cast<char>('0' + digits % 10);
    auto t = m.route(key);
    canary += t->version == m.canary();
    m.complete(*t, std::nullopt, t0);
  }
  state.counters["canary"] =
      benchmark::Counter(canary, benchmark::Counter::kAvgIterations);
}

// The same with an outcome, which is weighed: the sequential test's step.
void route_and_compare(benchmark::State& state) {
  auto m = canary_of_ten_percent();
  auto i = uint64_t{0};
  for (auto _ : state) {
    char key[8];
    std::memcpy(key, &++i, sizeof key);
    auto t = m.route({key, sizeof key});
    auto latency =
        duration{static_cast<int64_t>(1'000'000 + i * 7919 % 999'983)};
    m.complete(*t, request_outcome{false, latency, latency / 20, false}, t0);
  }
  if (m.canary() == 0)
    state.SkipWithError("the canary is gone");
}

} // namespace

BENCHMARK(consume)
    ->Name("seed/TokenBucketRateLimiter/consume")
    ->ArgName("tenants")
    ->Arg(8)
    ->Arg(100'000);
BENCHMARK(consume_allowed)
    ->Name("seed/TokenBucketRateLimiter/consume_allowed_and_settle")
    ->ArgName("tenants")
    ->Arg(8)
    ->Arg(100'000);
BENCHMARK(decide_allowed)->Name("seed/TokenBucketRateLimiter/consume_allowed");
BENCHMARK(consume_denied)->Name("seed/TokenBucketRateLimiter/consume_denied");
BENCHMARK_CAPTURE(consume_threads, one, true)
    ->Name("seed/TokenBucketRateLimiter/consume_and_settle_one_tenant")
    ->Threads(8)
    ->UseRealTime();
BENCHMARK_CAPTURE(consume_threads, many, false)
    ->Name("seed/TokenBucketRateLimiter/consume_and_settle_many_tenants")
    ->Threads(8)
    ->UseRealTime();
BENCHMARK(refill)->Name("seed/TokenBucketRateLimiter/refill");
BENCHMARK(take_output)->Name("TokenBucketRateLimiter/take_output");
BENCHMARK(resolve)->Name("TokenBucketRateLimiter/resolve");
BENCHMARK(route_complete)
    ->Name("seed/InferenceGateway/route+complete")
    ->Arg(8)
    ->Arg(1000);
BENCHMARK(route_prefix)
    ->Name("InferenceGateway/route_by_prefix+complete")
    ->Arg(8)
    ->Arg(1000);
BENCHMARK(route_version)->Name("seed/ModelVersionManager/route_request");
BENCHMARK(route_and_compare)
    ->Name("ModelVersionManager/route_complete_and_compare");
