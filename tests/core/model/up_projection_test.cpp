#include "core/model/up_projection.hpp"

#include <boost/test/unit_test.hpp>

#include "core/tensor/quant.hpp"
#include "tests/support/core/floats.hpp"

using namespace troupe;
using namespace troupe::testing;

BOOST_AUTO_TEST_SUITE(model_up_projection)

BOOST_AUTO_TEST_CASE(the_split_keeps_every_value) {
  auto p = hparams{};
  p.heads = 3;
  p.head_dim = 11;
  p.rope_dim = 4;
  p.value_dim = 5;
  p.mla.kv_rank = 32;
  for (auto t : {dtype::f32, dtype::f16, dtype::bf16, dtype::q8_0, dtype::q4_0})
    BOOST_TEST_CONTEXT(to_string(t)) {
      auto kv_b = matrix_view{t, 3 * (7 + 5), 32, nullptr};
      auto bytes = std::vector<std::byte>(kv_b.rows * kv_b.row_bytes());
      kv_b.data = bytes.data();
      auto values = floats{};
      for (auto r = 0u; r < kv_b.rows; ++r) {
        auto row = random_floats(r, 32);
        quantize_row(t, row.data(), 32, bytes.data() + r * kv_b.row_bytes());
        dequantize_row(t, kv_b.row(r), 32, row.data());
        values.insert(values.end(), row.begin(), row.end());
      }
      auto w = model_weights{};
      auto layer = layer_weights{};
      split_up_projection(p, kv_b, w, layer);
      BOOST_REQUIRE(layer.wk_b.size() == 3u);
      BOOST_REQUIRE(layer.wv_b.size() == 3u);
      for (auto h = 0u; h < 3; ++h) {
        auto& k = layer.wk_b[h];
        auto& v = layer.wv_b[h];
        BOOST_TEST((k.type == (block_values(t) == 1 ? t : dtype::f32)));
        BOOST_TEST((k.rows == 32 && k.cols == 7));
        BOOST_TEST((v.type == t && v.rows == 5 && v.cols == 32));
        BOOST_TEST(v.data == kv_b.row(h * 12 + 7));
        for (auto r = 0u; r < 32; ++r) {
          auto row = floats(7);
          dequantize_row(k.type, k.row(r), 7, row.data());
          for (auto d = 0u; d < 7; ++d)
            BOOST_TEST(row[d] == values[(h * 12 + d) * 32 + r]);
        }
      }
    }
}

BOOST_AUTO_TEST_SUITE_END()
