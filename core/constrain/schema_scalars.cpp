#include <algorithm>

#include "core/constrain/schema_grammar.hpp"

namespace troupe::constrain {

namespace {

std::string name_of(const number_shape& s) {
  auto name = std::string{s.integer ? "integer" : "number"};
  auto add = [&](const char* sign, const decimal& d) {
    name += ' ';
    name += sign;
    name += d.text();
  };
  if (s.low)
    add(s.low->open ? ">" : ">=", s.low->value);
  if (s.high)
    add(s.high->open ? "<" : "<=", s.high->value);
  for (auto& d : s.divisors)
    add("multiple of ", d);
  if (s.values)
    for (auto& d : *s.values)
      add("or ", d);
  return name;
}

} // namespace

void schema_grammar::write_number(node from, node to, const number_shape& s) {
  auto [at, added] = shared_.try_emplace(name_of(s), 0);
  if (added) {
    auto texts = number_texts(s, meter_);
    if (!texts)
      return refuse(texts.failure().message);
    auto rule = builder_.add_rule(at->first);
    builder_.language(builder_.start(rule), *texts, builder_.finish(rule),
                      text_form::plain);
    at->second = rule;
  }
  builder_.call(from, at->second, to);
}

// With formats, but without lengths.
text_dfa schema_grammar::language_of(const string_shape& s) {
  auto all = s.language ? *s.language : any_text();
  for (auto& f : s.formats)
    all = both(all, *f, meter_);
  return all;
}

void schema_grammar::write_string(node from, node to, const string_shape& s) {
  auto begin = builder_.text(from, "\"");
  auto end = builder_.add_node();
  builder_.text(end, "\"", to);
  auto language = language_of(s);
  auto run = as_run(language);
  if (run) {
    // Counted rather than written out.
    auto least = std::max<uint64_t>(run->least, s.least);
    auto most = run->most == grammar::endless
                    ? s.most
                    : std::min<uint64_t>(run->most, s.most);
    if (least > most)
      return;
    constexpr auto bound = uint64_t{grammar::endless - 1};
    if (least > bound)
      return refuse("minLength is above what any text can have");
    run->least = static_cast<uint32_t>(least);
    run->most = most > bound ? grammar::endless : static_cast<uint32_t>(most);
    if (least > 0 || run->most != grammar::endless)
      return builder_.call(begin, run_rule(*run), end);
  } else if (s.least > 0 || s.most != no_limit) {
    auto most = s.most == no_limit ? std::nullopt : std::optional{s.most};
    language = both(language, text_of_length(s.least, most, meter_), meter_);
  }
  builder_.language(begin, language, end, text_form::json);
}

grammar_builder::rule_id schema_grammar::run_rule(const text_run& run) {
  auto name = "string " + std::to_string(run.least) + " to "
              + std::to_string(run.most) + " of";
  for (auto& r : run.set.ranges())
    name += " " + std::to_string(r.first) + "-" + std::to_string(r.last);
  auto [at, added] = shared_.try_emplace(name, 0);
  if (added) {
    auto rule = builder_.add_rule("string");
    auto start = builder_.start(rule);
    builder_.character(start, run.set, start, text_form::json, true);
    builder_.skip(start, builder_.finish(rule));
    builder_.set_counts(rule, run.least, run.most);
    at->second = rule;
  }
  return at->second;
}

// -- arrays
// -----------------------------------------------------------------------

void schema_grammar::write_array(node from, node to, const array_shape& a) {
  auto begin = gap(builder_.text(from, "["));
  auto end = builder_.add_node();
  builder_.text(gap(end), "]", to);
  if (a.least == 0)
    builder_.skip(begin, end);
  if (a.most == 0 || a.least > a.most)
    return;
  auto rule = builder_.add_rule("items");
  builder_.call(begin, rule, end);
  write_items(rule, a);
}

// Those in front one by one, then as many as are allowed; commas count. What
// must be there at least once is written out: without it nothing is allowed.
void schema_grammar::write_items(rule_id rule, const array_shape& a) {
  auto first = a.first;
  if (first.empty())
    first.push_back(a.rest);
  if (first.size() > a.most)
    first.resize(static_cast<size_t>(a.most));
  auto unique = a.unique && a.most > 1;
  if (unique && !a.first.empty())
    return refuse("uniqueItems: with items of several kinds it cannot be "
                  "enforced");
  auto at = builder_.start(rule);
  auto finish = builder_.finish(rule);
  auto done = uint64_t{0};
  for (auto& terms : first) {
    at = write_item(done > 0 ? gap(builder_.text(at, ",")) : at, terms, unique);
    if (++done >= a.least)
      builder_.skip(at, finish);
  }
  if (done < a.least) {
    at = write_item(gap(builder_.text(at, ",")), a.rest, unique);
    ++done;
  }
  constexpr auto bound = uint64_t{grammar::endless - 1};
  if (a.least > bound)
    return refuse("minItems is above what any text can have");
  if (done < a.most) {
    auto loop = builder_.add_node();
    builder_.skip(at, loop);
    builder_.skip(loop, finish);
    auto comma = builder_.add_node();
    builder_.bytes(loop, ',', ',', comma, true);
    builder_.skip(write_item(gap(comma), a.rest, unique), loop);
  } else if (done >= a.least) {
    builder_.skip(at, finish);
  }
  auto most = a.most == no_limit || a.most - done > bound
                  ? grammar::endless
                  : static_cast<uint32_t>(a.most - done);
  auto least = a.least > done ? static_cast<uint32_t>(a.least - done) : 0;
  builder_.set_counts(rule, least, most);
}

grammar_builder::node
schema_grammar::write_item(node from, const schema_terms& terms, bool unique) {
  auto to = builder_.add_node();
  if (!unique) {
    builder_.call(from, rule_for(terms), to);
    return to;
  }
  auto end = builder_.add_node();
  builder_.call(builder_.text(from, "\""), unique_item(terms), end);
  builder_.text(end, "\"", to);
  return to;
}

// Texts within their quotes; since each is written in one way, texts that
// differ are strings that do.
grammar_builder::rule_id
schema_grammar::unique_item(const schema_terms& terms) {
  auto shapes = reader_.shapes(terms);
  auto language = text_dfa{};
  if (shapes->any.size() == 1)
    if (auto* s = std::get_if<string_shape>(&shapes->any[0])) {
      auto copy = *s;
      copy.language = std::make_shared<const text_dfa>(language_of(*s));
      copy.least = std::max<uint64_t>(copy.least, 1);
      language = *reader_.algebra().texts(copy);
    }
  auto rule = builder_.add_rule("unique string");
  if (!is_endless(language)) {
    refuse("uniqueItems: only of strings of any length it can be enforced");
    return rule;
  }
  builder_.set_unique(rule);
  builder_.language(builder_.start(rule), language, builder_.finish(rule),
                    text_form::json);
  return rule;
}

} // namespace troupe::constrain
