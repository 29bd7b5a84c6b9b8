#include <algorithm>
#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>

#include "core/schema/json_tape.hpp"
#include "core/schema/utf8_scan.hpp"

namespace troupe {

namespace {

using json = nlohmann::json;

constexpr auto largest_integer = int64_t{1'000'000'000'000'000'000};

} // namespace

// Walks a value; containers that are not finished are a stack of its own.
class json_importer {
public:
  json_importer(json_tape& to, const tape_bounds& bounds)
      : to_(to), bounds_(bounds) {}

  result<void> import(const json& value) {
    take(value);
    while (why_ == nullptr && !stack_.empty())
      step();
    if (why_ == nullptr)
      return {};
    return fail(code_, "JSON value: " + std::string{why_});
  }

private:
  struct open_container {
    uint32_t at = 0; ///< its node
    json::const_iterator next;
    json::const_iterator end;
  };

  // The next item of the innermost container, or its end.
  void step() {
    auto& top = stack_.back();
    if (top.next == top.end) {
      to_.nodes_[top.at].end = static_cast<uint32_t>(to_.nodes_.size());
      stack_.pop_back();
      return;
    }
    auto item = top.next++;
    auto object = to_.nodes_[top.at].kind == json_kind::object;
    if (object && !string(item.key()))
      return;
    take(*item);
  }

  void refuse(const char* why, errc code = errc::invalid_argument) {
    why_ = why;
    code_ = code;
  }

  json_node* add(json_kind kind) {
    if (to_.nodes_.size() >= bounds_.values) {
      refuse("it holds more values than allowed", errc::unsupported);
      return nullptr;
    }
    auto& n = to_.nodes_.emplace_back();
    n.kind = kind;
    return &n;
  }

  void take(const json& value) {
    switch (value.type()) {
    case json::value_t::null:
      add(json_kind::null);
      return;
    case json::value_t::boolean:
      add(value.get<bool>() ? json_kind::yes : json_kind::no);
      return;
    case json::value_t::number_integer:
      integer(value.get<int64_t>());
      return;
    case json::value_t::number_unsigned: {
      auto x = value.get<uint64_t>();
      if (x < static_cast<uint64_t>(largest_integer))
        integer(static_cast<int64_t>(x));
      else
        decimal_of(x);
      return;
    }
    case json::value_t::number_float:
      if (!std::isfinite(value.get<double>()))
        refuse("a number is infinite, or not a number");
      else
        decimal_of(value.get<double>());
      return;
    case json::value_t::string:
      string(value.get_ref<const std::string&>());
      return;
    case json::value_t::array:
    case json::value_t::object:
      open(value);
      return;
    case json::value_t::binary:
    case json::value_t::discarded:
      break;
    }
    refuse("it holds a value that JSON has not");
  }

  void integer(int64_t x) {
    if (x <= -largest_integer || x >= largest_integer)
      decimal_of(x);
    else if (auto* n = add(json_kind::integer))
      n->integer = x;
  }

  template <class T>
  void decimal_of(T x) {
    auto* n = add(json_kind::decimal);
    if (!n)
      return;
    constexpr auto most = size_t{32}; // of the shortest text of a double: 24
    auto* text = to_.room(most);
    auto* end = std::to_chars(text, text + most, x).ptr;
    *n = json_tape::number({text, static_cast<size_t>(end - text)});
  }

  bool string(const std::string& text) {
    if (text.size() > bounds_.bytes - std::min(bounds_.bytes, bytes_)
        || text.size() > UINT32_MAX) {
      refuse("its strings are larger than allowed", errc::unsupported);
      return false;
    }
    bytes_ += text.size();
    if (!is_utf8(text)) {
      refuse("a string holds bytes that are not UTF-8");
      return false;
    }
    auto* n = add(json_kind::string);
    if (!n)
      return false;
    n->text = text.data();
    n->size = static_cast<uint32_t>(text.size());
    return true;
  }

  void open(const json& value) {
    if (stack_.size() >= bounds_.depth) {
      refuse("it is nested deeper than allowed", errc::unsupported);
      return;
    }
    auto here = static_cast<uint32_t>(to_.nodes_.size());
    auto* n = add(value.is_object() ? json_kind::object : json_kind::array);
    if (!n)
      return;
    n->size = static_cast<uint32_t>(std::min<size_t>(value.size(), UINT32_MAX));
    stack_.push_back({here, value.cbegin(), value.cend()});
  }

  json_tape& to_;
  const tape_bounds& bounds_;
  std::vector<open_container> stack_;
  size_t bytes_ = 0;
  const char* why_ = nullptr;
  errc code_ = errc::none;
};

result<void> json_tape::import(const nlohmann::json& value,
                               const tape_bounds& bounds) {
  clear();
  auto limited = bounds;
  limited.values = std::min<size_t>(bounds.values, UINT32_MAX - 1);
  return json_importer{*this, limited}.import(value);
}

} // namespace troupe
