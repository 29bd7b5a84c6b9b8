#include "core/api/embedding_answer.hpp"

#include <bit>

#include "core/api/json_text.hpp"

namespace troupe::api {

namespace {

static_assert(std::endian::native == std::endian::little,
              "numbers are written as they lie in memory");

std::string_view bytes_of(const std::vector<float>& vector) {
  return {reinterpret_cast<const char*>(vector.data()),
          vector.size() * sizeof(float)};
}

void append_vector(std::string& out, const std::vector<float>& vector,
                   bool base64) {
  if (base64) {
    out += '"';
    append_base64(out, bytes_of(vector));
    out += '"';
    return;
  }
  out += '[';
  for (size_t i = 0; i < vector.size(); ++i) {
    if (i > 0)
      out += ',';
    append_json_number(out, vector[i]);
  }
  out += ']';
}

} // namespace

void append_base64(std::string& out, std::string_view bytes) {
  constexpr auto digits = std::string_view{"ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                           "abcdefghijklmnopqrstuvwxyz"
                                           "0123456789+/"};
  out.reserve(out.size() + (bytes.size() + 2) / 3 * 4);
  for (size_t i = 0; i < bytes.size(); i += 3) {
    auto group = bytes.substr(i, 3);
    auto bits = uint32_t{0};
    for (size_t k = 0; k < 3; ++k)
      bits = bits << 8
             | (k < group.size() ? static_cast<unsigned char>(group[k]) : 0u);
    for (size_t k = 0; k < 4; ++k)
      out += k <= group.size() ? digits[bits >> (18 - 6 * k) & 63] : '=';
  }
}

std::string embedding_answer(std::span<const std::vector<float>> vectors,
                             bool base64, std::string_view model,
                             uint32_t prompt_tokens) {
  auto out = std::string{R"({"object":"list","data":[)"};
  for (size_t i = 0; i < vectors.size(); ++i) {
    out += i > 0 ? "," : "";
    out += R"({"object":"embedding","index":)" + std::to_string(i)
           + R"(,"embedding":)";
    append_vector(out, vectors[i], base64);
    out += '}';
  }
  out += R"(],"model":)";
  append_json_string(out, model);
  auto tokens = std::to_string(prompt_tokens);
  out += R"(,"usage":{"prompt_tokens":)" + tokens + R"(,"total_tokens":)"
         + tokens + "}}";
  return out;
}

} // namespace troupe::api
