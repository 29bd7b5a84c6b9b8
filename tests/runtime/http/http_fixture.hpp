#pragma once

#include <boost/test/unit_test.hpp>
#include <nlohmann/json.hpp>

#include "runtime/http/server.hpp"
#include "tests/runtime/http/http_client.hpp"
#include "tests/support/core/comes.hpp"
#include "tests/support/core/temp_dir.hpp"
#include "tests/support/core/tiny_model.hpp"

namespace troupe::testing {

inline constexpr auto completions = "/v1/completions";
inline constexpr auto chats = "/v1/chat/completions";

/// A server of a tiny model, at a port of its own.
struct http_fixture {
  explicit http_fixture(http_options o = {}, uint32_t context = 256,
                        std::optional<limits_table> tenants = {},
                        std::optional<response_cache_options> cache = {}) {
    auto m = tiny_model_options{};
    m.context = context;
    write_tiny_model(dir.file("tiny.gguf"), m);
    auto r = runtime_options{};
    r.model = dir.file("tiny.gguf");
    r.threads = 1;
    r.tenants = std::move(tenants);
    r.cache = cache;
    auto opened = runtime::open(r);
    BOOST_REQUIRE_MESSAGE(opened.ok(),
                          (opened.ok() ? "" : opened.failure().message));
    rt.emplace(std::move(*opened));
    o.port = 0;
    auto started = http_server::start(*rt, std::move(o));
    BOOST_REQUIRE_MESSAGE(started.ok(),
                          (started.ok() ? "" : started.failure().message));
    server.emplace(std::move(*started));
  }

  uint16_t port() const { return server->port(); }

  nlohmann::json post(const std::string& path, const nlohmann::json& body,
                      int status = 200) {
    auto a = http_client{port()}.post(path, body.dump());
    BOOST_TEST(a.status == status);
    BOOST_TEST(a.whole);
    return nlohmann::json::parse(a.body);
  }

  /// Nothing runs, and no KV is held.
  bool comes_to_rest() {
    return comes([&] {
      auto s = rt->status();
      BOOST_REQUIRE(s.ok());
      auto used = s->requests;
      for (auto& n : s->nodes)
        used += n.blocks_in_use + n.sequences + n.waiting;
      return used == 0;
    });
  }

  temp_dir dir;
  std::optional<runtime> rt;
  std::optional<http_server> server;
};

/// The JSON of the events of a stream, without the last, which says that it is
/// done.
inline std::vector<nlohmann::json> events_of(const std::string& stream) {
  auto all = std::vector<nlohmann::json>{};
  auto done = false;
  auto at = size_t{0};
  while (at < stream.size()) {
    auto end = stream.find("\n\n", at);
    BOOST_REQUIRE(end != std::string::npos);
    auto event = stream.substr(at, end - at);
    at = end + 2;
    BOOST_REQUIRE(event.starts_with("data: "));
    BOOST_REQUIRE(!done);
    done = event == "data: [DONE]";
    if (!done)
      all.push_back(nlohmann::json::parse(event.substr(6)));
  }
  BOOST_TEST(done);
  return all;
}

} // namespace troupe::testing
