#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <CLI/CLI.hpp>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "runtime/cli/cli.hpp"
#include "runtime/cli/interrupt.hpp"
#include "tools/chaos/fleet.hpp"
#include "tools/chaos/network.hpp"
#include "tools/chaos/trial.hpp"

namespace {

namespace fs = std::filesystem;

constexpr auto about =
    "Breaks a cluster at random while it works, and checks what its clients "
    "get.\n";

constexpr auto footer = R"(
This process is the front of a cluster of three nodes, each a process of its own
(troupe node), which it kills and starts again, stops and lets go on, cuts off,
and slows down, while its clients keep requests under way. Every answer must be,
token for token, that of one process without faults, or be cancelled by its
client; and once the last one is done, no node may hold anything.

  loopback    nodes reach the front over links of this program's own, on which
              cuts and delays work; nodes reach each other directly
  namespaces  each node has a network of its own (needs root, and the kernel's
              netem for the delay); a cut takes its link down

Exit status: 0 all is well, 1 something is not, 2 usage, 130 interrupted.

Examples:
  troupe_chaos --short
  troupe_chaos --requests 500 --seed 7
  sudo troupe_chaos --net namespaces --json
  troupe_chaos --short --seed 7 --trace seven && troupe trace replay seven/*

A folder of traces in tests/data/replays is played again by the tests.
)";

// What a run leaves goes, however it ended: by itself, by Ctrl-C, by a crash.
int supervise(pid_t child, const chaos::options& o) {
  // SIGINT comes to both; SIGTERM may come to this one alone.
  static pid_t driver;
  driver = child;
  ::signal(SIGINT, SIG_IGN);
  ::signal(SIGTERM, [](int) { ::kill(driver, SIGTERM); });
  auto status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR)
    continue;
  chaos::clean_network(o, chaos::fleet_size);
  auto ignored = std::error_code{};
  fs::remove_all(o.directory, ignored);
  if (WIFEXITED(status))
    return WEXITSTATUS(status);
  std::fprintf(stderr, "troupe_chaos: ended by %s\n",
               ::strsignal(WTERMSIG(status)));
  return 1;
}

int drive(const chaos::options& o) {
  ::prctl(PR_SET_PDEATHSIG, SIGTERM);
  auto interrupts = troupe::cli::interrupt_watch{};
  auto interrupted = std::atomic<bool>{false};
  interrupts.on_interrupt([&] { interrupted = true; });
  auto code = chaos::run_trial(o, interrupted);
  interrupts.on_interrupt(nullptr);
  return code;
}

} // namespace

int main(int argc, char** argv) {
  ::signal(SIGPIPE, SIG_IGN);
  auto o = chaos::options{};
  o.model = troupe::default_model();
  auto ignored = std::error_code{};
  auto self = fs::read_symlink("/proc/self/exe", ignored);
  o.troupe = (self.parent_path() / "troupe").string();
  auto net = std::string{"loopback"};
  CLI::App app{about, "troupe_chaos"};
  app.footer(footer);
  app.add_option("--net", net, "where the nodes live")
      ->check(CLI::IsMember({"loopback", "namespaces"}))
      ->capture_default_str();
  app.add_option("--requests", o.requests, "requests at least")
      ->check(CLI::Range(1, 1000000))
      ->capture_default_str();
  app.add_option("--faults", o.faults, "faults at least, of about 5 seconds")
      ->check(CLI::Range(1, 1000000))
      ->capture_default_str();
  app.add_option("--only", o.only, "faults of this kind alone")
      ->check(CLI::IsMember({"kill", "stop", "cut", "delay"}));
  app.add_option("--in-flight", o.in_flight, "of them, at a time")
      ->check(CLI::Range(1, 256))
      ->capture_default_str();
  app.add_option("--max-tokens", o.max_tokens, "of an answer, at most")
      ->check(CLI::Range(64, 400))
      ->capture_default_str();
  app.add_option("--seed", o.seed, "of requests and faults")
      ->capture_default_str();
  app.add_option("--trace", o.trace,
                 "record all messages into this folder, for troupe trace")
      ->type_name("FOLDER");
  app.add_flag("--mixed", o.mixed,
               "three nodes that do both; default: one that computes prompts "
               "and two that generate");
  app.add_flag("--short", o.brief,
               "40 requests and 4 faults at least, in about 10 seconds");
  app.add_option("-m,--model", o.model, "GGUF file or directory")
      ->capture_default_str();
  app.add_flag("--json", o.json, "one JSON object to standard output");
  app.add_flag("-v,--verbose", o.verbose,
               "faults as they come, and at the end what the nodes said");
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& e) {
    return app.exit(e);
  } catch (const CLI::ParseError& e) {
    std::fprintf(stderr, "troupe_chaos: %s\nTry: troupe_chaos --help\n",
                 e.what());
    return troupe::cli::exit_usage;
  }
  if (net == "namespaces")
    o.net = chaos::network_kind::namespaces;
  if (o.brief) {
    if (app.count("--requests") == 0)
      o.requests = 40;
    if (app.count("--faults") == 0)
      o.faults = 4;
    o.max_tokens = std::min(o.max_tokens, 96u);
    o.distinct = 16;
    o.in_flight = std::min(o.in_flight, 8u);
  }
  if (!o.trace.empty()) {
    fs::create_directories(o.trace, ignored);
    o.trace = fs::absolute(o.trace, ignored).string();
  }
  o.id = static_cast<uint32_t>(::getpid()) % 100000;
  auto directory =
      (fs::temp_directory_path(ignored) / "troupe-chaos-XXXXXX").string();
  if (::mkdtemp(directory.data()) == nullptr) {
    std::fprintf(stderr, "troupe_chaos: %s: %s\n", directory.c_str(),
                 std::strerror(errno));
    return 1;
  }
  o.directory = directory;
  auto child = ::fork();
  if (child == 0)
    return drive(o);
  if (child < 0) {
    std::fprintf(stderr, "troupe_chaos: fork: %s\n", std::strerror(errno));
    fs::remove_all(o.directory, ignored);
    return 1;
  }
  return supervise(child, o);
}
