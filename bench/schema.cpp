// The JSON Schema validator: what a request's few bytes cost, and documents of
// many, beside valijson with nlohmann's parser in the same run. The ratio is
// that of the times of one iteration each, taken in turns.

#include <algorithm>
#include <chrono>
#include <optional>

#include <benchmark/benchmark.h>
#include <nlohmann/json.hpp>

#include "bench/timed_loop.hpp"
#include "core/schema/json_schema.hpp"

#ifdef TROUPE_VALIJSON
#include <valijson/adapters/nlohmann_json_adapter.hpp>
#include <valijson/schema.hpp>
#include <valijson/schema_parser.hpp>
#include <valijson/validation_results.hpp>
#include <valijson/validator.hpp>
#endif

using namespace troupe;
using troupe::bench::timed_loop;

namespace {

// 18 checks of an object of five members: its type, two that must be there,
// and of the members their types, bounds, sizes and choices.
constexpr auto seed_schema = std::string_view{R"({
  "$schema": "http://json-schema.org/draft-07/schema#",
  "type": "object",
  "required": ["model", "prompt"],
  "properties": {
    "model": {"type": "string", "minLength": 1, "maxLength": 64},
    "prompt": {"type": "string", "minLength": 1, "maxLength": 4096},
    "max_tokens": {"type": "integer", "minimum": 1, "maximum": 4096},
    "temperature": {"type": "number", "minimum": 0, "maximum": 2},
    "mode": {"type": "string", "enum": ["fast", "exact"]}
  },
  "additionalProperties": false
})"};
constexpr auto seed_valid = std::string_view{
    R"({"model":"m-7b","prompt":"hi there","max_tokens":128,"temperature":0.7,"mode":"fast"})"};
constexpr auto seed_invalid =
    std::string_view{R"({"model":"","max_tokens":"many"})"};
static_assert(seed_valid.size() == 85 && seed_invalid.size() == 32);

// What a service keeps: a list of records, with references and choices.
constexpr auto record_schema = std::string_view{R"({
  "$schema": "http://json-schema.org/draft-07/schema#",
  "definitions": {
    "point": {"type": "object", "required": ["x", "y"],
      "properties": {"x": {"type": "number"}, "y": {"type": "number"}},
      "additionalProperties": false}
  },
  "type": "array",
  "items": {
    "type": "object",
    "required": ["id", "name", "tags", "at", "shape"],
    "properties": {
      "id": {"type": "integer", "minimum": 0},
      "name": {"type": "string", "minLength": 1, "maxLength": 100},
      "tags": {"type": "array", "items": {"type": "string"}, "maxItems": 8},
      "at": {"$ref": "#/definitions/point"},
      "shape": {"anyOf": [
        {"type": "null"},
        {"type": "array", "items": {"$ref": "#/definitions/point"}}]},
      "state": {"enum": ["new", "open", "done"]}
    }
  }
})"};

std::string records(int n) {
  auto out = nlohmann::json::array();
  for (auto i = 0; i < n; ++i) {
    auto points = nlohmann::json::array();
    for (auto k = 0; k < i % 5; ++k)
      points.push_back({{"x", k * 0.5}, {"y", -k}});
    auto shape = i % 3 == 0 ? nlohmann::json{} : points;
    out.push_back({{"id", i},
                   {"name", "record number " + std::to_string(i)},
                   {"tags", {"red", "green", "a longer tag"}},
                   {"at", {{"x", i * 1.25}, {"y", 3}}},
                   {"shape", shape},
                   {"state", "open"}});
  }
  return out.dump();
}

json_schema compiled(std::string_view text) {
  return *json_schema::compile(text);
}

void validate_text(benchmark::State& state, std::string_view schema,
                   std::string_view text, bool valid) {
  auto c = schema_checker{compiled(schema)};
  for (auto _ :
       timed_loop{state, valid ? "85 bytes parsed and validated"
                               : "32 bytes parsed and validated, three errors "
                                 "with pointers and sentences"}) {
    auto r = c.check(text);
    benchmark::DoNotOptimize(r);
    if (!r || r->valid != valid)
      state.SkipWithError("the answer is wrong");
  }
}

void validate_value(benchmark::State& state, std::string_view schema,
                    std::string_view text) {
  auto c = schema_checker{compiled(schema)};
  auto document = nlohmann::json::parse(text);
  for (auto _ : state)
    if (!c.valid(document))
      state.SkipWithError("the answer is wrong");
}

void validate_tape(benchmark::State& state, std::string_view schema,
                   std::string_view text, size_t errors) {
  auto c = schema_checker{compiled(schema)};
  auto tape = json_tape{};
  if (!tape.parse(text))
    state.SkipWithError("no JSON");
  for (auto _ : state) {
    auto r = c.check(tape);
    benchmark::DoNotOptimize(r);
    if (!r || r->errors.size() != errors)
      state.SkipWithError("the answer is wrong");
  }
}

void compile(benchmark::State& state, std::string_view schema) {
  for (auto _ : state)
    benchmark::DoNotOptimize(json_schema::compile(schema));
}

void parse_alone(benchmark::State& state, const std::string& text) {
  auto tape = json_tape{};
  for (auto _ : state)
    benchmark::DoNotOptimize(tape.parse(text).ok());
  state.SetBytesProcessed(state.iterations()
                          * static_cast<int64_t>(text.size()));
}

#ifdef TROUPE_VALIJSON
class other {
public:
  explicit other(std::string_view schema)
      : text_(nlohmann::json::parse(schema)) {
    auto parser = valijson::SchemaParser{};
    parser.populateSchema(valijson::adapters::NlohmannJsonAdapter{text_},
                          schema_);
  }

  bool valid(std::string_view text, bool errors) {
    auto document = nlohmann::json::parse(text);
    auto results = valijson::ValidationResults{};
    auto v = valijson::Validator{};
    return v.validate(schema_,
                      valijson::adapters::NlohmannJsonAdapter{document},
                      errors ? &results : nullptr);
  }

private:
  nlohmann::json text_;
  valijson::Schema schema_;
};

void validate_other(benchmark::State& state, std::string_view schema,
                    std::string_view text, bool valid) {
  auto o = other{schema};
  for (auto _ : state)
    if (o.valid(text, !valid) != valid)
      state.SkipWithError("the answer is wrong");
}

// How many times as long the other takes to parse and validate: the median of
// pairs of batches, one of each.
void ratio(benchmark::State& state, std::string_view schema,
           std::string_view text, bool valid) {
  auto c = schema_checker{compiled(schema)};
  auto o = other{schema};
  auto batch = std::max<size_t>(1, 20'000 / text.size());
  auto timed = [&](auto f) {
    auto start = std::chrono::steady_clock::now();
    for (size_t i = 0; i < batch; ++i)
      benchmark::DoNotOptimize(f());
    return std::chrono::duration<double>(std::chrono::steady_clock::now()
                                         - start)
        .count();
  };
  auto ratios = std::vector<double>{};
  for (auto _ : state) {
    auto ours = timed([&] { return c.check(text)->valid == valid; });
    auto theirs = timed([&] { return o.valid(text, !valid) == valid; });
    ratios.push_back(theirs / ours);
  }
  std::nth_element(ratios.begin(), ratios.begin() + ratios.size() / 2,
                   ratios.end());
  state.counters["times_as_fast"] = ratios[ratios.size() / 2];
}
#endif

// -- what was made to do harm
// ----------------------------------------------------------------

std::string repeated(std::string_view s, size_t n) {
  auto out = std::string{};
  for (size_t i = 0; i < n; ++i)
    out += s;
  return out;
}

std::string numbers(size_t n) {
  auto out = std::string{"["};
  for (size_t i = 0; i < n; ++i)
    out += (i ? "," : "") + std::to_string(i);
  return out + "]";
}

// Choices that lead to 2^60 ways through them.
std::string exponential() {
  auto out = std::string{R"({"$ref":"#/$defs/0","$defs":{)"};
  for (auto i = 0; i < 60; ++i) {
    auto next = R"({"$ref":"#/$defs/)" + std::to_string(i + 1) + "\"}";
    out += "\"" + std::to_string(i) + R"(":{"oneOf":[)" + next + "," + next
           + "]},";
  }
  return out + R"("60":false}})";
}

// Compiled, and if that can be, checked: the whole answer.
void hostile(benchmark::State& state, const std::string& schema,
             const std::string& text) {
  for (auto _ : state) {
    auto s = json_schema::compile(schema);
    if (s)
      benchmark::DoNotOptimize(s->check(text));
    benchmark::DoNotOptimize(s);
  }
}

const auto some_records = records(1000);

} // namespace

BENCHMARK_CAPTURE(validate_text, valid, seed_schema, seed_valid, true)
    ->Name("seed/SchemaValidator/validate_valid");
BENCHMARK_CAPTURE(validate_text, invalid, seed_schema, seed_invalid, false)
    ->Name("seed/SchemaValidator/validate_invalid");
BENCHMARK_CAPTURE(validate_tape, valid, seed_schema, seed_valid, 0)
    ->Name("SchemaValidator/validate_alone_valid");
BENCHMARK_CAPTURE(validate_tape, invalid, seed_schema, seed_invalid, 3)
    ->Name("SchemaValidator/validate_alone_invalid");
BENCHMARK_CAPTURE(validate_value, valid, seed_schema, seed_valid)
    ->Name("SchemaValidator/validate_value_valid");
BENCHMARK_CAPTURE(validate_text, records, record_schema, some_records, true)
    ->Name("SchemaValidator/validate_1000_records");
BENCHMARK_CAPTURE(validate_tape, records, record_schema, some_records, 0)
    ->Name("SchemaValidator/validate_alone_1000_records");
BENCHMARK_CAPTURE(parse_alone, records, some_records)
    ->Name("SchemaValidator/parse_alone_1000_records");
BENCHMARK_CAPTURE(compile, seed, seed_schema)->Name("SchemaValidator/compile");
#define HOSTILE(name, schema, text)                                            \
  BENCHMARK_CAPTURE(hostile, name, schema, text)                               \
      ->Name("SchemaValidator/hostile_" #name)                                 \
      ->Unit(benchmark::kMillisecond)
HOSTILE(self_reference, R"({"allOf":[{"$ref":"#"}]})", "1");
HOSTILE(deep_document, R"({"items":{"$ref":"#"}})",
        repeated("[", 20'000) + "1" + repeated("]", 20'000));
HOSTILE(deep_schema,
        repeated(R"({"not":)", 5000) + "true" + repeated("}", 5000), "1");
HOSTILE(multiple_of_0, R"({"multipleOf":0})", "1");
HOSTILE(nested_quantifiers, R"({"pattern":"^((a+)+)+$"})",
        "\"" + repeated("a", 20'000) + "b\"");
HOSTILE(unique_items, R"({"uniqueItems":true})", numbers(20'000));
HOSTILE(large_enum, R"({"items":{"enum":)" + numbers(20'000) + "}}",
        numbers(20'000));
HOSTILE(exponential_choices, exponential(), "1");
HOSTILE(huge_repetition, R"({"pattern":"(((a{1,100}){1,100}){1,100}){1,100}"})",
        "\"a\"");
#ifdef TROUPE_VALIJSON
BENCHMARK_CAPTURE(validate_other, valid, seed_schema, seed_valid, true)
    ->Name("SchemaValidator/valijson_valid");
BENCHMARK_CAPTURE(validate_other, invalid, seed_schema, seed_invalid, false)
    ->Name("SchemaValidator/valijson_invalid");
BENCHMARK_CAPTURE(validate_other, records, record_schema, some_records, true)
    ->Name("SchemaValidator/valijson_1000_records");
BENCHMARK_CAPTURE(ratio, valid, seed_schema, seed_valid, true)
    ->Name("SchemaValidator/beside_valijson_valid");
BENCHMARK_CAPTURE(ratio, invalid, seed_schema, seed_invalid, false)
    ->Name("SchemaValidator/beside_valijson_invalid");
BENCHMARK_CAPTURE(ratio, records, record_schema, some_records, true)
    ->Name("SchemaValidator/beside_valijson_1000_records");
#endif
