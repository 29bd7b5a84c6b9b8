#include "runtime/config.hpp"

#include <boost/test/unit_test.hpp>

#include "tests/support/core/temp_dir.hpp"

using namespace troupe;

namespace {

std::string complaint(const std::string& text) {
  auto o = parse_config(text, "c.json");
  return o.ok() ? "" : o.failure().message;
}

} // namespace

BOOST_AUTO_TEST_SUITE(config)

BOOST_AUTO_TEST_CASE(every_key_counts_and_none_is_needed) {
  auto none = parse_config("{}", "c.json");
  BOOST_REQUIRE(none.ok());
  BOOST_TEST(none->max_batch == runtime_options{}.max_batch);
  BOOST_TEST(!none->cluster.has_value());
  auto o = parse_config(R"({
    "model": "m.gguf", "threads": 3, "prefill_chunk": 64, "max_batch": 5,
    "gather_us": 300, "prefix_cache": false, "preempt": false, "kv": "i8",
    "activations": "i16", "nodes": {"mixed": [{"sequence_ranks": 3}, {}]},
    "tensor_ranks": 2,
    "cluster": {"listen": "0.0.0.0:99", "interval_ms": 100,
                "timeout_ms": 900, "tls": {"certificate": "a", "key": "b",
                                           "ca": "c"}}})",
                        "c.json");
  BOOST_REQUIRE(o.ok());
  BOOST_TEST(o->model == "m.gguf");
  BOOST_TEST(o->threads == 3u);
  BOOST_TEST(o->prefill_chunk == 64u);
  BOOST_TEST(o->tensor_ranks == 2u);
  BOOST_TEST((o->gather_within == std::chrono::microseconds{300}));
  BOOST_TEST((parse_config(R"({"gather_us": 0})", "c.json")->gather_within
              == duration{}));
  BOOST_TEST(!parse_config(R"({"gather_us": 100001})", "c.json").ok());
  auto v = parse_config(R"({"http": {"admin_port": 8081,
    "tls": {"certificate": "c", "key": "k", "client_ca": "a"}},
    "versions": {"name": "a", "state": "s", "automatic": false,
                 "least_ms": 5000, "keep_previous": true, "memory_mb": 3}})",
                        "c.json");
  BOOST_REQUIRE(v.ok());
  BOOST_TEST(*v->http->admin_port == 8081);
  BOOST_REQUIRE(v->http->tls.has_value());
  BOOST_TEST(v->http->tls->certificate == "c");
  BOOST_TEST(v->http->tls->key == "k");
  BOOST_TEST(v->http->tls->client_ca == "a");
  BOOST_TEST(v->versions.name == "a");
  BOOST_TEST(v->versions.state_file == "s");
  BOOST_TEST(!v->versions.rules.automatic);
  BOOST_TEST(v->versions.rules.keep_previous);
  BOOST_TEST((v->versions.rules.least_time == std::chrono::seconds{5}));
  BOOST_TEST(v->versions.rules.memory_budget == uint64_t{3} << 20);
  BOOST_TEST(!v->cache.has_value());
  auto c = parse_config(
      R"({"cache": {"mb": 8, "tenant_mb": 3, "ttl_ms": 5000}})", "c.json");
  BOOST_REQUIRE(c.ok());
  BOOST_TEST(c->cache->enabled);
  BOOST_TEST(c->cache->budget == uint64_t{8} << 20);
  BOOST_TEST(c->cache->tenant_budget == uint64_t{3} << 20);
  BOOST_TEST((c->cache->ttl == std::chrono::seconds{5}));
  BOOST_TEST(
      parse_config(R"({"cache": {"mb": 8}})", "c.json")->cache->tenant_budget
      == uint64_t{2} << 20);
  BOOST_TEST(!c->semantic_cache.has_value());
  auto near = parse_config(
      R"({"cache": {"mb": 8, "semantic": {"error": 0.02,
                                          "least_similarity": 0.9}},
          "otlp": {"endpoint": "http://c:4318", "interval_ms": 700}})",
      "c.json");
  BOOST_REQUIRE(near.ok());
  BOOST_TEST(near->semantic_cache->error == 0.02);
  BOOST_TEST(near->semantic_cache->least_similarity == 0.9);
  BOOST_TEST(near->semantic_cache->budget == uint64_t{8} << 20);
  BOOST_TEST(near->otlp->endpoint == "http://c:4318");
  BOOST_TEST((near->otlp->interval == std::chrono::milliseconds{700}));
  for (auto* bad : {R"({"cache": {"semantic": {}}})",
                    R"({"cache": {"semantic": {"error": 2}}})",
                    R"({"cache": {"semantic": {"error": "0.1"}}})"})
    BOOST_TEST(complaint(bad).find("error") != std::string::npos, bad);
  for (auto* bad : {R"({"otlp": {}})", R"({"otlp": {"endpoint": "c:4318"}})"})
    BOOST_TEST(complaint(bad).find("endpoint") != std::string::npos, bad);
  BOOST_TEST(complaint(R"({"versions": {"sate": "s"}})").find("state")
             != std::string::npos);
  BOOST_TEST(o->nodes.mixed[0].sequence_ranks == 3u);
  BOOST_TEST(o->nodes.mixed[1].sequence_ranks == 1u);
  BOOST_TEST(o->max_batch == 5u);
  BOOST_TEST(!o->prefix_cache);
  BOOST_TEST(!o->preempt);
  BOOST_TEST((o->kv == kv_dtype::i8));
  BOOST_TEST((o->activations == activation_type::i16));
  BOOST_TEST(o->nodes.mixed.size() == 2u);
  BOOST_REQUIRE(o->cluster.has_value());
  BOOST_TEST(o->cluster->listen.host == "0.0.0.0");
  BOOST_TEST(o->cluster->listen.port == 99u);
  BOOST_TEST((o->cluster->timeout == std::chrono::milliseconds{900}));
  BOOST_TEST((o->cluster->interval == std::chrono::milliseconds{100}));
  BOOST_REQUIRE(o->cluster->tls.has_value());
  BOOST_TEST(o->cluster->tls->ca == "c");
}

BOOST_AUTO_TEST_CASE(an_unknown_key_names_the_nearest_one) {
  BOOST_TEST(complaint(R"({"modle": "x"})")
             == "c.json: unknown key \"modle\"; did you mean \"model\"?");
  BOOST_TEST(complaint(R"({"cluster": {"timeout": 1}})")
             == "c.json: unknown key \"cluster.timeout\"; did you mean "
                "\"timeout_ms\"?");
  BOOST_TEST(complaint("{\"" + std::string(100'000, 'x') + "\": 1}").size()
             < 200u);
}

BOOST_AUTO_TEST_CASE(a_wrong_value_names_what_was_expected) {
  for (auto* text :
       {"",
        "[]",
        "7",
        R"({"model": 1})",
        R"({"model": ""})",
        R"({"threads": 0})",
        R"({"threads": -1})",
        R"({"threads": 1.5})",
        R"({"threads": 100000})",
        R"({"kv": "f64"})",
        R"({"preempt": 1})",
        R"({"nodes": 3})",
        R"({"nodes": {"mixed": 0}})",
        R"({"cluster": []})",
        R"({"cluster": {"listen": "a:b"}})",
        R"({"cluster": {"listen": "::1"}})",
        R"({"cluster": {"timeout_ms": 0}})",
        R"({"cluster": {"tls": {"key": "b"}}})",
        R"({"cluster": {"tls": {"certifcate": "b"}}})",
        R"({"http": {"tls": {"key": "b"}}})",
        R"({"http": {"tls": {"certificate": "a", "key": "b", "ca": "c"}}})"}) {
    auto why = complaint(text);
    BOOST_TEST_CONTEXT(text) {
      BOOST_TEST(why.starts_with("c.json: "));
      BOOST_TEST(why.size() > 12u);
    }
  }
}

BOOST_AUTO_TEST_CASE(tenants_have_limits_at_three_levels) {
  BOOST_TEST(!parse_config("{}", "c.json")->tenants.has_value());
  auto o = parse_config(R"({"tenants": {
    "unknown": "each", "most_unknown": 7,
    "unknown_limits": {"concurrency": 2},
    "organisations": {"acme": {
      "limits": {"requests": {"amount": 60}, "concurrency": 4,
                 "output_tokens": {"amount": 5, "per_ms": 10, "burst": 9}},
      "keys": {"laptop": {
        "limits": {"input_tokens": {"amount": 1}},
        "models": {"tiny": {"limits": {"concurrency": 1}}}}}}}}})",
                        "c.json");
  BOOST_REQUIRE(o.ok());
  auto& t = *o->tenants;
  BOOST_TEST((t.unknown == unknown_tenants::each));
  BOOST_TEST(t.most_unknown == 7u);
  BOOST_TEST(t.unknown_limits.concurrency.value() == 2u);
  auto& acme = t.organisations.at("acme");
  auto minute = std::chrono::minutes{1};
  BOOST_TEST((*acme.limits.requests == rate_limit{60, minute, 60}));
  BOOST_TEST((*acme.limits.output_tokens
              == rate_limit{5, std::chrono::milliseconds{10}, 9}));
  BOOST_TEST(!acme.limits.input_tokens.has_value());
  BOOST_TEST(acme.limits.concurrency.value() == 4u);
  auto& key = acme.keys.at("laptop");
  BOOST_TEST((*key.limits.input_tokens == rate_limit{1, minute, 1}));
  BOOST_TEST(key.models.at("tiny").concurrency.value() == 1u);
}

BOOST_AUTO_TEST_CASE(keys_are_read_and_checked) {
  BOOST_TEST(!parse_config("{}", "c.json")->keys.has_value());
  auto none = parse_config(R"({"keys": []})", "c.json");
  BOOST_REQUIRE(none.ok());
  BOOST_REQUIRE(none->keys.has_value());
  BOOST_TEST(none->keys->empty());
  auto made = make_key();
  BOOST_REQUIRE(made.ok());
  auto entry = R"({"organisation": "acme", "name": "laptop", "hash": ")"
               + to_string(made->hash) + "\"}";
  auto o = parse_config("{\"keys\": [" + entry + "]}", "c.json");
  BOOST_REQUIRE(o.ok());
  BOOST_REQUIRE_EQUAL(o->keys->size(), 1u);
  BOOST_TEST(o->keys->front().organisation == "acme");
  BOOST_TEST(to_string(o->keys->front().hash) == to_string(made->hash));
  BOOST_TEST(complaint("{\"keys\": [" + entry + "," + entry + "]}")
             == "c.json: \"keys[1].hash\" is of a key that is there twice");
  for (auto text : {"1", "[1]", "[{}]", R"([{"organisation": "a"}])",
                    R"([{"organisation": "a", "name": "b", "hash": "c"}])",
                    R"([{"organisation": "a", "name": "b", "hsh": "c"}])"})
    BOOST_TEST(complaint("{\"keys\": " + std::string{text} + "}")
                   .starts_with("c.json: "),
               text);
}

BOOST_AUTO_TEST_CASE(tenants_that_make_no_sense_are_refused) {
  for (auto text :
       {"1", R"({"unknown": "none"})", R"({"organisations": []})",
        R"({"organisations": {"a": 1}})",
        R"({"organisations": {"a": {"limits": {"requests": 1}}}})",
        R"({"organisations": {"a": {"limits": {"requests": {}}}}})",
        R"({"organisations": {"a": {"limits": {"requests": {"amount": -1}}}}})",
        R"({"organisations": {"a": {"limits": {"tokens": {"amount": 1}}}}})",
        R"({"unknown_limits": {"concurrency": -1}})"})
    BOOST_TEST(complaint("{\"tenants\": " + std::string{text} + "}")
                   .starts_with("c.json: "),
               text);
}

BOOST_AUTO_TEST_CASE(files_that_are_none_are_named) {
  auto dir = testing::temp_dir{};
  auto o = read_config(dir.file("none.json"));
  BOOST_REQUIRE(!o.ok());
  BOOST_TEST((o.failure().code == errc::io_error));
  BOOST_TEST(o.failure().message.find("none.json") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(addresses_are_read_as_people_write_them) {
  auto is = [](const std::string& text, const std::string& expected) {
    auto a = parse_address(text);
    return (a.ok() ? to_string(*a) : "bad") == expected;
  };
  BOOST_TEST(is("red:80", "red:80"));
  BOOST_TEST(is("red", "red:7070"));
  BOOST_TEST(is(":80", "127.0.0.1:80"));
  BOOST_TEST(is("[::1]:80", "[::1]:80"));
  BOOST_TEST(is("[::1]", "[::1]:7070"));
  BOOST_TEST(is("127.0.0.1:0", "127.0.0.1:0"));
  for (auto* bad : {"", ":", "red:", "red:x", "red:80x", "red:70000", "::1",
                    "[]:80", "[::1", "[::1]80", "red:-1"})
    BOOST_TEST(is(bad, "bad"), bad);
}

BOOST_AUTO_TEST_SUITE_END()
