#include "core/constrain/schema_grammar.hpp"

namespace troupe::constrain {

result<grammar> schema_grammar::run() {
  return finish(rule_for(reader_.root()));
}

result<grammar> schema_grammar::run_any_object() {
  auto root = builder_.add_rule("object");
  write_object(builder_.start(root), builder_.finish(root), {});
  return finish(root);
}

result<grammar> schema_grammar::finish(rule_id root) {
  // A copy, since what is written adds more.
  for (auto i = size_t{0}; i < todo_.size() && !reader_.failed(); ++i) {
    auto j = todo_[i];
    write_value(j);
    if (meter_.spent())
      reader_.refuse(errc::unsupported, j.terms, "");
  }
  if (reader_.failed())
    return *reader_.failed();
  auto made = builder_.build(root);
  if (!made)
    return fail(made.failure().code, "#: " + made.failure().message);
  return made;
}

void schema_grammar::refuse(const std::string& why) {
  reader_.refuse(errc::unsupported, at_ ? *at_ : schema_terms{}, why);
}

grammar_builder::rule_id schema_grammar::rule_for(const schema_terms& terms) {
  auto [at, added] = rules_.try_emplace(terms, 0);
  if (added) {
    meter_.spend(4, 96);
    at->second = builder_.add_rule("value");
    todo_.push_back({at->second, terms});
  }
  return at->second;
}

bool schema_grammar::never(const schema_terms& terms) {
  auto found = reader_.shapes(terms);
  return !reader_.failed() && found->any.empty();
}

void schema_grammar::write_value(const job& j) {
  at_ = &j.terms;
  auto shapes = reader_.shapes(j.terms);
  for (auto& s : shapes->any)
    if (!reader_.failed() && !meter_.spent())
      write_shape(builder_.start(j.rule), builder_.finish(j.rule), s);
}

void schema_grammar::write_shape(node from, node to, const schema_shape& s) {
  if (std::holds_alternative<null_shape>(s))
    builder_.text(from, "null", to);
  if (auto* b = std::get_if<boolean_shape>(&s)) {
    if (b->yes)
      builder_.text(from, "true", to);
    if (b->no)
      builder_.text(from, "false", to);
  }
  if (auto* n = std::get_if<number_shape>(&s))
    write_number(from, to, *n);
  if (auto* t = std::get_if<string_shape>(&s))
    write_string(from, to, *t);
  if (auto* a = std::get_if<array_shape>(&s))
    write_array(from, to, *a);
  if (auto* o = std::get_if<object_shape>(&s))
    write_object(from, to, *o);
}

// Behind it, whitespace may have been read.
grammar_builder::node schema_grammar::gap(node from) {
  if (options_.most_space == 0)
    return from;
  auto [at, added] = shared_.try_emplace("whitespace", 0);
  if (added) {
    auto rule = builder_.add_rule("whitespace");
    auto start = builder_.start(rule);
    for (auto c : {' ', '\t', '\n', '\r'}) {
      auto byte = static_cast<uint8_t>(c);
      builder_.bytes(start, byte, byte, start, true);
    }
    builder_.skip(start, builder_.finish(rule));
    builder_.set_counts(rule, 0, options_.most_space);
    at->second = rule;
  }
  auto to = builder_.add_node();
  builder_.call(from, at->second, to);
  return to;
}

} // namespace troupe::constrain
