#include "core/serving/response_cache_guard.hpp"

#include <boost/test/unit_test.hpp>

#include <string>
#include <vector>

#include "core/base/random.hpp"

using namespace troupe;

namespace {

struct pair {
  const char* a;
  const char* b;
};

} // namespace

BOOST_AUTO_TEST_SUITE(response_cache_guard)

BOOST_AUTO_TEST_CASE(other_words_may_mean_the_same) {
  for (auto [a, b] : std::vector<pair>{
           {"", ""},
           {"How do I boil an egg?", "how do i boil an egg"},
           {"What is the capital of France?", "Tell me the capital of France"},
           {"Is 1,000.5 much?", "is 1000.5 a lot?"},
           {"I don't like rain.", "I do not enjoy rain"},
           {"I don\xe2\x80\x99t like rain.", "I don't like rain"},
           {"Who was Marie Curie", "tell me who Marie Curie was"}}) {
    BOOST_TEST(may_mean_the_same(a, b), a << " / " << b);
    BOOST_TEST(may_mean_the_same(b, a));
  }
}

BOOST_AUTO_TEST_CASE(negations_numbers_names_and_order) {
  for (auto [a, b] : std::vector<pair>{
           {"Is it safe to eat?", "Is it not safe to eat?"},
           {"Is it safe?", "Isn't it safe?"},
           {"Is it safe?", "Isn\xe2\x80\x99t it safe?"},
           {"tea with sugar", "tea without sugar"},
           {"always do it", "never do it"},
           {"What is 347 + 285?", "What is 347 + 286?"},
           {"What is 347 - 285?", "What is 285 - 347?"},
           {"What is 5 degrees", "What is -5 degrees"},
           {"pi to 3 digits", "pi to 3.5 digits"},
           {"the top 10", "the top ten"},
           {"gpt2 against llama", "gpt3 against llama"},
           {"Does Alice owe Bob?", "Does Bob owe Alice?"},
           {"does alice owe bob", "does bob owe alice"},
           {"dollars to euros", "euros to dollars"},
           {"Who is the mother of Alice?", "Who is the mother of Carol?"},
           {"Alice sings.", "Carol sings."},
           {"from Paris to Rome", "from Rome to Paris"}}) {
    BOOST_TEST(!may_mean_the_same(a, b), a << " / " << b);
    BOOST_TEST(!may_mean_the_same(b, a));
  }
}

BOOST_AUTO_TEST_CASE(any_bytes_are_compared) {
  for (auto n = uint64_t{0}; n < 3000; ++n) {
    auto text = std::string{};
    for (auto i = 0u; i < n % 40; ++i)
      text += "aA1 -.,'n\xe2\x80\x99\xff\n\0"[random_bits(n, i) % 14];
    BOOST_REQUIRE(may_mean_the_same(text, text));
  }
}

BOOST_AUTO_TEST_SUITE_END()
