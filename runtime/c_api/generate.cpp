#include <cstring>
#include <optional>

#include "runtime/c_api/handles.hpp"

namespace troupe::c_api {

namespace {

troupe_params defaults() {
  auto s = sampling_params{};
  auto p = troupe_params{};
  p.struct_size = sizeof(troupe_params);
  p.seed = s.seed;
  p.temperature = s.temperature;
  p.top_p = s.top_p;
  p.min_p = s.min_p;
  p.repetition_penalty = s.repetition_penalty;
  p.top_k = s.top_k;
  return p;
}

// What the caller's version of the struct has, and defaults for the rest.
std::optional<troupe_params> params_of(const troupe_params* from) {
  auto p = defaults();
  if (!from)
    return p;
  if (from->struct_size < sizeof(uint32_t) || from->struct_size > 4096)
    return {};
  std::memcpy(&p, from,
              std::min<size_t>(from->struct_size, sizeof(troupe_params)));
  return p;
}

generate_request request_of(const troupe_params& p, const int32_t* prompt,
                            size_t size) {
  auto r = generate_request{};
  r.prompt.assign(prompt, prompt + size);
  r.max_tokens = p.max_tokens;
  r.ignore_end = p.ignore_end != 0;
  r.sampling.seed = p.seed;
  r.sampling.temperature = p.temperature;
  r.sampling.top_k = p.top_k;
  r.sampling.top_p = p.top_p;
  r.sampling.min_p = p.min_p;
  r.sampling.repetition_penalty = p.repetition_penalty;
  if (p.stop)
    r.stop.emplace_back(p.stop);
  if (p.json_schema)
    r.form = {answer_form::kind::json_schema, p.json_schema};
  return r;
}

// Tells the caller what comes, while he wants to hear it.
finish_event follow(generation& g, troupe_on_tokens on_tokens, void* user) {
  auto tell = [&](const std::vector<token_id>& ids, const std::string& text) {
    if (!on_tokens || (ids.empty() && text.empty()))
      return;
    if (on_tokens(user, ids.data(), ids.size(), text.data(), text.size())
        != 0) {
      on_tokens = nullptr;
      g.cancel();
    }
  };
  auto end = finish_event{};
  while (auto e = g.next()) {
    if (auto* t = std::get_if<token_event>(&*e))
      tell(t->tokens, t->text);
    else
      end = std::move(std::get<finish_event>(*e));
  }
  tell({}, end.text);
  return end;
}

} // namespace

} // namespace troupe::c_api

using namespace troupe;
using namespace troupe::c_api;

void troupe_params_init(troupe_params* params, size_t size) {
  if (!params || size < sizeof(uint32_t))
    return;
  auto p = defaults();
  p.struct_size = static_cast<uint32_t>(std::min(size, sizeof(p)));
  std::memcpy(static_cast<void*>(params), &p, p.struct_size);
}

int32_t troupe_generate(troupe_runtime* rt, const int32_t* prompt, size_t size,
                        const troupe_params* params, troupe_on_tokens on_tokens,
                        void* user, troupe_cancellation* cancellation,
                        troupe_answer* answer) {
  if (answer)
    *answer = {};
  if (!rt || !prompt)
    return complain(errc::invalid_argument, rt ? "no prompt" : "no runtime");
  auto p = params_of(params);
  if (!p)
    return complain(errc::invalid_argument,
                    "parameters that troupe_params_init has not seen");
  return guarded([&] {
    auto under_way = call{*rt};
    auto g =
        rt->runtime.submit(request_of(*p, prompt, size), in_between::little);
    if (!g)
      return complain(g.failure());
    auto by_close = listed{&rt->under_way, *g};
    auto by_caller = listed{cancellation ? &cancellation->of : nullptr, *g};
    auto end = follow(*g, on_tokens, user);
    if (end.reason == finish_reason::error)
      return complain(end.code, end.message);
    if (answer) {
      answer->finish = static_cast<uint32_t>(end.reason);
      answer->prompt_tokens = end.prompt_tokens;
      answer->completion_tokens = end.completion_tokens;
      answer->cached_tokens = end.cached_tokens;
    }
    return int32_t{TROUPE_OK};
  });
}
