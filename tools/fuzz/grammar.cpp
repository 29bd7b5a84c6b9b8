// Compiles any bytes as a grammar, the first of them saying of which kind, and
// walks through what it allows: whatever it is, a mask holds a token, exactly
// those that it holds are accepted, and what is taken back is forgotten.

#include <cstdlib>
#include <iostream>
#include <string>

#include "core/constrain/token_matcher.hpp"

using namespace troupe;
using namespace troupe::constrain;

namespace {

constexpr auto end_token = token_id{0};

void require(bool holds, const char* what) {
  if (!holds) {
    std::cerr << "violated: " << what << "\n";
    std::abort();
  }
}

// All bytes, and some tokens that JSON and text run together.
std::shared_ptr<const token_vocabulary> vocabulary() {
  static auto v = [] {
    auto pieces = std::vector<std::string>{"</s>"};
    for (auto b = 0; b < 256; ++b)
      pieces.emplace_back(1, static_cast<char>(b));
    for (auto text :
         {"\":",      "\",\"",    "\"}",   "},{", "[\"",     "ab",   "abc",
          " a",       "\\n",      "\\u00", "00",  "123",     "true", "null",
          "\xe4\xb8", "\xc3\xa4", "\"a\"", "]]",  "{\"a\":", "  "})
      pieces.emplace_back(text);
    return *token_vocabulary::make(pieces, {end_token});
  }();
  return v;
}

bool is_set(const std::vector<uint64_t>& words, size_t id) {
  return (words[id / 64] >> (id % 64) & 1) != 0;
}

void walk(token_matcher& m, const uint8_t* bytes, size_t size) {
  auto mask = std::vector<uint64_t>(m.vocabulary().words());
  auto again = mask;
  for (auto n = size_t{0}; n < 24 && !m.finished(); ++n) {
    m.mask(mask);
    auto held = std::vector<token_id>{};
    for (auto id = size_t{0}; id < m.vocabulary().size(); ++id) {
      auto token = static_cast<token_id>(id);
      require(is_set(mask, id) == m.allows(token),
              "a mask holds what is allowed");
      if (is_set(mask, id))
        held.push_back(token);
    }
    require(!held.empty(), "a mask holds a token");
    require(is_set(mask, end_token) == m.complete(), "an end comes at the end");
    auto pick = held[(size > 0 ? bytes[n % size] + n : n) % held.size()];
    require(m.accept(pick), "what a mask holds is accepted");
    if (n % 3 == 2) {
      require(m.rollback(1), "one is taken back");
      m.mask(again);
      require(mask == again, "what is taken back is forgotten");
      require(m.accept(pick), "and accepted again");
    }
  }
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0 || size > 4096)
    return 0;
  auto spec = grammar_spec{};
  spec.kind = static_cast<grammar_kind>(data[0] & 3);
  spec.schema.most_space = data[0] >> 2 & 1;
  spec.schema.open_objects = (data[0] >> 3 & 1) != 0;
  spec.text.assign(reinterpret_cast<const char*>(data) + 1, size - 1);
  auto made = compile_grammar(spec, {.steps = 200'000, .bytes = 8 << 20});
  if (!made) {
    require(!made.failure().message.empty(), "a refusal says why");
    return 0;
  }
  auto a = token_automaton::make(*made, vocabulary());
  require(a.ok(), "all bytes are tokens");
  auto m = token_matcher{*a};
  walk(m, data, size);
  return 0;
}
