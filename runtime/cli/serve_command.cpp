#include <cstdio>
#include <memory>
#include <optional>
#include <semaphore>

#include "runtime/cli/audit_flags.hpp"
#include "runtime/cli/cli.hpp"
#include "runtime/cli/cluster_flags.hpp"
#include "runtime/cli/interrupt.hpp"
#include "runtime/cli/trace_flags.hpp"
#include "runtime/config.hpp"
#include "runtime/http/server.hpp"

namespace troupe::cli {

namespace {

void say(const std::string& line) {
  std::fprintf(stderr, "%s\n", line.c_str());
}

struct serve_flags {
  std::string config;
  std::string model;
  std::string listen;
  std::string topology;
  std::string host;
  int port = -1;       ///< of HTTP; -1: not given
  int admin_port = -1; ///< the same
  http_tls https;      ///< certificate and key alone
  tls_flags tls;
  trace_flags trace;
  audit_options audit;
  unsigned threads = 0;
  uint32_t tensor_ranks = 1;
};

// Whose certificates clients need is the configuration's to say.
result<void> add_https(const http_tls& given, http_options& o) {
  if (given.certificate.empty() && given.key.empty())
    return {};
  if (given.certificate.empty() || given.key.empty())
    return fail(errc::invalid_argument,
                "HTTPS takes both --http-tls-certificate and --http-tls-key");
  if (!o.tls)
    o.tls.emplace();
  o.tls->certificate = given.certificate;
  o.tls->key = given.key;
  return {};
}

result<void> add_http(const serve_flags& f, runtime_options& o) {
  if (f.host.empty() && f.port < 0 && f.admin_port < 0
      && f.https.certificate.empty() && f.https.key.empty())
    return {};
  if (!o.http)
    o.http.emplace();
  if (!f.host.empty())
    o.http->host = f.host;
  if (f.port >= 0)
    o.http->port = static_cast<uint16_t>(f.port);
  if (f.admin_port >= 0)
    o.http->admin_port = static_cast<uint16_t>(f.admin_port);
  return add_https(f.https, *o.http);
}

result<runtime_options> options_of(const serve_flags& f) {
  auto o = runtime_options{};
  if (!f.config.empty()) {
    auto read = read_config(f.config);
    if (!read)
      return read.failure();
    o = std::move(*read);
  }
  // The command line has the last word.
  if (!f.model.empty())
    o.model = f.model;
  if (o.model.empty())
    o.model = default_model();
  if (f.threads > 0)
    o.threads = f.threads;
  if (f.tensor_ranks > 1)
    o.tensor_ranks = f.tensor_ranks;
  if (auto trace = options_of(f.trace))
    o.trace = std::move(trace);
  if (!f.audit.file.empty())
    o.audit = f.audit;
  if (auto ok = add_http(f, o); !ok)
    return ok.failure();
  auto tls = files_of(f.tls);
  if (!tls)
    return tls.failure();
  // With HTTP, nodes of other processes only where they are asked for.
  if (!o.cluster && (!o.http || !f.listen.empty() || *tls))
    o.cluster.emplace();
  if (!f.listen.empty()) {
    auto at = parse_address(f.listen);
    if (!at)
      return at.failure();
    o.cluster->listen = *at;
  }
  if (*tls)
    o.cluster->tls = std::move(*tls);
  if (!f.topology.empty()) {
    auto nodes = read_topology(f.topology);
    if (!nodes)
      return nodes.failure();
    o.nodes = std::move(*nodes);
  }
  return o;
}

int serve(const serve_flags& f) {
  auto interrupts = interrupt_watch{};
  auto o = options_of(f);
  if (!o)
    return report(o.failure());
  auto cluster = o->cluster;
  auto http = o->http;
  auto keys = o->keys;
  auto own =
      o->nodes.prefill.size() + o->nodes.decode.size() + o->nodes.mixed.size();
  o->versions.log = say;
  if (o->otlp)
    o->otlp->log = say;
  if (o->audit)
    o->audit->log = say;
  auto rt = runtime::open(std::move(*o));
  if (!rt)
    return report(rt.failure());
  if (cluster)
    say("listening for nodes and clients at "
        + to_string(node_address{cluster->listen.host, rt->cluster_port()})
        + ", " + std::to_string(own) + " nodes of its own");
  auto gateway = std::optional<http_server>{};
  if (http) {
    auto scheme = std::string{http->tls ? "https" : "http"};
    auto host = http->host;
    http->log = say;
    http->keys = std::move(keys);
    auto started = http_server::start(*rt, std::move(*http));
    if (!started)
      return report(started.failure());
    gateway.emplace(std::move(*started));
    say("serving " + gateway->model_name() + " at " + scheme + "://"
        + to_string(node_address{host, gateway->port()}));
    if (gateway->admin_port() != 0)
      say("operators at http://127.0.0.1:"
          + std::to_string(gateway->admin_port()) + "/admin/nodes");
  }
  auto stop = std::binary_semaphore{0};
  interrupts.on_interrupt([&] { stop.release(); });
  stop.acquire();
  interrupts.on_interrupt(nullptr);
  say("stopping");
  gateway.reset();
  return exit_ok;
}

} // namespace

void add_serve(CLI::App& app, action& chosen) {
  auto f = std::make_shared<serve_flags>();
  auto* sub = app.add_subcommand(
      "serve", "serve a model over HTTP, or be the front of a cluster");
  sub->footer(R"(
With --port, --host or another flag of HTTP, or "http" in the configuration:
answers requests of OpenAI's API over HTTP, from nodes of its own.

Otherwise, and also with --listen or "cluster" in the configuration: takes
requests and passes them to nodes that join from other processes (troupe node),
and with --topology or "nodes" in the configuration to its own. Its clients are
troupe run --at, and programs that embed the runtime. That port is open to this
machine alone unless TLS is configured.

Ends with Ctrl-C or SIGTERM.

Examples:
  troupe serve --port 8080
  troupe serve --port 8443 --http-tls-certificate web.pem --http-tls-key web.key
  troupe serve --port 8080 --listen 127.0.0.1:7070
  troupe serve
  troupe serve --config troupe.json
  troupe serve --topology 1 --listen 127.0.0.1:7071
)");
  sub->add_option("--config", f->config, "JSON file (docs/config.md)")
      ->type_name("FILE");
  sub->add_option("-m,--model", f->model,
                  "GGUF file or directory; default: the bundled model");
  sub->add_option("--port", f->port, "where HTTP is served; 0: any")
      ->check(CLI::Range(0, 65535));
  sub->add_option("--host", f->host,
                  "the address for HTTP; default: 127.0.0.1, this machine");
  sub->add_option("--admin-port", f->admin_port,
                  "where operators come, from this machine alone "
                  "(docs/http.md); 0: any; default: nowhere")
      ->check(CLI::Range(0, 65535));
  sub->add_option("--http-tls-certificate", f->https.certificate,
                  "HTTP over TLS, with this certificate and its chain, PEM")
      ->type_name("FILE");
  sub->add_option("--http-tls-key", f->https.key, "its private key")
      ->type_name("FILE");
  sub->add_option("--listen", f->listen,
                  "where nodes and clients come; default: 127.0.0.1:"
                      + std::to_string(default_cluster_port))
      ->type_name("HOST:PORT");
  sub->add_option("--topology", f->topology,
                  "nodes of this process, as for troupe run; default: one for "
                  "HTTP alone, none for a cluster");
  sub->add_option("--threads", f->threads,
                  "threads of each own node; default: all cores")
      ->check(CLI::Range(1, 256));
  add_tensor_ranks_option(sub, f->tensor_ranks);
  add_tls_options(sub, f->tls);
  add_trace_options(sub, f->trace);
  add_audit_options(sub, f->audit);
  sub->callback([f, &chosen] { chosen = [f] { return serve(*f); }; });
}

} // namespace troupe::cli
