// Answers requests of a tiny model, some of them within a function that tools
// know by its name: see order.py.

#include <cstdio>
#include <utility>

#include "runtime/embedding.hpp"
#include "tests/support/core/temp_dir.hpp"
#include "tests/support/core/tiny_model.hpp"

using namespace troupe;

namespace {

bool answer(runtime& rt) {
  auto r = generate_request{};
  for (auto id = token_id{3}; id < 19; ++id)
    r.prompt.push_back(id);
  r.max_tokens = 4;
  r.ignore_end = true;
  auto seen = 0;
  auto c = generate(rt, std::move(r), [&](const token_event&) {
    ++seen;
    return true;
  });
  return c && seen == 4;
}

} // namespace

extern "C" [[gnu::noinline]] bool observed_request(runtime* rt) {
  return answer(*rt);
}

int main() {
  auto dir = testing::temp_dir{};
  auto o = runtime_options{};
  o.model = dir.file("tiny.gguf");
  testing::write_tiny_model(o.model);
  o.threads = 1;
  auto rt = runtime::open(o);
  if (!rt) {
    std::fprintf(stderr, "%s\n", rt.failure().message.c_str());
    return 1;
  }
  // What is done once, and never again, is done by the first ones.
  for (auto i = 0; i < 3; ++i)
    if (!answer(*rt))
      return 1;
  for (auto i = 0; i < 3; ++i)
    if (!observed_request(&*rt))
      return 1;
}
