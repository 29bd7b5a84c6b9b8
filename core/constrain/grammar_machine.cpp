#include "core/constrain/grammar_machine.hpp"

#include <algorithm>

namespace troupe::constrain {

void grammar_machine::start(grammar_state& to) {
  auto first = grammar_item{grammar_->rule_at(grammar_->root()).start, 0, 0, 0};
  close({&first, 1}, to);
}

uint32_t grammar_machine::count_after(const grammar::rule& rule,
                                      uint32_t count) const {
  // Without a most, counts beyond the least are all the same.
  return rule.most == grammar::endless ? std::min(count + 1, rule.least)
                                       : count + 1;
}

bool grammar_machine::step(const grammar_state& from, uint8_t byte,
                           grammar_state& to) {
  if (from.items.size() == 1)
    if (auto done = step_lightly(from, byte, to); done != light_step::unknown)
      return done == light_step::taken;
  kernel_.clear();
  for (auto& item : from.items)
    for (auto& e : grammar_->edges(item.position)) {
      if (e.first > byte)
        break;
      if (e.last < byte)
        continue;
      auto& rule = grammar_->rule_of(item.position);
      if (e.counted && item.count >= rule.most)
        continue;
      if (!fits(pool_.depth(item.frames), e.to))
        continue;
      auto next = item;
      next.position = e.to;
      if (e.counted)
        next.count = count_after(rule, item.count);
      kernel_.push_back(next);
    }
  to.items.clear();
  to.done = false;
  if (kernel_.empty())
    return false;
  close(kernel_, to);
  return to.done || !to.items.empty();
}

grammar_machine::light_step
grammar_machine::step_lightly(const grammar_state& from, uint8_t byte,
                              grammar_state& to) const {
  auto& item = from.items[0];
  auto* found = static_cast<const grammar::edge*>(nullptr);
  for (auto& e : grammar_->edges(item.position)) {
    if (e.first > byte)
      break;
    if (e.last < byte)
      continue;
    if (found)
      return light_step::unknown;
    found = &e;
  }
  if (!found)
    return light_step::refused;
  auto& target = grammar_->at(found->to);
  if (target.accept || !grammar_->calls(found->to).empty())
    return light_step::unknown;
  if (pool_.depth(item.frames) + target.need > most_depth)
    return light_step::refused;
  auto count = item.count;
  if (found->counted) {
    auto& rule = grammar_->rule_at(target.rule);
    if (count >= rule.most)
      return light_step::refused;
    count = count_after(rule, count);
  }
  to.done = false;
  to.items.assign(1, item);
  to.items[0].position = found->to;
  to.items[0].count = count;
  return light_step::taken;
}

int grammar_machine::only_byte(const grammar_state& from) const {
  auto only = -1;
  for (auto& item : from.items)
    for (auto& e : grammar_->edges(item.position)) {
      if (e.counted && item.count >= grammar_->rule_of(item.position).most)
        continue;
      if (e.first != e.last || (only >= 0 && only != e.first))
        return -1;
      only = e.first;
    }
  return only;
}

void grammar_machine::close(std::span<const grammar_item> from,
                            grammar_state& to) {
  to.items.clear();
  to.done = false;
  work_.clear();
  calls_ = 0;
  for (auto& item : from)
    add(item);
  for (auto i = size_t{0}; i < work_.size(); ++i)
    visit(i, true, to);
  // In the order of ranks all frames of a call are known before it is made.
  // What is called here and ends here was passed when it was called.
  while (auto* c = next_callee()) {
    c->done = true;
    std::sort(c->frames.begin(), c->frames.end());
    c->frames.erase(std::unique(c->frames.begin(), c->frames.end()),
                    c->frames.end());
    auto& rule = grammar_->rule_at(c->rule);
    auto begin = rule.unique ? static_cast<uint32_t>(text_.size()) : 0;
    auto i = work_.size();
    auto key = state_key{};
    for (auto& f : c->frames)
      key.add(key_of(f));
    add({rule.start, pool_.intern(c->frames, c->depth, key), 0, begin});
    for (; i < work_.size(); ++i)
      visit(i, false, to);
  }
  std::sort(to.items.begin(), to.items.end());
}

void grammar_machine::add(const grammar_item& item) {
  if (std::find(work_.begin(), work_.end(), item) == work_.end())
    work_.push_back(item);
}

void grammar_machine::visit(size_t i, bool may_end, grammar_state& to) {
  auto item = work_[i];
  auto& p = grammar_->at(item.position);
  if (!grammar_->edges(item.position).empty())
    to.items.push_back(item);
  if (may_end && p.accept && item.count >= grammar_->rule_at(p.rule).least)
    end_rule(item, to);
  for (auto& c : grammar_->calls(item.position))
    call(item, c);
}

void grammar_machine::end_rule(grammar_item item, grammar_state& to) {
  if (item.frames == 0) {
    to.done = true;
    return;
  }
  auto& rule = grammar_->rule_of(item.position);
  if (rule.unique && item.texts > token_)
    return;
  for (auto& f : pool_.frames(item.frames)) {
    auto next = f;
    if (rule.unique) {
      auto end = static_cast<uint32_t>(text_.size());
      auto own = std::string_view{text_}.substr(item.texts);
      if (!lax_ && is_listed(f.texts, own))
        continue;
      if (!lax_)
        next.texts = pool_.add_text(f.texts, item.texts, end);
    }
    add(next);
  }
}

bool grammar_machine::is_listed(uint32_t list, std::string_view text) const {
  for (; list != 0; list = pool_.text_at(list).before) {
    auto& known = pool_.text_at(list);
    if (text
        == std::string_view{text_}.substr(known.begin, known.end - known.begin))
      return true;
  }
  return false;
}

bool grammar_machine::fits(uint32_t depth, uint32_t position) const {
  return depth + grammar_->at(position).need <= most_depth;
}

void grammar_machine::call(const grammar_item& item, const grammar::call& c) {
  auto depth = pool_.depth(item.frames);
  auto& rule = grammar_->rule_at(c.rule);
  if (!fits(depth, c.next))
    return;
  auto back = item;
  back.position = c.next;
  if (rule.nullable)
    add(back);
  // A call that is the last thing of its rule goes back to where that rule
  // would: repetition by recursion does not pile up frames.
  auto& own = grammar_->rule_of(item.position);
  auto last = item.frames != 0 && grammar_->at(c.next).accept && !own.counts()
              && !own.unique && grammar_->edges(c.next).empty()
              && grammar_->calls(c.next).empty();
  auto below = last ? depth : depth + 1;
  if (!fits(below, rule.start))
    return;
  auto& callee = callee_for(c.rule);
  callee.depth = std::max(callee.depth, below);
  if (last) {
    auto frames = pool_.frames(item.frames);
    callee.frames.insert(callee.frames.end(), frames.begin(), frames.end());
  } else {
    callee.frames.push_back(back);
  }
}

grammar_machine::callee& grammar_machine::callee_for(uint32_t rule) {
  for (auto i = size_t{0}; i < calls_; ++i)
    if (callees_[i].rule == rule)
      return callees_[i];
  if (calls_ == callees_.size())
    callees_.emplace_back();
  auto& made = callees_[calls_++];
  made.rule = rule;
  made.depth = 0;
  made.done = false;
  made.frames.clear();
  return made;
}

// Of a count only matters how far it is from the bounds, if not too far.
state_key grammar_machine::key_of(const grammar_item& item) const {
  auto& rule = grammar_->rule_of(item.position);
  auto key = state_key{};
  auto far = uint64_t{horizon_} + 1;
  auto left = [&](uint32_t bound) {
    return std::min<uint64_t>(bound > item.count ? bound - item.count : 0, far);
  };
  auto counts = left(rule.least) << 32
                | (rule.most == grammar::endless ? far : left(rule.most));
  key.mix(item.position, counts);
  auto below = pool_.key(item.frames);
  key.mix(below.a, below.b);
  return key;
}

state_key grammar_machine::key_of(const grammar_state& s) const {
  auto key = state_key{};
  for (auto& item : s.items)
    key.add(key_of(item));
  key.mix(s.done ? 1 : 0, s.items.size());
  return key;
}

grammar_machine::callee* grammar_machine::next_callee() {
  auto* best = static_cast<callee*>(nullptr);
  for (auto i = size_t{0}; i < calls_; ++i) {
    auto& c = callees_[i];
    if (!c.done
        && (!best
            || grammar_->rule_at(c.rule).rank
                   < grammar_->rule_at(best->rule).rank))
      best = &c;
  }
  return best;
}

} // namespace troupe::constrain
