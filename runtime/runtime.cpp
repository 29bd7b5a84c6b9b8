#include "runtime/runtime.hpp"

#include <caf/all.hpp>

#include <future>

#include "core/model/shared_model.hpp"
#include "runtime/embedding.hpp"
#include "runtime/generation_impl.hpp"
#include "runtime/runtime_impl.hpp"

namespace troupe {

namespace {

error too_late() {
  return fail(errc::abandoned, "the runtime is closing");
}

} // namespace

runtime::runtime(std::unique_ptr<impl> p) : impl_(std::move(p)) {}
runtime::runtime(runtime&&) noexcept = default;

runtime& runtime::operator=(runtime&& other) noexcept {
  if (this == &other)
    return *this;
  auto before = runtime{std::move(*this)};
  impl_ = std::move(other.impl_);
  return *this;
}

// Of what is the parent's nothing can be ended here.
runtime::~runtime() {
  if (impl_ && impl_->forked())
    static_cast<void>(impl_.release());
}

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

result<generation> runtime::submit(generate_request&& request) {
  return submit(std::move(request), in_between::anything);
}

result<generation> runtime::submit(const generate_request& request) {
  return submit(generate_request{request}, in_between::anything);
}

result<generation> runtime::submit(const generate_request& request,
                                   in_between what) {
  return submit(generate_request{request}, what);
}

result<generation> runtime::submit(generate_request&& request,
                                   in_between what) {
  if (impl_->closing)
    return too_late();
  if (auto why = impl_->cannot_wait())
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
  auto refusal = closing ? std::optional{too_late()} : forked();
  if (refusal) {
    on_event(ended_by(std::move(*refusal)));
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
