#include <troupe/embedding.hpp>
#include <troupe/runtime.hpp>

#include <iostream>

int main(int, char** argv) {
  auto options = troupe::runtime_options{};
  options.model = argv[1];
  auto rt = troupe::runtime::open(options);
  if (!rt) {
    std::cerr << to_string(rt.failure()) << "\n";
    return 1;
  }
  auto request = troupe::text_request(*rt, "Once upon a time");
  request.max_tokens = 8;
  request.ignore_end = true;
  auto answer = troupe::generate(*rt, request);
  if (!answer)
    return 1;
  std::cout << answer->tokens.size() << " tokens\n";
}
