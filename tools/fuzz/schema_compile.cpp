// Reads any bytes as a JSON Schema: it is compiled, or refused with one line
// that says where; and what was compiled answers any document.

#include <cstdlib>

#include "core/schema/json_schema.hpp"

using namespace troupe;

namespace {

void require(bool x) {
  if (!x)
    std::abort();
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0)
    return 0;
  auto options = schema_options{};
  options.draft7 = data[0] & 1;
  options.assert_formats = data[0] & 2;
  options.refuse_unknown = data[0] & 4;
  options.schemas = 2000;
  options.pattern_steps = 5000;
  options.steps = 20'000;
  options.documents["http://other/"] = R"({"$defs":{"a":{"$anchor":"x",
    "$dynamicAnchor":"d","items":{"$dynamicRef":"#d"}}}})";
  auto text =
      std::string_view{reinterpret_cast<const char*>(data) + 1, size - 1};
  auto s = json_schema::compile(text, options);
  if (!s) {
    auto& e = s.failure();
    require(e.message.starts_with("schema "));
    require(e.code == errc::invalid_argument || e.code == errc::unsupported);
    return 0;
  }
  // The schema's own text is as good a document as any.
  for (auto document : {text, std::string_view{R"(
         {"a":[1,1.0,"x",null,{"b":[]}],"":{"a":"2020-02-30"},"c":1e400})"},
                        std::string_view{"[[],[0],\"\\u0000\"]"}}) {
    auto r = s->check(document);
    require(s->valid(document) == (r.ok() && r->valid));
    if (!r)
      continue;
    require(r->valid == r->errors.empty());
    require(r->errors.size() <= options.errors);
    for (auto& e : r->errors) {
      auto text = e.message();
      require(!text.empty() && text.size() < 1000);
    }
  }
  return 0;
}
