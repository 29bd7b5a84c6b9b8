#include "actors/response_cache.hpp"

#include <caf/all.hpp>

#include "actors/owed_reply.hpp"
#include "actors/text_embedder.hpp"

namespace troupe {

namespace {

constexpr auto sweep_interval = std::chrono::seconds{1};

using pointer = actor_pointer<response_cache_actor, response_cache_state>;

// The state, and the promises to those who wait.
class desk {
public:
  desk(pointer self, std::shared_ptr<const tokenizer> text)
      : self_(self), text_(std::move(text)) {}

  time_point now() const { return time_point{self_->clock().now()}; }
  caf::actor_addr sender() const {
    return caf::actor_cast<caf::actor_addr>(self_->current_sender());
  }

  caf::result<cache_reply> look_up(const cache_lookup& q) {
    auto who = sender();
    auto [r, wanted] = self_->state.look_up(q, who, now());
    if (!r || r->use == cache_use::miss)
      self_->monitor(who);
    if (r)
      return std::move(*r);
    auto promise = self_->make_response_promise<cache_reply>();
    waiting_.insert_or_assign(
        who, std::make_unique<owed_reply<cache_reply>>(promise));
    if (wanted)
      embed(*wanted, q.version);
    return promise;
  }

  void use(const embed_through& m) { gateway_ = m.gateway; }

  void on(text_vector v) { tell(self_->state.on(std::move(v), now())); }

  void tell(std::vector<response_cache_state::reply> replies) {
    for (auto& [who, r] : replies) {
      if (r.use >= cache_use::semantic)
        self_->demonitor(who);
      if (auto w = waiting_.extract(who))
        w.mapped()->deliver(std::move(r));
    }
  }

  void fill(const cache_fill& f) {
    self_->demonitor(sender());
    tell(self_->state.fill(f, sender(), now()));
  }

  void down(const caf::actor_addr& who) {
    waiting_.erase(who);
    tell(self_->state.down(who, now()));
  }

private:
  void embed(const response_cache_state::wish& w, version_id version) {
    auto ids = std::vector<token_id>{};
    if (text_ && gateway_)
      ids = text_->encode(w.text, {true, false});
    if (ids.empty())
      return on({w.number, {}});
    self_->spawn(text_embedder, response_cache_actor{self_}, gateway_, w.number,
                 std::move(ids), version);
  }

  pointer self_;
  std::shared_ptr<const tokenizer> text_;
  gateway_actor gateway_;
  std::map<caf::actor_addr, std::unique_ptr<owed_reply<cache_reply>>> waiting_;
};

} // namespace

response_cache_actor::behavior_type
response_cache_service(pointer self, response_cache_service_options opts) {
  self->state.init(opts);
  auto d = std::make_shared<desk>(self, std::move(opts.text));
  self->set_down_handler([d](const caf::down_msg& m) { d->down(m.source); });
  self->delayed_send(self, sweep_interval, deadline_tick{});
  return {
      [=](const cache_lookup& q) { return d->look_up(q); },
      [=](const cache_fill& f) { d->fill(f); },
      [=](const dismiss_version& m) { self->state.forget(m.version); },
      [=](const cache_query&) { return self->state.status(); },
      [=](const embed_through& m) { d->use(m); },
      [=](text_vector& v) { d->on(std::move(v)); },
      [=](const deadline_tick&) {
        d->tell(self->state.sweep(d->now()));
        self->delayed_send(self, sweep_interval, deadline_tick{});
      },
  };
}

} // namespace troupe
