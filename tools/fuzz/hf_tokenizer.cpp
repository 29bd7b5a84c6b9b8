// Fuzzes the reading of Hugging Face tokenizers: tokenizer.json,
// tokenizer.model and tokenizer_config.json.
//
// Input: a byte that chooses which of the first two there is, and whether
// there is the third; the rows of the embedding, two bytes; then the files,
// with a line of one \x01 between them.

#include <cstdlib>
#include <iostream>

#include "core/text/hf_vocabulary.hpp"
#include "core/text/tokenizer.hpp"

using namespace troupe;

namespace {

void require(bool holds, const char* what) {
  if (!holds) {
    std::cerr << "violated: " << what << "\n";
    std::abort();
  }
}

void check(const tokenizer& t, std::string_view text) {
  for (auto special : {false, true})
    for (auto id :
         t.encode(text, {.add_special = special, .parse_special = special})) {
      require(id >= 0 && static_cast<uint32_t>(id) < t.size(), "ids in range");
      require(special || !t.is_control(id),
              "text never becomes a control token");
    }
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 3)
    return 0;
  auto which = data[0];
  auto rows = uint32_t{data[1]} << 8 | data[2];
  auto rest =
      std::string_view{reinterpret_cast<const char*>(data) + 3, size - 3};
  auto cut = rest.find("\n\x01\n");
  auto files = hf_files{};
  (which & 1 ? files.tokenizer_model : files.tokenizer_json) =
      std::string{rest.substr(0, cut)};
  if (cut != rest.npos) {
    auto second = std::string{rest.substr(cut + 3)};
    (which & 2 ? files.generation_config : files.tokenizer_config) = second;
    if (which & 4)
      files.added_tokens = second;
  }
  auto v = parse_hf_vocabulary(files, rows);
  if (!v) {
    require(v.failure().message.find('\n') == std::string::npos,
            "errors are one line");
    return 0;
  }
  require(rows == 0 || v->tokens.size() == rows, "a token a row");
  auto made = tokenizer::make(*std::move(v));
  if (!made)
    return 0;
  check(**made, "Hello  w\u00F6rld 123\n\t<|end|> </s> \u4F60\xFF's");
  check(**made, rest.substr(0, 200));
  return 0;
}
