#include "runtime/config.hpp"

#include <fstream>

#include "runtime/config_schema.hpp"
#include "runtime/config_section.hpp"
#include "runtime/config_tenants.hpp"
#include "runtime/http_address.hpp"

namespace troupe {

namespace {

using config::inner;
using config::section;
using json = nlohmann::json;

void read_cluster(section& s, cluster_options& o) {
  auto at = std::string{};
  s.text("listen", at);
  if (!at.empty()) {
    if (auto a = parse_address(at))
      o.listen = *a;
    else
      s.complain(s.path("listen") + ": " + a.failure().message);
  }
  s.milliseconds("interval_ms", o.interval);
  s.milliseconds("timeout_ms", o.timeout);
  inner(s, "tls", "cluster.tls", [&](section& t) {
    auto f = tls_files{};
    t.text("certificate", f.certificate);
    t.text("key", f.key);
    t.text("ca", f.ca);
    if (f.certificate.empty() || f.key.empty() || f.ca.empty())
      t.complain("\"cluster.tls\" takes \"certificate\", \"key\" and \"ca\"");
    o.tls = std::move(f);
  });
}

void read_http_tls(section& s, http_tls& t) {
  s.text("certificate", t.certificate);
  s.text("key", t.key);
  s.text("client_ca", t.client_ca);
  if (t.certificate.empty() || t.key.empty())
    s.complain("\"http.tls\" takes \"certificate\" and \"key\"");
}

void read_http(section& s, http_options& o) {
  s.text("host", o.host);
  s.number("port", 0, 65535, o.port);
  if (s.has("admin_port"))
    s.number("admin_port", 0, 65535, o.admin_port.emplace());
  inner(s, "tls", "http.tls",
        [&](section& t) { read_http_tls(t, o.tls.emplace()); });
  s.text("model_name", o.model_name);
  s.number("max_connections", 1, 1u << 20, o.max_connections);
  s.number("max_requests", 1, 1u << 16, o.max_requests);
  s.number("max_body_bytes", 1024, uint64_t{1} << 30, o.max_body_bytes);
  s.milliseconds("header_ms", o.header_deadline);
  s.milliseconds("body_ms", o.body_deadline);
  s.milliseconds("idle_ms", o.idle_deadline);
  s.milliseconds("answer_ms", o.answer_deadline);
}

} // namespace

void read_versions(section& s, versions_options& o) {
  s.text("name", o.name);
  s.text("state", o.state_file);
  s.flag("automatic", o.rules.automatic);
  s.flag("keep_previous", o.rules.keep_previous);
  s.milliseconds("least_ms", o.rules.least_time);
  auto mb = uint64_t{0};
  s.number("memory_mb", 1, uint64_t{1} << 30, mb);
  if (mb > 0)
    o.rules.memory_budget = mb << 20;
}

void read_semantic(section& s, semantic_options& o) {
  s.fraction("error", o.error);
  s.fraction("least_similarity", o.least_similarity);
  if (o.error <= 0)
    s.complain("\"cache.semantic\" takes an \"error\": how many of its answers "
               "may be wrong, as in 0.02");
}

void read_cache(section& s, runtime_options& to) {
  auto& o = to.cache.emplace();
  auto mb = uint64_t{o.budget >> 20};
  s.number("mb", 1, uint64_t{1} << 30, mb);
  o.budget = mb << 20;
  mb = std::max<uint64_t>(mb / 4, 1);
  s.number("tenant_mb", 1, uint64_t{1} << 30, mb);
  o.tenant_budget = mb << 20;
  s.milliseconds("ttl_ms", o.ttl);
  o.enabled = true;
  inner(s, "semantic", "cache.semantic", [&](section& x) {
    auto& near = to.semantic_cache.emplace();
    near.budget = o.budget;
    near.tenant_budget = o.tenant_budget;
    near.ttl = o.ttl;
    read_semantic(x, near);
  });
}

void read_otlp(section& s, otlp_options& o) {
  s.text("endpoint", o.endpoint);
  s.milliseconds("interval_ms", o.interval);
  if (auto at = parse_http_address(o.endpoint); !at)
    s.complain("\"otlp.endpoint\": " + at.failure().message);
}

void read_trace(section& s, trace_options& o) {
  s.text("file", o.file);
  s.flag("wait", o.wait);
  s.flag("payloads", o.payloads);
  s.flag("kv", o.full_kv);
  auto mb = o.max_bytes >> 20;
  s.number("mb", 1, uint64_t{1} << 30, mb);
  o.max_bytes = mb << 20;
  s.number("files", 1, 1000, o.files);
  if (o.file.empty())
    s.complain("\"trace\" takes a \"file\" to record to");
}

void read_audit(section& s, audit_options& o) {
  s.text("file", o.file);
  s.text("key", o.key);
  s.text("anchor", o.anchor);
  s.flag("texts", o.texts);
  s.flag("go_on_when_full", o.go_on_when_full);
  auto mb = o.file_bytes >> 20;
  s.number("file_mb", 1, uint64_t{1} << 20, mb);
  o.file_bytes = mb << 20;
  if (o.file.empty())
    s.complain("\"audit\" takes a \"file\" to record to");
}

result<runtime_options> parse_config(const std::string& text,
                                     const std::string& name) {
  auto j = json::parse(text, nullptr, false);
  if (j.is_discarded())
    return fail(errc::bad_file, name + ": not JSON");
  auto o = runtime_options{};
  auto s = section{j, ""};
  s.text("model", o.model);
  s.number("threads", 1, 256, o.threads);
  s.number("tensor_ranks", 1, node_plan::max_ranks, o.tensor_ranks);
  s.number("prefill_chunk", 1, 1u << 20, o.prefill_chunk);
  s.number("max_batch", 1, 4096, o.max_batch);
  auto gather_us = o.gather_within.count() / 1000;
  s.number("gather_us", 0, 100'000, gather_us);
  o.gather_within = std::chrono::microseconds{gather_us};
  s.flag("prefix_cache", o.prefix_cache);
  s.flag("preempt", o.preempt);
  auto kv = o.kv;
  s.choice<std::optional<kv_dtype>>(
      "kv",
      {{"f32", kv_dtype::f32}, {"f16", kv_dtype::f16}, {"i8", kv_dtype::i8}},
      kv);
  o.kv = kv;
  s.choice<activation_type>("activations",
                            {{"i8", activation_type::i8},
                             {"i16", activation_type::i16},
                             {"f32", activation_type::f32}},
                            o.activations);
  if (auto* nodes = s.take("nodes")) {
    auto t = parse_topology(nodes->dump(), name + ": \"nodes\"");
    if (!t)
      return t.failure();
    o.nodes = std::move(*t);
  }
  inner(s, "cluster", "cluster",
        [&](section& c) { read_cluster(c, o.cluster.emplace()); });
  inner(s, "http", "http", [&](section& h) { read_http(h, o.http.emplace()); });
  inner(s, "tenants", "tenants",
        [&](section& t) { config::read_tenants(t, o.tenants.emplace()); });
  inner(s, "versions", "versions",
        [&](section& v) { read_versions(v, o.versions); });
  inner(s, "cache", "cache", [&](section& c) { read_cache(c, o); });
  inner(s, "otlp", "otlp", [&](section& x) { read_otlp(x, o.otlp.emplace()); });
  inner(s, "trace", "trace",
        [&](section& t) { read_trace(t, o.trace.emplace()); });
  inner(s, "audit", "audit",
        [&](section& a) { read_audit(a, o.audit.emplace()); });
  if (auto* keys = s.take("keys"))
    config::read_keys(s, *keys, o.keys.emplace());
  if (auto why = s.finish(); !why.empty())
    return fail(errc::bad_file, name + ": " + why);
  // What the sections do not look at is looked at here.
  if (auto why = config::against_schema(j); !why.empty())
    return fail(errc::bad_file, name + ": " + why);
  return o;
}

result<runtime_options> read_config(const std::string& path) {
  constexpr auto most = size_t{1} << 20;
  auto in = std::ifstream{path, std::ios::binary};
  if (!in)
    return fail(errc::io_error, path + ": cannot be opened");
  auto text = std::string(most + 1, '\0');
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<size_t>(in.gcount()));
  if (in.bad())
    return fail(errc::io_error, path + ": cannot be read");
  if (text.size() > most)
    return fail(errc::bad_file, path + ": larger than 1 MiB");
  return parse_config(text, path);
}

} // namespace troupe
