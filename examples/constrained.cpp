// An answer that is valid by a JSON Schema, whatever the model would rather
// say.
#include <troupe/embedding.hpp>

#include <iostream>

constexpr auto schema = R"({
  "type": "object",
  "properties": {
    "name": {"enum": ["fox", "dragon", "owl"]},
    "age": {"type": "integer", "minimum": 1, "maximum": 99},
    "brave": {"type": "boolean"}
  },
  "required": ["name", "age", "brave"],
  "additionalProperties": false
})";

int main(int argc, char** argv) {
  auto options = troupe::runtime_options{};
  options.model = argc > 1 ? argv[1] : "models/troupe-demo.gguf";
  auto rt = troupe::runtime::open(std::move(options));
  if (!rt) {
    std::cerr << rt.failure().message << "\n";
    return 1;
  }
  auto request = troupe::chat_request(*rt, "Tell me about an animal.");
  if (!request)
    return 1;
  request->form = {troupe::answer_form::kind::json_schema, schema};
  request->sampling.seed = 7;
  auto answer = troupe::generate(*rt, *request);
  if (!answer) {
    std::cerr << answer.failure().message << "\n";
    return 1;
  }
  std::cout << answer->text << "\n";

  // What cannot be kept to is refused, by name.
  request->form.text = R"({"type": "no such type"})";
  auto refused = troupe::generate(*rt, *request);
  if (refused)
    return 1;
  std::cout << "refused: " << refused.failure().message << "\n";
}
