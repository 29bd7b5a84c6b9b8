#include <chrono>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>

#include "runtime/cli/cli.hpp"
#include "runtime/cli/cluster_flags.hpp"
#include "runtime/cluster/client.hpp"
#include "runtime/status_json.hpp"

namespace troupe::cli {

namespace {

using json = nlohmann::ordered_json;

struct client_flags {
  std::string model = default_model();
  std::string at;
  std::string name; ///< of the node to drain
  tls_flags tls;
  bool json = false;
};

std::string label(const node_status& n) {
  return n.name.empty() ? "node " + std::to_string(n.node) : n.name;
}

json as_json(const std::string& name, const drained& d) {
  return {{"node", name}, {"moved", d.moved}, {"placed_again", d.replaced}};
}

std::string as_table(const cluster_status& s) {
  char line[160];
  std::snprintf(line, sizeof(line), "%-24s %-8s %9s %8s %17s %12s\n", "NODE",
                "ROLE", "SEQUENCES", "WAITING", "KV BLOCKS", "STEPS");
  auto text = std::string{line};
  for (auto& n : s.nodes) {
    auto blocks =
        std::to_string(n.blocks_in_use) + "/" + std::to_string(n.blocks_total);
    std::snprintf(line, sizeof(line), "%-24.40s %-8s %9u %8u %17s %12llu\n",
                  label(n).c_str(), std::string{to_string(n.role)}.c_str(),
                  n.sequences, n.waiting, blocks.c_str(),
                  static_cast<unsigned long long>(n.steps));
    text += line;
  }
  for (auto id : s.silent)
    text += "node " + std::to_string(id) + " does not answer\n";
  text += std::to_string(s.requests) + " request" + (s.requests == 1 ? "" : "s")
          + " under way\n";
  return text;
}

result<cluster_client> connect(const client_flags& f) {
  auto at = parse_address(f.at);
  if (!at)
    return at.failure();
  auto tls = files_of(f.tls);
  if (!tls)
    return tls.failure();
  return cluster_client::connect({*at, *tls});
}

int status(const client_flags& f) {
  auto cluster = connect(f);
  if (!cluster)
    return report(cluster.failure());
  auto s = cluster->status();
  if (!s)
    return report(s.failure());
  return write_all(f.json ? to_json(*s).dump() + "\n" : as_table(*s));
}

int drain(const client_flags& f) {
  auto cluster = connect(f);
  if (!cluster)
    return report(cluster.failure());
  auto d = cluster->drain(f.name);
  if (!d)
    return report(d.failure());
  if (f.json)
    return write_all(as_json(f.name, *d).dump() + "\n");
  return write_all(f.name + " is empty and leaves: " + std::to_string(d->moved)
                   + " sequences moved, " + std::to_string(d->replaced)
                   + " placed again\n");
}

void add_flags(CLI::App* sub, client_flags& f) {
  add_at_option(sub, f.at);
  add_tls_options(sub, f.tls);
  sub->add_flag("--json", f.json, "print one JSON object");
}

} // namespace

void add_status(CLI::App& app, action& chosen) {
  auto f = std::make_shared<client_flags>();
  auto* sub = app.add_subcommand("status", "show the nodes of a cluster");
  sub->footer(R"(
Asks every node for what it does: sequences it has and those of them that wait,
KV blocks in use, steps computed so far.

Examples:
  troupe status
  troupe status --at 10.0.0.1:7070 --tls-cert me.pem --tls-key me.key --tls-ca ca.pem
)");
  add_flags(sub, *f);
  sub->callback([f, &chosen] { chosen = [f] { return status(*f); }; });
}

void add_drain(CLI::App& app, action& chosen) {
  auto f = std::make_shared<client_flags>();
  auto* sub = app.add_subcommand("drain", "take a node out of a cluster");
  sub->footer(R"(
The node gets no new work; its sequences move to others while they generate, and
nobody's tokens change. Then it leaves, and its process ends. Waits until it is
empty. The same happens where the node's own process gets SIGTERM.

Example:
  troupe drain red --at 10.0.0.1:7070
)");
  sub->add_option("name", f->name, "the node, as status shows it")->required();
  add_flags(sub, *f);
  sub->callback([f, &chosen] { chosen = [f] { return drain(*f); }; });
}

} // namespace troupe::cli
