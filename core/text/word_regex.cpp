#include "core/text/word_regex.hpp"

#include "core/text/compile_regex.hpp"
#include "core/text/utf8.hpp"

namespace troupe {

result<word_regex> word_regex::compile(std::string_view pattern) {
  auto made = compile_regex(pattern);
  if (!made)
    return made.failure();
  auto regex = word_regex{};
  regex.program_ = std::move(made->program);
  regex.classes_ = std::move(made->classes);
  for (auto c = char32_t{0}; c < regex.ascii_.size(); ++c)
    for (auto i = size_t{0}; i < regex.classes_.size(); ++i)
      regex.ascii_[c] |= uint64_t{regex.classes_[i].contains(c)} << i;
  return regex;
}

uint64_t word_regex::classes_of(char32_t code) const {
  if (code < ascii_.size())
    return ascii_[code];
  auto in = uint64_t{0};
  for (auto i = size_t{0}; i < classes_.size(); ++i)
    in |= uint64_t{classes_[i].contains(code)} << i;
  return in;
}

word_regex::place word_regex::look(std::string_view text, size_t at) const {
  if (at >= text.size())
    return {0, 0, true};
  auto step = step_utf8(text, at);
  if (step.state != utf8_state::whole)
    return {1,
            classes_of(char_class::not_utf8 + static_cast<uint8_t>(text[at])),
            false};
  return {step.size, classes_of(step.code), step.code == '\n'};
}

// Adds the instructions that take a character, in order of preference.
void word_regex::follow(uint32_t pc, const place& here, threads& memory) const {
  memory.todo.push_back(pc);
  while (!memory.todo.empty()) {
    auto at = memory.todo.back();
    memory.todo.pop_back();
    if (memory.seen[at] == memory.step)
      continue;
    memory.seen[at] = memory.step;
    auto& i = program_[at];
    auto to = [&](int32_t by) {
      memory.todo.push_back(
          static_cast<uint32_t>(static_cast<int64_t>(at) + by));
    };
    switch (i.what) {
    case op::split:
      to(i.b);
      to(i.a);
      break;
    case op::not_next:
      if (here.size == 0 || (here.in >> i.a & 1) == 0)
        to(1);
      break;
    case op::line_end:
      if (here.line_end)
        to(1);
      break;
    case op::in_class:
    case op::matched:
      memory.next.push_back(at);
      break;
    }
  }
}

size_t word_regex::match(std::string_view text, size_t at,
                         threads& memory) const {
  auto end = at;
  auto here = look(text, at);
  memory.next.clear();
  ++memory.step;
  follow(0, here, memory);
  while (!memory.next.empty()) {
    std::swap(memory.now, memory.next);
    memory.next.clear();
    ++memory.step;
    auto after = here.size == 0 ? here : look(text, at + here.size);
    for (auto pc : memory.now) {
      auto& i = program_[pc];
      if (i.what == op::matched) {
        end = at;
        break; // the others are worse
      }
      if (here.size > 0 && (here.in >> i.a & 1))
        follow(pc + 1, after, memory);
    }
    at += here.size;
    here = after;
  }
  return end;
}

void word_regex::cut(std::string_view text, size_t base, threads& memory,
                     std::vector<size_t>& ends) const {
  // A step is never counted twice: it would take texts of 4 GiB.
  memory.seen.assign(program_.size(), 0);
  memory.step = 0;
  auto rest = size_t{0}; // where what no match holds begins
  for (auto at = size_t{0}; at < text.size();) {
    auto end = match(text, at, memory);
    if (end == at) {
      at += look(text, at).size;
      continue;
    }
    if (at > rest)
      ends.push_back(base + at);
    ends.push_back(base + end);
    at = rest = end;
  }
  if (text.size() > rest)
    ends.push_back(base + text.size());
}

} // namespace troupe
