#include <cstdio>
#include <memory>

#include "runtime/cli/cli.hpp"
#include "runtime/cli/cluster_flags.hpp"
#include "runtime/cli/interrupt.hpp"
#include "runtime/cli/trace_flags.hpp"
#include "runtime/cluster/node_host.hpp"
#include "runtime/cluster/shard_host.hpp"

namespace troupe::cli {

namespace {

void say(const std::string& line) {
  std::fprintf(stderr, "%s\n", line.c_str());
}

struct node_flags {
  std::string model = default_model();
  std::string role = "mixed";
  std::string name;
  std::string join;
  std::string listen = "127.0.0.1:0";
  std::string advertise;
  tls_flags tls;
  trace_flags trace;
  unsigned threads = 0;
  uint32_t blocks = 0;
  std::string kv;
  std::string activations = "i8";
  uint32_t tensor_ranks = 1;
  uint32_t sequence_ranks = 1;
  std::string ranks_at;
};

// A rank of another node.
int shard(const node_flags& f, interrupt_watch& interrupts) {
  auto o = shard_host_options{};
  auto join = parse_address(f.join);
  if (!join)
    return report(join.failure());
  auto tls = files_of(f.tls);
  if (!tls)
    return report(tls.failure());
  o.model = f.model;
  o.threads = f.threads;
  o.activations = parse_activations(f.activations);
  o.join = *join;
  o.tls = std::move(*tls);
  o.news = [](const std::string& line) { say(line); };
  auto host = shard_host::start(std::move(o));
  if (!host)
    return report(host.failure());
  interrupts.on_interrupt([&] { host->leave(); });
  auto ok = host->wait();
  interrupts.on_interrupt(nullptr);
  return ok ? exit_ok : report(ok.failure());
}

int node(const node_flags& f) {
  auto interrupts = interrupt_watch{};
  if (f.role == "shard")
    return shard(f, interrupts);
  auto o = node_host_options{};
  o.role = f.role == "prefill"  ? node_role::prefill
           : f.role == "decode" ? node_role::decode
                                : node_role::mixed;
  auto join = parse_address(f.join);
  if (!join)
    return report(join.failure());
  auto listen = parse_address(f.listen);
  if (!listen)
    return report(listen.failure());
  auto tls = files_of(f.tls);
  if (!tls)
    return report(tls.failure());
  o.runtime.model = f.model;
  o.runtime.threads = f.threads;
  o.runtime.activations = parse_activations(f.activations);
  if (!f.kv.empty())
    o.runtime.kv = parse_kv(f.kv);
  o.runtime.tensor_ranks = f.tensor_ranks;
  o.runtime.trace = options_of(f.trace);
  o.plan.blocks = f.blocks;
  o.plan.sequence_ranks = f.sequence_ranks;
  if (!f.ranks_at.empty()) {
    auto at = parse_address(f.ranks_at);
    if (!at)
      return report(at.failure());
    o.ranks_at = *at;
  }
  o.name = f.name;
  o.join = *join;
  o.listen = *listen;
  o.advertise = f.advertise;
  o.tls = std::move(*tls);
  o.news = [](const std::string& what, const std::string& why) {
    say(why.empty() ? what : what + ": " + why);
  };
  auto host = node_host::start(std::move(o));
  if (!host)
    return report(host.failure());
  interrupts.on_interrupt([&] { host->leave(); });
  auto ok = host->wait();
  interrupts.on_interrupt(nullptr);
  return ok ? exit_ok : report(ok.failure());
}

} // namespace

void add_node(CLI::App& app, action& chosen) {
  auto f = std::make_shared<node_flags>();
  auto* sub = app.add_subcommand("node", "be a node of a cluster");
  sub->footer(R"(
Joins the cluster whose front is troupe serve, and computes for it: prompts, or
tokens, or both. Joins again by itself whenever it was cut off or the front was
started anew. Ctrl-C, SIGTERM and troupe drain take it out of service: what it
has moves to other nodes, and it ends.

Model, --kv, --activations and --tensor-ranks must be those of the cluster: tokens
do not depend on the node that makes them.

A node may have several ranks that compute each step together (docs/parallel.md):
threads of this process, or with --ranks-at processes of their own, which join
it there with --role shard. It joins the cluster when all are there.

Examples:
  troupe node --join 127.0.0.1:7070
  troupe node --join front:7070 --role prefill --name red --listen 0.0.0.0:7080 \
    --advertise red --tls-cert red.pem --tls-key red.key --tls-ca ca.pem
  troupe node --join front:7070 --tensor-ranks 2 --ranks-at 127.0.0.1:7090
  troupe node --join 127.0.0.1:7090 --role shard
)");
  sub->add_option("--join", f->join,
                  "the cluster's front; of a shard, its node's --ranks-at")
      ->type_name("HOST:PORT")
      ->required();
  sub->add_option("--role", f->role, "what it computes")
      ->check(CLI::IsMember({"prefill", "decode", "mixed", "shard"}))
      ->capture_default_str();
  sub->add_option("-m,--model", f->model, "GGUF file or directory")
      ->capture_default_str();
  sub->add_option("--name", f->name,
                  "its name in the cluster; default: HOST-PID");
  sub->add_option("--threads", f->threads,
                  "of each rank; default: all cores, shared by the\n"
                  "ranks of the process")
      ->check(CLI::Range(1, 256));
  sub->add_option("--blocks", f->blocks, "KV blocks, of 16 tokens each")
      ->check(CLI::Range(1, 1 << 24));
  add_kv_option(sub, f->kv);
  add_activations_option(sub, f->activations);
  add_tensor_ranks_option(sub, f->tensor_ranks);
  sub->add_option("--sequence-ranks", f->sequence_ranks,
                  "ranks that share the tokens of a step; for long prompts")
      ->check(CLI::Range(1u, node_plan::max_ranks))
      ->capture_default_str();
  sub->add_option("--ranks-at", f->ranks_at,
                  "wait there for the other ranks, which are processes")
      ->type_name("HOST:PORT");
  sub->add_option("--listen", f->listen,
                  "where other nodes reach it; port 0: any")
      ->type_name("HOST:PORT")
      ->capture_default_str();
  sub->add_option("--advertise", f->advertise,
                  "the host that others are told; default: that of --listen");
  add_tls_options(sub, f->tls);
  add_trace_options(sub, f->trace);
  sub->callback([f, &chosen] { chosen = [f] { return node(*f); }; });
}

} // namespace troupe::cli
