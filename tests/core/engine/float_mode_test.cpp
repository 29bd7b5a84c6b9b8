// What a host has done to its floating-point numbers changes nothing.

#include <boost/test/unit_test.hpp>

#include <xmmintrin.h>

#include "core/base/float_mode.hpp"
#include "core/engine/mean_pool.hpp"
#include "core/sampling/fused_sampler.hpp"
#include "tests/core/engine/engine_fixture.hpp"
#include "tests/support/core/tiny_model.hpp"

using namespace troupe;
using namespace troupe::test;

namespace {

// Rounds down, takes denormals for zero and flushes them: threads that are
// made meanwhile begin with it.
class odd_floats {
public:
  odd_floats() { _mm_setcsr(before_ | 0x2000 | 0x8000 | 0x0040); }
  ~odd_floats() { _mm_setcsr(before_); }

private:
  unsigned before_ = _mm_getcsr();
};

float third() {
  volatile auto one = 1.f;
  volatile auto three = 3.f;
  return one / three;
}

struct outcome {
  floats logits;
  floats unit;
  std::vector<token_id> tokens;
};

outcome compute(const std::shared_ptr<const model>& m, uint32_t threads,
                activation_type a) {
  auto o = outcome{};
  auto e = engine{m, {threads, 64, nullptr, a}};
  auto ids = text(4, 43, m->params.vocab);
  o.logits = alone(e, kv_dtype::f16, ids);
  auto vocab = size_t{m->params.vocab};
  auto pool = mean_pool{};
  auto whole = o.logits.size() / vocab * vocab;
  pool.add(std::span{o.logits}.first(whole), vocab);
  auto unit = unit_vector(pool.mean(), 0);
  BOOST_REQUIRE(unit.ok());
  o.unit = *unit;
  auto sampler = fused_sampler{};
  auto params = sampling_params{};
  params.temperature = 0.9f;
  params.top_p = 0.8f;
  for (auto i = size_t{0}; i < ids.size(); ++i) {
    auto token = sampler.sample(std::span{o.logits}.subspan(i * vocab, vocab),
                                ids, {}, i, params);
    BOOST_REQUIRE(token.ok());
    o.tokens.push_back(token->id);
  }
  return o;
}

} // namespace

BOOST_AUTO_TEST_SUITE(float_modes)

BOOST_AUTO_TEST_CASE(a_host_that_rounds_otherwise_gets_the_same_tokens) {
  for (auto a : all_activations) {
    auto q = testing::tiny_model_options{};
    q.type = a == activation_type::f32 ? dtype::f32 : dtype::q8_0;
    auto m = testing::tiny_model(q);
    auto want = compute(m, 1, a);
    for (auto threads : {1u, 3u}) {
      auto odd = odd_floats{};
      auto got = compute(m, threads, a);
      BOOST_TEST(same_bits(got.logits, want.logits));
      BOOST_TEST(same_bits(got.unit, want.unit));
      BOOST_TEST(got.tokens == want.tokens);
    }
  }
}

BOOST_AUTO_TEST_CASE(and_keeps_its_own_way) {
  auto nearest = third();
  auto odd = odd_floats{};
  auto down = third();
  BOOST_TEST(down < nearest);
  {
    auto floats = float_mode{};
    BOOST_TEST(third() == nearest);
  }
  BOOST_TEST(third() == down);
}

BOOST_AUTO_TEST_SUITE_END()
