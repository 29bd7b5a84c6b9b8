#include "runtime/version_host.hpp"

#include <caf/all.hpp>

#include <algorithm>
#include <filesystem>

#include "core/model/shared_model.hpp"
#include "runtime/model_path.hpp"
#include "runtime/version_warmer.hpp"
#include "runtime/whole_file.hpp"

namespace troupe {

namespace {

using pointer = actor_pointer<version_host_actor, version_host_state>;

constexpr auto most_state = size_t{1} << 20;

// What the first version's text would not do for.
result<void> check_text(const model& first, const model& m) {
  if (m.vocab != first.vocab)
    return fail(errc::unsupported,
                "its vocabulary or chat template is not that of the model that "
                "is served");
  if (m.params.context < first.params.context)
    return fail(errc::unsupported, "its context holds "
                                       + std::to_string(m.params.context)
                                       + " tokens, less than the "
                                       + std::to_string(first.params.context)
                                       + " of the model that is served");
  return {};
}

// The digest of the weights.
result<std::string> load(const version_host_options& o,
                         const version_order& order) {
  auto m = load_shared_model(order.path);
  if (!m)
    return m.failure();
  if (auto ok = check_text(*o.first, **m); !ok)
    return fail(ok.failure().code, order.path + ": " + ok.failure().message);
  if (auto ok = o.nodes->start(order.version, *m, o.registry); !ok)
    return ok.failure();
  caf::anon_send(o.registry, o.nodes->entry_of(order.version, **m));
  return (*m)->digest;
}

// Which weights a version is.
void record(pointer self, const version_host_options& o,
            const version_order& order, const std::string& digest) {
  if (!o.audit)
    return;
  auto now =
      audit_time_of(time_point{self->clock().now()}, o.audit->unix_offset);
  self->send(o.audit->log,
             audit_note{audit::version_event(
                 now, "host", "weights", {order.name, order.version, digest})});
}

void carry_out(pointer self, const version_host_options& o,
               const version_order& order) {
  auto manager = caf::actor_cast<model_manager_actor>(self->current_sender());
  auto report = version_report{order.what, order.version, {}};
  switch (order.what) {
  case version_action::load:
    if (auto digest = load(o, order))
      record(self, o, order, *digest);
    else
      report.failure = digest.failure().message;
    break;
  case version_action::warm: {
    auto w = warming{};
    w.version = order.version;
    w.nodes = std::max<size_t>(o.nodes->nodes_of_each(), 1);
    w.patient = o.nodes->nodes_of_each() == 0;
    w.vocab = o.first->params.vocab;
    w.context = o.first->params.context;
    if (auto gateway = o.front->wait())
      self->spawn(version_warmer, std::move(gateway), manager, w);
    return;
  }
  case version_action::unload:
    self->send(o.registry, dismiss_version{order.version});
    if (o.cache)
      self->send(o.cache, dismiss_version{order.version});
    o.nodes->end(order.version);
    break;
  }
  if (manager)
    self->send(manager, std::move(report));
}

} // namespace

version_host_actor::behavior_type version_host(pointer self,
                                               version_host_options opts) {
  auto o = std::make_shared<const version_host_options>(std::move(opts));
  return {
      [=](const version_order& m) { carry_out(self, *o, m); },
      [=](const keep_versions& m) {
        if (o->state_file.empty())
          return;
        auto ok = replace_file(o->state_file, m.state);
        if (!ok && o->log)
          o->log("versions are not kept: " + ok.failure().message);
      },
  };
}

result<first_versions> find_versions(const std::string& state_file,
                                     const std::string& model,
                                     const std::string& name,
                                     const version_options& options,
                                     time_point now) {
  namespace fs = std::filesystem;
  auto none = std::error_code{};
  if (!state_file.empty() && fs::exists(state_file, none)) {
    auto text = read_whole_file(state_file, most_state);
    if (!text)
      return text.failure();
    auto m = model_versions::restore(*text, options, now);
    if (!m)
      return fail(errc::bad_file, state_file + ": " + m.failure().message);
    auto active = m->active();
    for (auto& v : m->versions())
      if (v.id == active && !v.source.empty()) {
        m->loaded(active, now);
        m->warmed(active, now);
        return first_versions{std::move(*m), active, v.source};
      }
    return fail(errc::bad_file,
                state_file
                    + ": no version is active; remove the file to begin "
                      "with the model that is configured");
  }
  auto bytes = bytes_of_model(model);
  if (!bytes)
    return bytes.failure();
  auto m = model_versions{options};
  auto v = m.load(name.empty() ? model_name_of(model) : name, *bytes, now,
                  absolute_path(model));
  if (!v)
    return v.failure();
  m.loaded(*v, now);
  m.warmed(*v, now);
  if (auto ok = m.activate(*v, now, "the first"); !ok)
    return ok.failure();
  m.take_tasks();
  return first_versions{std::move(m), *v, model};
}

} // namespace troupe
