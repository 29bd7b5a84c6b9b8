#include "runtime/config_schema.hpp"

#include <boost/test/unit_test.hpp>
#include <nlohmann/json.hpp>

#include <functional>

#include "runtime/config.hpp"

using namespace troupe;
using nlohmann::json;

namespace {

std::string complaint(const json& document) {
  auto o = parse_config(document.dump(), "c.json");
  return o.ok() ? "" : o.failure().message;
}

bool is_unknown(const json& document) {
  return complaint(document).find("unknown key") != std::string::npos;
}

const json& schema() {
  static const auto s = json::parse(config::schema_text);
  return s;
}

const json& resolved(const json& s) {
  auto ref = s.find("$ref");
  return ref == s.end() ? s
                        : schema().at(json::json_pointer{
                            ref->get<std::string>().substr(1)});
}

using place = std::vector<std::string>;

// All keys of objects of a fixed form, but those of names and lists.
void each_key(const json& s, const place& at,
              const std::function<void(const place&, const json&)>& f) {
  auto& r = resolved(s);
  if (!r.contains("properties"))
    return;
  for (auto& [key, value] : r["properties"].items()) {
    auto inner = at;
    inner.push_back(key);
    f(inner, resolved(value));
    each_key(value, inner, f);
  }
}

// A document that holds `x` at that place, and nothing else.
json document(const place& at, json x) {
  for (auto key = at.rbegin(); key != at.rend(); ++key)
    x = json{{*key, std::move(x)}};
  return x;
}

} // namespace

BOOST_AUTO_TEST_SUITE(config_schema)

BOOST_AUTO_TEST_CASE(an_empty_document_is_valid) {
  BOOST_TEST(config::against_schema(json::object()) == "");
  BOOST_TEST(config::against_schema(json::array()) != "");
  BOOST_TEST(
      config::against_schema({{"threads", 0}}).starts_with("/threads: "));
}

BOOST_AUTO_TEST_CASE(every_key_of_the_schema_is_read) {
  auto n = 0;
  each_key(schema(), {}, [&](const place& at, const json&) {
    ++n;
    BOOST_TEST_CONTEXT(document(at, nullptr)) {
      BOOST_TEST(complaint(document(at, nullptr)) != "");
      BOOST_TEST(!is_unknown(document(at, nullptr)));
      auto other = at;
      other.back() += "_";
      BOOST_TEST(complaint(document(other, 1)) != "");
      BOOST_TEST(config::against_schema(document(other, 1)) != "");
    }
  });
  BOOST_TEST(n > 60);
}

// What a key is without being given is what it is given as its default.
BOOST_AUTO_TEST_CASE(defaults_are_values_that_may_be_given) {
  auto n = 0;
  each_key(schema(), {}, [&](const place& at, const json& s) {
    if (!s.contains("default"))
      return;
    ++n;
    auto whole = document(at, s["default"]);
    // What stands beside it.
    if (at[0] == "cache" && at.size() == 3)
      whole["cache"]["semantic"]["error"] = 0.1;
    if (at[0] == "otlp")
      whole["otlp"]["endpoint"] = "http://127.0.0.1:4318";
    if (at[0] == "trace" || at[0] == "audit")
      whole[at[0]]["file"] = "f";
    if (at[0] == "tenants" && at.size() > 2 && at.back() == "per_ms")
      whole[json::json_pointer{"/tenants/unknown_limits/" + at[2]}]["amount"] =
          1;
    BOOST_TEST(complaint(whole) == "", whole);
  });
  BOOST_TEST(n > 30);
}

BOOST_AUTO_TEST_CASE(the_defaults_are_those_of_the_program) {
  auto at = [](const char* pointer) {
    return schema()
        .at(json::json_pointer{std::string{"/properties"} + pointer})
        .at("default");
  };
  auto o = runtime_options{};
  BOOST_TEST(at("/prefill_chunk") == o.prefill_chunk);
  BOOST_TEST(at("/max_batch") == o.max_batch);
  BOOST_TEST(at("/tensor_ranks") == o.tensor_ranks);
  BOOST_TEST(at("/prefix_cache") == o.prefix_cache);
  BOOST_TEST(at("/preempt") == o.preempt);
  auto h = http_options{};
  BOOST_TEST(at("/http/properties/host") == h.host);
  BOOST_TEST(at("/http/properties/port") == h.port);
  BOOST_TEST(at("/http/properties/max_connections") == h.max_connections);
  BOOST_TEST(at("/http/properties/max_requests") == h.max_requests);
  BOOST_TEST(at("/http/properties/max_body_bytes") == h.max_body_bytes);
  auto ms = [](duration d) { return d / std::chrono::milliseconds{1}; };
  BOOST_TEST(at("/http/properties/header_ms") == ms(h.header_deadline));
  BOOST_TEST(at("/http/properties/body_ms") == ms(h.body_deadline));
  BOOST_TEST(at("/http/properties/idle_ms") == ms(h.idle_deadline));
  BOOST_TEST(at("/http/properties/answer_ms") == ms(h.answer_deadline));
  auto c = cluster_options{};
  BOOST_TEST(at("/cluster/properties/listen") == to_string(c.listen));
  BOOST_TEST(at("/cluster/properties/interval_ms") == ms(c.interval));
  BOOST_TEST(at("/cluster/properties/timeout_ms") == ms(c.timeout));
  auto r = response_cache_options{};
  BOOST_TEST(at("/cache/properties/mb") == r.budget >> 20);
  BOOST_TEST(at("/cache/properties/ttl_ms") == ms(r.ttl));
  BOOST_TEST(at("/cache/properties/semantic/properties/least_similarity")
             == semantic_options{}.least_similarity);
  BOOST_TEST(at("/otlp/properties/interval_ms") == ms(otlp_options{}.interval));
  auto t = trace_options{};
  BOOST_TEST(at("/trace/properties/mb") == t.max_bytes >> 20);
  BOOST_TEST(at("/trace/properties/files") == t.files);
  BOOST_TEST(at("/trace/properties/payloads") == t.payloads);
  BOOST_TEST(at("/trace/properties/kv") == t.full_kv);
  auto a = audit_options{};
  BOOST_TEST(at("/audit/properties/file_mb") == a.file_bytes >> 20);
  BOOST_TEST(at("/audit/properties/texts") == a.texts);
  BOOST_TEST(at("/audit/properties/go_on_when_full") == a.go_on_when_full);
  auto v = versions_options{};
  BOOST_TEST(at("/versions/properties/automatic") == v.rules.automatic);
  BOOST_TEST(at("/versions/properties/keep_previous") == v.rules.keep_previous);
  BOOST_TEST(at("/versions/properties/least_ms") == ms(v.rules.least_time));
  BOOST_TEST(at("/tenants/properties/most_unknown")
             == limits_table{}.most_unknown);
}

BOOST_AUTO_TEST_SUITE_END()
