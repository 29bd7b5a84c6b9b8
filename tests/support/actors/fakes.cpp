#include "tests/support/actors/fakes.hpp"

#include <boost/test/unit_test.hpp>

namespace troupe::testing {

const finish_event& client_log::end(request_id id) const {
  static const auto none = finish_event{};
  auto i = answers.find(id);
  BOOST_REQUIRE_MESSAGE(i != answers.end(), "no word about request " << id);
  BOOST_REQUIRE_EQUAL(i->second.finishes.size(), 1u);
  BOOST_REQUIRE(i->second.in_order);
  return i->second.finishes.front();
}

client_actor::behavior_type fake_client(client_actor::pointer,
                                        std::shared_ptr<client_log> log) {
  return {
      [log](const token_event& e) {
        auto& a = log->answers[e.request];
        a.in_order = a.in_order && e.index == a.tokens.size()
                     && a.finishes.empty() && !e.tokens.empty();
        a.tokens.insert(a.tokens.end(), e.tokens.begin(), e.tokens.end());
        a.details.insert(a.details.end(), e.details.begin(), e.details.end());
        a.text += e.text;
        ++a.events;
      },
      [log](const finish_event& e) {
        auto& a = log->answers[e.request];
        a.text += e.text;
        a.finishes.push_back(e);
      },
  };
}

const finish_event& embed_log::end(request_id id) const {
  auto i = answers.find(id);
  BOOST_REQUIRE_MESSAGE(i != answers.end(), "no word about request " << id);
  BOOST_REQUIRE_EQUAL(i->second.finishes.size(), 1u);
  BOOST_REQUIRE(i->second.in_order);
  return i->second.finishes.front();
}

client_actor::behavior_type fake_assassin(client_actor::pointer self,
                                          std::shared_ptr<client_log> log) {
  return {
      [=](const token_event&) {
        caf::anon_send_exit(caf::actor_cast<caf::actor>(self->current_sender()),
                            caf::exit_reason::kill);
      },
      [=](const finish_event& e) {
        log->answers[e.request].finishes.push_back(e);
      },
  };
}

embed_client_actor::behavior_type
fake_embed_client(embed_client_actor::pointer, std::shared_ptr<embed_log> log) {
  return {
      [log](const embedding_event& e) {
        auto& a = log->answers[e.request];
        auto fresh = a.vectors.emplace(e.index, e.vector).second;
        a.in_order = a.in_order && fresh && a.finishes.empty();
      },
      [log](const finish_event& e) {
        log->answers[e.request].finishes.push_back(e);
      },
  };
}

prefill_actor::behavior_type fake_prefill(prefill_actor::pointer self,
                                          std::shared_ptr<node_log> log) {
  return {
      [=](const kv_grant& m) {
        log->senders.push_back(
            caf::actor_cast<kv_destination_actor>(self->current_sender()));
        log->others.push_back(m);
      },
      [=](const kv_credit& m) { log->others.push_back(m); },
      [=](const kv_accepted& m) { log->others.push_back(m); },
      [=](const kv_abort& m) { log->others.push_back(m); },
      [=](const prefill_job& m) { log->jobs.push_back(m); },
      [=](const cancel_sequence& m) { log->cancels.push_back(m); },
      [](const drain_node&) { return drained{}; },
      [](const step_tick&) {},
      [](const deadline_tick&) {},
      [](const watch_load&) {},
      [](const status_query&) { return node_status{}; },
  };
}

decode_actor::behavior_type fake_decode(decode_actor::pointer,
                                        std::shared_ptr<node_log> log) {
  return {
      [=](const handoff_offer& m) { log->offers.push_back(m); },
      [=](const kv_chunk& m) { log->others.push_back(m); },
      [=](const kv_commit& m) { log->others.push_back(m); },
      [=](const kv_abort& m) { log->others.push_back(m); },
      [=](const prefill_job& m) { log->jobs.push_back(m); },
      [=](const cancel_sequence& m) { log->cancels.push_back(m); },
      [](const kv_grant&) {},
      [](const kv_credit&) {},
      [](const kv_accepted&) {},
      [](const migrate_sequence&) { return migrated{}; },
      [](const drain_node&) { return drained{}; },
      [](const preempt_sequence&) {},
      [](const step_tick&) {},
      [](const deadline_tick&) {},
      [](const schedule_plan&) {},
      [](const batch_limits&) {},
      [](const watch_load&) {},
      [](const status_query&) { return node_status{}; },
  };
}

stream_actor::behavior_type
fake_stream(stream_actor::pointer,
            std::shared_ptr<std::vector<sequence_output>> heard) {
  return {
      [=](const step_output& s) {
        heard->insert(heard->end(), s.sequences.begin(), s.sequences.end());
      },
      [](const sequence_moved&) {},
  };
}

load_sink::behavior_type
fake_load_sink(load_sink::pointer,
               std::shared_ptr<std::vector<node_load>> heard) {
  return {[=](const node_load& l) { heard->push_back(l); }};
}

registry_actor::behavior_type
fake_registry(registry_actor::pointer self,
              std::shared_ptr<registry_script> script) {
  return {
      [](const add_prefill&) {},
      [](const add_decode&) {},
      [](const add_mixed&) {},
      [=](const place_request& m) -> caf::result<placement> {
        script->asked.push_back(m);
        if (script->place)
          return script->place(m);
        return self->make_response_promise<placement>();
      },
      [=](const release_placement& m) { script->released.push_back(m); },
      [](const placement_moved&) {},
      [](const migrate_request&) { return migrated{}; },
      [](const drain_request&) { return drained{}; },
      [](const status_query&) { return cluster_status{}; },
      [](const join_node&) {},
      [](const node_ready&) {},
      [](const heartbeat&) {},
      [](const leave&) {},
      [](const watch_nodes&) {},
      [](const admit_version&) {},
      [](const dismiss_version&) {},
      [](const deadline_tick&) {},
      [](const node_load&) {},
  };
}

sequence_output output_for(const prefill_job& job, uint32_t index,
                           std::vector<token_id> tokens, finish_reason reason,
                           errc code) {
  auto o = sequence_output{};
  o.request = job.spec.request;
  o.seq = job.spec.seq;
  o.epoch = job.spec.epoch;
  o.index = index;
  o.tokens = std::move(tokens);
  o.reason = reason;
  o.code = code;
  if (code != errc::none)
    o.message = "as the test wants it";
  return o;
}

void emit(const prefill_job& job, sequence_output o) {
  auto step = step_output{};
  step.sequences.push_back(std::move(o));
  caf::anon_send(job.stream, std::move(step));
}

} // namespace troupe::testing
