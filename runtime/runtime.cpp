#include "runtime/runtime.hpp"

#include <caf/all.hpp>

#include <future>

#include "core/model/shared_model.hpp"
#include "runtime/embedding.hpp"
#include "runtime/generation_impl.hpp"
#include "runtime/runtime_impl.hpp"

namespace troupe {

namespace {

constexpr auto patience = std::chrono::seconds{10};
constexpr auto move_patience = std::chrono::seconds{120};

error too_late() {
  return fail(errc::abandoned, "the runtime is closing");
}

} // namespace

runtime::runtime(std::unique_ptr<impl> p) : impl_(std::move(p)) {}
runtime::runtime(runtime&&) noexcept = default;
runtime& runtime::operator=(runtime&&) noexcept = default;
runtime::~runtime() = default;

result<std::unique_ptr<runtime::impl>>
runtime::impl::load(runtime_options options) {
  auto& nodes = options.nodes;
  if (nodes.prefill.empty() != nodes.decode.empty())
    return fail(errc::invalid_argument,
                "a prefill node needs a decode node, and the reverse");
  if (options.cluster && options.client)
    return fail(errc::invalid_argument,
                "a process is a cluster's front or its client, not both");
  if (options.tenants) {
    if (options.client)
      return fail(errc::invalid_argument,
                  "limits of tenants are those of a cluster's front");
    if (auto ok = check(*options.tenants); !ok)
      return ok.failure();
  }
  if (options.otlp)
    if (auto to = parse_http_address(options.otlp->endpoint); !to)
      return to.failure();
  // A front may leave all the work to others.
  if (nodes.prefill.empty() && nodes.mixed.empty() && !options.cluster)
    nodes.mixed.resize(1);
  auto whole = completed(std::move(options));
  if (!whole)
    return whole.failure();
  auto p = std::make_unique<impl>(std::move(*whole));
  if (!p->options.client) {
    auto& v = p->options.versions;
    auto first =
        find_versions(v.state_file, p->options.model, v.name, v.rules, stamp());
    if (!first)
      return first.failure();
    p->first = std::move(*first);
    p->options.model = p->first.model;
  }
  auto loaded = load_shared_model(p->options.model);
  if (!loaded)
    return loaded.failure();
  p->weights = std::move(*loaded);
  auto text = tokenizer::make(p->weights->vocab);
  if (!text)
    return fail(text.failure().code,
                p->options.model + ": " + text.failure().message);
  p->text = std::move(*text);
  return p;
}

result<runtime> runtime::open(runtime_options options) {
  return without_throwing([&]() -> result<runtime> {
    auto p = impl::load(std::move(options));
    if (!p)
      return p.failure();
    if (auto ok = (*p)->start(nullptr); !ok)
      return ok.failure();
    return runtime{std::move(*p)};
  });
}

result<generation> runtime::submit(generate_request request) {
  return submit(std::move(request), in_between::anything);
}

result<generation> runtime::submit(generate_request request, in_between what) {
  if (impl_->closing)
    return too_late();
  if (auto why = must_not_wait())
    return *why;
  auto here = host_thread{};
  auto g = std::make_shared<generation::impl>();
  // A cluster's gateway numbers the requests of all its clients.
  auto remote = impl_->options.client.has_value();
  g->id = request.request = remote ? 0 : ++impl_->last_request;
  g->door = impl_->front;
  g->queue = std::make_shared<event_queue>(stamp());
  auto& lender = impl_->lender;
  auto alive = lender ? lender->begin() : nullptr;
  auto client = client_actor{};
  auto ask = [&] {
    client =
        queue_client::spawn(*impl_->system, lender.get(), impl_->gateway,
                            std::move(request), g->queue, std::move(alive));
  };
  if (lender && lender->lone()) {
    g->lent.emplace(lender);
    g->lent->run(ask, [&] { return g->queue->answered(); });
    if (what == in_between::anything)
      g->lent.reset();
  } else {
    ask();
  }
  auto admitted = g->queue->answer();
  if (!admitted) {
    caf::anon_send_exit(client, caf::exit_reason::user_shutdown);
    return admitted.failure();
  }
  g->id = *admitted;
  if (impl_->remembers())
    impl_->remember(client->address());
  return generation{std::move(g)};
}

template <class Client, class Request, class Handler>
subscription runtime::impl::subscribe(Client client, Request request,
                                      Handler on_event) {
  if (closing) {
    on_event(ended_by(too_late()));
    return subscription{nullptr};
  }
  auto here = host_thread{};
  auto remote = options.client.has_value();
  request.request = remote ? 0 : ++last_request;
  auto actor =
      system->spawn(client, gateway, std::move(request), std::move(on_event),
                    lender ? lender->begin() : nullptr);
  if (remembers())
    remember(actor->address());
  auto p = std::make_unique<subscription::impl>();
  p->client = actor->address();
  return subscription{std::move(p)};
}

subscription runtime::submit(generate_request request,
                             std::function<void(generation::event)> on_event) {
  return impl_->subscribe(callback_client, std::move(request),
                          std::move(on_event));
}

subscription runtime::embed(embed_request request,
                            std::function<void(embed_event)> on_event) {
  return impl_->subscribe(embed_client, std::move(request),
                          std::move(on_event));
}

embeddings runtime::embed(embed_request request) {
  struct waiting {
    embeddings all;
    std::promise<void> done;
  };
  if (auto why = must_not_wait())
    return {{}, ended_by(std::move(*why))};
  auto w = std::make_shared<waiting>();
  w->all.vectors.resize(request.inputs.size());
  auto under_way = embed(std::move(request), [w](embed_event e) {
    auto& all = w->all;
    if (auto* v = std::get_if<embedding_event>(&e)) {
      if (v->index < all.vectors.size())
        all.vectors[v->index] = std::move(v->vector);
    } else {
      all.end = std::move(std::get<finish_event>(e));
      w->done.set_value();
    }
  });
  w->done.get_future().wait();
  return std::move(w->all);
}

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

uint16_t runtime::cluster_port() const {
  return impl_->port;
}

const std::string& runtime::model_path() const {
  return impl_->options.model;
}

const model& runtime::weights() const {
  return *impl_->weights;
}

const tokenizer& runtime::text() const {
  return *impl_->text;
}

} // namespace troupe
