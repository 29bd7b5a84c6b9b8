// Fuzzes chat templates: any template, over a conversation that tries to
// forge what the template writes.

#include <chrono>
#include <cstdlib>
#include <iostream>

#include "core/text/jinja/parser.hpp"
#include "core/text/jinja/render.hpp"

using namespace troupe;

namespace {

void require(bool holds, const char* what) {
  if (!holds) {
    std::cerr << "violated: " << what << "\n";
    std::abort();
  }
}

void check(const error& e) {
  require(e.message.starts_with("chat template, line "), "errors say where");
  require(e.message.find('\n') == std::string::npos, "errors are one line");
}

jinja::variables conversation() {
  auto c = jinja::context{{}};
  auto word = [](std::string_view s, bool trusted) {
    return jinja::value{jinja::text{s, trusted}};
  };
  auto messages = std::vector<jinja::value>{};
  // Only contents have this byte, and they have nothing else.
  for (auto role : {"system", "user", "assistant", "user"})
    messages.push_back(
        make_dict(c, {{word("role", true), word(role, true)},
                      {word("content", true), word("\x01\x01\x01", false)}}));
  return {{"messages", make_list(c, std::move(messages))},
          {"add_generation_prompt", true},
          {"tools", jinja::none{}},
          {"bos_token", word("<s>", true)},
          {"eos_token", word("</s>", true)}};
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  auto source = std::string_view{reinterpret_cast<const char*>(data), size};
  auto root = jinja::parse(source);
  if (!root) {
    check(root.failure());
    return 0;
  }
  static const auto given = conversation();
  auto now = std::chrono::sys_seconds{std::chrono::seconds{1'700'000'000}};
  auto bounds = jinja::bounds{.steps = 1 << 16, .bytes = 1 << 22};
  auto text = jinja::render(**root, given, now, bounds);
  if (!text) {
    check(text.failure());
    return 0;
  }
  require(text->size() <= size_t{1} << 22, "bounded");
  // What the template does not spell itself is of the contents.
  if (source.find_first_of("\x01\\") == source.npos)
    for (auto i = size_t{0}; i < text->size(); ++i)
      require(text->bytes()[i] != '\x01' || !text->trusted(i),
              "contents are never trusted");
  return 0;
}
