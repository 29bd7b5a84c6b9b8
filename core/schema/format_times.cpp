#include "core/schema/char_kinds.hpp"
#include "core/schema/formats.hpp"

namespace troupe::schema {

namespace {

// Two digits at `at`, or -1.
int two(std::string_view s, size_t at) {
  if (at + 2 > s.size() || !is_digit(s[at]) || !is_digit(s[at + 1]))
    return -1;
  return (s[at] - '0') * 10 + (s[at + 1] - '0');
}

bool has(std::string_view s, size_t at, char c) {
  return at < s.size() && s[at] == c;
}

int days_of(int year, int month) {
  if (month == 2)
    return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28;
  return month == 4 || month == 6 || month == 9 || month == 11 ? 30 : 31;
}

bool take_number(std::string_view& s) {
  auto n = size_t{0};
  while (n < s.size() && is_digit(s[n]))
    ++n;
  s.remove_prefix(n);
  return n > 0;
}

// Numbers with units in their order; none is left out between two.
bool take_units(std::string_view& s, std::string_view units) {
  auto next = size_t{0};
  auto first = true;
  while (!s.empty() && is_digit(s.front())) {
    if (!take_number(s) || s.empty())
      return false;
    auto at = units.find(s.front());
    if (at == std::string_view::npos || (!first && at != next))
      return false;
    s.remove_prefix(1);
    next = at + 1;
    first = false;
  }
  return !first;
}

} // namespace

bool is_date(std::string_view s) {
  if (s.size() != 10 || s[4] != '-' || s[7] != '-' || two(s, 0) < 0
      || two(s, 2) < 0)
    return false;
  auto year = two(s, 0) * 100 + two(s, 2);
  auto month = two(s, 5);
  auto day = two(s, 8);
  return month >= 1 && month <= 12 && day >= 1 && day <= days_of(year, month);
}

bool is_time(std::string_view s) {
  auto hour = two(s, 0);
  auto minute = two(s, 3);
  auto second = two(s, 6);
  if (hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0
      || second > 60 || !has(s, 2, ':') || !has(s, 5, ':'))
    return false;
  s.remove_prefix(8);
  if (has(s, 0, '.')) {
    s.remove_prefix(1);
    if (!take_number(s))
      return false;
  }
  auto offset = 0;
  if (s != "Z" && s != "z") {
    auto hours = two(s, 1);
    auto minutes = two(s, 4);
    if (s.size() != 6 || !is_one_of(s[0], "+-") || s[3] != ':' || hours < 0
        || hours > 23 || minutes < 0 || minutes > 59)
      return false;
    offset = (hours * 60 + minutes) * (s[0] == '-' ? 1 : -1);
  }
  // A leap second is the last of a day of UTC.
  constexpr auto day = 24 * 60;
  auto utc = (hour * 60 + minute + offset + day) % day;
  return second < 60 || utc == day - 1;
}

bool is_date_time(std::string_view s) {
  return s.size() > 11 && (s[10] == 'T' || s[10] == 't')
         && is_date(s.substr(0, 10)) && is_time(s.substr(11));
}

bool is_duration(std::string_view s) {
  if (!has(s, 0, 'P'))
    return false;
  s.remove_prefix(1);
  auto weeks = s;
  if (take_number(weeks) && weeks == "W")
    return true;
  auto days = !s.empty() && s.front() != 'T';
  if (days && !take_units(s, "YMD"))
    return false;
  if (s.empty())
    return days;
  if (s.front() != 'T')
    return false;
  s.remove_prefix(1);
  return take_units(s, "HMS") && s.empty();
}

} // namespace troupe::schema
