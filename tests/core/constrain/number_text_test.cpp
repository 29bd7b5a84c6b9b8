#include "core/constrain/number_text.hpp"

#include <boost/test/unit_test.hpp>
#include <cmath>

using namespace troupe;
using namespace troupe::constrain;

namespace {

number_bound bound(const char* text, bool open = false) {
  return {decimal::parse(text), open};
}

// All of a few digits, with and without a fraction.
std::vector<std::string> texts() {
  auto all = std::vector<std::string>{};
  for (auto sign : {"", "-"})
    for (auto whole = 0; whole < 130; ++whole)
      for (auto fraction :
           {"", ".0", ".05", ".1", ".25", ".5", ".50", ".75", ".999"})
        all.push_back(sign + std::to_string(whole) + fraction);
  return all;
}

} // namespace

BOOST_AUTO_TEST_SUITE(schema_number_text)

BOOST_AUTO_TEST_CASE(decimals_have_an_order) {
  auto less = [](const char* a, const char* b) {
    return decimal::parse(a) < decimal::parse(b);
  };
  BOOST_TEST(less("-2", "-1.5"));
  BOOST_TEST(less("-1", "0"));
  BOOST_TEST(less("9", "10"));
  BOOST_TEST(less("1.05", "1.5"));
  BOOST_TEST(!less("1.50", "1.5"));
  BOOST_TEST((decimal::parse("-0.0") == decimal::parse("0")));
  BOOST_TEST(decimal::of(0.1)->text() == "0.1");
  BOOST_TEST(decimal::of(-2.50)->text() == "-2.5");
  BOOST_TEST(!decimal::of(1e300).has_value());
  BOOST_TEST(!decimal::of(std::nan("")).has_value());
}

BOOST_AUTO_TEST_CASE(texts_are_those_of_numbers_within_the_bounds) {
  using maybe = std::optional<number_bound>;
  auto bounds = std::vector<maybe>{{},
                                   bound("0"),
                                   bound("0", true),
                                   bound("-1"),
                                   bound("7"),
                                   bound("12", true),
                                   bound("-25"),
                                   bound("-25", true),
                                   bound("0.5"),
                                   bound("-0.25", true),
                                   bound("99.75"),
                                   bound("100"),
                                   bound("120.05", true)};
  for (auto& low : bounds)
    for (auto& high : bounds)
      for (auto divisor : {"", "1", "3", "0.25", "0.05"})
        for (auto integer : {false, true}) {
          auto s = number_shape{integer, low, high, {}, {}};
          if (*divisor)
            s.divisors.push_back(decimal::parse(divisor));
          if (s.free())
            continue;
          auto meter = work_meter{};
          auto dfa = number_texts(s, meter);
          BOOST_REQUIRE(dfa);
          for (auto& text : texts()) {
            auto d = decimal::parse(text);
            // Integers are written without a point, zero without a minus, and
            // multiples with no more digits than their divisor has.
            auto point = std::min(text.find('.'), text.size() - 1);
            auto digits = text.size() - 1 - point;
            auto writes = (!integer || digits == 0)
                          && (!d.is_zero() || text[0] != '-')
                          && (s.divisors.empty()
                              || digits <= s.divisors[0].fraction.size());
            if (dfa->accepts(text) != (writes && s.holds(d)))
              BOOST_ERROR("low " << (low ? low->value.text() : "-") << " high "
                                 << (high ? high->value.text() : "-")
                                 << " divisor " << divisor << ": " << text);
          }
        }
}

BOOST_AUTO_TEST_CASE(no_text_rounds_beyond_a_bound) {
  auto meter = work_meter{};
  auto s = number_shape{};
  s.high = bound("0.1", true);
  auto dfa = *number_texts(s, meter);
  BOOST_TEST(dfa.accepts("0.099999"));
  BOOST_TEST(!dfa.accepts("0.09999999999999999999999"));
  s.high = bound("12345678.123456789");
  BOOST_TEST(!number_texts(s, meter));
}

BOOST_AUTO_TEST_SUITE_END()
