#include <algorithm>

#include "actors/gateway.hpp"

namespace troupe {

namespace {

result<void> check_tokens(const std::vector<token_id>& ids, uint32_t vocab,
                          const std::string& where) {
  for (size_t i = 0; i < ids.size(); ++i)
    if (ids[i] < 0 || static_cast<uint32_t>(ids[i]) >= vocab)
      return fail(errc::invalid_argument,
                  "token " + std::to_string(i) + " of " + where + " is "
                      + std::to_string(ids[i]) + "; the vocabulary has "
                      + std::to_string(vocab) + " tokens");
  return {};
}

template <class Request>
result<void> check_names(const Request& r) {
  for (auto* name : {&r.organisation, &r.key, &r.model, &r.session})
    if (name->size() > max_name_bytes)
      return fail(errc::invalid_argument,
                  "an organisation, key, model or session whose name has "
                      + std::to_string(name->size()) + " bytes; at most "
                      + std::to_string(max_name_bytes) + " are allowed");
  return {};
}

} // namespace

// -- admission ----------------------------------------------------------------

result<sequence_spec> gateway_state::admit(generate_request& r) {
  auto& o = opts_;
  if (r.prompt.empty())
    return fail(errc::invalid_argument, "the prompt is empty");
  auto length = r.prompt.size();
  if (length > o.context || (length == o.context && !r.embed))
    return fail(errc::context_exceeded,
                "the prompt has " + std::to_string(length)
                    + " tokens; the context holds " + std::to_string(o.context)
                    + (r.embed ? "" : ", the answer included"));
  if (auto ok = check_tokens(r.prompt, o.vocab, "the prompt"); !ok)
    return ok.failure();
  if (auto ok = validate(r.sampling, o.vocab); !ok)
    return ok.failure();
  if (r.stop.size() > o.max_stop_strings)
    return fail(errc::invalid_argument,
                std::to_string(r.stop.size()) + " stop strings; at most "
                    + std::to_string(o.max_stop_strings) + " are allowed");
  for (auto& s : r.stop)
    if (s.empty() || s.size() > o.max_stop_bytes)
      return fail(errc::invalid_argument,
                  "a stop string has " + std::to_string(s.size())
                      + " bytes; 1 to " + std::to_string(o.max_stop_bytes)
                      + " are allowed");
  if (!r.stop.empty() && !o.text)
    return fail(errc::unsupported,
                "stop strings need a tokenizer; this gateway has none");
  if (r.cache_salt.size() > max_salt_bytes)
    return fail(errc::invalid_argument,
                "a cache salt of " + std::to_string(r.cache_salt.size())
                    + " bytes; at most " + std::to_string(max_salt_bytes)
                    + " are allowed");
  if (auto ok = check_names(r); !ok)
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
  if (r.embed)
    return spec;
  auto room = o.context - static_cast<uint32_t>(length);
  spec.max_tokens = r.max_tokens == 0 ? room : std::min(r.max_tokens, room);
  if (!r.ignore_end)
    spec.end_tokens = o.end_tokens;
  return spec;
}

result<request_id> gateway_state::admit(embed_request& r) {
  auto& o = opts_;
  if (r.inputs.empty() || r.inputs.size() > r.max_inputs)
    return fail(errc::invalid_argument,
                std::to_string(r.inputs.size()) + " inputs; 1 to "
                    + std::to_string(r.max_inputs) + " are allowed");
  if (auto n = r.tokens(); n > r.max_tokens)
    return fail(errc::invalid_argument, "the inputs have " + std::to_string(n)
                                            + " tokens together; at most "
                                            + std::to_string(r.max_tokens)
                                            + " are allowed");
  for (size_t i = 0; i < r.inputs.size(); ++i) {
    auto& input = r.inputs[i];
    auto which = "input " + std::to_string(i);
    if (input.empty())
      return fail(errc::invalid_argument, which + " is empty");
    if (input.size() > o.context)
      return fail(errc::context_exceeded, which + " has "
                                              + std::to_string(input.size())
                                              + " tokens; the context holds "
                                              + std::to_string(o.context));
    if (auto ok = check_tokens(input, o.vocab, which); !ok)
      return ok.failure();
  }
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
