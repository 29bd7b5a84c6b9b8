#include <algorithm>
#include <chrono>
#include <cstdio>
#include <memory>
#include <numeric>
#include <thread>
#include <unistd.h>

#include "core/base/random.hpp"
#include "core/engine/engine.hpp"
#include "core/kv/block_pool.hpp"
#include "core/kv/page_table.hpp"
#include "core/model/model.hpp"
#include "core/sampling/fused_sampler.hpp"
#include "core/tensor/thread_pool.hpp"
#include "runtime/cli/cli.hpp"
#include "runtime/cli/json_text.hpp"

namespace troupe::cli {

namespace {

using clock = std::chrono::steady_clock;

struct throughput_options {
  std::string model = default_model();
  uint32_t prompt_tokens = 512;
  uint32_t gen_tokens = 128;
  uint32_t batch = 1;
  uint32_t chunk = 512;
  uint32_t runs = 3;
  unsigned threads = 0;
  std::string kv;
  std::string activations = "i8";
  bool probe = false;
  bool json = false;
};

double seconds_since(clock::time_point start) {
  return std::chrono::duration<double>(clock::now() - start).count();
}

double median(std::vector<double> v) {
  std::sort(v.begin(), v.end());
  auto n = v.size();
  return n % 2 == 1 ? v[n / 2] : (v[n / 2 - 1] + v[n / 2]) / 2;
}

// One sequence of the batch, from an empty KV cache.
struct sequence {
  std::vector<token_id> prompt;
  std::vector<token_id> generated;
  page_table table;
};

struct times {
  double prefill = 0; // seconds
  double decode = 0;
};

class throughput_run {
public:
  throughput_run(const throughput_options& o, std::shared_ptr<const model> m,
                 kv_dtype kv, unsigned threads)
      : o_(o), vocab_(m->params.vocab),
        engine_(std::move(m), {threads, std::max(o.chunk, o.batch), nullptr,
                               parse_activations(o.activations)}),
        pool_(make_block_arena(engine_.layout(kv)),
              o.batch * kv_layout::blocks_for(o.prompt_tokens + o.gen_tokens)) {
  }

  result<times> run() {
    if (auto ok = start(); !ok)
      return ok.failure();
    auto t = times{};
    auto begin = clock::now();
    if (auto ok = prefill(); !ok)
      return ok.failure();
    t.prefill = seconds_since(begin);
    begin = clock::now();
    for (auto i = 1u; i < o_.gen_tokens; ++i)
      if (auto ok = decode(); !ok)
        return ok.failure();
    t.decode = seconds_since(begin);
    return t;
  }

private:
  result<void> start() {
    sequences_.clear();
    sequences_.resize(o_.batch);
    for (auto s = size_t{0}; s < sequences_.size(); ++s) {
      auto& q = sequences_[s];
      for (auto i = uint32_t{0}; i < o_.prompt_tokens; ++i)
        q.prompt.push_back(
            static_cast<token_id>(random_bits(s + 1, i) % vocab_));
      if (!q.table.grow(pool_, o_.prompt_tokens + o_.gen_tokens))
        return fail(errc::no_free_blocks, "no memory for the KV cache");
    }
    return {};
  }

  // Chunks of as many sequences as fit into a step.
  result<void> prefill() {
    auto at = size_t{0};
    while (at < sequences_.size()) {
      rows_.clear();
      owners_.clear();
      auto room = o_.chunk;
      for (; at < sequences_.size() && room > 0; ++at) {
        auto& q = sequences_[at];
        auto done = q.table.length();
        auto n = std::min(room, o_.prompt_tokens - done);
        auto row = batch_row{};
        row.table = &q.table;
        row.tokens = std::span{q.prompt}.subspan(done, n);
        row.want_logits = done + n == o_.prompt_tokens;
        if (row.want_logits)
          owners_.push_back(&q);
        rows_.push_back(row);
        room -= n;
        if (!row.want_logits)
          break;
      }
      if (auto ok = step(); !ok)
        return ok;
    }
    return {};
  }

  result<void> decode() {
    rows_.clear();
    owners_.clear();
    for (auto& q : sequences_) {
      auto row = batch_row{};
      row.table = &q.table;
      row.tokens = std::span{q.generated}.last(1);
      rows_.push_back(row);
      owners_.push_back(&q);
    }
    return step();
  }

  result<void> step() {
    auto logits = engine_.forward(rows_);
    if (!logits)
      return logits.failure();
    for (auto i = size_t{0}; i < owners_.size(); ++i) {
      auto& q = *owners_[i];
      auto token =
          sampler_.sample(logits->subspan(i * vocab_, vocab_), q.prompt,
                          q.generated, q.generated.size(), greedy_);
      if (!token)
        return token.failure();
      q.generated.push_back(token->id);
    }
    return {};
  }

  const throughput_options& o_;
  size_t vocab_;
  engine engine_;
  block_pool pool_;
  fused_sampler sampler_;
  sampling_params greedy_ = [] {
    auto p = sampling_params{};
    p.temperature = 0;
    return p;
  }();
  std::vector<sequence> sequences_;
  std::vector<batch_row> rows_;
  std::vector<sequence*> owners_; // of the logits of a step
};

// Bytes per second that `threads` threads read together, from memory: what
// bounds decoding of few sequences.
double read_bandwidth(unsigned threads) {
  constexpr auto task = size_t{1} << 17;
  auto words = std::vector<uint64_t>(size_t{1} << 25, 1);
  auto pool = thread_pool{threads};
  auto sums = std::vector<uint64_t>(words.size() / task);
  auto begin = clock::now();
  pool.run(static_cast<uint32_t>(sums.size()), [&](uint32_t i, unsigned) {
    auto* at = words.data() + i * task;
    uint64_t sum[32] = {};
    for (auto j = size_t{0}; j < task; j += 32)
      for (auto l = size_t{0}; l < 32; ++l)
        sum[l] += at[j + l];
    sums[i] = std::accumulate(sum, sum + 32, uint64_t{0});
  });
  auto took = seconds_since(begin);
  if (std::accumulate(sums.begin(), sums.end(), uint64_t{0}) != words.size())
    std::abort(); // what was read must count, or it is not read
  return static_cast<double>(words.size() * sizeof(uint64_t)) / took;
}

result<void> check(const throughput_options& o, const model& m) {
  auto length = uint64_t{o.prompt_tokens} + o.gen_tokens;
  if (length > m.params.context)
    return fail(errc::context_exceeded,
                "--prompt-tokens and --gen-tokens are " + std::to_string(length)
                    + "; the context of " + o.model + " is "
                    + std::to_string(m.params.context));
  return {};
}

int print(const throughput_options& o, unsigned threads, double start_seconds,
          const std::vector<double>& prefill, const std::vector<double>& decode,
          const std::vector<double>& bandwidth) {
  if (!o.json) {
    auto text = "prefill\t" + std::to_string(median(prefill)) + " tokens/s\n";
    if (!decode.empty())
      text += "decode\t" + std::to_string(median(decode)) + " tokens/s\n";
    if (!bandwidth.empty())
      text += "memory\t" + std::to_string(median(bandwidth) * 1e-9) + " GB/s\n";
    return write_all(text);
  }
  auto out = nlohmann::ordered_json{};
  out["model"] = o.model;
  out["prompt_tokens"] = o.prompt_tokens;
  out["gen_tokens"] = o.gen_tokens;
  out["batch"] = o.batch;
  out["threads"] = threads;
  out["activations"] = o.activations;
  out["start_ms"] = start_seconds * 1e3;
  out["prefill_tokens_per_s"] = median(prefill);
  if (decode.empty())
    out["decode_tokens_per_s"] = nullptr;
  else
    out["decode_tokens_per_s"] = median(decode);
  out["prefill_runs"] = prefill;
  out["decode_runs"] = decode;
  if (!bandwidth.empty())
    out["read_bytes_per_s"] = median(bandwidth);
  return write_all(dump(out) + "\n");
}

int throughput(const throughput_options& o) {
  auto begin = clock::now();
  auto weights = load_model(o.model);
  if (!weights)
    return report(weights.failure());
  if (auto ok = check(o, **weights); !ok)
    return report(ok.failure());
  auto threads = o.threads > 0
                     ? o.threads
                     : std::max(1u, std::thread::hardware_concurrency());
  auto kv = o.kv.empty() ? kv_dtype::f16 : parse_kv(o.kv);
  auto bench = throughput_run{o, *weights, kv, threads};
  auto start_seconds = seconds_since(begin);
  auto prefill = std::vector<double>{};
  auto decode = std::vector<double>{};
  auto bandwidth = std::vector<double>{};
  for (auto i = 0u; i < o.runs; ++i) {
    if (::isatty(STDERR_FILENO) == 1)
      std::fprintf(stderr, "\rrun %u of %u ", i + 1, o.runs);
    if (o.probe)
      bandwidth.push_back(read_bandwidth(threads));
    auto t = bench.run();
    if (!t)
      return report(t.failure());
    auto per = [&o](uint32_t tokens) {
      return static_cast<double>(uint64_t{o.batch} * tokens);
    };
    prefill.push_back(per(o.prompt_tokens) / t->prefill);
    if (o.gen_tokens > 1)
      decode.push_back(per(o.gen_tokens - 1) / t->decode);
  }
  if (::isatty(STDERR_FILENO) == 1)
    std::fprintf(stderr, "\r\033[K");
  return print(o, threads, start_seconds, prefill, decode, bandwidth);
}

} // namespace

void add_bench(CLI::App& app, action& chosen) {
  auto o = std::make_shared<throughput_options>();
  auto* bench = app.add_subcommand("bench", "how fast this machine is");
  bench->require_subcommand(1);
  auto* sub = bench->add_subcommand("throughput",
                                    "tokens per second of prefill and decode");
  sub->footer(R"(
Computes BATCH random prompts, then decodes them side by side: the engine and
greedy sampling alone, without actors. Prints medians over the runs, or with
--json one object: {"prefill_tokens_per_s": X, "decode_tokens_per_s": Y, ...}.

  troupe bench throughput --prompt-tokens 512 --gen-tokens 128 --batch 8 --json
)");
  auto at_least_one = CLI::Range(1u, 1u << 24);
  sub->add_option("-m,--model", o->model, "GGUF file or directory")
      ->capture_default_str();
  sub->add_option("--prompt-tokens", o->prompt_tokens, "tokens of each prompt")
      ->check(at_least_one)
      ->capture_default_str();
  sub->add_option("--gen-tokens", o->gen_tokens,
                  "tokens to decode; the first is prefill's")
      ->check(at_least_one)
      ->capture_default_str();
  sub->add_option("--batch", o->batch, "sequences at a time")
      ->check(CLI::Range(1u, 4096u))
      ->capture_default_str();
  sub->add_option("--chunk", o->chunk, "tokens of a prefill step")
      ->check(CLI::Range(1u, 65536u))
      ->capture_default_str();
  sub->add_option("--runs", o->runs, "times all of it is done")
      ->check(CLI::Range(1u, 1000u))
      ->capture_default_str();
  sub->add_option("--threads", o->threads, "threads; default: all cores")
      ->check(CLI::Range(1, 256));
  add_kv_option(sub, o->kv);
  add_activations_option(sub, o->activations);
  sub->add_flag("--probe", o->probe,
                "measure the memory's read bandwidth before each run");
  sub->add_flag("--json", o->json, "print one JSON object");
  sub->callback([o, &chosen] { chosen = [o] { return throughput(*o); }; });
}

} // namespace troupe::cli
