#pragma once

#include <functional>
#include <string>

#include <boost/test/unit_test.hpp>

#include "tests/support/core/model_refusal.hpp"
#include "tests/support/core/tiny_model.hpp"

namespace troupe::testing {

/// The tiny model, once spoiled, is refused with just these words.
inline void check_refused(const std::function<void(gguf_writer&)>& spoil,
                          const std::string& reason,
                          errc code = errc::bad_file) {
  auto f = tiny_model_file();
  spoil(f);
  auto e = model_refusal(f);
  BOOST_TEST(to_string(e.code) == to_string(code));
  BOOST_TEST(e.message == "bad.gguf: " + reason);
}

} // namespace troupe::testing
