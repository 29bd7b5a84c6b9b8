#include "core/text/chat_template.hpp"

#include <algorithm>
#include <array>
#include <unicode/uchar.h>

#include "core/text/utf8.hpp"

namespace troupe {

namespace {

constexpr auto chatml_markers =
    std::array<std::string_view, 2>{"<|im_start|>", "<|im_end|>"};
constexpr auto llama3_markers = std::array<std::string_view, 3>{
    "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"};
// Ordinary text, unlike the others.
constexpr auto llama2_markers =
    std::array<std::string_view, 4>{"[INST]", "[/INST]", "<<SYS>>", "<</SYS>>"};

bool holds(std::string_view text, std::string_view part) {
  return text.find(part) != text.npos;
}

bool holds_all(std::string_view text, std::span<const std::string_view> parts) {
  return std::all_of(parts.begin(), parts.end(),
                     [&](auto part) { return holds(text, part); });
}

// What Python's str.isspace, and so Jinja's trim, holds to be white space.
bool is_space(char32_t code) {
  return (code >= 0x1C && code <= 0x1F)
         || u_isUWhiteSpace(static_cast<UChar32>(code));
}

std::string_view strip(std::string_view text) {
  auto begin = text.size(), end = size_t{0};
  for (auto i = size_t{0}; i < text.size();) {
    auto step = step_utf8(text, i);
    if (step.state != utf8_state::whole || !is_space(step.code)) {
      begin = std::min(begin, i);
      end = i + step.size;
    }
    i += step.size;
  }
  return begin < end ? text.substr(begin, end - begin) : std::string_view{};
}

// Text and control tokens, put one after another. Text between two control
// tokens is encoded as a whole, since words may span a template's text and a
// content.
class writer {
public:
  explicit writer(const tokenizer& text) : text_(text) {}

  void text(std::string_view more) { pending_ += more; }

  void control(token_id id) {
    flush();
    ids_.push_back(id);
  }

  // Where a vocabulary asks for one before every text, or the template does.
  void optional_bos() {
    auto& v = text_.vocab();
    if (v.add_bos || (v.bos >= 0 && holds(v.chat_template, "bos_token")))
      control(v.bos);
  }

  std::vector<token_id> finish() {
    flush();
    return std::move(ids_);
  }

private:
  void flush() {
    auto more = text_.encode(pending_);
    ids_.insert(ids_.end(), more.begin(), more.end());
    pending_.clear();
  }

  const tokenizer& text_;
  std::string pending_;
  std::vector<token_id> ids_;
};

error lacks(std::string_view name) {
  return fail(errc::unsupported, "the chat template uses " + quoted(name)
                                     + ", which is no control token of the "
                                       "vocabulary");
}

// The ids of a format's control tokens.
template <size_t N>
result<std::array<token_id, N>>
find_markers(const tokenizer& text,
             const std::array<std::string_view, N>& names) {
  auto ids = std::array<token_id, N>{};
  for (auto i = size_t{0}; i < N; ++i) {
    auto id = text.find(names[i]);
    if (!id || !text.is_control(*id))
      return lacks(names[i]);
    ids[i] = *id;
  }
  return ids;
}

using chat = std::span<const chat_message>;

result<std::vector<token_id>> encode_chatml(const tokenizer& text, chat turns) {
  auto markers = find_markers(text, chatml_markers);
  if (!markers)
    return markers.failure();
  auto [start, end] = *markers;
  auto out = writer{text};
  out.optional_bos();
  for (auto& turn : turns) {
    out.control(start);
    out.text(turn.role + "\n" + turn.content);
    out.control(end);
    out.text("\n");
  }
  out.control(start);
  out.text("assistant\n");
  return out.finish();
}

result<std::vector<token_id>> encode_llama3(const tokenizer& text, chat turns) {
  auto markers = find_markers(text, llama3_markers);
  if (!markers)
    return markers.failure();
  auto [start, end, turn_end] = *markers;
  auto out = writer{text};
  if (text.vocab().bos >= 0)
    out.control(text.vocab().bos);
  auto head = [&, start = start, end = end](std::string_view role) {
    out.control(start);
    out.text(role);
    out.control(end);
    out.text("\n\n");
  };
  for (auto& turn : turns) {
    head(turn.role);
    out.text(strip(turn.content));
    out.control(turn_end);
  }
  head("assistant");
  return out.finish();
}

result<std::vector<token_id>> encode_llama2(const tokenizer& text, chat turns) {
  auto bos = text.vocab().bos, eos = text.vocab().eos;
  if (bos < 0 || eos < 0)
    return fail(errc::unsupported,
                "the Llama-2 chat template needs a bos and an eos token");
  // Whoever writes a marker would speak in another's name.
  for (auto& turn : turns)
    for (auto marker : llama2_markers)
      if (holds(turn.content, marker))
        return fail(errc::invalid_argument,
                    "a message holds " + quoted(marker)
                        + ", which marks a turn in this model's chat format");
  auto system = std::string{};
  if (turns.front().role == "system") {
    system = "<<SYS>>\n" + turns.front().content + "\n<</SYS>>\n\n";
    turns = turns.subspan(1);
  }
  for (auto i = size_t{0}; i < turns.size(); ++i)
    if (turns[i].role != (i % 2 == 0 ? "user" : "assistant"))
      return fail(errc::invalid_argument,
                  "this model's chat format needs turns of user and assistant "
                  "to alternate, after at most one system message");
  if (turns.size() % 2 == 0)
    return fail(errc::invalid_argument,
                "this model's chat format needs a user message at the end");
  auto out = writer{text};
  for (auto& turn : turns) {
    if (turn.role == "user") {
      out.control(bos);
      out.text("[INST] ");
      out.text(strip(system + turn.content));
      out.text(" [/INST]");
      system.clear();
    } else {
      out.text(" ");
      out.text(strip(turn.content));
      out.text(" ");
      out.control(eos);
    }
  }
  return out.finish();
}

std::vector<token_id> encode_plain(const tokenizer& text, chat turns) {
  auto out = writer{text};
  out.optional_bos();
  for (auto i = size_t{0}; i < turns.size(); ++i) {
    if (i > 0)
      out.text("\n\n");
    out.text(turns[i].content);
  }
  return out.finish();
}

} // namespace

std::string_view to_string(chat_format format) {
  switch (format) {
  case chat_format::chatml:
    return "chatml";
  case chat_format::llama2:
    return "llama2";
  case chat_format::llama3:
    return "llama3";
  case chat_format::plain:
    break;
  }
  return "plain";
}

result<chat_format> detect_chat_format(const vocabulary& vocab) {
  auto source = std::string_view{vocab.chat_template};
  if (source.empty())
    return chat_format::plain;
  auto is_control = [&](std::string_view name) {
    auto at = std::find(vocab.tokens.begin(), vocab.tokens.end(), name);
    auto i = static_cast<size_t>(at - vocab.tokens.begin());
    return at != vocab.tokens.end()
           && (i >= vocab.kinds.size()
               || vocab.kinds[i] == token_kind::control);
  };
  // Phi-4 has the markers of ChatML, and another one between role and content.
  auto chatml =
      holds_all(source, chatml_markers) && !holds(source, "<|im_sep|>");
  auto llama3 = holds_all(source, llama3_markers);
  auto llama2 = holds_all(source, llama2_markers);
  if (chatml + llama3 + llama2 != 1)
    return fail(errc::unsupported, "chat template " + quoted(source)
                                       + " is none of ChatML, Llama-2 and "
                                         "Llama-3");
  if (llama2) {
    // Later models made tokens of them.
    for (auto name : llama2_markers)
      if (is_control(name))
        return fail(errc::unsupported, "chat template " + quoted(source)
                                           + " with " + quoted(name)
                                           + " as a control token");
    return chat_format::llama2;
  }
  auto markers = chatml ? std::span<const std::string_view>{chatml_markers}
                        : std::span<const std::string_view>{llama3_markers};
  for (auto name : markers)
    if (!is_control(name))
      return lacks(name);
  return chatml ? chat_format::chatml : chat_format::llama3;
}

result<std::vector<token_id>> encode_chat(const tokenizer& text,
                                          chat_format format,
                                          std::span<const chat_message> turns) {
  if (turns.empty())
    return fail(errc::invalid_argument, "the conversation is empty");
  for (auto& turn : turns)
    if (turn.role != "system" && turn.role != "user"
        && turn.role != "assistant")
      return fail(errc::invalid_argument,
                  "unknown role " + quoted(turn.role)
                      + "; roles are \"system\", \"user\" and \"assistant\"");
  switch (format) {
  case chat_format::chatml:
    return encode_chatml(text, turns);
  case chat_format::llama2:
    return encode_llama2(text, turns);
  case chat_format::llama3:
    return encode_llama3(text, turns);
  case chat_format::plain:
    break;
  }
  return encode_plain(text, turns);
}

} // namespace troupe
