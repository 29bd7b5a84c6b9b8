// A program with threads of its own, which share one runtime: each waits for
// its answer, and all of them run in the same batches.
#include <troupe/embedding.hpp>

#include <iostream>
#include <thread>
#include <vector>

namespace {

const std::string questions[] = {"What is 12 + 30?", "What is 347 + 285?",
                                 "List four animals.", "Say hello."};

std::vector<troupe::token_id> ask(troupe::runtime& rt,
                                  const std::string& question) {
  auto request = troupe::chat_request(rt, question);
  if (!request)
    return {};
  request->sampling.temperature = 0.8f;
  request->sampling.seed = 7;
  request->max_tokens = 48;
  auto answer = troupe::generate(rt, std::move(*request));
  return answer ? answer->tokens : std::vector<troupe::token_id>{};
}

} // namespace

int main(int argc, char** argv) {
  auto options = troupe::runtime_options{};
  options.model = argc > 1 ? argv[1] : "models/troupe-demo.gguf";
  // Whoever is still waiting when the runtime goes may wait so long.
  options.drain_within = std::chrono::seconds{10};
  auto rt = troupe::runtime::open(std::move(options));
  if (!rt) {
    std::cerr << rt.failure().message << "\n";
    return 1;
  }
  auto alone = std::vector<std::vector<troupe::token_id>>{};
  for (auto& q : questions)
    alone.push_back(ask(*rt, q));

  auto together = std::vector<std::vector<troupe::token_id>>(alone.size());
  auto threads = std::vector<std::jthread>{};
  for (size_t i = 0; i < alone.size(); ++i)
    threads.emplace_back([&, i] { together[i] = ask(*rt, questions[i]); });
  threads.clear(); // joins them

  auto tokens = size_t{0};
  for (auto& a : alone)
    tokens += a.size();
  std::cout << alone.size() << " threads, " << tokens << " tokens\n";
  auto same = tokens > 0 && alone == together;
  std::cout << (same ? "the same as alone\n" : "NOT the same as alone\n");
  return same ? 0 : 1;
}
