#include "core/schema/json_pointer.hpp"

#include <algorithm>

namespace troupe {

void add_pointer_token(std::string& to, std::string_view key) {
  to += '/';
  // Not find_first_of, which looks for each character with memchr.
  if (std::ranges::none_of(key, [](char c) { return c == '~' || c == '/'; })) {
    to += key;
    return;
  }
  for (auto c : key)
    if (c == '~')
      to += "~0";
    else if (c == '/')
      to += "~1";
    else
      to += c;
}

bool take_pointer_token(std::string_view& pointer, std::string& token) {
  if (pointer.front() != '/')
    return false;
  pointer.remove_prefix(1);
  auto text = pointer.substr(0, pointer.find('/'));
  pointer.remove_prefix(text.size());
  token.clear();
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '~') {
      token += text[i];
      continue;
    }
    if (++i == text.size() || (text[i] != '0' && text[i] != '1'))
      return false;
    token += text[i] == '0' ? '~' : '/';
  }
  return true;
}

uint32_t array_index(std::string_view token) {
  if (token.empty() || token.size() > 9 || (token[0] == '0' && token != "0"))
    return json_tape::nowhere;
  auto n = uint32_t{0};
  for (auto c : token) {
    if (c < '0' || c > '9')
      return json_tape::nowhere;
    n = n * 10 + static_cast<uint32_t>(c - '0');
  }
  return n;
}

const std::vector<uint32_t>& pointer_index::children(const json_tape& tape,
                                                     uint32_t at) {
  auto [known, added] = children_.try_emplace(at);
  auto& all = known->second;
  if (!added)
    return all;
  auto object = tape[at].kind == json_kind::object;
  all.reserve(tape[at].size);
  for (auto i = at + 1; i < tape[at].end; i = tape.behind(i + object))
    all.push_back(i);
  if (object)
    std::sort(all.begin(), all.end(), [&](uint32_t a, uint32_t b) {
      return tape[a].view() < tape[b].view();
    });
  return all;
}

uint32_t pointer_index::child(const json_tape& tape, uint32_t at,
                              std::string_view token) {
  if (tape[at].kind == json_kind::array) {
    auto i = array_index(token);
    return i < tape[at].size ? children(tape, at)[i] : json_tape::nowhere;
  }
  if (tape[at].kind != json_kind::object)
    return json_tape::nowhere;
  auto& all = children(tape, at);
  auto key = std::lower_bound(
      all.begin(), all.end(), token,
      [&](uint32_t k, std::string_view t) { return tape[k].view() < t; });
  return key != all.end() && tape[*key].view() == token ? *key + 1
                                                        : json_tape::nowhere;
}

uint32_t pointer_index::find(const json_tape& tape, std::string_view pointer,
                             uint32_t from) {
  auto token = std::string{};
  while (!pointer.empty() && from != json_tape::nowhere) {
    if (!take_pointer_token(pointer, token))
      return json_tape::nowhere;
    from = child(tape, from, token);
  }
  return from;
}

} // namespace troupe
