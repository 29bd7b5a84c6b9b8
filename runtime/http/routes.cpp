#include "runtime/http/routes.hpp"

#include <algorithm>

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

answer_plan charged_to(tenant who, answer_plan p) {
  p.who = std::move(who);
  for (auto& c : p.choices) {
    c.organisation = c.cache_salt = p.who.organisation;
    c.key = p.who.key;
    c.model = p.who.model;
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
        charged_to(std::move(who), std::move(std::get<answer_plan>(p))));
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
      server, server.worker, std::move(to),
      [&server] { return server.rt.status(); },
      [&server](connection& c, result<cluster_status> s) {
        auto now = gauges{server.connections.size(), server.answers,
                          server.body_bytes};
        c.respond({200, to_prometheus(server.counts, now, s ? &*s : nullptr),
                   "text/plain; version=0.0.4"});
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
      server, server.worker, std::move(to),
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

// The key of "Bearer KEY"; empty if there is none.
std::string_view key_of(std::string_view authorization) {
  constexpr auto scheme = std::string_view{"bearer "};
  // Schemes are words in any case.
  auto same = [](char b, char a) {
    return (a >= 'A' && a <= 'Z' ? a + ('a' - 'A') : a) == b;
  };
  if (authorization.size() <= scheme.size()
      || !std::equal(scheme.begin(), scheme.end(), authorization.begin(), same))
    return {};
  authorization.remove_prefix(scheme.size());
  return authorization.substr(
      std::min(authorization.find_first_not_of(' '), authorization.size()));
}

void unauthorized(connection& to, bool has_key) {
  to.add_headers("www-authenticate: Bearer\r\n");
  to.respond(to_response({401,
                          has_key ? "the API key is not one of those known here"
                                  : "an API key is needed, as in "
                                    "Authorization: Bearer KEY",
                          {},
                          "invalid_api_key"}));
}

// What says nothing of tenants, and what whoever watches over the server asks.
bool is_open(std::string_view path) {
  return path == "/healthz" || path == "/readyz" || path == "/metrics";
}

void dispatch_known(server_state& server, connection_ptr to, request r);

// Has a key that nobody had before looked at on the worker.
void ask_for(server_state& server, connection_ptr to, request r) {
  auto shared = std::make_shared<request>(std::move(r));
  elsewhere(
      server, server.worker, std::move(to),
      [&server, shared] {
        return server.keys->verify(key_of(shared->authorization));
      },
      [&server, shared](connection& c, const api_key* who) {
        if (!who)
          return unauthorized(c, true);
        shared->who = who;
        dispatch_known(server, c.shared_from_this(), std::move(*shared));
      });
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
  // Whoever reaches it operates the server.
  if (r.from == plane::admin) {
    if (!dispatch_admin(server, to, r))
      dispatch_known(server, std::move(to), std::move(r));
    return;
  }
  if (!server.keys || is_open(r.path))
    return dispatch_known(server, std::move(to), std::move(r));
  auto key = key_of(r.authorization);
  auto a = server.keys->find(key);
  if (a.is == key_ring::verdict::ask)
    return ask_for(server, std::move(to), std::move(r));
  if (a.is == key_ring::verdict::unknown)
    return unauthorized(*to, !key.empty());
  r.who = a.who;
  dispatch_known(server, std::move(to), std::move(r));
}

namespace {

void dispatch_known(server_state& server, connection_ptr to, request r) {
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

} // namespace

} // namespace troupe::http
