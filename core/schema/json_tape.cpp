#include "core/schema/json_tape.hpp"

#include <algorithm>
#include <array>
#include <charconv>

#include "core/schema/decimal.hpp"
#include "core/schema/json_pointer.hpp"

namespace troupe {

namespace {

constexpr auto smallest_block = size_t{4096};

void add_index(std::string& out, uint32_t index) {
  auto text = std::array<char, 11>{'/'};
  auto* end = std::to_chars(text.data() + 1, text.data() + 11, index).ptr;
  out.append(text.data(), end);
}

} // namespace

void json_tape::clear() {
  nodes_.clear();
  open_.clear();
  texts_.clear();
  free_ = nullptr;
  left_ = 0;
}

// 1.0 and 1e2 become integers, so that equal numbers are of one kind.
json_node json_tape::number(std::string_view text) {
  auto n = json_node{};
  n.kind = json_kind::integer;
  if (auto x = decimal{text}.small()) {
    n.integer = *x;
    return n;
  }
  n.kind = json_kind::decimal;
  n.size = static_cast<uint32_t>(text.size());
  n.text = text.data();
  return n;
}

char* json_tape::room(size_t bytes) {
  if (bytes > left_) {
    auto size = std::max(bytes, smallest_block);
    texts_.push_back(std::unique_ptr<char[]>{new char[size]});
    free_ = texts_.back().get();
    left_ = size;
  }
  auto* at = free_;
  free_ += bytes;
  left_ -= bytes;
  return at;
}

uint32_t json_tape::member(uint32_t object, std::string_view key) const {
  auto end = nodes_[object].end;
  for (auto at = object + 1; at < end; at = behind(at + 1))
    if (nodes_[at].view() == key)
      return at + 1;
  return 0;
}

std::string json_tape::pointer_to(uint32_t target) const {
  auto out = std::string{};
  add_pointer(out, target);
  return out;
}

void json_tape::add_pointer(std::string& out, uint32_t target) const {
  for (auto at = uint32_t{0}; at != target;) {
    // The child that holds it: its range does.
    auto object = nodes_[at].kind == json_kind::object;
    auto end = nodes_[at].end;
    auto index = uint32_t{0};
    auto child = at + 1;
    while (child < end) {
      auto value = object ? child + 1 : child;
      auto next = behind(value);
      if (target < next) {
        if (object)
          add_pointer_token(out, nodes_[child].view());
        else
          add_index(out, index);
        at = target < value ? target : value; // a key stands for its value
        break;
      }
      child = next;
      ++index;
    }
    if (child >= end)
      break; // not of this document
  }
}

uint32_t json_tape::find(std::string_view pointer, uint32_t from) const {
  auto at = from;
  auto token = std::string{};
  while (!pointer.empty()) {
    if (!take_pointer_token(pointer, token))
      return nowhere;
    auto& n = nodes_[at];
    if (n.kind == json_kind::object) {
      at = member(at, token);
      if (at == 0)
        return nowhere;
    } else if (n.kind == json_kind::array) {
      auto index = array_index(token);
      if (index >= n.size)
        return nowhere;
      for (++at; index > 0; --index)
        at = behind(at);
    } else {
      return nowhere;
    }
  }
  return at;
}

} // namespace troupe
