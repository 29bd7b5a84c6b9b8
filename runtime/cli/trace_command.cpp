#include "runtime/cli/trace_command.hpp"

#include <memory>

#include "core/trace/look/trace_export.hpp"
#include "core/trace/trace_check.hpp"
#include "runtime/cli/trace_files.hpp"

namespace troupe::cli {

namespace {

using files = std::vector<std::string>;

// -- export -------------------------------------------------------------------

struct export_flags {
  std::vector<std::string> files;
  bool perfetto = false;
  bool otlp = false;
  bool json = false;
};

int export_trace(const export_flags& f) {
  auto t = open_trace(f.files);
  if (!t)
    return report(t.failure());
  // Many small pieces become few writes.
  auto buffer = std::string{};
  auto sink = [&buffer](std::string_view s) {
    buffer += s;
    if (buffer.size() < size_t{1} << 20)
      return true;
    auto ok = write(buffer);
    buffer.clear();
    return ok;
  };
  auto* how = f.perfetto ? export_perfetto
              : f.otlp   ? export_otlp
                         : export_lines;
  if (!how(t->model, sink) || !write(buffer))
    return report(write_failure());
  return exit_code_of(*t);
}

// -- check --------------------------------------------------------------------

std::string json_of(const trace_check& c) {
  auto s = std::string{};
  auto add = [&s](const char* name, auto x) {
    s += std::string{s.empty() ? "{\"" : ",\""} + name
         + "\":" + std::to_string(x);
  };
  add("messages", c.messages);
  add("handled", c.handled);
  add("caused", c.caused);
  add("outside", c.outside);
  add("inferred", c.inferred);
  add("lost_departures", c.lost_departures);
  add("lost_causes", c.lost_causes);
  add("lost_arrivals", c.lost_arrivals);
  add("unhandled", c.unhandled);
  add("to_outside", c.to_outside);
  add("undelivered", c.undelivered);
  add("pending_timers", c.pending_timers);
  add("dropped", c.dropped);
  add("cycles", c.cycles);
  add("early", c.early);
  add("early_ns", c.early_ns);
  add("findings", c.findings);
  return s + ",\"good\":" + (c.good() ? "true" : "false") + "}\n";
}

std::string text_of(const trace_check& c, const trace_model& m) {
  auto s = std::string{};
  auto add = [&s](uint64_t n, const char* what) {
    auto digits = std::to_string(n);
    s += std::string(digits.size() < 12 ? 12 - digits.size() : 0, ' ') + digits
         + "  " + what + "\n";
  };
  add(m.processes.size(), "processes");
  add(m.actors.size(), "actors");
  add(c.messages, "messages, of which");
  add(c.caused, "were sent by handlings that are here");
  add(c.outside, "came from outside");
  add(c.lost_departures, "left a process whose file is not here");
  add(c.lost_causes, "were sent by handlings that are not here, or were not "
                     "over");
  add(c.lost_arrivals, "are only known from their handling");
  add(c.handled, "were handled");
  add(c.unhandled, "wait in mailboxes");
  add(c.to_outside, "went to actors that are not recorded");
  add(c.undelivered, "left, and arrived in no file here");
  add(c.pending_timers, "are timers that were not due");
  add(c.dropped, "records were lost by recorders");
  add(c.findings, "findings in files");
  add(c.cycles, "messages are their own cause");
  add(c.early, "messages come before what caused them");
  return s + (c.good() ? "good\n" : "not good\n");
}

int check(const files& names, bool json) {
  auto t = open_trace(names);
  if (!t)
    return report(t.failure());
  auto c = check_trace(t->model);
  auto code = write_all(json ? json_of(c) : text_of(c, t->model));
  return code == exit_ok && !c.good() ? exit_failed : code;
}

} // namespace

void add_trace_files(CLI::App* sub, std::vector<std::string>& files) {
  sub->add_option("file", files,
                  "files of one or several processes; FILE.1, FILE.2 ... are "
                  "read with FILE")
      ->required()
      ->type_name("FILE");
}

void add_trace_export(CLI::App& trace, action& chosen) {
  auto f = std::make_shared<export_flags>();
  auto* sub = trace.add_subcommand("export", "write it for other programs");
  sub->footer(R"(
--perfetto is for https://ui.perfetto.dev, where actors are threads, what they
handle slices, and messages arrows between them; --otlp for collectors of
OpenTelemetry (POST /v1/traces); --json has all that is known of each message
in a line.

Example:
  troupe trace export t.trace --perfetto > t.json
)");
  add_trace_files(sub, f->files);
  auto* how = sub->add_option_group("form");
  how->require_option(1);
  how->add_flag("--perfetto", f->perfetto, "Chrome's trace events, in JSON");
  how->add_flag("--otlp", f->otlp, "spans as OTLP has them, in JSON");
  how->add_flag("--json", f->json, "one JSON object a message");
  sub->callback([f, &chosen] { chosen = [f] { return export_trace(*f); }; });
}

void add_trace_check(CLI::App& trace, action& chosen) {
  auto names = std::make_shared<files>();
  auto json = std::make_shared<bool>(false);
  auto* sub = trace.add_subcommand("check", "whether it is whole");
  sub->footer(R"(
Reads all files, and counts what is in them: whether each message has a cause,
or came from outside; whether what was caused comes after its cause. Fails if a
file is damaged, records were lost, or the trace contradicts itself.

Example:
  troupe trace check gateway.trace node1.trace node2.trace
)");
  add_trace_files(sub, *names);
  sub->add_flag("--json", *json, "print the counts as JSON");
  sub->callback([names, json, &chosen] {
    chosen = [names, json] { return check(*names, *json); };
  });
}

void add_trace(CLI::App& app, action& chosen) {
  auto* sub = app.add_subcommand("trace", "look at recorded messages");
  sub->require_subcommand(1);
  sub->footer(R"(
A trace is what `--trace FILE` of run, serve and node records: all messages
between actors. Give the files of all processes together (docs/trace.md).

Examples:
  troupe trace show t.trace --request 7
  troupe trace diagram t.trace --request 7
  troupe trace stats t.trace --request 7
  troupe trace why t.trace --request 7
)");
  add_trace_show(*sub, chosen);
  add_trace_diagram(*sub, chosen);
  add_trace_stats(*sub, chosen);
  add_trace_why(*sub, chosen);
  add_trace_export(*sub, chosen);
  add_trace_check(*sub, chosen);
}

} // namespace troupe::cli
