#include "actors/text_embedder.hpp"

#include <caf/all.hpp>

namespace troupe {

client_actor::behavior_type
text_embedder(client_actor::pointer self, response_cache_actor cache,
              gateway_actor gateway, uint64_t number,
              std::vector<token_id> tokens, version_id version) {
  auto end = [=](std::vector<float> values) {
    self->send(cache, text_vector{number, std::move(values)});
    // It outlives many of these: leave nothing behind.
    self->demonitor(caf::actor_cast<caf::actor_addr>(gateway));
    self->quit();
  };
  self->monitor(gateway);
  self->set_down_handler([=](const caf::down_msg&) { end({}); });
  auto r = generate_request{};
  r.prompt = std::move(tokens);
  r.embed = true;
  r.unlimited = true;
  r.version = version;
  self->request(gateway, caf::infinite,
                submit{std::move(r), client_actor{self}})
      .then([](const admitted&) {}, [=](const caf::error&) { end({}); });
  return {
      [](const token_event&) {}, // there are none
      [=](finish_event& e) { end(std::move(e.state)); },
  };
}

} // namespace troupe
