#include <memory>

#include "runtime/cli/cli.hpp"
#include "runtime/cluster/certs.hpp"

namespace troupe::cli {

namespace {

int certs(const certs_options& o) {
  auto made = make_certs(o);
  if (!made)
    return report(made.failure());
  auto lines = std::string{};
  for (auto& path : *made)
    lines += path + "\n";
  return write_all(lines);
}

} // namespace

void add_certs(CLI::App& app, action& chosen) {
  auto o = std::make_shared<certs_options>();
  auto* sub = app.add_subcommand(
      "certs", "make a cluster's CA and its nodes' certificates");
  sub->footer(R"(
Nodes that talk beyond one machine show each other certificates of one CA, and
whoever has one is a node: make a CA for each cluster. Writes ca.pem and ca.key
unless they are there, and NAME.pem and NAME.key for each node; overwrites
nothing. Prints the new files' paths.

A node needs its own two files and ca.pem. Keep ca.key off the nodes: it makes
new ones.

Examples:
  troupe certs certs --node red --node blue
  troupe certs certs --node green --days 30
)");
  sub->add_option("dir", o->directory, "where to, made if it is not there")
      ->required();
  sub->add_option("--node", o->nodes, "a node's name, any number of times")
      ->allow_extra_args(false);
  sub->add_option("--days", o->days, "how long the certificates are valid")
      ->check(CLI::Range(1, 36500))
      ->capture_default_str();
  sub->callback([o, &chosen] { chosen = [o] { return certs(*o); }; });
}

} // namespace troupe::cli
