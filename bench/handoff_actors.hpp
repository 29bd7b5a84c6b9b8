#pragma once

// Actors around a handoff that see when what happened.

#include <caf/all.hpp>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <thread>

#include "actors/send_handoff.hpp"
#include "core/kv/handoff.hpp"

namespace troupe::bench {

inline time_point now() {
  return std::chrono::steady_clock::now();
}

/// What was seen of one sequence, by whoever saw it; thread-safe.
class sighting {
public:
  struct facts {
    time_point last_chunk{}; ///< that left the source
    time_point accepted{};   ///< heard by the source
    time_point first_token{};
    uint64_t chunks = 0;
    uint64_t bytes = 0;        ///< of KV handed over
    uint64_t bytes_copied = 0; ///< of these, not by reference
    bool ended = false;        ///< the whole sequence
    std::string failure;
  };

  template <class F>
  void note(F f) {
    auto guard = std::lock_guard{mutex_};
    f(facts_);
    changed_.notify_all();
  }

  /// Waits until the sequence ended and its handoff, if any, was accepted.
  facts wait(bool handoff) {
    auto guard = std::unique_lock{mutex_};
    if (!changed_.wait_for(guard, std::chrono::minutes{1}, [&] {
          return !facts_.failure.empty()
                 || (facts_.ended
                     && (!handoff || facts_.accepted != time_point{}));
        }))
      facts_.failure = "nothing happened for a minute";
    return facts_;
  }

private:
  std::mutex mutex_;
  std::condition_variable changed_;
  facts facts_;
};

using sighting_ptr = std::shared_ptr<sighting>;

inline stream_actor::behavior_type listener(stream_actor::pointer,
                                            sighting_ptr seen) {
  auto hear = [=](const step_output& step) {
    auto at = now();
    seen->note([&](auto& f) {
      for (auto& o : step.sequences) {
        if (!o.tokens.empty() && f.first_token == time_point{})
          f.first_token = at;
        if (o.reason == finish_reason::error)
          f.failure = o.message;
        f.ended = f.ended || o.reason != finish_reason::none;
      }
    });
  };
  return {hear, [](const sequence_moved&) {}};
}

/// Between a source and a destination, to each as if it were the other.
using relay_actor =
    caf::typed_actor<caf::reacts_to<handoff_offer>, caf::reacts_to<kv_chunk>,
                     caf::reacts_to<kv_commit>, caf::reacts_to<kv_abort>,
                     caf::reacts_to<kv_grant>, caf::reacts_to<kv_credit>,
                     caf::reacts_to<kv_accepted>>;

struct relay_state {
  relay_state() = default;
  kv_source_actor source;
};

inline relay_actor::behavior_type
relay(relay_actor::stateful_pointer<relay_state> self,
      kv_destination_actor destination, sighting_ptr seen) {
  auto& source = self->state.source;
  return {
      [=, &source](handoff_offer& m) {
        source =
            std::exchange(m.source, caf::actor_cast<kv_source_actor>(self));
        self->send(destination, std::move(m));
      },
      [=](kv_chunk& m) {
        auto bytes = m.blocks * m.layers * m.layer_bytes;
        auto copied = m.payload.bytes.size();
        self->send(destination, std::move(m));
        seen->note([&](auto& f) {
          f.last_chunk = now();
          ++f.chunks;
          f.bytes += bytes;
          f.bytes_copied += copied;
        });
      },
      [=](kv_commit& m) { self->send(destination, std::move(m)); },
      [=, &source](kv_abort& m) {
        seen->note([&](auto& f) { f.failure = m.reason; });
        if (self->current_sender() == source)
          self->send(destination, std::move(m));
        else
          self->send(source, std::move(m));
      },
      [=, &source](const kv_grant& m) { self->send(source, m); },
      [=, &source](const kv_credit& m) { self->send(source, m); },
      [=, &source](const kv_accepted& m) {
        seen->note([&](auto& f) { f.accepted = now(); });
        self->send(source, m);
      },
  };
}

/// A sequence whose KV lies ready, to be handed over all at once.
struct ready_sequence {
  sequence_spec spec;
  kv_offer offer;
  std::shared_ptr<const page_table> table;
  /// Of one push.
  uint32_t blocks = 16;
  uint32_t layers = 1;
  kv_destination_actor destination;
  stream_actor stream;
};

struct ready_state {
  ready_state() = default;
  std::optional<kv_sender> sender;
};

/// Hands it over as soon as it is spawned; pushes begin with the grant.
inline kv_source_actor::behavior_type
ready_source(kv_source_actor::stateful_pointer<ready_state> self,
             std::shared_ptr<ready_sequence> what, sighting_ptr seen) {
  auto& sender = self->state.sender.emplace(what->offer, handoff_timing{});
  auto send = [=](kv_outbox box) {
    auto seq = what->spec.seq;
    for (auto& m : box)
      send_to_destination(self, what->destination, m, {{seq, what->spec}},
                          {{seq, what->stream}});
  };
  auto then_send = [=](auto f) {
    auto box = kv_outbox{};
    f(box);
    send(std::move(box));
  };
  auto push_all = [=, &sender] {
    auto layers = what->offer.layout.layers;
    for (auto b = 0u; b < what->offer.blocks; b += what->blocks)
      for (auto l = 0u; l < layers; l += what->layers)
        then_send([&](auto& box) {
          sender.push(*what->table, b,
                      std::min(what->blocks, what->offer.blocks - b), l,
                      std::min(what->layers, layers - l), now(), box);
        });
    then_send([&](auto& box) {
      sender.finish(what->table->length(), {1}, now(), box);
    });
  };
  then_send([&](auto& box) { sender.start(now(), box); });
  return {
      [=, &sender](const kv_grant& m) {
        then_send([&](auto& box) { sender.on(m, now(), box); });
        push_all();
      },
      [=, &sender](const kv_credit& m) {
        then_send([&](auto& box) { sender.on(m, now(), box); });
      },
      [=](const kv_accepted&) {
        seen->note([&](auto& f) { f.accepted = now(); });
      },
      [=](const kv_abort& m) {
        seen->note([&](auto& f) { f.failure = m.reason; });
      },
  };
}

inline status_actor::behavior_type ponger(status_actor::pointer) {
  return {[](const status_query&) { return node_status{}; }};
}

/// Asks again half a millisecond after each answer, as long as it lives.
class pinger {
public:
  pinger(caf::actor_system& sys, status_actor far)
      : thread_([this, &sys, far = std::move(far)] {
          auto self = caf::scoped_actor{sys};
          while (!stop_) {
            auto begin = now();
            self->request(far, std::chrono::seconds{10}, status_query{})
                .receive([](const node_status&) {}, [](const caf::error&) {});
            ms_.push_back(to_ms(now() - begin));
            std::this_thread::sleep_for(std::chrono::microseconds{500});
          }
        }) {}
  ~pinger() { stop(); }

  /// Milliseconds that each answer took, in ascending order.
  std::vector<double> stop() {
    stop_ = true;
    if (thread_.joinable())
      thread_.join();
    std::sort(ms_.begin(), ms_.end());
    return ms_;
  }

private:
  std::atomic<bool> stop_ = false;
  std::vector<double> ms_;
  std::thread thread_;
};

} // namespace troupe::bench
