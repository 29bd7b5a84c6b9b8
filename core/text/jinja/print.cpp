// How values are written: by {{ }}, inside of lists, and as JSON.

#include <charconv>
#include <cmath>
#include <unicode/uchar.h>

#include "core/text/jinja/value.hpp"
#include "core/text/utf8.hpp"

namespace troupe::jinja {

namespace {

// Python's repr of a float: the shortest digits that read back as the same.
std::string real_text(double x, bool json) {
  if (std::isnan(x))
    return json ? "NaN" : "nan";
  if (std::isinf(x))
    return (x < 0 ? "-" : "") + std::string{json ? "Infinity" : "inf"};
  auto size = std::fabs(x);
  auto fixed = x == 0 || (size >= 1e-4 && size < 1e16);
  char digits[64];
  auto end = std::to_chars(digits, digits + sizeof(digits), x,
                           fixed ? std::chars_format::fixed
                                 : std::chars_format::scientific)
                 .ptr;
  auto out = std::string{digits, end};
  if (fixed && out.find('.') == out.npos)
    out += ".0";
  return out;
}

// "\\xe9": the least of 2, 4 and 8 digits.
std::string hex_escape(char32_t code, bool json) {
  constexpr auto hex = std::string_view{"0123456789abcdef"};
  auto digits = json || (code > 0xFF && code <= 0xFFFF) ? 4
                : code > 0xFFFF                         ? 8
                                                        : 2;
  auto out = std::string{digits == 4 ? "\\u" : digits == 8 ? "\\U" : "\\x"};
  for (auto i = digits; i-- > 0;)
    out += hex[(code >> (4 * i)) & 15];
  return out;
}

// Python's str.isprintable.
bool is_printable(char32_t code) {
  if (code < 0x7F)
    return code >= ' ';
  switch (u_charType(static_cast<UChar32>(code))) {
  case U_CONTROL_CHAR:
  case U_FORMAT_CHAR:
  case U_SURROGATE:
  case U_PRIVATE_USE_CHAR:
  case U_UNASSIGNED:
  case U_LINE_SEPARATOR:
  case U_PARAGRAPH_SEPARATOR:
  case U_SPACE_SEPARATOR:
    return false;
  default:
    return true;
  }
}

// How a string literal spells it, or nothing if as itself.
std::string escape(char32_t code, char quote, bool json) {
  if (code == static_cast<unsigned char>(quote) || code == '\\')
    return {'\\', static_cast<char>(code)};
  constexpr auto codes = std::u32string_view{U"\n\r\t\b\f"};
  auto letter = codes.find(code);
  if (letter < (json ? 5u : 3u))
    return {'\\', "nrtbf"[letter]};
  auto plain = json ? code >= ' ' : is_printable(code);
  return plain ? std::string{} : hex_escape(code, json);
}

// In quotes; only JSON's are always double.
void append_quoted(const text& from, bool json, text& out) {
  auto& bytes = from.bytes();
  auto one = bytes.find('\'') != bytes.npos && bytes.find('"') == bytes.npos;
  auto quote = json || one ? '"' : '\'';
  out.append({&quote, 1}, false);
  auto begin = size_t{0};
  for (auto at = size_t{0}; at < bytes.size();) {
    auto step = step_utf8(bytes, at);
    auto spelled = step.state == utf8_state::whole
                       ? escape(step.code, quote, json)
                       : std::string{};
    if (!spelled.empty()) {
      out.append(from.cut(begin, at));
      out.append(spelled, from.trusted(at));
      begin = at + step.size;
    }
    at += step.size;
  }
  out.append(from.cut(begin, from.size()));
  out.append({&quote, 1}, false);
}

class printer {
public:
  printer(context& c, bool json, int64_t indent)
      : c_(c), json_(json), indent_(indent) {}

  void put(const value& v) {
    if (!c_.step())
      return;
    if (auto* s = v.str()) {
      if (c_.charge(6 * s->size()))
        append_quoted(*s, json_, out_);
    } else if (auto* l = v.items()) {
      auto tuple = l->tuple && !json_;
      group(l->items.size(), tuple ? "()" : "[]",
            [&](size_t i) { put(l->items[i]); });
      if (tuple && l->items.size() == 1)
        out_ = with_comma();
    } else if (auto* d = v.map()) {
      group(d->items.size(), "{}", [&](size_t i) {
        put_key(d->items[i].first);
        add(": ");
        put(d->items[i].second);
      });
    } else {
      put_atom(v);
    }
  }

  text finish() { return std::move(out_); }

private:
  void add(std::string_view more) {
    if (c_.charge(more.size()))
      out_.append(more, false);
  }

  // (1,)
  text with_comma() {
    if (!c_.charge(out_.size()))
      return {};
    auto out = out_.cut(0, out_.size() - 1);
    out.append(",)", false);
    return out;
  }

  template <class F>
  void group(size_t n, std::string_view brackets, F each) {
    add(brackets.substr(0, 1));
    ++level_;
    for (auto i = size_t{0}; i < n && c_.ok(); ++i) {
      if (i > 0)
        add(indent_ < 0 ? ", " : ",");
      line();
      each(i);
    }
    --level_;
    if (n > 0)
      line();
    add(brackets.substr(1));
  }

  void line() {
    if (indent_ < 0)
      return;
    auto n = static_cast<size_t>(indent_ * level_);
    if (c_.charge(n))
      add("\n" + std::string(n, ' '));
  }

  void put_key(const value& key) {
    auto quote = json_ && !key.str();
    if (quote)
      add("\"");
    put(key);
    if (quote)
      add("\"");
  }

  void put_atom(const value& v) {
    if (auto* b = v.as<bool>())
      add(json_ ? (*b ? "true" : "false") : (*b ? "True" : "False"));
    else if (auto* i = v.as<int64_t>())
      add(std::to_string(*i));
    else if (auto* x = v.as<double>())
      add(real_text(*x, json_));
    else if (v.is_none())
      add(json_ ? "null" : "None");
    else if (v.is_undefined() && !json_)
      add("Undefined");
    else
      c_.wrong("cannot write " + name_of(v) + (json_ ? " as JSON" : ""));
  }

  context& c_;
  bool json_;
  int64_t indent_;
  int64_t level_ = 0;
  text out_;
};

} // namespace

text to_text(context& c, const value& v) {
  if (v.is_undefined())
    return {};
  if (auto* s = v.str()) {
    if (!c.charge(s->size()))
      return {};
    return *s;
  }
  auto p = printer{c, false, -1};
  p.put(v);
  return p.finish();
}

text to_json(context& c, const value& v, int64_t indent) {
  if (indent > 32) {
    c.unsupported("an indent over 32");
    return {};
  }
  auto p = printer{c, true, indent};
  p.put(v);
  return p.finish();
}

} // namespace troupe::jinja
