// Moves a request from node to node while it generates: whoever reads its
// tokens sees no difference.
#include <troupe/embedding.hpp>

#include <iostream>

int main(int argc, char** argv) {
  auto options = troupe::runtime_options{};
  options.model = argc > 1 ? argv[1] : "models/troupe-demo.gguf";
  options.nodes.mixed.resize(2);
  auto rt = troupe::runtime::open(std::move(options));
  if (!rt) {
    std::cerr << rt.failure().message << "\n";
    return 1;
  }
  auto request = troupe::text_request(*rt, "Once upon a time");
  request.max_tokens = 400;
  request.ignore_end = true;
  request.sampling.seed = 7;
  auto expected = troupe::generate(*rt, request);

  auto stream = rt->submit(request);
  if (!stream || !expected)
    return 1;
  auto tokens = std::vector<troupe::token_id>{};
  auto moves = 0;
  while (auto event = stream->next()) {
    auto* t = std::get_if<troupe::token_event>(&*event);
    if (!t)
      break;
    tokens.insert(tokens.end(), t->tokens.begin(), t->tokens.end());
    // One of the two has it, and says so if it is asked to take it.
    if (moves < 2)
      for (auto node : {1u, 2u})
        if (auto m = rt->migrate(stream->id(), node)) {
          ++moves;
          break;
        }
  }
  std::cout << tokens.size() << " tokens, moved " << moves << " times\n";
  auto same = tokens == expected->tokens;
  std::cout << (same ? "the same as without\n" : "NOT the same as without\n");
  return same && moves > 0 ? 0 : 1;
}
