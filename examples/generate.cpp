// Answers a question, and shows the tokens as they come.
#include <troupe/embedding.hpp>

#include <iostream>

int main(int argc, char** argv) {
  auto options = troupe::runtime_options{};
  options.model = argc > 1 ? argv[1] : "models/troupe-demo.gguf";
  auto rt = troupe::runtime::open(std::move(options));
  if (!rt) {
    std::cerr << rt.failure().message << "\n";
    return 1;
  }
  auto request = troupe::chat_request(*rt, "What is 347 + 285?");
  if (!request) {
    std::cerr << request.failure().message << "\n";
    return 1;
  }
  request->sampling.temperature = 0;
  request->max_tokens = 64;

  // Waits for the end; the function hears of each step until then.
  auto answer =
      troupe::generate(*rt, *request, [](const troupe::token_event& e) {
        std::cout << e.text << std::flush;
        return true; // false cancels the request
      });
  if (!answer) {
    std::cerr << answer.failure().message << "\n";
    return 1;
  }
  std::cout << answer->end.text << "\n"
            << answer->end.completion_tokens << " tokens\n";

  // The same as a loop over events. Leaving the loop cancels the request.
  auto text = std::string{};
  for (auto& event : troupe::events(*rt, *request))
    if (auto* t = std::get_if<troupe::token_event>(&event))
      text += t->text;
    else
      text += std::get<troupe::finish_event>(event).text;
  std::cout << (text == answer->text ? "the same again\n" : "another one\n");
}
