#include "actors/gateway.hpp"

#include <caf/all.hpp>

#include "actors/births.hpp"
#include "actors/error.hpp"
#include "actors/owed_reply.hpp"

namespace troupe {

namespace {

using gateway_pointer = actor_pointer<gateway_actor, gateway_state>;

// Requests that get no session, of either kind.
template <class Request>
caf::error refuse(gateway_pointer self, const Request& r, const error& why) {
  if (auto& to = self->state.options().session.audit) {
    auto now = time_point{self->clock().now()};
    auto who = audit::subject{audit_time_of(now, to->unix_offset), r.request,
                              r.organisation, r.key};
    self->send(to->log, audit_note{audit::refused(who, to_string(why.code),
                                                  why.message)});
  }
  return to_caf(why);
}

caf::result<admitted> accept(gateway_pointer self, submit& m) {
  if (!m.client)
    return to_caf({errc::invalid_argument, "a request without a client"});
  auto& state = self->state;
  auto spec = state.admit(m.request);
  if (!spec)
    return refuse(self, m.request, spec.failure());
  auto id = m.request.request;
  // The answer leaves before the session exists, so that whoever asked knows
  // the number before the first event.
  auto promise = self->make_response_promise<admitted>();
  promise.deliver(admitted{id});
  auto& o = state.options();
  auto s = self->spawn<caf::monitored>(
      session,
      std::unique_ptr<session_task>{new session_task{
          gateway_actor{self}, o.registry, m.client, std::move(m.request),
          std::move(*spec), o.text, state.for_sessions()}});
  state.started(id, std::move(s), m.client);
  return promise;
}

caf::result<admitted> accept_embed(gateway_pointer self,
                                   const submit_embed& m) {
  if (!m.client)
    return to_caf({errc::invalid_argument, "a request without a client"});
  auto request = m.request;
  auto first = self->state.admit(request);
  if (!first)
    return refuse(self, request, first.failure());
  auto id = request.request;
  auto promise = self->make_response_promise<admitted>();
  promise.deliver(admitted{id});
  auto e = self->spawn<caf::monitored>(embedder, gateway_actor{self}, m.client,
                                       std::move(request), *first,
                                       self->state.options().session);
  self->state.started(id, std::move(e), m.client);
  return promise;
}

void route(gateway_pointer self, step_output& step) {
  for (auto& o : step.sequences) {
    if (auto* s = self->state.find(o.request)) {
      self->send(*s, std::move(o));
    } else if (o.reason == finish_reason::none) {
      // Its session ended or died: the node works for nobody.
      if (auto node = caf::actor_cast<sequence_holder>(self->current_sender()))
        self->send(node, cancel_sequence{o.seq, o.epoch});
    }
  }
}

void moved(gateway_pointer self, const sequence_moved& m) {
  if (auto* s = self->state.find(m.request))
    self->send(*s, m);
  else
    self->send(m.holder, cancel_sequence{m.seq, m.epoch});
}

// What operators have done.
void record_admin(gateway_pointer self, const char* action,
                  std::string detail) {
  if (auto& to = self->state.options().session.audit) {
    auto now = time_point{self->clock().now()};
    self->send(to->log, audit_note{audit::admin_event(
                            audit_time_of(now, to->unix_offset), "operator",
                            action, detail)});
  }
}

constexpr auto no_profiler = "nobody profiles here";

template <class Answer, class Handle, class Question>
caf::result<Answer> pass_on(gateway_pointer self, const Handle& to,
                            const Question& q, const char* missing) {
  if (!to)
    return to_caf({errc::unsupported, missing});
  return self->delegate(to, q);
}

template <class Answer, class Question>
caf::result<Answer> to_manager(gateway_pointer self, const Question& q) {
  return pass_on<Answer>(self, self->state.options().session.versions, q,
                         "there are no versions of the model");
}

void down(gateway_pointer self, const caf::actor_addr& peer) {
  if (auto orphan = self->state.died(peer)) {
    auto e = finish_event{};
    e.request = orphan->request;
    e.reason = finish_reason::error;
    e.code = errc::abandoned;
    e.message = "the session of the request died";
    if (orphan->embed_client)
      return self->send(orphan->embed_client, std::move(e));
    self->send(orphan->client, std::move(e));
    self->send(self->state.options().registry,
               release_placement{orphan->request});
  }
}

} // namespace

gateway_actor::behavior_type gateway(gateway_pointer self,
                                     gateway_options opts) {
  self->born_with([&] { return birth_of(opts); });
  self->state.init(std::move(opts));
  self->set_down_handler(
      [self](const caf::down_msg& m) { down(self, m.source); });
  self->send(self->state.options().registry, watch_nodes{node_watcher{self}});
  return {
      [=](step_output& m) { route(self, m); },
      [=](submit& m) { return accept(self, m); },
      [=](const sequence_moved& m) { moved(self, m); },
      [=](const submit_embed& m) { return accept_embed(self, m); },
      [=](const cancel_request& m) {
        if (auto* s = self->state.find(m.request))
          self->send(*s, m);
        else if (auto* e = self->state.find_embedder(m.request))
          self->send(*e, m);
      },
      [=](const session_done& m) { self->state.done(m.request); },
      [=](const node_gone& m) {
        self->state.for_each([&](auto& s) { self->send(s, m); });
      },
      [=](const load_version& m) {
        return to_manager<version_started>(self, m);
      },
      [=](const version_command& m) {
        return to_manager<versions_status>(self, m);
      },
      [=](const versions_query& m) {
        return to_manager<versions_status>(self, m);
      },
      [=](const cache_query& q) {
        return pass_on<cache_status>(self, self->state.options().session.cache,
                                     q, "there is no response cache");
      },
      [=](const profile_query& q) {
        return pass_on<profile_report>(
            self, self->state.options().session.profiler, q, no_profiler);
      },
      [=](const latency_query& q) {
        return pass_on<stage_latencies>(
            self, self->state.options().session.profiler, q, no_profiler);
      },
      [=](const migrate_request& m) {
        record_admin(self, "migrate",
                     "request " + std::to_string(m.request) + " to node "
                         + std::to_string(m.node));
        return self->delegate(self->state.options().registry, m);
      },
      [=](const drain_request& m) {
        record_admin(self, "drain",
                     m.name.empty() ? std::to_string(m.node) : m.name);
        return self->delegate(self->state.options().registry, m);
      },
      [=](const status_query& q) {
        return self->delegate(self->state.options().registry, q);
      },
  };
}

} // namespace troupe
