#include <algorithm>
#include <cstring>

#include "core/schema/char_kinds.hpp"
#include "core/schema/decimal.hpp"
#include "core/schema/json_string.hpp"
#include "core/schema/json_tape.hpp"
#include "core/schema/unique_keys.hpp"

namespace troupe {

namespace {

using schema::is_digit;

bool is_space(char c) {
  return c == ' ' || c == '\n' || c == '\t' || c == '\r';
}

} // namespace

// Reads one document in one pass; nesting is a stack of its own.
class json_reader {
public:
  json_reader(json_tape& to, std::string_view text, const tape_bounds& bounds)
      : to_(to), begin_(text.data()), at_(begin_), end_(begin_ + text.size()),
        bounds_(bounds) {}

  result<void> read() {
    skip_space();
    while (why_ == nullptr && !whole_)
      step();
    if (why_ == nullptr) {
      skip_space();
      if (at_ != end_)
        refuse("there is something behind the value");
    }
    if (why_ == nullptr)
      return {};
    auto at = static_cast<size_t>(at_ - begin_);
    return fail(code_, "JSON, byte " + std::to_string(at) + ": " + why_);
  }

private:
  void skip_space() {
    while (at_ != end_ && is_space(*at_))
      ++at_;
  }

  bool refuse(const char* why, errc code = errc::invalid_argument) {
    why_ = why;
    code_ = code;
    return false;
  }

  json_node* add(json_kind kind) {
    if (to_.nodes_.size() >= bounds_.values) {
      refuse("the document has more values than allowed", errc::unsupported);
      return nullptr;
    }
    auto& n = to_.nodes_.emplace_back();
    n.kind = kind;
    return &n;
  }

  // One value, and what closes behind it.
  void step() {
    if (at_ == end_) {
      refuse("the text ends where a value should be");
      return;
    }
    switch (*at_) {
    case '{':
    case '[':
      if (open() && close_empty())
        after_value();
      return;
    case '"':
      if (!string())
        return;
      break;
    case 't':
      if (!word("true", json_kind::yes))
        return;
      break;
    case 'f':
      if (!word("false", json_kind::no))
        return;
      break;
    case 'n':
      if (!word("null", json_kind::null))
        return;
      break;
    default:
      if (!number())
        return;
    }
    after_value();
  }

  bool open() {
    if (to_.open_.size() >= bounds_.depth)
      return refuse("the document is nested deeper than allowed",
                    errc::unsupported);
    auto object = *at_ == '{';
    auto here = static_cast<uint32_t>(to_.nodes_.size());
    if (!add(object ? json_kind::object : json_kind::array))
      return false;
    to_.open_.push_back(here);
    ++at_;
    skip_space();
    return true;
  }

  // Closes what was opened if nothing is in it; else comes to its first value
  // and returns false.
  bool close_empty() {
    auto here = to_.open_.back();
    auto object = to_.nodes_[here].kind == json_kind::object;
    if (at_ != end_ && *at_ == (object ? '}' : ']')) {
      close(here);
      return true;
    }
    if (object)
      key();
    return false;
  }

  void close(uint32_t here) {
    ++at_;
    to_.nodes_[here].end = static_cast<uint32_t>(to_.nodes_.size());
    to_.open_.pop_back();
  }

  bool key() {
    if (at_ == end_ || *at_ != '"')
      return refuse("a key should be here, in double quotes");
    if (!string())
      return false;
    skip_space();
    if (at_ == end_ || *at_ != ':')
      return refuse("a colon should follow the key");
    ++at_;
    skip_space();
    return true;
  }

  // Goes to where the next value begins, closing containers on the way.
  void after_value() {
    while (!to_.open_.empty()) {
      auto here = to_.open_.back();
      auto& n = to_.nodes_[here];
      auto object = n.kind == json_kind::object;
      ++n.size;
      skip_space();
      if (at_ == end_) {
        refuse("the text ends within an object or array");
        return;
      }
      if (*at_ == ',') {
        ++at_;
        skip_space();
        if (object)
          key();
        return;
      }
      if (*at_ != (object ? '}' : ']')) {
        refuse("a comma, or the end of the object or array, should be here");
        return;
      }
      close(here);
      if (object && !unique_keys(to_.nodes_.data(), here, to_.keys_)) {
        refuse("the object that ends here has a key twice");
        return;
      }
    }
    whole_ = true;
  }

  bool word(std::string_view name, json_kind kind) {
    if (static_cast<size_t>(end_ - at_) < name.size()
        || std::memcmp(at_, name.data(), name.size()) != 0)
      return refuse("this is no value");
    at_ += name.size();
    return add(kind) != nullptr;
  }

  // -- numbers ----------------------------------------------------------------

  bool digits() {
    auto* first = at_;
    while (at_ != end_ && is_digit(*at_))
      ++at_;
    return at_ != first || refuse("a digit should be here");
  }

  bool number() {
    auto* first = at_;
    auto negative = *at_ == '-';
    at_ += negative;
    if (at_ == end_ || !is_digit(*at_))
      return refuse(negative ? "a digit should follow the minus"
                             : "this is no value");
    auto* whole = at_;
    digits();
    auto size = at_ - whole;
    if (size > 1 && *whole == '0')
      return refuse("a number has no leading zeros");
    auto integer = true;
    if (at_ != end_ && *at_ == '.') {
      integer = false;
      ++at_;
      if (!digits())
        return false;
    }
    if (at_ != end_ && (*at_ == 'e' || *at_ == 'E')) {
      integer = false;
      if (!exponent())
        return false;
    }
    auto* n = add(json_kind::integer);
    if (!n)
      return false;
    if (integer && size <= 18) {
      auto x = int64_t{0};
      for (auto* p = whole; p != at_; ++p)
        x = x * 10 + (*p - '0');
      n->integer = negative ? -x : x;
      return true;
    }
    auto text = std::string_view{first, static_cast<size_t>(at_ - first)};
    *n = to_.number(text);
    return true;
  }

  bool exponent() {
    ++at_;
    if (at_ != end_ && (*at_ == '+' || *at_ == '-'))
      ++at_;
    auto* first = at_;
    if (!digits())
      return false;
    while (first != at_ && *first == '0')
      ++first;
    if (at_ - first > 15)
      return refuse("an exponent has at most 15 digits", errc::unsupported);
    return true;
  }

  bool string() {
    auto reader =
        json_string_reader{at_, end_, [&](size_t n) { return to_.room(n); }};
    auto text = std::string_view{};
    auto ok = reader.read(text);
    at_ = reader.at();
    if (!ok)
      return refuse(reader.why());
    auto* n = add(json_kind::string);
    if (!n)
      return false;
    n->text = text.data();
    n->size = static_cast<uint32_t>(text.size());
    return true;
  }

  json_tape& to_;
  const char* begin_;
  const char* at_;
  const char* end_;
  const tape_bounds& bounds_;
  const char* why_ = nullptr;
  errc code_ = errc::none;
  bool whole_ = false;
};

result<void> json_tape::parse(std::string_view text,
                              const tape_bounds& bounds) {
  clear();
  if (text.size() > std::min<size_t>(bounds.bytes, UINT32_MAX - 1))
    return fail(errc::unsupported, "JSON, byte 0: the document has "
                                       + std::to_string(text.size())
                                       + " bytes, more than allowed");
  auto limited = bounds;
  limited.values = std::min<size_t>(bounds.values, UINT32_MAX - 1);
  // A value and its comma have two bytes or more, most have many.
  nodes_.reserve(std::min<size_t>(text.size() / 8 + 8, limited.values));
  return json_reader{*this, text, limited}.read();
}

} // namespace troupe
