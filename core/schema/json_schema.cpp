#include "core/schema/json_schema.hpp"

#include <algorithm>
#include <cassert>
#include <nlohmann/json.hpp>

#include "core/schema/check_state.hpp"
#include "core/schema/compiler.hpp"
#include "core/schema/describe.hpp"

namespace troupe {

namespace {

// Comparisons and checks recurse as deep as the document.
constexpr auto deepest_document = size_t{1024};

error unfinished(schema::check_end end) {
  switch (end) {
  case schema::check_end::too_long:
    return fail(errc::unsupported,
                "the check takes more steps than allowed; raise the options' "
                "steps, or let fewer schemas apply to one value");
  case schema::check_end::too_deep:
    return fail(errc::unsupported,
                "the schema's references lead deeper than can be followed");
  default:
    return fail(errc::invalid_argument,
                "a $dynamicRef of the schema leads to itself without going "
                "into the value, so the check would not end");
  }
}

} // namespace

std::string schema_error::text() const {
  auto out = std::string{};
  out.reserve(at_.end - at_.instance + 16);
  for (auto part : {instance(), std::string_view{": "}, message(),
                    std::string_view{" (schema "}, url(), std::string_view{"#"},
                    schema(), std::string_view{")"}})
    out += part;
  return out;
}

// -- json_schema --------------------------------------------------------------

json_schema::json_schema(std::shared_ptr<const schema::program> p,
                         const schema_options& options)
    : program_(std::move(p)), bounds_(options.bounds), steps_(options.steps),
      steps_per_value_(options.steps_per_value), errors_(options.errors) {
  bounds_.depth = std::min(bounds_.depth, deepest_document);
}

result<json_schema> json_schema::compile(std::string_view text,
                                         const schema_options& options) {
  auto p = schema::compile_schema(std::string{text}, options);
  if (!p)
    return p.failure();
  return json_schema{std::make_shared<const schema::program>(std::move(*p)),
                     options};
}

result<json_schema> json_schema::compile_value(const nlohmann::json& schema,
                                               const schema_options& options) {
  // What is text of JSON, and not too deep, can be written without a throw.
  auto tape = json_tape{};
  auto bounds = options.schema_bounds;
  bounds.depth = std::min(bounds.depth, deepest_document);
  if (auto ok = tape.import(schema, bounds); !ok)
    return fail(ok.failure().code, "schema: " + ok.failure().message);
  return compile(std::string_view{schema.dump()}, options);
}

bool json_schema::valid(std::string_view text) const {
  return schema_checker{*this}.valid(text);
}

bool json_schema::valid_value(const nlohmann::json& document) const {
  return schema_checker{*this}.valid(document);
}

result<schema_report> json_schema::check(std::string_view text) const {
  return schema_checker{*this}.check(text);
}

result<schema_report>
json_schema::check_value(const nlohmann::json& document) const {
  return schema_checker{*this}.check(document);
}

// -- schema_checker -----------------------------------------------------------

schema_checker::schema_checker(json_schema schema)
    : schema_(std::move(schema)),
      memory_(std::make_unique<schema::check_memory>()) {}

schema_checker::schema_checker(schema_checker&&) noexcept = default;
schema_checker& schema_checker::operator=(schema_checker&&) noexcept = default;
schema_checker::~schema_checker() = default;

uint64_t schema_checker::steps_for(const json_tape& document) const {
  constexpr auto most = uint64_t{1} << 62;
  auto per_value = std::min(schema_.steps_per_value_, most >> 32);
  return std::min(schema_.steps_, most / 2) + per_value * document.size();
}

bool schema_checker::valid(const json_tape& document) {
  auto state = schema::check_state{*schema_.program_, document, *memory_,
                                   steps_for(document), 0};
  return state.quickly() && state.end() == schema::check_end::whole;
}

bool schema_checker::valid(std::string_view text) {
  return tape_.parse(text, schema_.bounds_) && valid(tape_);
}

bool schema_checker::valid_value(const nlohmann::json& document) {
  return tape_.import(document, schema_.bounds_) && valid(tape_);
}

result<schema_report> schema_checker::check(std::string_view text) {
  if (auto ok = tape_.parse(text, schema_.bounds_); !ok)
    return ok.failure();
  return check(tape_);
}

result<schema_report>
schema_checker::check_value(const nlohmann::json& document) {
  if (auto ok = tape_.import(document, schema_.bounds_); !ok)
    return ok.failure();
  return check(tape_);
}

result<schema_report> schema_checker::check(const json_tape& document) {
  auto& p = *schema_.program_;
  memory_->findings.clear();
  auto state = schema::check_state{p, document, *memory_, steps_for(document),
                                   std::max<size_t>(schema_.errors_, 1)};
  auto report = schema_report{};
  [[maybe_unused]] auto valid = state.thoroughly();
  auto& findings = memory_->findings;
  // What was found is certain, even if there was no time to find more.
  if (findings.empty() && state.end() != schema::check_end::whole)
    return unfinished(state.end());
  report.valid = findings.empty();
  assert(report.valid == valid);
  report.more = state.end() != schema::check_end::whole;
  if (report.valid)
    return report;
  auto& text = memory_->text;
  auto& parts = memory_->parts;
  text.clear();
  parts.clear();
  for (auto& f : findings)
    parts.push_back(schema::describe(p, document, f, text));
  auto shared = std::make_shared_for_overwrite<char[]>(text.size());
  std::copy(text.begin(), text.end(), shared.get());
  report.errors.reserve(parts.size());
  for (auto& at : parts)
    report.errors.emplace_back(shared, at);
  return report;
}

} // namespace troupe
