#include <algorithm>
#include <memory>
#include <sys/ioctl.h>
#include <unistd.h>

#include "core/trace/look/trace_diagram.hpp"
#include "core/trace/look/trace_path.hpp"
#include "core/trace/look/trace_stats.hpp"
#include "core/trace/look/trace_why.hpp"
#include "core/trace/trace_check.hpp"
#include "runtime/cli/json_text.hpp"
#include "runtime/cli/trace_command.hpp"
#include "runtime/cli/trace_files.hpp"

namespace troupe::cli {

namespace {

struct request_flags {
  std::vector<std::string> files;
  uint64_t request = 0;
  bool json = false;
  bool svg = false;
  bool html = false;
  bool ascii = false;
  bool causes = false;
  size_t width = 0;
};

// Which there are, for whoever asks for another one.
error no_such_request(const trace_model& m, uint64_t request) {
  auto known = requests_of(m);
  auto list = std::string{};
  for (size_t i = 0; i < known.size() && i < 10; ++i)
    list += (i > 0 ? ", " : "") + std::to_string(known[i]);
  if (known.size() > 10)
    list += " and " + std::to_string(known.size() - 10) + " more";
  return fail(errc::invalid_argument,
              "no message of request " + std::to_string(request)
                  + " is in the trace; "
                  + (list.empty() ? "it has none of any request"
                                  : "it has those of " + list));
}

bool has_request(const trace_model& m, uint64_t request) {
  auto all = requests_of(m);
  return std::binary_search(all.begin(), all.end(), request);
}

// Of the terminal, or of one that nobody has changed for 50 years.
size_t terminal_width() {
  auto size = winsize{};
  if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
    return size.ws_col;
  return 80;
}

int draw(const request_flags& f) {
  auto t = open_trace(f.files);
  if (!t)
    return report(t.failure());
  if (!has_request(t->model, f.request))
    return report(no_such_request(t->model, f.request));
  auto o = diagram_options{};
  o.width = f.width > 0 ? f.width : terminal_width();
  o.ascii = f.ascii;
  o.all_causes = f.causes;
  auto d = diagram_of(t->model, f.request, o);
  auto code = write_all(f.html  ? to_html(d)
                        : f.svg ? to_svg(d)
                                : to_text(d, o));
  return code == exit_ok ? exit_code_of(*t) : code;
}

int tell_stats(const request_flags& f) {
  auto t = open_trace(f.files);
  if (!t)
    return report(t.failure());
  auto& m = t->model;
  if (f.request != 0 && !has_request(m, f.request))
    return report(no_such_request(m, f.request));
  auto s = stats_of(m, f.request);
  auto first = critical_path(m, f.request, first_token_of(m, f.request));
  auto end = critical_path(m, f.request, end_of(m, f.request));
  auto text = std::string{};
  if (f.json) {
    text = "{\"stats\":" + to_json(s, m);
    if (f.request != 0)
      text += ",\"first_token\":" + to_json(first, m)
              + ",\"end\":" + to_json(end, m);
    text += "}\n";
  } else {
    text = to_text(s, m);
    if (f.request != 0 && first.target != trace_none)
      text += "\nwhere the time to the first token went\n" + to_text(first, m);
    if (f.request != 0 && end.target != trace_none)
      text += "\nwhere the time to the end went\n" + to_text(end, m);
  }
  auto code = write_all(text);
  return code == exit_ok ? exit_code_of(*t) : code;
}

const char* name_of(trace_why::verdict v) {
  using enum trace_why::verdict;
  switch (v) {
  case ended:
    return "ended";
  case waiting:
    return "waiting";
  case lost:
    return "lost";
  case unanswered:
    return "unanswered";
  case later:
    return "later";
  case no_more:
    return "no_more";
  case unknown:
    break;
  }
  return "unknown";
}

int tell_why(const request_flags& f) {
  auto t = open_trace(f.files);
  if (!t)
    return report(t.failure());
  auto w = why_stuck(t->model, f.request);
  if (w.what == trace_why::verdict::unknown)
    return report(no_such_request(t->model, f.request));
  auto text = w.sentence + "\n";
  for (auto& fact : w.facts)
    text += "Also: " + fact + "\n";
  if (f.json) {
    auto j = nlohmann::ordered_json{};
    j["request"] = f.request;
    j["verdict"] = name_of(w.what);
    j["sentence"] = w.sentence;
    j["message"] = w.message;
    j["facts"] = w.facts;
    text = dump(j) + "\n";
  }
  auto code = write_all(text);
  return code == exit_ok ? exit_code_of(*t) : code;
}

CLI::Option* add_request(CLI::App* sub, request_flags& f) {
  return sub->add_option("--request", f.request, "its number")
      ->check(CLI::PositiveNumber);
}

} // namespace

void add_trace_diagram(CLI::App& trace, action& chosen) {
  auto f = std::make_shared<request_flags>();
  auto* sub =
      trace.add_subcommand("diagram", "draw what a request went through");
  sub->footer(R"(
A sequence diagram: a line down for each actor, an arrow for each message, the
time since the request's first message at the left. What repeats is drawn once,
with how often it comes again. --svg and --html need no other files.

Examples:
  troupe trace diagram t.trace --request 7
  troupe trace diagram a.trace b.trace --request 7 --html > request7.html
)");
  add_trace_files(sub, f->files);
  add_request(sub, *f)->required();
  auto* svg = sub->add_flag("--svg", f->svg, "as an SVG picture");
  auto* html = sub->add_flag("--html", f->html, "as a page")->excludes(svg);
  sub->add_flag("--causes", f->causes,
                "with all that led to its messages, also what its nodes did\n"
                "for other requests meanwhile");
  auto* ascii = sub->add_flag("--ascii", f->ascii, "with ASCII alone");
  ascii->excludes(svg)->excludes(html);
  sub->add_option("--width", f->width, "of lines; that of the terminal, or 80")
      ->check(CLI::Range(40, 1000))
      ->excludes(svg)
      ->excludes(html);
  sub->callback([f, &chosen] { chosen = [f] { return draw(*f); }; });
}

void add_trace_stats(CLI::App& trace, action& chosen) {
  auto f = std::make_shared<request_flags>();
  auto* sub = trace.add_subcommand("stats", "who sent what to whom, how fast");
  sub->footer(R"(
Counts, bytes, and how long messages waited and were handled, by kinds of
actors; the slowest messages; the busiest actors. With --request only its
messages, and where the time went until its first token and until its end: each
row is a hop, and their times sum up.

Example:
  troupe trace stats t.trace --request 7
)");
  add_trace_files(sub, f->files);
  add_request(sub, *f);
  sub->add_flag("--json", f->json, "print one JSON object");
  sub->callback([f, &chosen] { chosen = [f] { return tell_stats(*f); }; });
}

void add_trace_why(CLI::App& trace, action& chosen) {
  auto f = std::make_shared<request_flags>();
  auto* sub = trace.add_subcommand("why", "why a request does not go on");
  sub->footer(R"(
Says what is known last of it: which message waits in whose mailbox, what left
a process and never arrived, who owes an answer, or what was handled and had no
consequence.

Example:
  troupe trace why t.trace --request 7
)");
  add_trace_files(sub, f->files);
  add_request(sub, *f)->required();
  sub->add_flag("--json", f->json, "print one JSON object");
  sub->callback([f, &chosen] { chosen = [f] { return tell_why(*f); }; });
}

} // namespace troupe::cli
