#pragma once

#include <caf/all.hpp>
#include <caf/proxy_registry.hpp>

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "actors/tracing/seam.hpp"
#include "core/base/result.hpp"
#include "runtime/replay/script.hpp"

namespace troupe {

/// An actor, as recordings know it.
struct actor_name {
  caf::node_id node;
  caf::actor_id id = 0;
  bool operator<(const actor_name& x) const {
    auto c = node.compare(x.node);
    return c != 0 ? c < 0 : id < x.id;
  }
};

/// Where actors of a recording play their parts again, in one thread, each
/// alone: all others are stood in for, whatever is sent is caught.
class replay_stage : private tracing::seam,
                     private caf::proxy_registry::backend {
public:
  replay_stage();
  replay_stage(const replay_stage&) = delete;
  replay_stage& operator=(const replay_stage&) = delete;
  ~replay_stage() override;

  /// What an actor did in one step.
  struct output {
    actor_name to;
    caf::mailbox_element_ptr what;
  };

  /// Something of the recording that an actor asked for and that is not there.
  struct outcome {
    std::vector<output> outputs;
    std::string asked_too_much; ///< empty: it did not
    bool asked_too_little = false;
  };

  /// Begins an actor under its old name.
  template <class F, class... Ts>
  void begin(const actor_name& who, F f, Ts&&... xs) {
    using impl = caf::infer_impl_from_fun_t<F>;
    auto cfg = caf::actor_config{&unit_};
    auto factory = caf::detail::init_fun_factory<impl, F>{};
    cfg.init_fun = factory(std::move(f), std::forward<Ts>(xs)...);
    auto a = caf::make_actor<impl, caf::strong_actor_ptr>(who.id, who.node,
                                                          system_.get(), cfg);
    auto* p = static_cast<impl*>(a->get());
    actors_[who] = a;
    p->launch(&unit_, false, true);
  }

  bool is_on(const actor_name& who) const { return actors_.contains(who); }
  bool has_ended(const actor_name& who) const;

  /// What it knows, in JSON; empty if it cannot tell.
  std::string state_of(const actor_name& who) const;

  /// Lets an actor that has just begun set itself up.
  outcome set_up(const actor_name& who, const replay_step& step);
  /// Lets it handle a message.
  outcome feed(const actor_name& who, caf::mailbox_element_ptr what,
               const replay_step& step);

  /// What stands for an actor in the hands of others.
  caf::strong_actor_ptr handle(const actor_name& who);

  /// A message as it was recorded. Errors: bad_file.
  result<caf::message> read(const_bytes payload);
  /// As it would be recorded.
  std::vector<char> write(const caf::type_erased_tuple& content, bool full_kv);
  /// The same with KV, and read again: as it comes to another process.
  result<caf::message> carried_over(const caf::type_erased_tuple& content);

  caf::actor_system& system() { return *system_; }

  /// Reads what an actor was spawned with.
  template <class T>
  result<T> read_birth(const_bytes bytes) {
    auto source = [&] {
      return caf::binary_deserializer{
          &unit_, reinterpret_cast<const char*>(bytes.data()), bytes.size()};
    };
    auto x = T{};
    if (auto in = source(); !in(x))
      return x;
    if constexpr (requires { x.older_fields(); }) {
      x = T{};
      auto in = source();
      auto failed = std::apply(
          [&](auto&... fields) { return inspect_fields(in, fields...); },
          x.older_fields());
      if (!failed && in.remaining() == 0)
        return x;
    }
    return fail(errc::bad_file, "what an actor was spawned with is not what "
                                "this build knows");
  }

private:
  class stand_in;

  struct execution : caf::execution_unit {
    using caf::execution_unit::execution_unit;
    void exec_later(caf::resumable* r) override { jobs.push_back(r); }
    std::deque<caf::resumable*> jobs;
  };

  // -- the seam ---------------------------------------------------------------

  bool feeding() const override { return feeding_; }
  void captured(const caf::strong_actor_ptr& to, caf::mailbox_element_ptr what,
                std::chrono::nanoseconds delay) override;
  caf::actor_clock::time_point now() override;
  caf::strong_actor_ptr spawned() override;
  std::span<const std::byte> value() override;

  // -- proxies ----------------------------------------------------------------

  caf::strong_actor_ptr make_proxy(caf::node_id node,
                                   caf::actor_id id) override;
  void set_last_hop(caf::node_id*) override {}

  outcome perform(const replay_step& step);

  std::unique_ptr<caf::actor_system_config> config_;
  std::unique_ptr<caf::actor_system> system_;
  std::unique_ptr<caf::proxy_registry> proxies_;
  execution unit_;
  std::map<actor_name, caf::strong_actor_ptr> actors_;
  std::optional<tracing::seam_guard> guard_;

  // The step under way.
  const replay_step* step_ = nullptr;
  caf::node_id node_; ///< of the actor
  size_t clocks_ = 0;
  size_t spawns_ = 0;
  size_t values_ = 0;
  outcome done_;
  bool feeding_ = false;
};

} // namespace troupe
