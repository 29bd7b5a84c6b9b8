#include "runtime/version_warmer.hpp"

#include <caf/all.hpp>

#include <algorithm>

#include "actors/error.hpp"
#include "actors/monitor_for_life.hpp"

namespace troupe {

namespace {

using pointer = actor_pointer<version_warmer_actor, version_warmer_state>;

constexpr auto patience = std::chrono::seconds{10};
constexpr auto pause = std::chrono::seconds{1};
/// Rounds of one second, for nodes that have yet to join.
constexpr auto most_tries = uint32_t{600};
constexpr auto prompt_tokens = uint32_t{64};
constexpr auto answer_tokens = uint32_t{16};

class warmer {
public:
  warmer(pointer self, gateway_actor gateway, model_manager_actor manager,
         warming what)
      : self_(self), gateway_(std::move(gateway)), manager_(std::move(manager)),
        what_(what) {
    monitor_for_life(self_, gateway_);
  }

  void begin() {
    auto& s = self_->state;
    s.left = what_.nodes * 2;
    s.failure = {};
    ++s.tries;
    for (size_t n = 0; n < what_.nodes * 2; ++n)
      self_
          ->request(gateway_, patience, submit{request(n), client_actor{self_}})
          .then([](const admitted&) {},
                [this](const caf::error& e) { ended(from_caf(e)); });
  }

  void ended(error why) {
    auto& s = self_->state;
    if (s.left == 0) // one that was given up, and came all the same
      return;
    if (why)
      s.failure = std::move(why);
    if (--s.left > 0)
      return;
    if (s.failure.code == errc::no_node && what_.patient
        && s.tries < most_tries)
      self_->delayed_send(self_, pause, deadline_tick{});
    else
      report();
  }

  void report() {
    self_->send(manager_, version_report{version_action::warm, what_.version,
                                         self_->state.failure.message});
    self_->quit();
  }

private:
  generate_request request(size_t n) const {
    auto r = generate_request{};
    r.version = what_.version;
    r.max_tokens = answer_tokens;
    r.ignore_end = true;
    // No two alike: each is to be computed.
    auto length = std::min(prompt_tokens, what_.context / 2);
    for (uint32_t i = 0; i < length; ++i)
      r.prompt.push_back(
          static_cast<token_id>((n + 1) * (i + 1) % what_.vocab));
    r.unlimited = true;
    r.cache_salt = "warming";
    r.cache = cache_wish::never;
    return r;
  }

  pointer self_;
  gateway_actor gateway_;
  model_manager_actor manager_;
  warming what_;
};

} // namespace

version_warmer_actor::behavior_type version_warmer(pointer self,
                                                   gateway_actor gateway,
                                                   model_manager_actor manager,
                                                   warming what) {
  auto w = std::make_shared<warmer>(self, std::move(gateway),
                                    std::move(manager), what);
  self->set_down_handler([=](const caf::down_msg&) { self->quit(); });
  w->begin();
  return {
      [](const token_event&) {},
      [=](const finish_event& e) {
        w->ended(e.reason == finish_reason::error ? error{e.code, e.message}
                                                  : error{});
      },
      [=](const deadline_tick&) { w->begin(); },
  };
}

} // namespace troupe
