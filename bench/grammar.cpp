// Masks of constrained generation. The figures over many schemas are over
// those of $TROUPE_SCHEMA_DATA (or ../shared/data), where they are there, else
// over the ones of tests/data/grammar.

#include <malloc.h>

#include <algorithm>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <limits>
#include <new>

#include <benchmark/benchmark.h>
#include <nlohmann/json.hpp>

#include "bench/timed_loop.hpp"
#include "core/base/random.hpp"
#include "core/constrain/token_matcher.hpp"
#include "tests/support/core/made_vocabulary.hpp"

using namespace troupe;
using namespace troupe::constrain;
using bench::timed_loop;

namespace {

// Bytes of the heap, of one thread, since they were put to 0.
auto held = int64_t{0};
auto most_held = int64_t{0};

} // namespace

void* operator new(size_t size) {
  auto* p = std::malloc(size);
  if (!p)
    throw std::bad_alloc{};
  held += static_cast<int64_t>(malloc_usable_size(p));
  most_held = std::max(most_held, held);
  return p;
}

void operator delete(void* p) noexcept {
  held -= static_cast<int64_t>(malloc_usable_size(p));
  std::free(p);
}

void operator delete(void* p, size_t) noexcept {
  operator delete(p);
}

namespace {

using words = std::vector<uint64_t>;

std::shared_ptr<const token_vocabulary> vocabulary(size_t size) {
  return *token_vocabulary::make(made_pieces(size), {0});
}

std::shared_ptr<const token_vocabulary> bytes() {
  auto pieces = std::vector<std::string>{};
  for (auto b = 0; b < 255; ++b)
    pieces.emplace_back(1, static_cast<char>(b));
  pieces.emplace_back("</s>");
  return *token_vocabulary::make(pieces, {255});
}

std::shared_ptr<const token_automaton>
automaton(const std::string& schema,
          std::shared_ptr<const token_vocabulary> v) {
  auto g = compile_grammar({grammar_kind::json_schema, schema, {}});
  return *token_automaton::make(*g, std::move(v));
}

std::string person() {
  return R"({"type":"object","properties":{"name":{"type":"string"},)"
         R"("age":{"type":"integer"},"tags":{"type":"array",)"
         R"("items":{"type":"string"}}},"required":["name"]})";
}

// -- rows 27 and 28 of the seed: 256 tokens, at the start ---------------------

// The mask, and logits that it does not hold put to minus infinity.
void seed_constrain(benchmark::State& state) {
  auto m = token_matcher{automaton(person(), bytes())};
  auto mask = words(m.vocabulary().words());
  auto logits = std::vector<float>(256, 1.0f);
  for (auto _ : timed_loop{state, "the mask of 256 tokens at the start of an "
                                  "object, and logits put to minus infinity "
                                  "by it"}) {
    m.mask(mask);
    for (auto i = size_t{0}; i < logits.size(); ++i)
      if ((mask[i / 64] >> (i % 64) & 1) == 0)
        logits[i] = -std::numeric_limits<float>::infinity();
    benchmark::DoNotOptimize(logits.data());
    benchmark::ClobberMemory();
  }
}

// '{', and that taken back, so that the next one is from the start too.
void seed_advance(benchmark::State& state) {
  auto m = token_matcher{automaton(person(), bytes())};
  for (auto _ : timed_loop{state, "the token '{' accepted, and taken back"}) {
    benchmark::DoNotOptimize(m.accept('{'));
    m.rollback(1);
  }
}

// -- one schema ---------------------------------------------------------------

void compile_one(benchmark::State& state) {
  for (auto _ : state)
    benchmark::DoNotOptimize(
        compile_grammar({grammar_kind::json_schema, person(), {}}));
}

void make_matcher(benchmark::State& state) {
  auto a = automaton(person(), vocabulary(32'000));
  for (auto _ : state)
    benchmark::DoNotOptimize(token_matcher{a});
}

// Within a string, from a cache that has it.
void mask_kept(benchmark::State& state) {
  auto m = token_matcher{
      automaton(person(), vocabulary(static_cast<size_t>(state.range(0))))};
  auto mask = words(m.vocabulary().words());
  for (auto c : std::string{"{\"name\":\"x"})
    m.accept(static_cast<token_id>(static_cast<uint8_t>(c)) + 1);
  for (auto _ : state) {
    m.mask(mask);
    benchmark::DoNotOptimize(mask.data());
  }
}

// The same with a cache that has no room.
void mask_fresh(benchmark::State& state) {
  auto g = *compile_grammar({grammar_kind::json_schema, person(), {}});
  auto a = *token_automaton::make(
      g, vocabulary(static_cast<size_t>(state.range(0))), 0);
  auto m = token_matcher{a};
  auto mask = words(m.vocabulary().words());
  for (auto c : std::string{"{\"name\":\"x"})
    m.accept(static_cast<token_id>(static_cast<uint8_t>(c)) + 1);
  for (auto _ : state) {
    m.mask(mask);
    benchmark::DoNotOptimize(mask.data());
  }
}

// -- many schemas -------------------------------------------------------------

std::vector<std::string> schemas() {
  namespace fs = std::filesystem;
  auto all = std::vector<std::string>{};
  auto* given = std::getenv("TROUPE_SCHEMA_DATA");
  auto folder = fs::path{given ? given : "../shared/data"} / "jsonschema";
  for (auto name : {"glaiveai2k.jsonl", "github_easy.jsonl"}) {
    auto file = std::ifstream{folder / name};
    for (auto line = std::string{}; std::getline(file, line);)
      all.push_back(nlohmann::ordered_json::parse(line)["schema"].dump());
  }
  if (all.empty())
    for (auto name : {"objects", "values", "unions"}) {
      auto file =
          std::ifstream{std::string{"tests/data/grammar/"} + name + ".txt"};
      for (auto line = std::string{}; std::getline(file, line);)
        if (line.starts_with("schema "))
          all.push_back(line.substr(8));
    }
  return all;
}

double at(std::vector<double>& sorted, double part) {
  return sorted.empty()
             ? 0
             : sorted[std::min(sorted.size() - 1,
                               static_cast<size_t>(
                                   part * static_cast<double>(sorted.size())))];
}

void report(benchmark::State& state, std::vector<double> us,
            const std::string& name) {
  std::sort(us.begin(), us.end());
  auto sum = 0.0;
  for (auto x : us)
    sum += x;
  state.counters[name + "_mean_us"] = sum / static_cast<double>(us.size());
  state.counters[name + "_p50_us"] = at(us, 0.5);
  state.counters[name + "_p99_us"] = at(us, 0.99);
  state.counters[name + "_max_us"] = us.empty() ? 0 : us.back();
}

// Of this thread's time, since the machine may be shared.
double now_us() {
  auto t = timespec{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) * 1e6
         + static_cast<double>(t.tv_nsec) / 1e3;
}

// A walk of 64 tokens by every n-th schema, each grammar fresh: uniform among
// what is allowed.
void corpus(benchmark::State& state) {
  auto v = vocabulary(static_cast<size_t>(state.range(0)));
  auto all = schemas();
  auto compile = std::vector<double>{}, first = compile, mask = compile;
  auto words_ = words(v->words());
  for (auto _ : state)
    for (auto s = size_t{0}; s < all.size(); s += 8) {
      auto t = now_us();
      auto g = compile_grammar({grammar_kind::json_schema, all[s], {}});
      compile.push_back(now_us() - t);
      if (!g)
        continue;
      auto a = *token_automaton::make(*g, v);
      t = now_us();
      auto m = token_matcher{a};
      for (auto n = size_t{0}; n < 64 && !m.finished(); ++n) {
        if (n > 0)
          t = now_us();
        m.mask(words_);
        (n == 0 ? first : mask).push_back(now_us() - t);
        auto ids = std::vector<token_id>{};
        for (auto i = size_t{0}; i < words_.size(); ++i)
          for (auto w = words_[i]; w != 0; w &= w - 1)
            ids.push_back(static_cast<token_id>(
                i * 64 + static_cast<size_t>(__builtin_ctzll(w))));
        m.accept(ids[random_bits(s, n) % ids.size()]);
      }
    }
  report(state, compile, "compile");
  report(state, first, "first");
  report(state, mask, "mask");
}

// -- what was made to cost too much -------------------------------------------

std::string choices(int n) {
  auto all = nlohmann::json::array();
  for (auto i = 0; i < n; ++i) {
    auto p = "p" + std::to_string(i), q = p + "q";
    all.push_back({{"anyOf",
                    {{{"required", {p}}},
                     {{"properties", {{q, {{"type", "integer"}}}}}}}}});
  }
  return nlohmann::json{{"type", "object"}, {"allOf", all}}.dump();
}

std::string patterns(int n) {
  auto all = nlohmann::json::array();
  for (auto i = 0; i < n; ++i)
    all.push_back({{"pattern", std::string(static_cast<size_t>(i % 7 + 1), 'a')
                                   + "[b-z]{1,9}" + std::to_string(i)}});
  return nlohmann::json{{"type", "string"}, {"allOf", all}}.dump();
}

std::string members(int n, const nlohmann::json& each) {
  auto all = nlohmann::json::object();
  for (auto i = 0; i < n; ++i)
    all["member" + std::to_string(i)] = each;
  return nlohmann::json{{"type", "object"}, {"properties", all}}.dump();
}

// Until the steps or bytes that compiling may cost are spent, or all is done.
void compile_hostile(benchmark::State& state, const std::string& schema) {
  auto refused = false;
  for (auto _ : state) {
    held = most_held = 0;
    auto g = compile_grammar({grammar_kind::json_schema, schema, {}});
    refused = !g.ok();
    benchmark::DoNotOptimize(g);
  }
  state.counters["MiB"] = static_cast<double>(most_held) / (1 << 20);
  state.counters["refused"] = refused;
}

} // namespace

BENCHMARK(seed_constrain)->Name("seed/SchemaGenEngine/constrain");
BENCHMARK(seed_advance)->Name("seed/SchemaGenEngine/advance");
BENCHMARK(compile_one)->Name("grammar/compile");
BENCHMARK(make_matcher)->Name("grammar/matcher");
BENCHMARK(mask_kept)->Name("grammar/mask_kept")->Arg(32'000)->Arg(128'000);
BENCHMARK(mask_fresh)->Name("grammar/mask_fresh")->Arg(32'000)->Arg(128'000);
BENCHMARK(corpus)
    ->Name("grammar/corpus")
    ->Arg(32'000)
    ->Arg(128'000)
    ->Iterations(1)
    ->Unit(benchmark::kMillisecond);

#define HOSTILE(name, schema)                                                  \
  BENCHMARK_CAPTURE(compile_hostile, name, schema)                             \
      ->Name("grammar/compile_hostile_" #name)                                 \
      ->Unit(benchmark::kMillisecond)
HOSTILE(exponential_pattern,
        R"({"type":"string","pattern":"^(a|b)*a(a|b){25}$"})");
HOSTILE(nested_counts, R"({"type":"string","pattern":)"
                       R"("^(([a-z]{1,99}[0-9]{1,99}){1,99}x){1,99}$"})");
HOSTILE(choices, choices(40));
HOSTILE(patterns, patterns(40));
HOSTILE(members, members(1000, {{"type", "string"},
                                {"pattern", "^[a-f0-9]{8}-[^x]{1,40}$"}}));
HOSTILE(long_texts, members(900, {{"enum", {std::string(1000, 'x')}}}));
