// Reads any bytes as a document, after a byte that chooses a schema: its text
// and nlohmann's value of it get the same answer, and the tape of each is the
// same but for digits that a double has not.

#include <array>
#include <cstdlib>

#include <nlohmann/json.hpp>

#include "core/schema/json_schema.hpp"
#include "core/schema/tape_compare.hpp"

using namespace troupe;
using json = nlohmann::json;

namespace {

void require(bool x) {
  if (!x)
    std::abort();
}

constexpr auto schemas = std::array{
    R"({"type":["object","array"],"items":{"type":["integer","string"]},
        "uniqueItems":true,"minItems":1,"maxProperties":3})",
    R"({"properties":{"a":{"multipleOf":0.25,"minimum":-3},"b":{"$ref":"#"}},
        "patternProperties":{"^x|y$":{"type":"string","maxLength":3}},
        "required":["a"],"additionalProperties":{"enum":[1,null,[2,{"k":3}]]}})",
    R"({"anyOf":[{"required":["a"],"properties":{"a":true}},
        {"prefixItems":[true,{"const":{"p":1,"q":[0.5]}}]}],
        "unevaluatedProperties":{"type":"boolean"},
        "unevaluatedItems":{"pattern":"^\\p{L}+$"}})",
    R"({"if":{"type":"object"},"then":{"propertyNames":{"minLength":2},
        "dependentRequired":{"ab":["cd"]},
        "dependentSchemas":{"cd":{"minProperties":3}}},
        "else":{"oneOf":[{"type":"number","exclusiveMaximum":1e2},
        {"contains":{"type":"null"},"minContains":2,"maxContains":3}]}})",
    R"({"$dynamicAnchor":"n","not":{"type":"string","format":"date"},
        "additionalProperties":{"$dynamicRef":"#n"},
        "items":{"$dynamicRef":"#n"}})",
};

const json_schema& chosen(size_t i) {
  static const auto all = [] {
    auto out = std::vector<json_schema>{};
    auto options = schema_options{};
    options.assert_formats = true;
    for (auto* text : schemas)
      out.push_back(*json_schema::compile(std::string_view{text}, options));
    return out;
  }();
  return all[i % all.size()];
}

// nlohmann reads a number with a fraction or an exponent as a double.
bool has_more_than_double(const json_tape& tape, std::string_view text) {
  constexpr auto most = int64_t{1} << 53;
  auto doubles = text.find_first_of(".eE") != std::string_view::npos;
  for (uint32_t i = 0; i < tape.size(); ++i) {
    auto& n = tape[i];
    if (n.kind == json_kind::decimal
        || (doubles && n.kind == json_kind::integer
            && (n.integer > most || n.integer < -most)))
      return true;
  }
  return false;
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0)
    return 0;
  auto& schema = chosen(data[0]);
  auto text =
      std::string_view{reinterpret_cast<const char*>(data) + 1, size - 1};
  auto tape = json_tape{};
  auto read = tape.parse(text);
  auto report = schema.check(text);
  require(schema.valid(text) == (report.ok() && report->valid));
  auto value = json::parse(text, nullptr, false);
  if (!read) {
    auto& message = read.failure().message;
    require(message.starts_with("JSON, byte "));
    // nlohmann takes the last of two members with one key, a NUL for the end,
    // and leaves out a byte order mark.
    require(value.is_discarded()
            || message.find("a key twice") != std::string::npos
            || read.failure().code == errc::unsupported
            || text.find('\0') != std::string_view::npos
            || text.starts_with("\xef\xbb\xbf"));
    return 0;
  }
  if (value.is_discarded()) {
    require(has_more_than_double(tape, text)); // beyond the range of double
    return 0;
  }
  auto imported = json_tape{};
  require(imported.import(value).ok());
  auto same = equal_values({tape.data(), 0}, {imported.data(), 0});
  require(same || has_more_than_double(tape, text));
  if (!same)
    return 0;
  auto other = schema.check(value);
  require(report.ok() == other.ok());
  if (!report)
    return 0;
  require(report->valid == other->valid);
  require(report->errors.size() == other->errors.size());
  for (auto& e : report->errors)
    require(value.contains(json::json_pointer{std::string{e.instance()}}));
  return 0;
}
