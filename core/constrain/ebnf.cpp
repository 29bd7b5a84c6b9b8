#include "core/constrain/ebnf.hpp"

#include "core/constrain/ebnf_parser.hpp"
#include "core/constrain/grammar_builder.hpp"
#include "core/text/utf8.hpp"

namespace troupe::constrain {

namespace {

using kind = ebnf_node::kind;
using node = grammar_builder::node;

class writer {
public:
  writer(std::string_view text, work_meter& meter)
      : text_(text), builder_(meter), meter_(meter) {}

  result<grammar> run(const std::vector<ebnf_rule>& rules) {
    for (auto& r : rules)
      if (!ids_.try_emplace(r.name, builder_.add_rule(r.name)).second)
        return refuse(r.body.at, "the rule " + r.name + " is there twice");
    for (auto& r : rules) {
      auto id = ids_[r.name];
      builder_.skip(write(r.body, builder_.start(id)), builder_.finish(id));
    }
    if (failed_)
      return *failed_;
    auto root = ids_.find("root");
    if (root == ids_.end())
      return fail(errc::invalid_argument, "line 1: there is no rule root");
    auto made = builder_.build(root->second);
    if (!made)
      return fail(made.failure().code, "line 1: " + made.failure().message);
    return made;
  }

private:
  error refuse(size_t at, const std::string& why) {
    auto e = fail(errc::invalid_argument,
                  "line " + std::to_string(line_of(text_, at)) + ": " + why);
    if (!failed_)
      failed_ = e;
    return e;
  }

  // Where what `n` allows behind `from` ends.
  node write(const ebnf_node& n, node from) {
    if (meter_.spent() || failed_)
      return from;
    switch (n.what) {
    case kind::text:
      return builder_.text(from, n.text);
    case kind::row:
      for (auto& part : n.parts)
        from = write(part, from);
      return from;
    case kind::repeat:
      return write_repeat(n, from);
    case kind::either: {
      auto to = builder_.add_node();
      for (auto& part : n.parts) {
        auto begin = builder_.add_node();
        builder_.skip(from, begin);
        builder_.skip(write(part, begin), to);
      }
      return to;
    }
    case kind::set: {
      auto to = builder_.add_node();
      builder_.character(from, n.set, to);
      return to;
    }
    default: {
      auto to = builder_.add_node();
      auto rule = ids_.find(n.text);
      if (rule == ids_.end())
        refuse(n.at, "there is no rule " + troupe::quoted(n.text));
      else
        builder_.call(from, rule->second, to);
      return to;
    }
    }
  }

  node write_repeat(const ebnf_node& n, node from) {
    auto& part = n.parts[0];
    for (auto i = uint32_t{0}; i < n.least && !meter_.spent(); ++i)
      from = write(part, from);
    auto end = builder_.add_node();
    builder_.skip(from, end);
    if (n.most == ebnf_node::endless) {
      builder_.skip(write(part, end), end);
      return end;
    }
    for (auto i = n.least; i < n.most && !meter_.spent(); ++i) {
      // Each from a node of its own, so that none goes back into another.
      auto begin = builder_.add_node();
      builder_.skip(from, begin);
      from = write(part, begin);
      builder_.skip(from, end);
    }
    return end;
  }

  std::string_view text_;
  grammar_builder builder_;
  work_meter& meter_;
  std::map<std::string, grammar_builder::rule_id> ids_;
  std::optional<error> failed_;
};

} // namespace

result<grammar> compile_ebnf(std::string_view text, work_meter& meter) {
  auto rules = parse_ebnf(text);
  if (!rules)
    return rules.failure();
  return writer{text, meter}.run(*rules);
}

} // namespace troupe::constrain
