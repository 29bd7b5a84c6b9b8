#include "core/model/model.hpp"

#include <filesystem>

#include <boost/test/unit_test.hpp>

#include "core/model/gguf.hpp"

#include "tests/support/core/tiny_model.hpp"

using namespace troupe;
using namespace troupe::testing;

BOOST_AUTO_TEST_SUITE(model_file)

BOOST_AUTO_TEST_CASE(a_tiny_model_loads_and_outlives_its_file) {
  auto m = tiny_model();
  BOOST_TEST(m->params.vocab == tiny_vocab_size);
  BOOST_TEST(m->w.layers.size() == 2u);
  BOOST_TEST(m->vocab.tokens[tiny_im_end] == "<|im_end|>");
  BOOST_TEST(m->digest.size() == 32u);
  BOOST_TEST(!std::filesystem::exists(m->file->path()));
}

BOOST_AUTO_TEST_SUITE_END()
