#include <CLI/CLI.hpp>

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <thread>

#include "tools/load/run.hpp"

namespace {

constexpr auto about = "Keeps a server busy with the requests of traces, and "
                       "says how that went.\n";

constexpr auto footer = R"(
Each client asks for one stream after the other, by the rows of all traces in
turn, with random tokens of the rows' lengths, made short enough for the server's
context; what the rows share, their prompts share. Streams must come whole, with
exactly as many tokens as were asked for; only status 429 may turn one away.

Exit status: 0 all is well, 1 something is not, 2 usage.

Examples:
  troupe serve --port 8080 &
  troupe_load --at 127.0.0.1:8080 --pid $! --trace conversations.csv
)";

void show(const troupe::load::progress& p) {
  std::fprintf(
      stderr,
      "\r%4d s  %zu under way, %zu whole, %zu turned away, %zu failed, "
      "%.0f tokens/s, server %.0f MiB   ",
      p.seconds, p.under_way, p.whole, p.turned_away, p.failed,
      p.tokens_per_second, p.server_mib);
}

} // namespace

int main(int argc, char** argv) {
  auto o = troupe::load::options{};
  auto app = CLI::App{about, "troupe_load"};
  app.footer(footer);
  auto at = std::string{};
  app.add_option("--at", at, "HOST:PORT of the server, in figures")->required();
  app.add_option("--trace", o.traces, "CSV or JSONL file; may be repeated")
      ->required();
  app.add_option("--clients", o.clients, "at a time")
      ->capture_default_str()
      ->check(CLI::Range(1, 4096));
  app.add_option("--seconds", o.seconds, "until no more requests begin")
      ->capture_default_str()
      ->check(CLI::Range(1, 86400));
  app.add_option("--context", o.context, "tokens of the server's model")
      ->capture_default_str()
      ->check(CLI::Range(8, 1 << 20));
  app.add_option("--vocabulary", o.vocabulary, "tokens that prompts may use")
      ->capture_default_str()
      ->check(CLI::Range(2, 1 << 20));
  app.add_option("--first-token", o.first_token, "the first of these")
      ->capture_default_str();
  app.add_option("--settle", o.settle,
                 "seconds until the server's memory has its size")
      ->capture_default_str();
  app.add_option("--pid", o.pid, "process whose memory is watched");
  CLI11_PARSE(app, argc, argv);
  auto colon = at.rfind(':');
  o.host = at.substr(0, colon);
  o.port = colon == std::string::npos ? "" : at.substr(colon + 1);
  auto r = troupe::load::run(o, show);
  std::fputc('\n', stderr);
  if (!r) {
    std::fprintf(stderr, "troupe_load: %s\n", r.failure().message.c_str());
    return 2;
  }
  std::printf("%s\n", r->json.c_str());
  return r->good ? 0 : 1;
}
