#include <caf/all.hpp>

#include "runtime/runtime.hpp"
#include "runtime/runtime_impl.hpp"

// What is asked of a runtime beside requests.

namespace troupe {

namespace {

constexpr auto patience = std::chrono::seconds{10};
constexpr auto move_patience = std::chrono::seconds{120};

} // namespace

result<migrated> runtime::migrate(request_id request, node_id to) {
  return impl_->ask<migrated>(migrate_request{request, to}, move_patience);
}

result<drained> runtime::drain(node_id node) {
  return impl_->ask<drained>(drain_request{node, {}}, move_patience);
}

result<cluster_status> runtime::status(status_query q) {
  return impl_->ask<cluster_status>(q, patience);
}

result<drained> runtime::drain(const std::string& name) {
  return impl_->ask<drained>(drain_request{0, name}, move_patience);
}

result<version_id> runtime::load_version(std::string name, std::string path) {
  path = absolute_path(path);
  auto bytes = bytes_of_model(path);
  if (!bytes)
    return bytes.failure();
  auto v = impl_->ask<version_started>(
      troupe::load_version{std::move(name), std::move(path), *bytes}, patience);
  if (!v)
    return v.failure();
  return v->version;
}

result<versions_status> runtime::command(version_command c) {
  return impl_->ask<versions_status>(std::move(c), patience);
}

result<cache_status> runtime::cache() {
  return impl_->ask<cache_status>(cache_query{}, patience);
}

result<profile_report> runtime::profile(profile_query q) {
  return impl_->ask<profile_report>(q, patience);
}

result<stage_latencies> runtime::latencies() {
  return impl_->ask<stage_latencies>(latency_query{}, patience);
}

result<versions_status> runtime::versions() {
  return impl_->ask<versions_status>(versions_query{}, patience);
}

limits_status runtime::limits(const tenant& who) const {
  auto& all = impl_->limits;
  if (!all)
    return {};
  auto now = stamp();
  auto handle = all->resolve(who, now);
  return all->status(handle, now);
}

std::vector<organisation_status> runtime::organisations() const {
  if (!impl_->limits)
    return {};
  return impl_->limits->organisations(stamp());
}

result<void> runtime::set_limits(limits_table table) {
  if (!impl_->limits)
    return fail(errc::unsupported, "there are no limits of tenants");
  auto organisations = std::string{};
  for (auto& [name, of] : table.organisations)
    organisations += (organisations.empty() ? "" : ", ") + name;
  auto ok = impl_->limits->configure(std::move(table), stamp());
  if (ok && impl_->audit)
    impl_->audit->admin("set limits", organisations);
  return ok;
}

result<void> runtime::start_trace(std::optional<trace_options> o) {
  if (!o)
    o = impl_->options.trace;
  if (!o || o->file.empty())
    return fail(errc::invalid_argument, "there is no file for the trace");
  if (auto why = impl_->forked())
    return *why;
  auto here = host_thread{};
  auto signals = host_signals{};
  auto guard = std::lock_guard{impl_->trace_mutex};
  if (impl_->trace) {
    if (impl_->trace->status().recording)
      return fail(errc::invalid_argument, "messages are recorded already");
    impl_->trace->stop();
    impl_->trace.reset();
  }
  // Replays would miss where the actors began.
  o->about.emplace_back("began", "late");
  return impl_->record(std::move(*o));
}

result<trace_status> runtime::stop_trace() {
  if (auto why = impl_->forked())
    return *why;
  auto here = host_thread{};
  auto guard = std::lock_guard{impl_->trace_mutex};
  if (!impl_->trace)
    return fail(errc::invalid_argument, "no messages are recorded");
  auto s = impl_->trace->stop();
  impl_->trace.reset();
  if (!s.failure.empty())
    return fail(errc::io_error, s.file + ": " + s.failure);
  return s;
}

trace_status runtime::trace() const {
  auto here = host_thread{};
  auto guard = std::lock_guard{impl_->trace_mutex};
  return impl_->trace ? impl_->trace->status() : trace_status{};
}

} // namespace troupe
