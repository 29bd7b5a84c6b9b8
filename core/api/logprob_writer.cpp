#include <algorithm>

#include "core/api/json_text.hpp"
#include "core/api/openai_answer.hpp"

namespace troupe::api {

namespace {

std::string piece_of(const tokenizer& text, token_id id) {
  auto piece = std::string{};
  text.append_piece(id, piece, true);
  return piece;
}

// {"token":…, "logprob":…, "bytes":[…]: the caller closes it.
void open_token(std::string& out, const std::string& piece, float logprob) {
  out += R"({"token":)";
  append_json_string(out, piece);
  out += R"(,"logprob":)";
  append_json_number(out, logprob);
  out += R"(,"bytes":[)";
  for (size_t i = 0; i < piece.size(); ++i) {
    if (i > 0)
      out += ',';
    out += std::to_string(static_cast<unsigned char>(piece[i]));
  }
  out += ']';
}

size_t characters(const std::string& piece) {
  return static_cast<size_t>(
      std::count_if(piece.begin(), piece.end(), [](char c) {
        return (static_cast<unsigned char>(c) & 0xc0) != 0x80;
      }));
}

} // namespace

std::string logprob_writer::write(std::span<const sampled> tokens) {
  return kind_ == answer_kind::chat ? write_chat(tokens)
                                    : write_completion(tokens);
}

std::string logprob_writer::write_chat(std::span<const sampled> tokens) const {
  auto out = std::string{R"({"content":[)"};
  for (auto& t : tokens) {
    if (&t != tokens.data())
      out += ',';
    open_token(out, piece_of(text_, t.id), t.logprob);
    out += R"(,"top_logprobs":[)";
    for (auto& top : t.top) {
      if (&top != t.top.data())
        out += ',';
      open_token(out, piece_of(text_, top.id), top.logprob);
      out += '}';
    }
    out += "]}";
  }
  out += R"(],"refusal":null})";
  return out;
}

std::string logprob_writer::write_completion(std::span<const sampled> tokens) {
  auto texts = std::string{};
  auto values = std::string{};
  auto tops = std::string{};
  auto offsets = std::string{};
  for (auto& t : tokens) {
    auto comma = &t != tokens.data() ? "," : "";
    auto piece = piece_of(text_, t.id);
    append_json_string(texts += comma, piece);
    append_json_number(values += comma, t.logprob);
    offsets += comma + std::to_string(offset_);
    offset_ += characters(piece);
    tops += comma;
    tops += '{';
    for (auto& top : t.top) {
      if (&top != t.top.data())
        tops += ',';
      append_json_string(tops, piece_of(text_, top.id));
      append_json_number(tops += ':', top.logprob);
    }
    tops += '}';
  }
  return R"({"tokens":[)" + texts + R"(],"token_logprobs":[)" + values
         + R"(],"top_logprobs":[)" + tops + R"(],"text_offset":[)" + offsets
         + "]}";
}

} // namespace troupe::api
