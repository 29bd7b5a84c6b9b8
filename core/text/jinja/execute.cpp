#include <algorithm>
#include <utility>

#include "core/text/jinja/evaluator.hpp"
#include "core/text/utf8.hpp"

namespace troupe::jinja {

evaluator::evaluator(const variables& globals, const point_in_time& now,
                     const bounds& b)
    : globals_(globals), now_(now), c_(b), scopes_(1) {}

result<text> evaluator::run(const node& root) {
  execute(root);
  if (!c_.ok())
    return c_.failure();
  return std::move(out_);
}

void evaluator::execute(const node& n) {
  if (!c_.step() || !c_.enter())
    return;
  c_.line = n.line;
  execute_here(n);
  c_.leave();
}

void evaluator::execute_here(const node& n) {
  switch (n.type) {
  case node_type::block:
    return execute_block(n);
  case node_type::literal:
    return write(n.constant);
  case node_type::output:
    return write(evaluate(*n.kids[0]));
  case node_type::branch:
    return execute_branch(n);
  case node_type::loop:
    return execute_loop(n);
  case node_type::assign:
    return assign(n.names, evaluate(*n.kids[0]));
  case node_type::assign_member:
    return assign_member(n.text, n.names[0], evaluate(*n.kids[0]));
  case node_type::assign_block: {
    auto written = value{capture(*n.kids[0])};
    if (n.names.empty())
      return set(n.text, std::move(written));
    return assign_member(n.text, n.names[0], std::move(written));
  }
  case node_type::macro:
    return set(n.text, value{&n});
  case node_type::stop:
    signal_ = signal::stop;
    return;
  case node_type::next:
    signal_ = signal::next;
    return;
  default:
    return;
  }
}

void evaluator::execute_block(const node& n) {
  auto scoped = !n.text.empty();
  if (scoped)
    scopes_.emplace_back();
  for (auto& kid : n.kids) {
    execute(*kid);
    if (!c_.ok() || signal_ != signal::none)
      break;
  }
  if (scoped)
    scopes_.pop_back();
}

void evaluator::execute_branch(const node& n) {
  auto i = size_t{0};
  for (; i + 1 < n.kids.size(); i += 2) {
    auto holds = truth(evaluate(*n.kids[i]));
    if (!c_.ok())
      return;
    if (holds)
      return execute(*n.kids[i + 1]);
  }
  if (i < n.kids.size())
    execute(*n.kids[i]);
}

value evaluator::filter_items(const node& n, std::vector<value> items) {
  if (!n.kids[1])
    return make_list(c_, std::move(items));
  auto kept = std::vector<value>{};
  for (auto& item : items) {
    scopes_.emplace_back();
    assign(n.names, item);
    if (truth(evaluate(*n.kids[1])))
      kept.push_back(item);
    scopes_.pop_back();
    if (!c_.ok())
      break;
  }
  return make_list(c_, std::move(kept));
}

void evaluator::execute_loop(const node& n) {
  auto over = evaluate(*n.kids[0]);
  if (!c_.ok())
    return;
  auto made = filter_items(n, elements(c_, over));
  if (!c_.ok())
    return;
  auto items = *made.as<std::shared_ptr<const list>>();
  if (items->items.empty() && n.kids[3])
    return execute(*n.kids[3]);
  for (auto i = size_t{0}; i < items->items.size(); ++i) {
    if (!c_.step() || !c_.charge(sizeof(loop_state)))
      return;
    scopes_.emplace_back();
    set("loop", std::make_shared<const loop_state>(loop_state{items, i}));
    assign(n.names, items->items[i]);
    execute(*n.kids[2]);
    scopes_.pop_back();
    if (!c_.ok() || std::exchange(signal_, signal::none) == signal::stop)
      return;
  }
}

void evaluator::assign(const std::vector<std::string>& names, const value& v) {
  if (names.size() == 1)
    return set(names[0], v);
  auto parts = elements(c_, v);
  if (c_.ok() && parts.size() != names.size())
    c_.wrong("cannot unpack " + std::to_string(parts.size()) + " values into "
             + std::to_string(names.size()));
  if (!c_.ok())
    return;
  for (auto i = size_t{0}; i < names.size(); ++i)
    set(names[i], parts[i]);
}

void evaluator::assign_member(const std::string& name,
                              const std::string& member, value v) {
  auto object = look_up(name);
  auto* s = object.as<std::shared_ptr<space>>();
  if (!s)
    return c_.wrong(quoted(name) + " is no namespace");
  make_list(c_, {v}); // may it be held?
  if (!c_.ok())
    return;
  for (auto& [key, old] : (*s)->members)
    if (key == member) {
      old = std::move(v);
      return;
    }
  (*s)->members.emplace_back(member, std::move(v));
}

void evaluator::set(std::string_view name, value v) {
  if (!c_.ok())
    return;
  for (auto& [n, old] : scopes_.back())
    if (n == name) {
      old = std::move(v);
      return;
    }
  if (c_.charge(sizeof(scope::value_type)))
    scopes_.back().emplace_back(name, std::move(v));
}

void evaluator::write(const value& v) {
  auto more = to_text(c_, v);
  if (c_.charge(more.size()))
    out_.append(more);
}

text evaluator::capture(const node& block) {
  auto outer = std::exchange(out_, {});
  execute(block);
  return std::exchange(out_, std::move(outer));
}

result<text> render(const node& root, const variables& globals,
                    const point_in_time& now, const bounds& b) {
  return evaluator{globals, now, b}.run(root);
}

} // namespace troupe::jinja
