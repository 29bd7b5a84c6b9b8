#include "runtime/http/embedding.hpp"

#include <boost/asio/post.hpp>

#include "core/api/embedding_answer.hpp"
#include "runtime/http/elsewhere.hpp"
#include "runtime/http/limits.hpp"

namespace troupe::http {

namespace {

/// A value in memory, and as it is written.
constexpr auto bytes_of_value = uint64_t{4 + 15};

} // namespace

// -- inbox -------------------------------------------------------------------

void embedding::inbox::push(embed_event e, std::weak_ptr<embedding> owner) {
  auto guard = std::lock_guard{mutex_};
  if (!io_)
    return;
  if (auto* v = std::get_if<embedding_event>(&e)) {
    if (v->index < vectors.size())
      vectors[v->index] = std::move(v->vector);
    return;
  }
  end = std::move(std::get<finish_event>(e));
  boost::asio::post(*io_, [owner = std::move(owner)] {
    if (auto alive = owner.lock())
      alive->finish();
  });
  // Nobody touches what is read now.
  io_ = nullptr;
}

void embedding::inbox::close() {
  auto guard = std::lock_guard{mutex_};
  io_ = nullptr;
}

// -- embedding ---------------------------------------------------------------

void embedding::start(server_state& server,
                      const std::shared_ptr<connection>& to, embed_plan p) {
  if (server.answers >= server.options.max_requests)
    return to->respond(
        to_response({429,
                     "too many requests are under way; try again later",
                     {},
                     "overloaded"}));
  auto& r = p.request;
  auto hidden = server.rt.weights().params.hidden;
  auto width = uint64_t{r.dimensions > 0 ? r.dimensions : hidden};
  auto bytes = r.inputs.size() * width * bytes_of_value;
  if (bytes > server.options.max_bodies_bytes)
    return to->respond(to_response(
        {400,
         std::to_string(r.inputs.size()) + " vectors of "
             + std::to_string(width)
             + " values are too many for one answer; ask for fewer inputs or "
               "'dimensions' at a time",
         "input", "invalid_value"}));
  if (server.body_bytes + bytes > server.options.max_bodies_bytes)
    return to->respond(to_response(
        {503, "too many bytes of requests are held", {}, "overloaded"}));
  auto e = std::make_shared<embedding>(server, to, p, bytes);
  to->work(e);
  auto deliver = [box = e->inbox_, owner = std::weak_ptr<embedding>{e}](
                     embed_event event) { box->push(std::move(event), owner); };
  e->request_ = server.rt.embed(std::move(r), std::move(deliver));
}

embedding::embedding(server_state& server,
                     const std::shared_ptr<connection>& to, const embed_plan& p,
                     uint64_t bytes)
    : server_(server), to_(to), who_(p.who), base64_(p.base64), held_(bytes),
      inbox_(std::make_shared<inbox>(server.io, p.request.inputs.size())) {
  ++server_.answers;
  server_.body_bytes += held_;
}

embedding::~embedding() {
  inbox_->close();
  server_.counts.cancelled.add(over_ ? 0 : 1);
  --server_.answers;
  server_.body_bytes -= held_;
}

void embedding::finish() {
  auto to = to_.lock();
  if (!to || to->closed() || std::exchange(over_, true))
    return;
  auto& end = inbox_->end;
  to->add_headers(limit_headers(server_.rt.limits(who_)));
  if (end.reason != finish_reason::stop)
    return fail(*to, end);
  server_.counts.prompt_tokens.add(end.prompt_tokens);
  // Millions of numbers take a while to write.
  elsewhere(
      server_, server_.worker, std::move(to),
      [box = inbox_, base64 = base64_, &model = server_.card.id] {
        return api::embedding_answer(box->vectors, base64, model,
                                     box->end.prompt_tokens);
      },
      [](connection& c, std::string body) {
        c.respond({200, std::move(body)});
      });
}

void embedding::expire(connection& to) {
  if (std::exchange(over_, true))
    return;
  inbox_->close();
  request_.reset();
  to.respond(to_response(api::api_error_of(
      {errc::timeout, "the vectors were not there in time"}, "input")));
}

void embedding::fail(connection& to, const finish_event& end) {
  auto why = end.reason == finish_reason::error && end.code != errc::none
                 ? error{end.code, end.message}
                 : error{errc::abandoned, "the request was given up"};
  to.retry_after(duration{end.retry_after_ns});
  to.respond(to_response(api::api_error_of(why, "input")));
}

} // namespace troupe::http
