#pragma once

#include <functional>
#include <span>
#include <string>
#include <string_view>

#include "core/base/generator.hpp"
#include "core/text/chat_template.hpp"
#include "runtime/config.hpp"
#include "runtime/runtime.hpp"

namespace troupe {

// What most hosts do with a runtime, in a call (docs/embedding.md).

/// Opens a runtime that is configured by a JSON file; docs/config.md has the
/// keys. Errors: as `read_config` and `runtime::open`.
result<runtime> open_config(const std::string& path);
/// The same, of the JSON itself.
result<runtime> open_json(const std::string& text);

/// A request that goes on with a text.
generate_request text_request(const runtime& rt, std::string_view text);

/// A request that answers the last turn of a conversation. Errors: as
/// `encode_chat`.
result<generate_request> chat_request(const runtime& rt,
                                      std::span<const chat_message> turns);
/// The same, of one message from a user.
result<generate_request> chat_request(const runtime& rt, std::string message);

/// Waits until the request has ended. What was cancelled has its tokens until
/// then. Errors: as `runtime::submit`, and whatever else it ended in.
result<completion> generate(runtime& rt, generate_request request);

/// The same, while `on_token` is called with the tokens of each step, by the
/// calling thread; if it returns false the request is cancelled. An exception
/// of its own cancels the request, too, and is passed on.
result<completion>
generate(runtime& rt, generate_request request,
         const std::function<bool(const token_event&)>& on_token);

/// How a request ends that could not begin.
finish_event ended_by(error why);

#ifdef __cpp_impl_coroutine

/// The events of a request, for a loop that waits for each; the finish_event
/// comes last, also of a request that is refused. Leaving the loop cancels the
/// request. The runtime must stay where it is meanwhile.
inline generator<generation::event> events(runtime& rt,
                                           generate_request request) {
  auto g = rt.submit(std::move(request), in_between::little);
  if (!g) {
    co_yield generation::event{ended_by(g.failure())};
    co_return;
  }
  while (auto e = g->next())
    co_yield *e;
}

#endif

} // namespace troupe
