#include "actors/form_grammar.hpp"

namespace troupe {

namespace {

constrain::grammar_kind kind_of(answer_form::kind k) {
  using enum answer_form::kind;
  switch (k) {
  case json_schema:
    return constrain::grammar_kind::json_schema;
  case regex:
    return constrain::grammar_kind::regex;
  case grammar:
    return constrain::grammar_kind::ebnf;
  case free:
  case json_object:
    break;
  }
  return constrain::grammar_kind::json_object;
}

} // namespace

result<std::shared_ptr<const constrain::compiled_grammar>>
grammar_of(const answer_form& f) {
  if (f.text.size() > answer_form::max_bytes)
    return fail(errc::invalid_argument,
                "the form of the answer has " + std::to_string(f.text.size())
                    + " bytes; at most "
                    + std::to_string(answer_form::max_bytes) + " are allowed");
  auto spec = constrain::grammar_spec{};
  spec.kind = kind_of(f.what);
  spec.text = f.text;
  auto g = constrain::compile_grammar(spec);
  if (!g)
    return fail(errc::invalid_argument,
                "the form of the answer: " + g.failure().message);
  return g;
}

result<form_check> form_check::make(const answer_form& f) {
  auto c = form_check{};
  if (f.is_free())
    return c;
  if (auto g = grammar_of(f); !g)
    return g.failure();
  if (!f.is_json())
    return c;
  auto o = schema_options{};
  o.assert_formats = true;
  // Read as draft-07, which has all that these have but flags of bounds.
  for (auto draft : {"04", "06"})
    o.documents[std::string{"http://json-schema.org/draft-"} + draft
                + "/schema"] =
        R"({"$schema":"http://json-schema.org/draft-07/schema#"})";
  auto text = f.what == answer_form::kind::json_schema
                  ? std::string_view{f.text}
                  : std::string_view{R"({"type":"object"})"};
  auto s = json_schema::compile(text, o);
  if (!s)
    return fail(errc::invalid_argument,
                "the form of the answer: " + s.failure().message);
  c.schema_ = std::make_shared<const json_schema>(std::move(*s));
  return c;
}

result<void> form_check::check(const std::string& text) const {
  if (!schema_)
    return {};
  auto r = schema_->check(text);
  if (!r)
    return fail(errc::unsupported,
                "the answer is not of its form: " + r.failure().message);
  if (!r->valid)
    return fail(errc::unsupported,
                "the answer is not of its form: "
                    + (r->errors.empty() ? "" : r->errors.front().text()));
  return {};
}

} // namespace troupe
