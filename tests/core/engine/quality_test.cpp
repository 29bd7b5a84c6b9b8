// What rounding costs: the mean negative log likelihood that the bundled model
// gives to text of the kind it was trained on (tests/data/quality/README.md).

#include <boost/test/unit_test.hpp>
#include <cmath>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "core/engine/engine.hpp"
#include "core/kv/block_pool.hpp"
#include "core/kv/page_table.hpp"
#include "core/model/gguf.hpp"
#include "core/model/model.hpp"
#include "core/model/requantize.hpp"
#include "core/text/tokenizer.hpp"

using namespace troupe;

namespace {

using model_ptr = std::shared_ptr<const model>;

const std::string demo = TROUPE_SOURCE_DIR "/models/troupe-demo.gguf";

model_ptr load_demo() {
  auto m = load_model(demo);
  BOOST_REQUIRE_MESSAGE(m.ok(), (m.ok() ? "" : m.failure().message));
  return *m;
}

// The demo model in another encoding; `bytes` must outlive it.
model_ptr demo_as(dtype t, std::vector<std::byte>& bytes) {
  auto from = gguf_file::open(demo);
  BOOST_REQUIRE(from.ok());
  auto plan = plan_requantize(*from, {t});
  BOOST_REQUIRE_MESSAGE(plan.ok(), (plan.ok() ? "" : plan.failure().message));
  bytes = plan->header;
  bytes.resize(plan->bytes);
  for (auto& tensor : plan->tensors)
    for (auto i = uint64_t{0}; i < pieces_of(tensor); ++i) {
      auto range = range_of_piece(tensor, i);
      auto out =
          std::span{bytes}.subspan(tensor.offset + range.offset, range.bytes);
      BOOST_REQUIRE(requantize_piece(*from, tensor, i, out).ok());
    }
  auto file = gguf_file::parse(bytes, "requantised");
  BOOST_REQUIRE(file.ok());
  auto m = read_model(std::make_shared<const gguf_file>(*std::move(file)));
  BOOST_REQUIRE_MESSAGE(m.ok(), (m.ok() ? "" : m.failure().message));
  return *m;
}

// The documents of the text, as tokens.
std::vector<std::vector<token_id>> documents(const model& m) {
  auto in = std::ifstream{TROUPE_SOURCE_DIR "/tests/data/quality/text.txt"};
  auto text = std::string{std::istreambuf_iterator<char>{in}, {}};
  auto tokens = tokenizer::make(m.vocab);
  BOOST_REQUIRE(tokens.ok());
  auto all = std::vector<std::vector<token_id>>{};
  constexpr auto mark = std::string_view{"<|endoftext|>"};
  for (auto from = size_t{0}; from < text.size();) {
    auto end = text.find(mark, from);
    BOOST_REQUIRE(end != text.npos);
    end += mark.size();
    all.push_back(
        (*tokens)->encode(text.substr(from, end - from), {false, true}));
    from = end;
  }
  return all;
}

double mean_nll(model_ptr m, activation_type activations) {
  auto vocab = size_t{m->params.vocab};
  auto e = engine{m, {2, 512, nullptr, activations}};
  auto pool = block_pool{make_block_arena(e.layout(kv_dtype::f16)), 64};
  auto sum = 0.0;
  auto n = 0;
  for (auto& ids : documents(*m)) {
    auto table = page_table{};
    BOOST_REQUIRE(table.grow(pool, static_cast<uint32_t>(ids.size())));
    auto row = batch_row{};
    row.table = &table;
    row.tokens = ids;
    row.want_all_logits = true;
    auto logits = e.forward({&row, 1});
    BOOST_REQUIRE(logits.ok());
    for (auto t = size_t{1}; t < ids.size(); ++t, ++n) {
      auto of_token = logits->subspan((t - 1) * vocab, vocab);
      auto total = 0.0;
      for (auto x : of_token)
        total += std::exp(double{x});
      sum += std::log(total) - double{of_token[static_cast<size_t>(ids[t])]};
    }
  }
  BOOST_TEST(n > 1000);
  return sum / n;
}

double relative(double a, double b) {
  return std::fabs(a - b) / b;
}

constexpr auto f32 = activation_type::f32;
constexpr auto i16 = activation_type::i16;
constexpr auto i8 = activation_type::i8;

} // namespace

BOOST_AUTO_TEST_SUITE(engine_quality)

BOOST_AUTO_TEST_CASE(rounded_activations_cost_next_to_nothing) {
  auto m = load_demo();
  auto exact = mean_nll(m, f32);
  auto of_i16 = mean_nll(m, i16);
  auto of_i8 = mean_nll(m, i8);
  BOOST_TEST_MESSAGE("q8_0: " << exact << ", i16 " << of_i16 << ", i8 "
                              << of_i8);
  // The model is any good: chance would be log 4096 = 8.3.
  BOOST_TEST(exact < 1.5);
  BOOST_TEST(relative(of_i16, exact) < 2e-4);
  BOOST_TEST(relative(of_i8, exact) < 2e-3);
}

BOOST_AUTO_TEST_CASE(fewer_bits_of_weights_cost_little) {
  auto exact = mean_nll(load_demo(), f32);
  struct limit {
    dtype type;
    double of_f32;
  };
  for (auto l : {limit{dtype::q6_k, 0.005}, limit{dtype::q4_k, 0.02}}) {
    auto bytes = std::vector<std::byte>{};
    auto m = demo_as(l.type, bytes);
    BOOST_REQUIRE((m->w.layers[0].wq.type == l.type));
    auto of_f32 = mean_nll(m, f32);
    auto of_i16 = mean_nll(m, i16);
    auto of_i8 = mean_nll(m, i8);
    BOOST_TEST_MESSAGE(to_string(l.type) << ": f32 " << of_f32 << ", i16 "
                                         << of_i16 << ", i8 " << of_i8);
    BOOST_TEST(relative(of_f32, exact) < l.of_f32);
    BOOST_TEST(relative(of_i16, of_f32) < 2e-4);
    BOOST_TEST(relative(of_i8, of_f32) < 2e-3);
  }
}

BOOST_AUTO_TEST_SUITE_END()
