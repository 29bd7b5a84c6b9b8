#include "actors/embedder.hpp"

#include <caf/all.hpp>

#include "actors/births.hpp"
#include "actors/error.hpp"

namespace troupe {

namespace {

// What an embedder does with its state's answers: the handles, and the order in
// which messages leave.
class performer {
public:
  performer(actor_pointer<embedder_actor, embedder_state> self,
            gateway_actor gateway, embed_client_actor client)
      : self_(self), gateway_(std::move(gateway)), client_(std::move(client)) {
    self_->monitor(gateway_);
    self_->monitor(client_);
  }

  void start() {
    if (auto refusal = state().reserve(now()))
      end(std::move(*refusal));
    else
      choose_version();
  }

  void take(const finish_event& e) {
    auto r = state().take(e, now());
    if (r.embedding)
      self_->send(client_, std::move(*r.embedding));
    if (r.finish)
      end(std::move(*r.finish));
    else
      submit_inputs();
  }

  void cancel() { end(finish_reason::cancelled); }

  void down(const caf::actor_addr& peer) {
    if (client_ == peer)
      end(finish_reason::cancelled);
    else
      end(finish_reason::error, {errc::abandoned, "the gateway is gone"});
  }

private:
  embedder_state& state() { return self_->state; }
  time_point now() const { return time_point{self_->clock().now()}; }

  void choose_version() {
    auto wanted = state().wanted_version();
    if (!wanted)
      return submit_inputs();
    self_
        ->request(state().options().versions, state().options().patience,
                  std::move(*wanted))
        .then(
            [this](const routed_version& v) {
              state().on(v);
              submit_inputs();
            },
            [this](const caf::error& e) {
              end(finish_reason::error, from_caf(e));
            });
  }

  void submit_inputs() {
    while (auto r = state().next()) {
      auto input = r->request;
      self_
          ->request(gateway_, state().options().patience,
                    submit{std::move(*r), client_actor{self_}})
          .then([](const admitted&) {},
                [this, input](const caf::error& e) {
                  if (auto f = state().refused(input, from_caf(e), now()))
                    end(std::move(*f));
                });
    }
  }

  void end(finish_reason reason, error why = {}) {
    if (auto e = state().finish(reason, now(), std::move(why)))
      end(std::move(*e));
  }

  void end(finish_event e) {
    self_->send(client_, std::move(e));
    if (auto verdict = state().take_verdict())
      self_->send(state().options().versions, *verdict);
    self_->send(gateway_, session_done{state().request()});
    // The monitored outlive many embedders: leave nothing behind.
    self_->demonitor(caf::actor_cast<caf::actor_addr>(gateway_));
    self_->demonitor(caf::actor_cast<caf::actor_addr>(client_));
    self_->quit();
  }

  actor_pointer<embedder_actor, embedder_state> self_;
  gateway_actor gateway_;
  embed_client_actor client_;
};

} // namespace

embedder_actor::behavior_type
embedder(actor_pointer<embedder_actor, embedder_state> self,
         gateway_actor gateway, embed_client_actor client,
         embed_request request, request_id first, session_options opts) {
  self->born_with([&] {
    return embedder_birth{gateway, client, request, first, settings_of(opts)};
  });
  self->state.init(std::move(request), first, std::move(opts),
                   time_point{self->clock().now()});
  auto p =
      std::make_shared<performer>(self, std::move(gateway), std::move(client));
  self->set_down_handler([p](const caf::down_msg& m) { p->down(m.source); });
  p->start();
  return {
      [](const token_event&) {}, // there are none
      [p](const finish_event& e) { p->take(e); },
      [p](const cancel_request&) { p->cancel(); },
  };
}

} // namespace troupe
