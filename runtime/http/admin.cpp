#include "runtime/http/admin.hpp"

#include <charconv>

#include "core/api/local_site.hpp"
#include "runtime/config_tenants.hpp"
#include "runtime/http/admin_json.hpp"
#include "runtime/http/admin_trace.hpp"
#include "runtime/http/dashboard.hpp"
#include "runtime/http/elsewhere.hpp"
#include "runtime/recorded_trace.hpp"
#include "runtime/status_json.hpp"

namespace troupe::http {

namespace {

using nlohmann::json;
using connection_ptr = std::shared_ptr<connection>;
using done = result<json>;

/// What a path does with a body, on the worker. The body of a GET is null.
using handler = done (*)(runtime&, const json& body, const std::string& rest);

// -- nodes --------------------------------------------------------------------

done show_nodes(runtime& rt, const json&, const std::string&) {
  auto s = rt.status();
  if (!s)
    return s.failure();
  return json(troupe::to_json(*s));
}

// By number or by name.
done drain(runtime& rt, const json&, const std::string& name) {
  auto id = node_id{0};
  auto end = std::from_chars(name.data(), name.data() + name.size(), id).ptr;
  auto d = end == name.data() + name.size() ? rt.drain(id) : rt.drain(name);
  if (!d)
    return d.failure();
  return json{
      {"node", d->node}, {"moved", d->moved}, {"placed_again", d->replaced}};
}

// -- tenants ------------------------------------------------------------------

done show_tenants(runtime& rt, const json&, const std::string&) {
  return to_json(rt.organisations());
}

done set_tenants(runtime& rt, const json& body, const std::string&) {
  auto table = limits_table{};
  auto s = config::section{body, "tenants"};
  config::read_tenants(s, table);
  if (auto why = s.finish(); !why.empty())
    return fail(errc::invalid_argument, why);
  if (auto ok = rt.set_limits(std::move(table)); !ok)
    return ok.failure();
  return to_json(rt.organisations());
}

// -- versions -----------------------------------------------------------------

done shown(const result<versions_status>& s) {
  if (!s)
    return s.failure();
  return to_json(*s);
}

done show_versions(runtime& rt, const json&, const std::string&) {
  return shown(rt.versions());
}

done load_version(runtime& rt, const json& body, const std::string&) {
  auto name = std::string{}, path = std::string{};
  auto s = config::section{body, ""};
  s.text("name", name);
  s.text("path", path);
  if (auto why = s.finish(); !why.empty())
    return fail(errc::invalid_argument, why);
  if (name.empty() || path.empty())
    return fail(errc::invalid_argument,
                R"(a version needs a "name" and the "path" of a model)");
  auto v = rt.load_version(std::move(name), std::move(path));
  if (!v)
    return v.failure();
  return json{{"id", *v}};
}

template <version_command::kind What>
done command(runtime& rt, const json& body, const std::string&) {
  using kind = version_command::kind;
  constexpr auto has_version =
      What == kind::activate || What == kind::canary || What == kind::remove;
  constexpr auto has_share = What == kind::canary || What == kind::share;
  auto c = version_command{};
  c.what = What;
  auto s = config::section{body, ""};
  s.text("why", c.why);
  if constexpr (has_version)
    s.number("id", 1, ~version_id{0}, c.version);
  if constexpr (has_share)
    if (auto* j = s.take("share")) {
      if (j->is_number())
        c.share = j->get<double>();
      else
        s.complain(R"("share" must be a number)");
    }
  if (auto why = s.finish(); !why.empty())
    return fail(errc::invalid_argument, why);
  if (has_version && c.version == 0)
    return fail(errc::invalid_argument, R"(the "id" of a version is missing)");
  if (c.why.empty())
    c.why = "by hand";
  return shown(rt.command(std::move(c)));
}

// -- traces -------------------------------------------------------------------

json shown(const trace_status& s) {
  auto j = json{{"recording", s.recording},
                {"file", s.file},
                {"bytes", s.bytes},
                {"dropped", s.dropped}};
  if (!s.failure.empty())
    j["failure"] = s.failure;
  return j;
}

done show_trace(runtime& rt, const json&, const std::string&) {
  return shown(rt.trace());
}

// Where to is the configuration's to say.
done start_trace(runtime& rt, const json& body, const std::string&) {
  auto s = config::section{body, ""};
  if (auto why = s.finish(); !why.empty())
    return fail(errc::invalid_argument, why);
  if (auto ok = rt.start_trace(); !ok)
    return ok.failure();
  return shown(rt.trace());
}

done stop_trace(runtime& rt, const json& body, const std::string&) {
  auto s = config::section{body, ""};
  if (auto why = s.finish(); !why.empty())
    return fail(errc::invalid_argument, why);
  auto ended = rt.stop_trace();
  if (!ended)
    return ended.failure();
  return shown(*ended);
}

// -- all of it ----------------------------------------------------------------

done show_live(runtime& rt, const json&, const std::string&) {
  auto s = rt.status({1});
  if (!s)
    return s.failure();
  auto v = rt.versions();
  if (!v)
    return v.failure();
  auto live = json(troupe::to_json(*s));
  live["versions"] = to_json(*v);
  live["tenants"] = to_json(rt.organisations())["tenants"];
  if (auto l = rt.latencies())
    live["stages"] = to_json(*l);
  live["actors"] = actors_json();
  return live;
}

using kind = version_command::kind;

struct route {
  std::string_view method;
  std::string_view path; ///< "*": a name
  handler answer;
};

constexpr route routes[] = {
    {"GET", "/admin/nodes", show_nodes},
    {"POST", "/admin/nodes/*/drain", drain},
    {"GET", "/admin/tenants", show_tenants},
    {"PUT", "/admin/tenants", set_tenants},
    {"GET", "/admin/versions", show_versions},
    {"POST", "/admin/versions", load_version},
    {"POST", "/admin/versions/activate", command<kind::activate>},
    {"POST", "/admin/versions/canary", command<kind::canary>},
    {"POST", "/admin/versions/share", command<kind::share>},
    {"POST", "/admin/versions/promote", command<kind::promote>},
    {"POST", "/admin/versions/rollback", command<kind::roll_back>},
    {"POST", "/admin/versions/remove", command<kind::remove>},
    {"GET", "/admin/trace", show_trace},
    {"POST", "/admin/trace/start", start_trace},
    {"POST", "/admin/trace/stop", stop_trace},
};

// Whether a path is that of a route, and what stands for its "*".
bool matches(std::string_view path, std::string_view route, std::string& rest) {
  auto star = route.find('*');
  if (star == std::string_view::npos)
    return path == route;
  auto before = route.substr(0, star), after = route.substr(star + 1);
  if (path.size() <= before.size() + after.size() || !path.starts_with(before)
      || !path.ends_with(after))
    return false;
  rest = path.substr(before.size(), path.size() - before.size() - after.size());
  return rest.find('/') == std::string::npos;
}

void refuse(connection& to, int status, std::string what) {
  to.respond(to_response({status, std::move(what), {}, "bad_request"}));
}

// A page of another site can have a browser send forms, but no JSON.
bool is_json(std::string_view type) {
  return type.starts_with("application/json");
}

void carry_out(server_state& server, const connection_ptr& to, const route& at,
               request& r, std::string rest) {
  auto body = json{};
  if (at.method != "GET") {
    if (!is_json(r.content_type))
      return refuse(*to, 415, "the content-type must be application/json");
    body =
        r.body.empty() ? json::object() : json::parse(r.body, nullptr, false);
    if (body.is_discarded())
      return refuse(*to, 400, "the body is not JSON");
  }
  elsewhere(
      server, at.answer == drain ? server.movers : server.operators, to,
      [&rt = server.rt, answer = at.answer, body = std::move(body),
       rest = std::move(rest)] { return answer(rt, body, rest); },
      [](connection& c, const done& d) {
        if (d)
          c.respond({200, dump(*d)});
        else
          c.respond(to_response(api::api_error_of(d.failure())));
      });
}

} // namespace

namespace {

struct page {
  std::string_view path;
  const std::string_view* text;
  std::string_view type;
};

constexpr page pages[] = {
    {"/", &index_html, "text/html; charset=utf-8"},
    {"/dashboard.js", &dashboard_js, "text/javascript; charset=utf-8"},
    {"/dashboard.css", &dashboard_css, "text/css; charset=utf-8"},
};

// Nothing from elsewhere, and in nobody's frame.
constexpr auto page_headers = std::string_view{
    "content-security-policy: default-src 'none'; script-src 'self'; "
    "style-src 'self'; connect-src 'self'; img-src data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'\r\n"
    "x-content-type-options: nosniff\r\n"
    "referrer-policy: no-referrer\r\n"
    "cache-control: no-cache\r\n"};

bool shows_page(const server_state& server, const request& r) {
  return r.from == plane::admin
         || (!server.keys && r.at_home
             && api::is_local_host(server.options.host));
}

// Where the page finds the requests whose messages are recorded.
const char* trace_place(plane from) {
  return !trace_file()          ? "nowhere"
         : from == plane::admin ? "here"
                                : "operators";
}

void send_live(server_state& server, const connection_ptr& to, plane from) {
  elsewhere(
      server, server.operators, to,
      [&rt = server.rt] { return show_live(rt, {}, {}); },
      [&server, from](connection& c, done d) {
        if (!d)
          return c.respond(to_response(api::api_error_of(d.failure())));
        (*d)["model"] = server.card.id;
        (*d)["trace"] = trace_place(from);
        (*d)["latency"] = recent_latencies(server.counts, now());
        c.add_headers("cache-control: no-store\r\n");
        c.respond({200, dump(*d)});
      });
}

} // namespace

bool dispatch_page(server_state& server, const connection_ptr& to,
                   const request& r) {
  if (r.method != "GET" || !shows_page(server, r))
    return false;
  if (r.path == "/live") {
    send_live(server, to, r.from);
    return true;
  }
  for (auto& p : pages)
    if (p.path == r.path) {
      to->add_headers(page_headers);
      to->respond({200, std::string{*p.text}, p.type});
      return true;
    }
  return false;
}

bool dispatch_admin(server_state& server, const connection_ptr& to,
                    request& r) {
  if (!r.path.starts_with("/admin/"))
    return false;
  if (dispatch_trace(server, to, r))
    return true;
  auto found = false;
  for (auto& at : routes) {
    auto rest = std::string{};
    if (!matches(r.path, at.path, rest))
      continue;
    found = true;
    if (at.method != r.method)
      continue;
    carry_out(server, to, at, r, std::move(rest));
    return true;
  }
  if (!found)
    return false;
  refuse(*to, 405, "the method is not allowed here");
  return true;
}

} // namespace troupe::http
