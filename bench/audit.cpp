#include <algorithm>
#include <chrono>
#include <filesystem>
#include <memory>

#include <benchmark/benchmark.h>

#include "bench/timed_loop.hpp"
#include "core/trust/audit_log.hpp"
#include "core/trust/audit_verify.hpp"
#include "core/trust/merkle_proof.hpp"
#include "tests/support/core/audit_world.hpp"
#include "tests/support/core/temp_dir.hpp"

using namespace troupe;
using troupe::bench::timed_loop;
using namespace troupe::testing;

namespace {

audit_log_options plain() {
  auto o = audit_log_options{};
  o.segment_bytes = uint64_t{4} << 30;
  o.id.fill(7);
  return o;
}

/// 200 bytes as a frame's body.
audit_record of_200_bytes(uint64_t n) {
  auto r = some_record(2 * n);
  auto bytes = raw_bytes{};
  (void)encode(r, 0, bytes);
  auto text = std::string(200 - bytes.size() - 7, 'x');
  r.details.push_back({audit_field_id::detail, audit_type::text, 0, text});
  return r;
}

/// What row 53 of the seed logs: "req-bench", 128 and 64 tokens, a model.
audit_record of_the_seed(uint64_t n) {
  auto r = audit_record{};
  r.kind = audit_kind::finished;
  r.wall_ns = static_cast<int64_t>(n);
  r.request = n;
  auto text = [&](audit_field_id id, std::string s) {
    r.details.push_back({id, audit_type::text, 0, std::move(s)});
  };
  text(audit_field_id::detail, "req-bench");
  text(audit_field_id::model, "squish-v9");
  r.details.push_back(
      {audit_field_id::prompt_tokens, audit_type::number, 128, {}});
  r.details.push_back(
      {audit_field_id::output_tokens, audit_type::number, 64, {}});
  return r;
}

template <class Record>
audit_world filled(size_t records, Record record) {
  auto w = audit_world{};
  w.options = plain();
  auto log = w.open();
  for (size_t i = 0; i < records; ++i) {
    (void)log.append(record(i));
    if (i % 1000 == 999)
      (void)log.commit(w.time());
  }
  (void)log.close(w.time());
  return w;
}

// Memory, of which the last 16 MiB are kept.
class memory_file : public audit_file {
public:
  memory_file() { bytes_.reserve(most); }
  result<void> append(const_bytes bytes) override {
    if (bytes_.size() + bytes.size() > most)
      bytes_.clear();
    bytes_.insert(bytes_.end(), bytes.begin(), bytes.end());
    return {};
  }
  result<void> sync() override { return {}; }
  result<void> cut(uint64_t) override { return {}; }

private:
  static constexpr auto most = size_t{16} << 20;
  raw_bytes bytes_;
};

class memory_folder : public audit_folder {
public:
  result<uint32_t> segments() override { return 0u; }
  result<audit_bytes> read(uint32_t) override { return audit_bytes{}; }
  result<std::unique_ptr<audit_file>> create(uint32_t) override {
    return std::unique_ptr<audit_file>{std::make_unique<memory_file>()};
  }
  result<std::unique_ptr<audit_file>> open(uint32_t n) override {
    return create(n);
  }
  std::string name(uint32_t) const override { return "memory"; }
};

// A record made, encoded, chained and in the tree; each batch of 256 goes to
// memory.
template <class Record>
void append(benchmark::State& state, Record record) {
  auto log = audit_log::open(std::make_unique<memory_folder>(), test_key(),
                             plain(), {});
  auto n = uint64_t{0};
  for (auto _ :
       timed_loop{state, "a record made, encoded, chained by SHA-256 and in "
                         "the Merkle tree; each batch of 256 to memory"}) {
    benchmark::DoNotOptimize(log->append(record(n)));
    if (++n % 256 == 0)
      (void)log->commit({});
  }
  state.SetItemsProcessed(state.iterations());
}

template <class Record>
void verify(benchmark::State& state, Record record) {
  auto w = filled(static_cast<size_t>(state.range(0)), record);
  auto bytes = w.disk->size();
  for (auto _ : timed_loop{
           state, "frames, chain, tree and signatures of so many records"}) {
    auto r = w.verify();
    if (!r.findings.empty() || !r.closed)
      state.SkipWithError("the log is not good");
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
  state.SetBytesProcessed(state.iterations() * static_cast<int64_t>(bytes));
}

// So many records of 200 bytes in each commit to a file of this disk.
void durable(benchmark::State& state) {
  auto dir = temp_dir{};
  auto folder = open_audit_folder(dir.file("audit.log"));
  auto log = audit_log::open(*std::move(folder), test_key(), plain(), {});
  auto batch = std::vector<audit_record>{};
  for (int64_t i = 0; i < state.range(0); ++i)
    batch.push_back(of_200_bytes(static_cast<uint64_t>(i)));
  auto times = std::vector<double>{};
  auto clock = [] {
    return std::chrono::steady_clock::now().time_since_epoch().count();
  };
  for (auto _ : state) {
    auto begin = clock();
    for (auto& r : batch)
      (void)log->append(r);
    if (!log->commit({begin, begin}))
      state.SkipWithError("the disk refuses");
    times.push_back(static_cast<double>(clock() - begin) / 1e6);
  }
  std::ranges::sort(times);
  auto at = [&](double q) {
    return times[static_cast<size_t>(q
                                     * static_cast<double>(times.size() - 1))];
  };
  state.counters["p50_ms"] = at(0.5);
  state.counters["p99_ms"] = at(0.99);
  state.counters["max_ms"] = times.back();
  state.SetItemsProcessed(state.iterations() * state.range(0));
}

void sign(benchmark::State& state) {
  auto key = test_key();
  auto chain = audit_chain{};
  for (auto _ : state)
    benchmark::DoNotOptimize(make_checkpoint({}, chain, {}, key));
}

// The proof that one of so many records is in the log.
void prove(benchmark::State& state) {
  auto t = merkle_tree{};
  for (int64_t i = 0; i < state.range(0); ++i)
    t.add(sha256_of(std::as_bytes(std::span{&i, 1})));
  for (auto _ : state)
    benchmark::DoNotOptimize(t.inclusion(77, t.size()));
}

[[maybe_unused]] const auto registered = [] {
  using benchmark::RegisterBenchmark;
  RegisterBenchmark("seed/AuditLogger/log",
                    [](auto& s) { append(s, of_the_seed); });
  RegisterBenchmark("seed/AuditLogger/verify",
                    [](auto& s) { verify(s, of_the_seed); })
      ->Arg(2010)
      ->Arg(1'000'000)
      ->Unit(benchmark::kMicrosecond);
  static const auto one = of_200_bytes(1);
  RegisterBenchmark("audit/append/200_bytes", [](auto& s) {
    append(s, [](uint64_t) -> const audit_record& { return one; });
  });
  RegisterBenchmark("audit/verify/200_bytes",
                    [](auto& s) { verify(s, of_200_bytes); })
      ->Arg(1'000'000)
      ->Unit(benchmark::kMillisecond);
  RegisterBenchmark("audit/durable", durable)
      ->Arg(1)
      ->Arg(64)
      ->Arg(256)
      ->Arg(1024)
      ->UseRealTime();
  RegisterBenchmark("audit/checkpoint", sign);
  RegisterBenchmark("audit/inclusion", prove)
      ->Arg(1'000'000)
      ->Unit(benchmark::kMillisecond);
  return 0;
}();

} // namespace
