#include "runtime/http/routes.hpp"

#include "runtime/http/admin.hpp"
#include "runtime/http/answer.hpp"
#include "runtime/http/elsewhere.hpp"
#include "runtime/http/embedding.hpp"

namespace troupe::http {

namespace {

/// Larger bodies are read on the worker.
constexpr auto most_at_once = size_t{32} << 10;

using planner = plan (*)(server_state&, const std::string&);
using connection_ptr = std::shared_ptr<connection>;

// Who asks is what the key says, never the body. Organisations share no KV, so
// that none learns from times what others have asked.
tenant tenant_of(const server_state& server, const request& r) {
  auto who = tenant{};
  who.model = server.card.id;
  if (r.who) {
    who.organisation = r.who->organisation;
    who.key = r.who->name;
  }
  return who;
}

answer_plan charged_to(tenant who, answer_plan p, const request& r) {
  auto from = r.trace.value_or(trace_origin{});
  p.who = std::move(who);
  for (auto& c : p.choices) {
    c.organisation = c.cache_salt = p.who.organisation;
    c.key = p.who.key;
    c.model = p.who.model;
    c.trace_high = from.trace.high;
    c.trace_low = from.trace.low;
    c.trace_parent = from.parent;
  }
  return p;
}

embed_plan charged_to(tenant who, embed_plan p) {
  p.request.organisation = who.organisation;
  p.request.key = who.key;
  p.request.model = who.model;
  p.who = std::move(who);
  return p;
}

void carry_out(server_state& server, connection& to, const request& r, plan p) {
  auto who = tenant_of(server, r);
  if (auto* now = std::get_if<response>(&p))
    to.respond(std::move(*now));
  else if (auto* e = std::get_if<embed_plan>(&p))
    embedding::start(server, to.shared_from_this(),
                     charged_to(std::move(who), std::move(*e)));
  else
    answer::start(
        server, to.shared_from_this(), r,
        charged_to(std::move(who), std::move(std::get<answer_plan>(p)), r));
}

void plan_and_do(server_state& server, connection_ptr to, request r,
                 planner make) {
  if (r.body.size() <= most_at_once)
    return carry_out(server, *to, r, make(server, r.body));
  auto shared = std::make_shared<request>(std::move(r));
  elsewhere(
      server, server.worker, std::move(to),
      [&server, shared, make] {
        auto p = make(server, shared->body);
        shared->body = {};
        return p;
      },
      [&server, shared](connection& c, plan p) {
        carry_out(server, c, *shared, std::move(p));
      });
}

void send_metrics(server_state& server, connection_ptr to) {
  elsewhere(
      server, server.watchers, std::move(to),
      [&server] {
        return std::tuple{server.rt.status(), server.rt.cache(),
                          server.rt.profile({profile_query::kind::prometheus})};
      },
      [&server](connection& c,
                std::tuple<result<cluster_status>, result<cache_status>,
                           result<profile_report>>
                    s) {
        auto& [nodes, cache, profile] = s;
        auto now = gauges{server.connections.size(), server.answers,
                          server.body_bytes};
        auto text = to_prometheus(server.counts, now, nodes ? &*nodes : nullptr,
                                  cache ? &*cache : nullptr);
        if (profile)
          text += profile->text;
        c.respond({200, std::move(text), "text/plain; version=0.0.4"});
      });
}

// Whether some node would take a request.
bool can_serve(const cluster_status& s) {
  auto prefill = false, decode = false;
  for (auto& n : s.nodes) {
    prefill |= n.role != node_role::decode;
    decode |= n.role != node_role::prefill;
  }
  return prefill && decode;
}

void send_readiness(server_state& server, connection_ptr to) {
  elsewhere(
      server, server.watchers, std::move(to),
      [&server] { return server.rt.status(); },
      [](connection& c, result<cluster_status> s) {
        if (s && can_serve(*s))
          c.respond({200, R"({"status":"ready"})"});
        else
          c.respond({503, R"({"status":"no node answers"})"});
      });
}

void not_found(connection& to, const std::string& path) {
  to.respond(to_response(
      {404, "there is nothing at " + path.substr(0, 100), {}, "not_found"}));
}

void send_model(server_state& server, connection& to, const std::string& path) {
  auto name = path.substr(path.rfind('/') + 1);
  if (name == server.card.id)
    to.respond({200, api::to_json(server.card)});
  else
    to.respond(to_response(
        {404, "no model '" + name.substr(0, 100) + "' is served here", "model",
         "model_not_found"}));
}

constexpr auto models_path = std::string_view{"/v1/models/"};

struct post_route {
  std::string_view path;
  planner make;
};

constexpr post_route post_routes[] = {
    {"/v1/completions", plan_completion}, {"/v1/chat/completions", plan_chat},
    {"/v1/embeddings", plan_embeddings},  {"/tokenize", plan_tokenize},
    {"/detokenize", plan_detokenize},
};

constexpr std::string_view get_routes[] = {"/v1/models", "/healthz", "/readyz",
                                           "/metrics"};

void get(server_state& server, connection_ptr to, const request& r) {
  if (r.path == "/v1/models")
    to->respond({200, api::model_list(server.card)});
  else if (r.path == "/healthz")
    to->respond({200, R"({"status":"ok"})"});
  else if (r.path == "/readyz")
    send_readiness(server, std::move(to));
  else if (r.path == "/metrics")
    send_metrics(server, std::move(to));
  else
    send_model(server, *to, r.path);
}

void wrong_method(connection& to, std::string_view allowed) {
  auto x = to_response(
      {405, "the method is not allowed here", {}, "method_not_allowed"});
  x.allow = allowed;
  to.respond(std::move(x));
}

} // namespace

std::string_view endpoint_of(std::string_view path) {
  for (auto& p : post_routes)
    if (p.path == path)
      return p.path;
  for (auto p : get_routes)
    if (p == path)
      return p;
  if (path.starts_with("/admin/"))
    return "/admin/";
  if (path == "/" || path == "/live" || path.starts_with("/dashboard."))
    return "/";
  return path.starts_with(models_path) ? "/v1/models/" : "other";
}

void dispatch(server_state& server, std::shared_ptr<connection> to, request r) {
  if (dispatch_page(server, to, r))
    return;
  if (r.from == plane::admin && dispatch_admin(server, to, r))
    return;
  for (auto& p : post_routes)
    if (p.path == r.path) {
      if (r.method != "POST")
        return wrong_method(*to, "POST");
      return plan_and_do(server, std::move(to), std::move(r), p.make);
    }
  auto known = endpoint_of(r.path);
  if (known == "other" || known == "/admin/" || known == "/")
    return not_found(*to, r.path);
  if (r.method != "GET")
    return wrong_method(*to, "GET, HEAD");
  get(server, std::move(to), r);
}

} // namespace troupe::http
