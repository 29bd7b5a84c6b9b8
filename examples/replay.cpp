// Records the messages between actors, and lets them happen again: each actor
// sends what it sent then, byte for byte.
#include <troupe/embedding.hpp>
#include <troupe/replay.hpp>

#include <filesystem>
#include <iostream>

namespace {

int complain(const troupe::error& e) {
  std::cerr << e.message << "\n";
  return 1;
}

} // namespace

int main(int argc, char** argv) {
  auto folder = std::filesystem::path{argc > 2 ? argv[2] : "."};
  auto trace = (folder / "messages.trace").string();
  {
    auto options = troupe::runtime_options{};
    options.model = argc > 1 ? argv[1] : "models/troupe-demo.gguf";
    options.trace.emplace().file = trace;
    options.trace->payloads = true; // or there is nothing to play
    auto rt = troupe::runtime::open(std::move(options));
    if (!rt)
      return complain(rt.failure());
    auto request = troupe::text_request(*rt, "Once upon a time");
    request.max_tokens = 16;
    auto answer = troupe::generate(*rt, std::move(request));
    if (!answer)
      return complain(answer.failure());
  } // the trace is whole

  auto again = troupe::replay_file(trace);
  if (!again)
    return complain(again.failure());
  std::cout << again->actors << " actors, " << again->compared << " messages, "
            << again->tokens << " of them with tokens\n";
  if (!again->difference.empty()) {
    std::cout << "a difference: " << again->difference << "\n";
    return 1;
  }
  std::cout << "no difference\n";
  return again->tokens > 0 ? 0 : 1;
}
