#include <algorithm>

#include "actors/gateway.hpp"
#include "core/serving/request_check.hpp"

namespace troupe {

namespace {

// What makes texts of errors stays out of what each request runs.
[[gnu::cold, gnu::noinline]] error too_large(const char* what, size_t bytes,
                                             size_t most) {
  return fail(errc::invalid_argument,
              what + std::to_string(bytes) + " bytes; at most "
                  + std::to_string(most) + " are allowed");
}

request_bounds bounds_of(const gateway_options& o) {
  return {o.vocab, o.context, o.max_stop_strings, o.max_stop_bytes};
}

template <class Request>
result<void> check_names(const Request& r) {
  for (auto* name : {&r.organisation, &r.key, &r.model, &r.session})
    if (name->size() > max_name_bytes)
      return too_large("an organisation, key, model or session whose name has ",
                       name->size(), max_name_bytes);
  return {};
}

// Whether the form is one, its session finds out.
result<void> check_form(const generate_request& r, const gateway_options& o) {
  if (r.form.is_free())
    return {};
  if (r.embed || r.ignore_end || o.end_tokens.empty())
    return fail(errc::invalid_argument,
                "an answer of a form has to be able to end: it cannot go on "
                "past end tokens");
  if (!r.stop.empty())
    return fail(errc::invalid_argument,
                "an answer of a form ends where the form does: it takes no "
                "stop strings");
  if (!o.text)
    return fail(errc::unsupported,
                "an answer of a form needs a tokenizer; this gateway has none");
  return {};
}

} // namespace

// -- admission ----------------------------------------------------------------

result<sequence_spec> gateway_state::admit(generate_request& r) {
  auto& o = opts_;
  auto bounds = bounds_of(o);
  if (auto ok = check_prompt(r.prompt, r.embed, bounds); !ok)
    return ok.failure();
  if (auto ok = validate(r.sampling, o.vocab); !ok)
    return ok.failure();
  if (auto ok = check_stops(r.stop, bounds); !ok)
    return ok.failure();
  if (!r.stop.empty() && !o.text)
    return fail(errc::unsupported,
                "stop strings need a tokenizer; this gateway has none");
  if (r.cache_salt.size() > max_salt_bytes)
    return too_large("a cache salt of ", r.cache_salt.size(), max_salt_bytes);
  if (auto ok = check_names(r); !ok)
    return ok.failure();
  if (auto ok = check_form(r, o); !ok)
    return ok.failure();
  if (auto ok = check_room(r.request); !ok)
    return ok.failure();
  if (r.request == 0)
    r.request = unused_id();
  auto spec = sequence_spec{};
  spec.request = r.request;
  spec.seq = next_seq_++;
  spec.prompt = r.prompt;
  spec.sampling = r.sampling;
  spec.priority = r.priority;
  spec.cache_salt = r.cache_salt;
  spec.embed = r.embed;
  spec.form = r.form;
  if (r.embed)
    return spec;
  auto room = o.context - static_cast<uint32_t>(r.prompt.size());
  spec.max_tokens = r.max_tokens == 0 ? room : std::min(r.max_tokens, room);
  if (!r.ignore_end)
    spec.end_tokens = o.end_tokens;
  return spec;
}

result<request_id> gateway_state::admit(embed_request& r) {
  if (auto ok =
          check_inputs(r.inputs, r.max_inputs, r.max_tokens, bounds_of(opts_));
      !ok)
    return ok.failure();
  if (auto ok = check_names(r); !ok)
    return ok.failure();
  if (auto ok = check_room(r.request); !ok)
    return ok.failure();
  if (r.request == 0)
    r.request = unused_id();
  return std::exchange(next_input_, next_input_ + r.inputs.size());
}

result<void> gateway_state::check_room(request_id wanted) const {
  auto n = sessions_.size() + embedders_.size();
  if (n >= opts_.max_sessions)
    return fail(errc::overloaded, std::to_string(n)
                                      + " requests are under way, as many as "
                                        "this gateway allows");
  if (knows(wanted))
    return fail(errc::invalid_argument,
                "request " + std::to_string(wanted) + " is under way already");
  return {};
}

request_id gateway_state::unused_id() {
  auto id = next_id_++;
  while (knows(id)) // a client's own number after all
    id = next_id_++;
  return id;
}

// -- sessions -----------------------------------------------------------------

void gateway_state::started(request_id id, session_actor session,
                            client_actor client) {
  by_address_.emplace(session.address(), id);
  sessions_.emplace(id, entry{std::move(session), std::move(client)});
}

void gateway_state::started(request_id id, embedder_actor embedder,
                            embed_client_actor client) {
  by_address_.emplace(embedder.address(), id);
  embedders_.emplace(id, embed_entry{std::move(embedder), std::move(client)});
}

const session_actor* gateway_state::find(request_id id) const {
  auto i = sessions_.find(id);
  return i != sessions_.end() ? &i->second.session : nullptr;
}

const embedder_actor* gateway_state::find_embedder(request_id id) const {
  auto i = embedders_.find(id);
  return i != embedders_.end() ? &i->second.embedder : nullptr;
}

void gateway_state::done(request_id id) {
  if (auto i = sessions_.find(id); i != sessions_.end()) {
    by_address_.erase(i->second.session.address());
    sessions_.erase(i);
  } else if (auto e = embedders_.find(id); e != embedders_.end()) {
    by_address_.erase(e->second.embedder.address());
    embedders_.erase(e);
  }
}

std::optional<gateway_state::orphan>
gateway_state::died(const caf::actor_addr& peer) {
  auto i = by_address_.find(peer);
  if (i == by_address_.end())
    return std::nullopt;
  auto o = orphan{i->second, {}, {}};
  if (auto s = sessions_.find(o.request); s != sessions_.end())
    o.client = s->second.client;
  else
    o.embed_client = embedders_.at(o.request).client;
  done(o.request);
  return o;
}

} // namespace troupe
