#include "runtime/embedding.hpp"

#include <chrono>

#include "runtime/generation_impl.hpp"
#include "runtime/model_path.hpp"

namespace troupe {

namespace {

result<runtime> open(result<runtime_options> o) {
  if (!o)
    return o.failure();
  if (o->model.empty())
    o->model = default_model();
  return runtime::open(std::move(*o));
}

} // namespace

result<runtime> open_config(const std::string& path) {
  return open(read_config(path));
}

result<runtime> open_json(const std::string& text) {
  return open(parse_config(text, "configuration"));
}

generate_request text_request(const runtime& rt, std::string_view text) {
  auto r = generate_request{};
  r.prompt = rt.text().encode(text, {.add_special = true});
  return r;
}

result<generate_request> chat_request(const runtime& rt,
                                      std::span<const chat_message> turns) {
  auto now = std::chrono::floor<std::chrono::seconds>(
      std::chrono::system_clock::now());
  auto prompt = encode_chat(rt.text(), turns, now);
  if (!prompt)
    return prompt.failure();
  auto r = generate_request{};
  r.prompt = std::move(*prompt);
  return r;
}

result<generate_request> chat_request(const runtime& rt, std::string message) {
  auto turn = chat_message{"user", std::move(message)};
  return chat_request(rt, std::span{&turn, 1});
}

result<completion> generate(runtime& rt, generate_request request) {
  return generate(rt, std::move(request), nullptr);
}

result<completion>
generate(runtime& rt, generate_request request,
         const std::function<bool(const token_event&)>& on_token) {
  auto g = rt.submit(std::move(request), in_between::little);
  if (!g)
    return g.failure();
  auto all = completion{};
  auto wanted = on_token != nullptr;
  while (auto e = g->next()) {
    if (auto* t = std::get_if<token_event>(&*e); t && wanted) {
      wanted = on_token(*t);
      if (!wanted)
        g->cancel();
    }
    add(all, std::move(*e));
  }
  if (all.end.reason == finish_reason::error)
    return fail(all.end.code, all.end.message);
  return all;
}

finish_event ended_by(error why) {
  auto end = finish_event{};
  end.reason = finish_reason::error;
  end.code = why.code;
  end.message = std::move(why.message);
  return end;
}

} // namespace troupe
