#pragma once

#include <charconv>
#include <concepts>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

namespace troupe {

/// A JSON object in which an actor's state tells what it knows, for a person
/// who looks at a replay.
class state_writer {
public:
  template <std::integral T>
  void put(std::string_view key, T x) {
    name(key);
    if constexpr (std::same_as<T, bool>)
      text_ += x ? "true" : "false";
    else
      append(x);
  }
  void put(std::string_view key, std::string_view text) {
    name(key);
    quote(text);
  }
  void put(std::string_view key, const char* text) {
    put(key, std::string_view{text});
  }

  /// A list of numbers.
  template <class Range>
  void numbers(std::string_view key, const Range& xs) {
    name(key);
    text_ += '[';
    auto first = true;
    for (auto& x : xs) {
      if (!std::exchange(first, false))
        text_ += ',';
      append(x);
    }
    text_ += ']';
  }

  /// A list of objects: `each` gets a writer and an element.
  template <class Range, class F>
  void objects(std::string_view key, const Range& xs, F each) {
    name(key);
    text_ += '[';
    auto first = true;
    for (auto& x : xs) {
      if (!std::exchange(first, false))
        text_ += ',';
      auto w = state_writer{};
      each(w, x);
      text_ += w.take();
    }
    text_ += ']';
  }

  /// The whole object.
  std::string take() {
    auto whole = std::string(1, '{');
    whole += text_;
    whole += '}';
    text_.clear();
    return whole;
  }

private:
  void name(std::string_view key) {
    if (!text_.empty())
      text_ += ',';
    quote(key);
    text_ += ':';
  }
  template <class T>
  void append(T x) {
    char digits[24];
    text_.append(digits, std::to_chars(digits, digits + sizeof digits, x).ptr);
  }
  void quote(std::string_view s) {
    constexpr auto hex = "0123456789abcdef";
    text_ += '"';
    for (auto c : s) {
      auto u = static_cast<unsigned char>(c);
      if (c == '"' || c == '\\') {
        text_ += '\\';
        text_ += c;
      } else if (u < 0x20) {
        text_ += "\\u00";
        text_ += hex[u >> 4];
        text_ += hex[u & 15];
      } else {
        text_ += c;
      }
    }
    text_ += '"';
  }

  std::string text_;
};

} // namespace troupe
