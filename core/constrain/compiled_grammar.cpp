#include "core/constrain/compiled_grammar.hpp"

#include <algorithm>

#include "core/constrain/ebnf.hpp"
#include "core/constrain/grammar_builder.hpp"
#include "core/constrain/regex.hpp"
#include "core/constrain/schema_grammar.hpp"
#include "core/constrain/schema_json.hpp"
#include "core/constrain/token_tree.hpp"

namespace troupe::constrain {

namespace {

result<grammar> compile_expression(const std::string& text, work_meter& meter) {
  auto language = compile_regex(text, regex_extent::whole, meter);
  if (!language)
    return language.failure();
  auto builder = grammar_builder{meter};
  auto rule = builder.add_rule("expression");
  builder.language(builder.start(rule), *language, builder.finish(rule),
                   text_form::plain);
  return builder.build(rule);
}

result<grammar> compile(const grammar_spec& spec, work_meter& meter) {
  switch (spec.kind) {
  case grammar_kind::regex:
    return compile_expression(spec.text, meter);
  case grammar_kind::ebnf:
    return compile_ebnf(spec.text, meter);
  case grammar_kind::json_schema: {
    auto schema = parse_schema(spec.text);
    if (!schema)
      return schema.failure();
    return schema_grammar{*schema, spec.schema, meter}.run();
  }
  default: {
    auto any = nlohmann::ordered_json(true);
    return schema_grammar{any, spec.schema, meter}.run_any_object();
  }
  }
}

// Ranges of bytes that begin characters of which all continuations are taken
// alike, with how many continuations there are.
struct lead {
  uint8_t first, last;
  unsigned continuations;
  uint8_t low, high; // of the first continuation
};
constexpr lead leads[] = {
    {0x20, 0x21, 0, 0, 0},       {0x23, 0x5b, 0, 0, 0},
    {0x5d, 0x7f, 0, 0, 0},       {0xc2, 0xdf, 1, 0x80, 0xbf},
    {0xe0, 0xe0, 2, 0xa0, 0xbf}, {0xe1, 0xec, 2, 0x80, 0xbf},
    {0xed, 0xed, 2, 0x80, 0x9f}, {0xee, 0xef, 2, 0x80, 0xbf},
    {0xf0, 0xf0, 3, 0x90, 0xbf}, {0xf1, 0xf3, 3, 0x80, 0xbf},
    {0xf4, 0xf4, 3, 0x80, 0x8f},
};

// Whether all bytes of the range lead to one position, which is put into `to`
// if nothing is there yet, by edges that all count or all don't.
bool leads_on(const grammar& g, uint32_t from, unsigned first, unsigned last,
              bool counted, uint32_t& to) {
  auto next = first;
  for (auto& e : g.edges(from)) {
    if (e.last < next || e.counted != counted)
      continue;
    if (e.first > next)
      return false;
    if (to == token_tree::none)
      to = e.to;
    if (e.to != to)
      return false;
    if (e.last >= last)
      return true;
    next = e.last + 1u;
  }
  return false;
}

bool goes_round(const grammar& g, uint32_t at, const lead& l, bool counted) {
  for (auto b = unsigned{l.first}; b <= l.last; ++b) {
    auto p = l.continuations == 0 ? at : token_tree::none;
    if (!leads_on(g, at, b, b, counted, p))
      return false;
    for (auto i = 1u; i <= l.continuations; ++i) {
      auto next = i == l.continuations ? at : token_tree::none;
      auto low = i == 1 ? l.low : uint8_t{0x80};
      auto high = i == 1 ? l.high : uint8_t{0xbf};
      if (!leads_on(g, p, low, high, false, next))
        return false;
      p = next;
    }
  }
  return true;
}

} // namespace

compiled_grammar::compiled_grammar(grammar g) : grammar_(std::move(g)) {
  for (auto p = uint32_t{0}; p < grammar_.positions(); ++p)
    plain_.push_back(find_plain(p));
  for (auto r = uint32_t{0}; r < grammar_.rules(); ++r)
    has_unique_ = has_unique_ || grammar_.rule_at(r).unique;
}

compiled_grammar::plainness compiled_grammar::find_plain(uint32_t p) const {
  auto goes = [&](bool counted) {
    return std::all_of(std::begin(leads), std::end(leads), [&](auto& l) {
      return goes_round(grammar_, p, l, counted);
    });
  };
  return goes(false)  ? plainness::all
         : goes(true) ? plainness::counted
                      : plainness::none;
}

size_t compiled_grammar::memory_bytes() const {
  return grammar_.memory_bytes() + plain_.size();
}

result<std::shared_ptr<const compiled_grammar>>
compile_grammar(const grammar_spec& spec, const compile_limits& limits) {
  auto meter = work_meter{limits};
  auto g = compile(spec, meter);
  if (!g)
    return g.failure();
  return std::make_shared<const compiled_grammar>(std::move(*g));
}

} // namespace troupe::constrain
