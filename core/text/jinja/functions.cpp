#include <array>

#include "core/text/jinja/builtins.hpp"
#include "core/text/utf8.hpp"

namespace troupe::jinja {

namespace {

// Of Python's sandbox as well.
constexpr auto most_range = int64_t{100'000};

value range(context& c, const arguments& args) {
  auto r = argument_reader{c, "range", args, {"a", "b", "c"}, 1};
  auto a = r.integer(0, 0), b = r.integer(1, 0), step = r.integer(2, 1);
  if (args.at.size() == 1) {
    b = a;
    a = 0;
  }
  if (step == 0)
    c.wrong("range with a step of 0");
  if (!c.ok())
    return {};
  auto all = std::vector<value>{};
  for (auto x = a; step > 0 ? x < b : x > b;) {
    if (static_cast<int64_t>(all.size()) == most_range) {
      c.fail(errc::unsupported, "range of more than 100000 numbers");
      return {};
    }
    if (!c.charge(sizeof(value)))
      return {};
    all.emplace_back(x);
    if (__builtin_add_overflow(x, step, &x))
      break;
  }
  return make_list(c, std::move(all));
}

constexpr auto days = std::array<std::string_view, 7>{
    "Sunday",   "Monday", "Tuesday", "Wednesday",
    "Thursday", "Friday", "Saturday"};
constexpr auto months = std::array<std::string_view, 12>{
    "January", "February", "March",     "April",   "May",      "June",
    "July",    "August",   "September", "October", "November", "December"};

std::string padded(int64_t x, size_t n = 2) {
  auto s = std::to_string(x);
  return s.size() < n ? std::string(n - s.size(), '0') + s : s;
}

// One conversion, or nothing if it is not implemented.
std::optional<std::string> convert(char what, std::chrono::sys_seconds now) {
  auto day = std::chrono::floor<std::chrono::days>(now);
  auto date = std::chrono::year_month_day{day};
  auto time = std::chrono::hh_mm_ss{now - day};
  auto weekday = days[std::chrono::weekday{day}.c_encoding()];
  auto month = months[static_cast<unsigned>(date.month()) - 1];
  auto year = int{date.year()};
  switch (what) {
  case 'd':
    return padded(static_cast<unsigned>(date.day()));
  case 'm':
    return padded(static_cast<unsigned>(date.month()));
  case 'Y':
    return padded(year, 4);
  case 'y':
    return padded(year % 100);
  case 'B':
    return std::string{month};
  case 'b':
    return std::string{month.substr(0, 3)};
  case 'A':
    return std::string{weekday};
  case 'a':
    return std::string{weekday.substr(0, 3)};
  case 'H':
    return padded(time.hours().count());
  case 'M':
    return padded(time.minutes().count());
  case 'S':
    return padded(time.seconds().count());
  case '%':
    return "%";
  default:
    return {};
  }
}

value strftime(context& c, const arguments& args,
               std::chrono::sys_seconds now) {
  auto* format =
      argument_reader{c, "strftime_now", args, {"format"}, 1}.string(0);
  auto out = text{};
  if (!format || !c.charge(format->size() * 8))
    return {};
  auto& f = format->bytes();
  for (auto i = size_t{0}; i < f.size(); ++i) {
    if (f[i] != '%' || i + 1 == f.size()) {
      out.append(format->cut(i, i + 1));
      continue;
    }
    auto part = convert(f[++i], now);
    if (!part)
      c.unsupported("the time format " + quoted(f.substr(i - 1, 2)));
    out.append(part.value_or(""), false);
  }
  return out;
}

value make_space(context& c, const arguments& args) {
  argument_reader{c, "namespace", {args.at, {}}, {}};
  auto s = std::make_shared<space>();
  if (!c.charge(sizeof(space) + args.named.size() * 2 * sizeof(value)))
    return {};
  for (auto& [name, v] : args.named) {
    make_list(c, {v}); // may it be held?
    s->members.emplace_back(name, v);
  }
  return c.ok() ? value{s} : value{};
}

value make_dict_of(context& c, const arguments& args) {
  argument_reader{c, "dict", {args.at, {}}, {}};
  auto all = std::vector<std::pair<value, value>>{};
  for (auto& [name, v] : args.named)
    all.emplace_back(text{name, true}, v);
  return make_dict(c, std::move(all));
}

void refuse(context& c, const arguments& args) {
  auto* message =
      argument_reader{c, "raise_exception", args, {"message"}, 1}.get(0);
  if (!message)
    return;
  auto said = to_text(c, *message).bytes();
  c.fail(errc::invalid_argument,
         "the template refuses the conversation: " + quoted(said, 300));
}

} // namespace

bool is_function(std::string_view name, const point_in_time& now) {
  return name == "range" || name == "namespace" || name == "dict"
         || name == "raise_exception" || (name == "strftime_now" && now);
}

value call_function(context& c, std::string_view name, const arguments& args,
                    const point_in_time& now) {
  if (name == "range")
    return range(c, args);
  if (name == "namespace")
    return make_space(c, args);
  if (name == "dict")
    return make_dict_of(c, args);
  if (name == "strftime_now")
    return strftime(c, args, *now);
  refuse(c, args);
  return {};
}

} // namespace troupe::jinja
