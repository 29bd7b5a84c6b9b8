#include <algorithm>
#include <array>
#include <utility>

#include "core/text/jinja/evaluator.hpp"
#include "core/text/utf8.hpp"

namespace troupe::jinja {

value evaluator::evaluate(const node& n) {
  if (!c_.step() || !c_.enter())
    return {};
  c_.line = n.line;
  auto v = evaluate_here(n);
  c_.leave();
  return v;
}

value evaluator::evaluate_here(const node& n) {
  auto kid = [&](size_t i) { return evaluate(*n.kids[i]); };
  switch (n.type) {
  case node_type::literal:
    return n.constant;
  case node_type::name:
    return look_up(n.text);
  case node_type::list:
  case node_type::tuple:
    return evaluate_all(n);
  case node_type::dict:
    return evaluate_dict(n);
  case node_type::attribute:
    return get_member(c_, kid(0), n.text);
  case node_type::subscript: {
    auto object = kid(0);
    return get_item(c_, object, kid(1));
  }
  case node_type::slice:
    return evaluate_slice(n);
  case node_type::call:
    return evaluate_call(n);
  case node_type::filter: {
    auto object = kid(0);
    auto args = evaluate_arguments(n);
    return apply_filter(c_, object, n.text, args);
  }
  case node_type::test: {
    auto object = kid(0);
    auto args = evaluate_arguments(n);
    return apply_test(c_, object, n.text, args);
  }
  case node_type::negate:
  case node_type::plus:
    return negate(n);
  case node_type::logical_not:
    return !truth(kid(0));
  case node_type::logical_and: {
    auto left = kid(0);
    return truth(left) ? kid(1) : left;
  }
  case node_type::logical_or: {
    auto left = kid(0);
    return truth(left) ? left : kid(1);
  }
  case node_type::binary: {
    auto left = kid(0), right = kid(1);
    c_.line = n.line;
    return calculate(c_, n.text, left, right);
  }
  case node_type::compare:
    return evaluate_comparison(n);
  case node_type::choose:
    if (truth(kid(0)))
      return kid(1);
    return n.kids[2] ? kid(2) : value{undefined{"the inline if"}};
  default:
    break;
  }
  return {};
}

value evaluator::evaluate_all(const node& n) {
  auto all = std::vector<value>{};
  for (auto& kid : n.kids)
    all.push_back(evaluate(*kid));
  return make_list(c_, std::move(all), n.type == node_type::tuple);
}

value evaluator::evaluate_dict(const node& n) {
  auto all = std::vector<std::pair<value, value>>{};
  for (auto i = size_t{0}; i + 1 < n.kids.size(); i += 2) {
    auto key = evaluate(*n.kids[i]);
    all.emplace_back(std::move(key), evaluate(*n.kids[i + 1]));
  }
  return make_dict(c_, std::move(all));
}

value evaluator::evaluate_slice(const node& n) {
  auto object = evaluate(*n.kids[0]);
  auto parts = std::array<value, 3>{none{}, none{}, none{}};
  for (auto i = size_t{0}; i < 3; ++i)
    if (n.kids[i + 1])
      parts[i] = evaluate(*n.kids[i + 1]);
  if (!c_.ok())
    return {};
  return get_slice(c_, object, &parts[0], &parts[1], &parts[2]);
}

// a < b < c holds if a < b and b < c.
value evaluator::evaluate_comparison(const node& n) {
  auto left = evaluate(*n.kids[0]);
  for (auto i = size_t{0}; i < n.names.size(); ++i) {
    auto right = evaluate(*n.kids[i + 1]);
    c_.line = n.line;
    if (!compare(c_, n.names[i], left, right))
      return false;
    left = std::move(right);
  }
  return true;
}

value evaluator::negate(const node& n) {
  auto v = evaluate(*n.kids[0]);
  if (n.type == node_type::plus)
    return calculate(c_, "+", int64_t{0}, v);
  if (auto* x = v.as<double>())
    return -*x;
  return calculate(c_, "-", int64_t{0}, v);
}

arguments evaluator::evaluate_arguments(const node& n) {
  auto args = arguments{};
  for (auto i = size_t{1}; i < n.kids.size(); ++i) {
    auto& kid = *n.kids[i];
    if (kid.type == node_type::keyword) {
      args.named.emplace_back(kid.text, evaluate(*kid.kids[0]));
    } else if (args.named.empty()) {
      args.at.push_back(evaluate(kid));
    } else {
      c_.wrong("an argument without a name after one with a name");
    }
  }
  c_.line = n.line;
  return args;
}

value evaluator::evaluate_call(const node& n) {
  auto& callee = *n.kids[0];
  if (callee.type == node_type::attribute) {
    auto object = evaluate(*callee.kids[0]);
    auto args = evaluate_arguments(n);
    return call_method(c_, object, callee.text, args);
  }
  auto f = evaluate(callee);
  auto args = evaluate_arguments(n);
  if (!c_.ok())
    return {};
  if (auto* macro = f.as<const node*>())
    return call_macro(**macro, args);
  if (auto* known = f.as<function>())
    return call_function(c_, known->name, args, now_);
  if (auto* u = f.as<undefined>())
    c_.unsupported("the function " + quoted(u->name));
  else
    c_.wrong(name_of(f) + " cannot be called");
  return {};
}

value evaluator::call_macro(const node& macro, const arguments& args) {
  if (args.at.size() > macro.names.size())
    c_.wrong("the macro " + quoted(macro.text) + " takes at most "
             + std::to_string(macro.names.size()) + " arguments");
  for (auto& [name, v] : args.named)
    if (std::find(macro.names.begin(), macro.names.end(), name)
        == macro.names.end())
      c_.wrong("the macro " + quoted(macro.text) + " has no argument "
               + quoted(name));
  if (!c_.ok())
    return {};
  auto outer = std::exchange(base_, scopes_.size());
  scopes_.emplace_back();
  for (auto i = size_t{0}; i < macro.names.size(); ++i) {
    auto& otherwise = macro.kids[i + 1];
    if (auto* v = args.get(i, macro.names[i]))
      set(macro.names[i], *v);
    else
      set(macro.names[i],
          otherwise ? evaluate(*otherwise) : value{undefined{macro.names[i]}});
  }
  auto written = capture(*macro.kids[0]);
  scopes_.pop_back();
  base_ = outer;
  return written;
}

value evaluator::look_up(const std::string& name) {
  auto in = [&](const scope& s) -> const value* {
    for (auto& [n, v] : s)
      if (n == name)
        return &v;
    return nullptr;
  };
  for (auto i = scopes_.size(); i > base_; --i)
    if (auto* v = in(scopes_[i - 1]))
      return *v;
  if (auto* v = in(scopes_[0]))
    return *v;
  for (auto& [n, v] : globals_)
    if (n == name)
      return v;
  // The name has to outlive the node's; these are literals.
  for (auto known :
       {"range", "namespace", "dict", "raise_exception", "strftime_now"})
    if (name == known && is_function(name, now_))
      return function{known};
  return undefined{name};
}

} // namespace troupe::jinja
