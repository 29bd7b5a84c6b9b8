#include <chrono>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <thread>

#include "core/trace/look/trace_export.hpp"
#include "core/trace/look/trace_show.hpp"
#include "core/trace/look/trace_tail.hpp"
#include "runtime/cli/interrupt.hpp"
#include "runtime/cli/trace_command.hpp"
#include "runtime/cli/trace_files.hpp"

namespace troupe::cli {

namespace {

struct show_flags {
  std::vector<std::string> files;
  trace_filter filter;
  std::string from;
  std::string to;
  bool follow = false;
  bool json = false;
};

// -- at once ------------------------------------------------------------------

int show_once(const show_flags& f) {
  auto t = open_trace(f.files);
  if (!t)
    return report(t.failure());
  auto ok = true;
  if (f.json) {
    for (uint32_t i = 0; ok && i < t->model.messages.size(); ++i)
      if (f.filter.takes(t->model, i))
        ok = write(json_line(t->model, i));
  } else {
    ok = show_trace(t->model, f.filter, write);
  }
  return ok ? exit_code_of(*t) : report(write_failure());
}

// -- while it is written ------------------------------------------------------

int follow(const show_flags& f) {
  auto tails = std::vector<trace_tail>{};
  for (auto& name : f.files) {
    auto ignored = std::error_code{};
    if (!std::filesystem::exists(name, ignored))
      return report(fail(errc::io_error, name + ": there is no such file"));
    tails.emplace_back(name);
  }
  interrupt_watch stop;
  while (!stop.interrupted()) {
    for (size_t i = 0; i < tails.size(); ++i) {
      auto ok = tails[i].poll(f.filter, write);
      for (auto& c : tails[i].take_complaints())
        std::fprintf(stderr, "troupe: %s: %s\n", f.files[i].c_str(), c.c_str());
      if (!ok)
        return report(write_failure());
    }
    std::this_thread::sleep_for(std::chrono::milliseconds{200});
  }
  return exit_interrupted;
}

int show(show_flags f) {
  for (auto [text, into] : {std::pair{&f.from, &f.filter.from_ns},
                            std::pair{&f.to, &f.filter.to_ns}}) {
    if (text->empty())
      continue;
    auto t = parse_trace_time(*text);
    if (!t) {
      report(t.failure());
      return exit_usage;
    }
    *into = *t;
  }
  return f.follow ? follow(f) : show_once(f);
}

} // namespace

void add_trace_show(CLI::App& trace, action& chosen) {
  auto f = std::make_shared<show_flags>();
  auto* sub = trace.add_subcommand("show", "one line a message");
  sub->footer(R"(
Lines have the message's number, when it was sent since the trace began, who
sent it to whom, its type and request, how long it was on its way, waited in
the mailbox and was handled, and how large it is in memory.

Examples:
  troupe trace show t.trace --request 7 --from 1.5ms --to 2s
  troupe trace show t.trace --actor decode_node#12 --type step_tick
  troupe trace show t.trace -f
)");
  add_trace_files(sub, f->files);
  sub->add_option("--request", f->filter.request, "only of this request");
  sub->add_option("--actor", f->filter.actor,
                  "only from or to it: a kind, or kind#number");
  sub->add_option("--type", f->filter.type, "only of this type");
  auto* from = sub->add_option("--from", f->from,
                               "not before this time since the trace began: "
                               "250us, 1.5ms, 2s");
  auto* to = sub->add_option("--to", f->to, "not after it");
  auto* json = sub->add_flag("--json", f->json, "one JSON object a message");
  sub->add_flag("-f,--follow", f->follow,
                "go on as files grow, with each message when it was handled")
      ->excludes(from)
      ->excludes(to)
      ->excludes(json);
  sub->callback([f, &chosen] { chosen = [f] { return show(*f); }; });
}

} // namespace troupe::cli
