#pragma once

#include <boost/test/unit_test.hpp>
#include <memory>
#include <string>
#include <vector>

#include "core/text/tokenizer.hpp"

namespace troupe::test {

using token_ids = std::vector<token_id>;
using strings = std::vector<std::string>;

/// The tokenizer of a vocabulary that is known to be good.
inline std::shared_ptr<const tokenizer> make_tokenizer(vocabulary v) {
  auto made = tokenizer::make(std::move(v));
  if (!made)
    BOOST_FAIL(to_string(made.failure()));
  return *made;
}

/// What each token stands for.
inline strings pieces(const tokenizer& t, const token_ids& ids) {
  auto out = strings{};
  for (auto id : ids)
    t.append_piece(id, out.emplace_back(), true);
  return out;
}

inline strings pieces(const tokenizer& t, std::string_view text,
                      encode_options o = {}) {
  return pieces(t, t.encode(text, o));
}

/// For BOOST_TEST_CONTEXT and the like.
inline std::string message(const auto& r) {
  return r.ok() ? std::string{} : to_string(r.failure());
}

} // namespace troupe::test
