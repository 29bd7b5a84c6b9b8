#include <algorithm>

#include "runtime/http/connection.hpp"
#include "runtime/http/elsewhere.hpp"

namespace troupe::http {

namespace {

// What says nothing of tenants, and what whoever watches over the server asks.
bool is_open(std::string_view path) {
  return path == "/healthz" || path == "/readyz" || path == "/metrics";
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

api::api_error unauthorized(bool has_key) {
  return {401,
          has_key ? "the API key is not one of those known here"
                  : "an API key is needed, as in Authorization: Bearer KEY",
          {},
          "invalid_api_key"};
}

} // namespace

// Who has no key costs the server a head, never a body. Whoever reaches the
// admin plane operates the server.
void connection::admit() {
  auto key = std::string{key_of(authorization_)};
  authorization_.clear();
  auto open = is_open(path_) && parser_->is_done();
  if (!server_.keys || plane_ == plane::admin || open)
    return let_in(nullptr);
  auto a = server_.keys->find(key);
  if (a.is == key_ring::verdict::known)
    return let_in(a.who);
  if (a.is == key_ring::verdict::unknown)
    return turn_away(!key.empty());
  ask_for(std::move(key));
}

// Has a key that nobody had before looked at on the worker.
void connection::ask_for(std::string key) {
  enter(phase::asking, server_.options.body_deadline);
  elsewhere(
      server_, server_.worker, shared_from_this(),
      [&keys = *server_.keys, key = std::move(key)] {
        return keys.verify(key);
      },
      [](connection& c, const api_key* who) {
        if (who)
          c.let_in(who);
        else
          c.turn_away(true);
      });
}

void connection::let_in(const api_key* who) {
  who_ = who;
  enter(phase::body, server_.options.body_deadline);
  if (!expects())
    return refuse(417, "the only expectation here is 100-continue");
  read_body();
}

// The connection goes on if the next request begins where this head ends.
void connection::turn_away(bool has_key) {
  keep_alive_ = keep_alive_ && parser_->is_done();
  phase_ = phase::busy;
  read_by_.clear();
  parser_.reset();
  add_headers("www-authenticate: Bearer\r\n");
  respond(to_response(unauthorized(has_key)));
}

} // namespace troupe::http
