// The bundled model against PyTorch's float32 (tools/demo_model/README.md).

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <cmath>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>

#include "core/engine/engine.hpp"
#include "core/kv/block_pool.hpp"
#include "core/kv/page_table.hpp"
#include "core/model/gguf.hpp"
#include "core/model/model.hpp"
#include "core/tensor/quant.hpp"
#include "tests/support/core/gguf_writer.hpp"
#include "tests/support/core/temp_dir.hpp"

using namespace troupe;

namespace {

const std::string demo = TROUPE_SOURCE_DIR "/models/troupe-demo.gguf";

nlohmann::json references() {
  auto in =
      std::ifstream{TROUPE_SOURCE_DIR "/tests/data/demo_model/references.json"};
  return nlohmann::json::parse(in)["prompts"];
}

std::shared_ptr<const model> load(const std::string& path) {
  auto m = load_model(path);
  BOOST_REQUIRE_MESSAGE(m.ok(), (m.ok() ? "" : m.failure().message));
  return *m;
}

// The same weights, written as float32.
std::shared_ptr<const model> load_as_f32() {
  auto from = gguf_file::open(demo);
  BOOST_REQUIRE(from.ok());
  auto to = testing::gguf_writer{};
  auto append = [](testing::byte_vector& bytes, const void* p, size_t n) {
    auto* b = static_cast<const std::byte*>(p);
    bytes.insert(bytes.end(), b, b + n);
  };
  for (auto& e : from->metadata()) {
    auto entry = testing::gguf_writer::entry{};
    entry.key = e.key;
    entry.type = static_cast<uint32_t>(e.type);
    if (e.type == gguf_type::array) {
      auto element = static_cast<uint32_t>(e.element);
      append(entry.bytes, &element, sizeof(element));
      append(entry.bytes, &e.count, sizeof(e.count));
    }
    append(entry.bytes, e.bytes.data(), e.bytes.size());
    to.entries.push_back(std::move(entry));
  }
  for (auto& t : from->tensors()) {
    auto type = as_dtype(t.type);
    BOOST_REQUIRE(type.has_value());
    auto view = matrix_view{*type, static_cast<uint32_t>(t.rows()),
                            static_cast<uint32_t>(t.cols()), t.data.data()};
    auto values = std::vector<float>(t.values());
    for (uint32_t r = 0; r < view.rows; ++r)
      dequantize_row(*type, view.row(r), view.cols,
                     values.data() + size_t{r} * view.cols);
    auto tensor = testing::gguf_writer::tensor{};
    tensor.name = t.name;
    tensor.shape.assign(t.shape.begin(), t.shape.begin() + t.dims);
    append(tensor.data, values.data(), values.size() * sizeof(float));
    to.tensors.push_back(std::move(tensor));
  }
  auto dir = testing::temp_dir{};
  to.write(dir.file("f32.gguf"));
  return load(dir.file("f32.gguf"));
}

class runner {
public:
  runner(std::shared_ptr<const model> m, kv_dtype kv)
      : engine_(std::move(m), {2, 256}),
        pool_(make_block_arena(engine_.layout(kv)), 64) {}

  // Logits of all tokens: [tokens, vocab].
  std::span<const float> run(std::span<const token_id> ids) {
    BOOST_REQUIRE(table_.grow(pool_, table_.length()
                                         + static_cast<uint32_t>(ids.size())));
    auto row = batch_row{};
    row.table = &table_;
    row.tokens = ids;
    row.want_all_logits = true;
    auto logits = engine_.forward({&row, 1});
    BOOST_REQUIRE(logits.ok());
    return *logits;
  }

  void restart() { table_.clear(); }

private:
  engine engine_;
  block_pool pool_;
  page_table table_;
};

// The mean of -log p(id | ids before it), of logits [ids, vocab].
double mean_nll(std::span<const float> all, std::span<const token_id> ids,
                size_t vocab) {
  auto nll = 0.0;
  for (size_t t = 0; t + 1 < ids.size(); ++t) {
    auto row = all.subspan(t * vocab, vocab);
    auto sum = 0.0;
    for (auto x : row)
      sum += std::exp(double{x});
    nll += std::log(sum) - double{row[static_cast<size_t>(ids[t + 1])]};
  }
  return nll / static_cast<double>(ids.size() - 1);
}

// Largest difference of the last logits over all prompts.
double worst_difference(runner& r, size_t vocab, double& worst_nll) {
  auto worst = 0.0;
  worst_nll = 0;
  for (auto& p : references()) {
    r.restart();
    auto ids = p["ids"].get<std::vector<token_id>>();
    auto all = r.run(ids);
    auto expected = p["last_logits"].get<std::vector<float>>();
    auto last = all.last(vocab);
    BOOST_REQUIRE(expected.size() == vocab);
    for (size_t i = 0; i < vocab; ++i)
      worst = std::max(worst, std::fabs(double{last[i]} - expected[i]));
    auto nll = mean_nll(all, ids, vocab);
    worst_nll =
        std::max(worst_nll, std::fabs(nll - p["mean_nll"].get<double>()));
  }
  return worst;
}

} // namespace

BOOST_AUTO_TEST_SUITE(demo_model)

BOOST_AUTO_TEST_CASE(q8_0_logits_are_close_to_pytorch) {
  auto m = load(demo);
  auto nll = 0.0;
  for (auto kv : {kv_dtype::f16, kv_dtype::f32}) {
    auto r = runner{m, kv};
    auto worst = worst_difference(r, m->params.vocab, nll);
    BOOST_TEST_MESSAGE("q8_0: logits " << worst << ", mean nll " << nll);
    BOOST_TEST(worst < 2e-2);
    BOOST_TEST(nll < 1e-3);
  }
}

BOOST_AUTO_TEST_CASE(keys_and_values_of_8_bits_cost_little) {
  auto m = load(demo);
  auto vocab = size_t{m->params.vocab};
  auto halves = runner{m, kv_dtype::f16};
  auto bytes = runner{m, kv_dtype::i8};
  for (auto& p : references()) {
    auto ids = p["ids"].get<std::vector<token_id>>();
    auto nll = [&](runner& r) {
      r.restart();
      return mean_nll(r.run(ids), ids, vocab);
    };
    auto want = nll(halves);
    auto got = nll(bytes);
    BOOST_TEST_MESSAGE("mean nll " << want << ", of i8 " << got);
    BOOST_TEST(std::fabs(got - want) < 0.01 * want);
    BOOST_TEST(got != want); // it is not quietly float16
  }
  auto off = 0.0;
  BOOST_TEST(worst_difference(bytes, vocab, off) < 0.2);
}

BOOST_AUTO_TEST_CASE(f32_logits_and_greedy_answers_are_those_of_pytorch) {
  auto m = load_as_f32();
  BOOST_REQUIRE((m->w.embedding.type == dtype::f32));
  auto r = runner{m, kv_dtype::f32};
  auto nll = 0.0;
  auto worst = worst_difference(r, m->params.vocab, nll);
  BOOST_TEST_MESSAGE("f32: logits " << worst << ", mean nll " << nll);
  BOOST_TEST(worst < 1e-3);
  BOOST_TEST(nll < 1e-4);
  auto prompts = references();
  BOOST_TEST(prompts.size() == 8u);
  for (auto& p : prompts) {
    r.restart();
    auto next = p["ids"].get<std::vector<token_id>>();
    auto expected = p["greedy"].get<std::vector<token_id>>();
    BOOST_REQUIRE(expected.size() == 64u);
    auto greedy = std::vector<token_id>{};
    while (greedy.size() < expected.size()) {
      auto last = r.run(next).last(m->params.vocab);
      greedy.push_back(static_cast<token_id>(
          std::max_element(last.begin(), last.end()) - last.begin()));
      next = {greedy.back()};
    }
    BOOST_TEST(greedy == expected, boost::test_tools::per_element());
  }
}

BOOST_AUTO_TEST_SUITE_END()
