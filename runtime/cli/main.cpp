#include <csignal>
#include <cstdio>
#include <exception>

#include "runtime/cli/cli.hpp"

#ifndef TROUPE_VERSION
#define TROUPE_VERSION "unknown"
#endif

namespace {

constexpr auto about = "Troupe, an LLM inference runtime made of actors.\n";

constexpr auto examples = R"(
Examples:
  troupe run --chat "What is 347 + 285?"
  troupe run --model F.gguf --prompt "Once upon a time" --max-tokens 64 --json
  troupe run --topology 2x3 --chat "Tell me a story about a shy dragon."
  troupe tokenize --model F.gguf --text "Hello, world!" --json
  troupe inspect F.gguf
  troupe quantize F.gguf F-q4_k.gguf --type q4_k
  troupe bench throughput --model F.gguf --batch 8
  troupe serve --topology 1
  troupe node --join 127.0.0.1:7070 --role decode
  troupe status
  troupe certs certs --node red --node blue
  troupe keys add --organisation acme --key laptop
  troupe trace diagram t.trace --request 7

Data goes to standard output, talk to standard error.
Exit status: 0 success, 1 failure, 2 usage, 130 interrupted.
)";

} // namespace

int main(int argc, char** argv) {
  // A reader that went away shows as a failed write, not as a signal.
  std::signal(SIGPIPE, SIG_IGN);
  using namespace troupe::cli;
  auto chosen = action{};
  CLI::App app{about, "troupe"};
  app.footer(examples);
  app.set_version_flag("--version", "troupe " TROUPE_VERSION);
  app.require_subcommand(1);
  app.fallthrough(false);
  add_run(app, chosen);
  add_tokenize(app, chosen);
  add_detokenize(app, chosen);
  add_logits(app, chosen);
  add_inspect(app, chosen);
  add_quantize(app, chosen);
  add_bench(app, chosen);
  add_serve(app, chosen);
  add_node(app, chosen);
  add_status(app, chosen);
  add_drain(app, chosen);
  add_certs(app, chosen);
  add_keys(app, chosen);
  add_trace(app, chosen);
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& e) {
    return app.exit(e);
  } catch (const CLI::ParseError& e) {
    std::fprintf(stderr, "troupe: %s\n", e.what());
    auto subs = app.get_subcommands();
    std::fprintf(stderr, "Try: troupe %s--help\n",
                 subs.empty() ? "" : (subs[0]->get_name() + " ").c_str());
    return exit_usage;
  }
  try {
    return chosen();
  } catch (const std::exception& e) {
    // Out of memory, or a bug: nothing of ours throws.
    std::fprintf(stderr, "troupe: %s\n", e.what());
    return exit_failed;
  }
}
