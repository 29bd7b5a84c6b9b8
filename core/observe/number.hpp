#pragma once

#include <charconv>
#include <cmath>
#include <string>

namespace troupe {

/// The shortest text that reads as the same number.
inline void append_number(std::string& to, double x) {
  char text[32];
  auto end = std::to_chars(text, text + sizeof text, x).ptr;
  to.append(text, end);
}

template <class Integer>
void append_integer(std::string& to, Integer x) {
  char text[24];
  auto end = std::to_chars(text, text + sizeof text, x).ptr;
  to.append(text, end);
}

} // namespace troupe
