#include "runtime/actors.hpp"

#include <caf/all.hpp>

#include "runtime/runtime_impl.hpp"

namespace troupe {

namespace {

bool knows_messages(caf::actor_system& system) {
  return system.types().make_value("troupe::submit") != nullptr;
}

} // namespace

result<runtime_actors> runtime_actors::spawn(caf::actor_system& system,
                                             runtime_options options) {
  if (!knows_messages(system))
    return fail(errc::invalid_argument,
                "the actor system does not know Troupe's messages: its "
                "configuration needs add_message_types");
  return without_throwing([&]() -> result<runtime_actors> {
    auto p = runtime::impl::load(std::move(options));
    if (!p)
      return p.failure();
    auto& x = **p;
    if (auto ok = x.start(&system); !ok)
      return ok.failure();
    auto auditor = x.audit ? x.audit->sink()->log : auditor_actor{};
    auto all = runtime_actors{runtime{std::move(*p)},
                              x.gateway,
                              x.registry,
                              x.manager,
                              x.cache,
                              x.profiler,
                              std::move(auditor)};
    return all;
  });
}

result<runtime_actors> spawn_runtime(caf::actor_system& system,
                                     runtime_options options) {
  return runtime_actors::spawn(system, std::move(options));
}

} // namespace troupe
