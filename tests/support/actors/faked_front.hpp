#pragma once

#include "actors/gateway.hpp"
#include "tests/support/actors/fakes.hpp"
#include "tests/support/actors/sim_system.hpp"
#include "tests/support/core/tiny_model.hpp"

namespace troupe::testing {

/// A real gateway and its sessions between a client, a registry and one node of
/// each role that are fakes.
struct faked_front {
  explicit faked_front(uint64_t seed = 0);

  /// Starts the gateway: of the tiny model's vocabulary, with a context of 64
  /// tokens, and with its tokenizer.
  void open(session_options session = {}, uint32_t max_sessions = 1024);

  /// Number of the request, which is admitted.
  request_id start(generate_request r);

  /// A node says something of the newest job.
  void say(sequence_output o);
  void say(uint32_t index, std::vector<token_id> tokens,
           finish_reason reason = finish_reason::none, errc code = errc::none);

  const prefill_job& job() const { return prefills->jobs.back(); }
  size_t jobs() const { return prefills->jobs.size(); }
  const client_log::answer& answer(request_id id) { return heard->answers[id]; }
  time_point now() { return time_point{sim.scheduler().clock().now()}; }

  sim_system sim;
  std::shared_ptr<client_log> heard = std::make_shared<client_log>();
  std::shared_ptr<node_log> prefills = std::make_shared<node_log>();
  std::shared_ptr<node_log> decodes = std::make_shared<node_log>();
  std::shared_ptr<registry_script> script = std::make_shared<registry_script>();
  client_actor client = sim.spawn(fake_client, heard);
  prefill_actor prefill = sim.spawn(fake_prefill, prefills);
  decode_actor decode = sim.spawn(fake_decode, decodes);
  registry_actor reg = sim.spawn(fake_registry, script);
  std::shared_ptr<const tokenizer> text;
  gateway_actor gate;
};

} // namespace troupe::testing
