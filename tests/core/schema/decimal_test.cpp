#include "core/schema/decimal.hpp"

#include <boost/test/unit_test.hpp>
#include <string>
#include <vector>

#include "core/base/random.hpp"

using namespace troupe;

namespace {

// The slow twin: digits of x * 10^shift, as a long integer.
std::string scaled(std::string_view text, int shift) {
  auto digits = std::string{};
  auto point = false;
  auto behind = 0;
  auto i = size_t{text.front() == '-'};
  for (; i < text.size() && text[i] != 'e'; ++i) {
    if (text[i] == '.') {
      point = true;
      continue;
    }
    digits += text[i];
    behind += point;
  }
  auto exponent =
      i < text.size() ? std::stoi(std::string{text.substr(i + 1)}) : 0;
  auto zeros = shift + exponent - behind;
  BOOST_REQUIRE(zeros >= 0);
  digits.append(static_cast<size_t>(zeros), '0');
  digits.erase(0, std::min(digits.find_first_not_of('0'), digits.size()));
  return digits;
}

int compare_slowly(std::string_view a, std::string_view b) {
  auto x = scaled(a, 60);
  auto y = scaled(b, 60);
  auto sign_x = x.empty() ? 0 : a.front() == '-' ? -1 : 1;
  auto sign_y = y.empty() ? 0 : b.front() == '-' ? -1 : 1;
  if (sign_x != sign_y)
    return sign_x < sign_y ? -1 : 1;
  auto c = x.size() != y.size() ? (x.size() < y.size() ? -1 : 1)
                                : (x < y ? -1 : x > y);
  return sign_x < 0 ? -c : c;
}

// By long division of the digits.
bool divides_slowly(std::string_view divisor, std::string_view x) {
  auto d = std::stoull(scaled(divisor, 6));
  auto rest = uint64_t{0};
  for (auto c : scaled(x, 6))
    rest = (rest * 10 + static_cast<uint64_t>(c - '0')) % d;
  return rest == 0;
}

std::string random_number(uint64_t n, int places) {
  auto draw = [&](uint64_t k, uint64_t below) {
    return static_cast<uint64_t>(random_unit(3, n, k)
                                 * static_cast<double>(below));
  };
  auto out = std::string{draw(0, 2) ? "-" : ""};
  out += std::to_string(draw(1, 3) ? draw(2, 30) : draw(2, 1'000'000));
  if (draw(3, 2) && places > 0) {
    out += '.';
    for (auto i = uint64_t{0}; i <= draw(4, static_cast<uint64_t>(places)); ++i)
      out += static_cast<char>('0' + draw(5 + i, 3));
  }
  if (draw(20, 3) == 0)
    out += "e" + std::to_string(draw(21, 25));
  return out;
}

int sign(int x) {
  return (x > 0) - (x < 0);
}

} // namespace

BOOST_AUTO_TEST_SUITE(schema_decimal)

BOOST_AUTO_TEST_CASE(comparison_equals_that_of_long_integers) {
  for (auto i = uint64_t{0}; i < 20'000; ++i) {
    auto a = random_number(2 * i, 5);
    auto b = random_number(2 * i + 1, 5);
    BOOST_TEST(sign(compare(decimal{a}, decimal{b})) == compare_slowly(a, b),
               a << " and " << b);
    BOOST_TEST(compare(decimal{a}, decimal{a}) == 0, a);
  }
}

BOOST_AUTO_TEST_CASE(division_equals_that_of_long_integers) {
  auto yes = 0;
  for (auto d : {"1", "2", "7", "0.5", "0.01", "0.0001", "2.5", "120", "1e3",
                 "0.3", "999999", "12.12"}) {
    auto divisor = decimal_divisor::of(decimal{d});
    BOOST_REQUIRE(divisor.has_value());
    for (auto i = uint64_t{0}; i < 3000; ++i) {
      auto x = random_number(i, 5);
      auto want = divides_slowly(d, x);
      BOOST_TEST(divisor->divides(decimal{x}) == want, x << " by " << d);
      if (auto n = decimal{x}.small())
        BOOST_TEST(divisor->divides(*n) == want, x << " by " << d);
      yes += want;
    }
  }
  BOOST_TEST(yes > 1000);
}

BOOST_AUTO_TEST_CASE(integers_are_told_apart_however_they_are_written) {
  for (auto t : {"1.0", "10e-1", "0.1e1", "1000e-3", "1"})
    BOOST_TEST(decimal{t}.small().value() == 1, t);
  for (auto t : {"0", "-0", "0.000", "0e100", "-0.0e-5"}) {
    BOOST_TEST(decimal{t}.small().value() == 0, t);
    BOOST_TEST(!decimal{t}.negative(), t);
  }
  for (auto t : {"1.5", "1e-1", "0.1", "1e18", "-1e18", "1e999999999999999"})
    BOOST_TEST(!decimal{t}.small().has_value(), t);
  BOOST_TEST(decimal{"999999999999999999"}.small().value()
             == 999'999'999'999'999'999);
  BOOST_TEST(decimal{"-9.5e1"}.small().value() == -95);
  BOOST_TEST(decimal{"1e308"}.is_integer());
  BOOST_TEST(!decimal{"1e-308"}.is_integer());
  BOOST_TEST(!decimal{"12345678901234567890.5"}.is_integer());
}

BOOST_AUTO_TEST_CASE(numbers_beyond_double_are_exact) {
  BOOST_TEST(compare(decimal{"1e400"}, decimal{"1e401"}) < 0);
  BOOST_TEST(compare(decimal{"9007199254740993"}, decimal{"9007199254740992"})
             > 0);
  BOOST_TEST(compare(decimal{"0.1"}, decimal{"0.10000000000000000001"}) < 0);
  BOOST_TEST(compare(decimal{int64_t{-5}}, decimal{"-5.000"}) == 0);
  BOOST_TEST(compare(decimal{INT64_MIN}, decimal{"-9223372036854775808"}) == 0);
  auto tiny = decimal_divisor::of(decimal{"0.0001"});
  BOOST_TEST(tiny->divides(decimal{"0.0075"}));
  BOOST_TEST(!tiny->divides(decimal{"0.00751"}));
  BOOST_TEST(tiny->divides(decimal{"1e308"}));
  auto seven = decimal_divisor::of(decimal{"7"});
  BOOST_TEST(!seven->divides(decimal{"1e308"}));
  BOOST_TEST(seven->divides(decimal{"7e308"}));
  auto large = decimal_divisor::of(decimal{"9999999999999999999"});
  BOOST_TEST(large->divides(decimal{"99999999999999999990000"}));
  BOOST_TEST(!large->divides(decimal{"99999999999999999980000"}));
  BOOST_TEST(!decimal_divisor::of(decimal{"12345678901234567891"}));
}

BOOST_AUTO_TEST_SUITE_END()
