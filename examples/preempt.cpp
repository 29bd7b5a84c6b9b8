// More requests than there is memory for: those with the most to go are put
// aside, and go on later where they were.
#include <troupe/embedding.hpp>

#include <iostream>

namespace {

std::vector<std::vector<troupe::token_id>> ask_all(troupe::runtime& rt) {
  auto under_way = std::vector<troupe::generation>{};
  for (auto i = 0; i < 16; ++i) {
    auto r = troupe::text_request(rt, "Story " + std::to_string(i) + ".");
    r.max_tokens = 120;
    r.ignore_end = true;
    r.sampling.seed = static_cast<uint64_t>(i);
    if (auto g = rt.submit(std::move(r)))
      under_way.push_back(std::move(*g));
  }
  auto answers = std::vector<std::vector<troupe::token_id>>{};
  for (auto& g : under_way)
    answers.push_back(troupe::collect(g).tokens);
  return answers;
}

troupe::result<troupe::runtime> open(const char* model, uint32_t blocks) {
  auto options = troupe::runtime_options{};
  options.model = model;
  options.nodes.mixed.resize(1);
  options.nodes.mixed[0].blocks = blocks; // 0: as many as are wanted
  return troupe::runtime::open(std::move(options));
}

} // namespace

int main(int argc, char** argv) {
  auto* model = argc > 1 ? argv[1] : "models/troupe-demo.gguf";
  auto roomy = open(model, 0);
  auto tight = open(model, 32);
  if (!roomy || !tight) {
    std::cerr << (roomy ? tight : roomy).failure().message << "\n";
    return 1;
  }
  auto expected = ask_all(*roomy);
  auto answers = ask_all(*tight);

  auto status = tight->status();
  if (!status)
    return 1;
  auto& node = status->nodes.at(0);
  std::cout << answers.size() << " answers; preempted: "
            << (node.swaps + node.recomputes > 0 ? "yes" : "no") << "\n";
  auto same = answers == expected;
  std::cout << (same ? "the same as with room\n"
                     : "NOT the same as with room\n");
  return same ? 0 : 1;
}
