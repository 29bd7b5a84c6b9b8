#include "core/text/chat_template.hpp"

#include <algorithm>
#include <array>

#include "core/text/jinja/render.hpp"
#include "core/text/utf8.hpp"

namespace troupe {

namespace {

using chat = std::span<const chat_message>;

// Markers of turns that some models know as tokens and others as text; others
// look like "<|user|>".
constexpr auto known_markers = std::array<std::string_view, 6>{
    "[INST]",   "[/INST]",         "<<SYS>>",
    "<</SYS>>", "<start_of_turn>", "<end_of_turn>"};
constexpr auto most_markers = size_t{64};
constexpr auto most_marker_bytes = size_t{40};

void find_enclosed(std::string_view source, std::string_view left,
                   std::string_view right,
                   std::vector<std::string_view>& found) {
  for (auto at = source.find(left); at != source.npos;
       at = source.find(left, at + 1)) {
    auto end = source.substr(at, most_marker_bytes).find(right, left.size());
    if (end == source.npos)
      continue;
    auto marker = source.substr(at, end + right.size());
    if (found.size() < most_markers
        && std::find(found.begin(), found.end(), marker) == found.end())
      found.push_back(marker);
  }
}

std::vector<std::string_view> find_markers(std::string_view source) {
  auto found = std::vector<std::string_view>{};
  for (auto marker : known_markers)
    if (source.find(marker) != source.npos)
      found.push_back(marker);
  find_enclosed(source, "<|", "|>", found);
  find_enclosed(source, "<｜", "｜>", found);
  return found;
}

// Whoever writes a marker that is ordinary text would speak in another's name.
result<void> check_contents(const tokenizer& text, chat turns) {
  for (auto marker : find_markers(text.vocab().chat_template)) {
    if (auto id = text.find(marker); id && text.is_control(*id))
      continue;
    for (auto& turn : turns)
      if (turn.content.find(marker) != std::string::npos)
        return fail(errc::invalid_argument,
                    "a message holds " + quoted(marker)
                        + ", which marks a turn in this model's chat format");
  }
  return {};
}

result<void> check_turns(chat turns) {
  if (turns.empty())
    return fail(errc::invalid_argument, "the conversation is empty");
  for (auto& turn : turns)
    if (turn.role != "system" && turn.role != "user"
        && turn.role != "assistant")
      return fail(errc::invalid_argument,
                  "unknown role " + quoted(turn.role)
                      + "; roles are \"system\", \"user\" and \"assistant\"");
  return {};
}

jinja::variables make_variables(const vocabulary& v, chat turns) {
  auto word = [](std::string_view w) {
    return jinja::value{jinja::text{w, true}};
  };
  // What callers give is not part of what a template may spend.
  auto c = jinja::context{{INT64_MAX, INT64_MAX, 1}};
  auto messages = std::vector<jinja::value>{};
  // Of roles there are only three, so they are as good as the template's text.
  for (auto& turn : turns)
    messages.push_back(
        make_dict(c, {{word("role"), word(turn.role)},
                      {word("content"), jinja::text{turn.content, false}}}));
  auto all = jinja::variables{{"messages", make_list(c, std::move(messages))},
                              {"add_generation_prompt", true},
                              {"tools", jinja::none{}},
                              {"documents", jinja::none{}}};
  struct special {
    const char* name;
    token_id id;
  };
  for (auto [name, id] :
       {special{"bos_token", v.bos}, special{"eos_token", v.eos},
        special{"unk_token", v.unk}, special{"pad_token", v.pad}})
    if (id >= 0)
      all.emplace_back(name, word(v.tokens[static_cast<size_t>(id)]));
  return all;
}

// Long conversations may cost more.
jinja::bounds bounds_of(chat turns) {
  auto b = jinja::bounds{};
  for (auto& turn : turns) {
    auto size = static_cast<int64_t>(turn.content.size());
    b.bytes += 64 * size;
    b.steps += size + 1000;
  }
  return b;
}

std::vector<token_id> encode_plain(const tokenizer& text, chat turns) {
  auto all = std::string{};
  for (auto& turn : turns) {
    if (&turn != &turns.front())
      all += "\n\n";
    all += turn.content;
  }
  return text.encode(all);
}

std::vector<token_id> encode_rendered(const tokenizer& text,
                                      const jinja::text& rendered) {
  auto trusted = std::vector<text_range>{};
  for (auto [begin, end] : rendered.trusted_runs())
    trusted.push_back({begin, end});
  return text.encode(rendered.bytes(), trusted);
}

} // namespace

result<std::vector<token_id>>
encode_chat(const tokenizer& text, chat turns,
            std::optional<std::chrono::sys_seconds> now) {
  if (auto good = check_turns(turns); !good)
    return good.failure();
  auto& parsed = text.chat_template();
  if (!parsed)
    return parsed.failure();
  auto& v = text.vocab();
  auto ids = std::vector<token_id>{};
  if (!*parsed) {
    ids = encode_plain(text, turns);
  } else {
    if (auto good = check_contents(text, turns); !good)
      return good.failure();
    auto rendered = jinja::render(**parsed, make_variables(v, turns), now,
                                  bounds_of(turns));
    if (!rendered)
      return rendered.failure();
    ids = encode_rendered(text, *rendered);
  }
  // Most templates that want one write it themselves.
  if (v.add_bos && (ids.empty() || ids.front() != v.bos))
    ids.insert(ids.begin(), v.bos);
  return ids;
}

} // namespace troupe
