#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cstdio>
#include <memory>
#include <unistd.h>

#include "core/trace/look/trace_show.hpp"
#include "runtime/cli/json_text.hpp"
#include "runtime/cli/trace_command.hpp"
#include "runtime/cli/trace_files.hpp"
#include "runtime/replay/replayer.hpp"

namespace troupe::cli {

namespace {

using json = nlohmann::ordered_json;

struct replay_flags {
  std::vector<std::string> files;
  replay_options options;
  int64_t until = -1;
  bool all = false;
  bool json = false;
};

// As people write types: "token_event" is "troupe::token_event".
std::string whole_type(const trace_model& m, const std::string& type) {
  auto whole = "troupe::" + type;
  auto known = std::ranges::find(m.types, whole) != m.types.end();
  return known ? whole : type;
}

json parsed(const std::string& state) {
  return state.empty() ? json{} : json::parse(state, nullptr, false);
}

std::string indented(const std::string& state) {
  if (state.empty())
    return "    (it is not there, or does not tell)\n";
  auto text = parsed(state).dump(2, ' ', false, json::error_handler_t::replace);
  auto out = std::string{"    "};
  for (auto c : text)
    out += c == '\n' ? "\n    " : std::string(1, c);
  return out + "\n";
}

std::string line_of(const trace_model& m, uint32_t message) {
  auto& x = m.messages[message];
  return "message " + std::to_string(message) + "  " + m.actor_name(x.sender)
         + " -> " + m.actor_name(x.receiver) + "  "
         + std::string{m.type_name(x)}
         + (x.request ? "  request " + std::to_string(x.request) : "") + "\n";
}

std::string text_of(const replay_look& l, const trace_model& m) {
  auto s = line_of(m, l.message) + "  before\n" + indented(l.before);
  return l.after.empty() ? s : s + "  after\n" + indented(l.after);
}

json json_of(const replay_look& l) {
  return {{"message", l.message},
          {"before", parsed(l.before)},
          {"after", parsed(l.after)}};
}

json json_of(const replay_difference& d) {
  return {{"message", d.message},     {"actor", d.actor},
          {"what", d.what},           {"recorded", d.recorded},
          {"replayed", d.replayed},   {"before", parsed(d.before)},
          {"after", parsed(d.after)}, {"history", d.history}};
}

json json_of(const replay_report& r) {
  auto j = json{{"actors", r.actors},     {"steps", r.steps},
                {"compared", r.compared}, {"tokens", r.tokens},
                {"outside", r.outside},   {"difference", nullptr},
                {"stopped", nullptr}};
  if (r.difference)
    j["difference"] = json_of(*r.difference);
  if (r.stopped)
    j["stopped"] = json_of(*r.stopped);
  return j;
}

constexpr auto history_most = size_t{20};

std::string text_of(const replay_difference& d, const trace_model& m) {
  auto s = "FIRST DIFFERENCE: " + d.actor + ", when it handled message "
           + std::to_string(d.message) + ": " + d.what + "\n";
  if (!d.recorded.empty())
    s += "  recorded  " + d.recorded + "\n";
  if (!d.replayed.empty())
    s += "  replayed  " + d.replayed + "\n";
  s += "What led to it, the oldest first:\n";
  auto skip = d.history.size() - std::min(d.history.size(), history_most);
  if (skip > 0)
    s += "  ... " + std::to_string(skip) + " before\n";
  for (auto i = skip; i < d.history.size(); ++i)
    s += "  " + line_of(m, d.history[i]);
  return s + "Its state before that message\n" + indented(d.before)
         + "and after it\n" + indented(d.after);
}

std::string text_of(const replay_report& r, const trace_model& m) {
  auto s = std::string{};
  if (r.stopped)
    s += text_of(*r.stopped, m);
  if (r.difference)
    s += text_of(*r.difference, m);
  s += std::to_string(r.actors) + " actors played " + std::to_string(r.steps)
       + " steps; " + std::to_string(r.compared)
       + " messages were sent again as they were, " + std::to_string(r.tokens)
       + " of them with tokens for clients; "
       + (r.difference ? "1 difference\n" : "0 differences\n");
  if (!r.outside.empty()) {
    s += "not played:";
    for (auto& [kind, n] : r.outside)
      s += " " + std::to_string(n) + " " + kind;
    s += "\n";
  }
  return s;
}

int replay_trace(replay_flags f) {
  auto t = open_trace(f.files);
  if (!t)
    return report(t.failure());
  auto script = make_script(t->model);
  if (!script)
    return report(script.failure());
  if (f.until >= 0)
    f.options.until = static_cast<uint32_t>(f.until);
  if (!f.options.break_on.empty())
    f.options.break_on = whole_type(t->model, f.options.break_on);
  auto watchers = replay_watchers{};
  auto bar = ::isatty(STDERR_FILENO) != 0;
  if (bar)
    watchers.progress = [](uint64_t step, uint64_t steps) {
      if (step % 64 == 0)
        std::fprintf(stderr, "\r%3d %%", int(100 * step / steps));
    };
  watchers.look = [&](const replay_look& l) {
    write(f.json ? dump(json_of(l)) + "\n" : text_of(l, t->model));
  };
  auto r = replay(*script, f.options, watchers);
  if (bar)
    std::fprintf(stderr, "\r     \r");
  if (!r)
    return report(r.failure());
  auto code =
      write_all(f.json ? dump(json_of(*r)) + "\n" : text_of(*r, t->model));
  if (code != exit_ok)
    return code;
  return r->difference ? exit_failed : exit_code_of(*t);
}

} // namespace

void add_trace_replay(CLI::App& trace, action& chosen) {
  auto f = std::make_shared<replay_flags>();
  auto* sub = trace.add_subcommand("replay", "let it happen again");
  sub->footer(R"(
Begins the recorded actors anew, of the same code, gives them the recorded
messages, times and random numbers in their order, and compares what they send
with what they had sent then. The first difference is shown with what led to it;
the exit status is then 1. It takes a trace that was recorded with
--trace-payloads, and the model that it names (or --model).

Message numbers are those of troupe trace show. Actors that talk to the world
outside (HTTP, files) and those of other libraries are not played: what they
sent is taken from the trace.

Examples:
  troupe trace replay gateway.trace node1.trace node2.trace
  troupe trace replay t.trace --request 7 --break-on prefill_job
  troupe trace replay t.trace --actor session#15 --states
)");
  add_trace_files(sub, f->files);
  auto* actor = sub->add_option("--actor", f->options.actor,
                                "only this one, or those of this kind")
                    ->type_name("NAME[#N]");
  auto* request = sub->add_option("--request", f->options.request,
                                  "only actors that had to do with it");
  sub->add_flag("--all", f->all, "all of them; the default")
      ->excludes(actor)
      ->excludes(request);
  actor->excludes(request);
  sub->add_option("--until", f->until, "stop before this message is handled")
      ->check(CLI::Range(int64_t{0}, int64_t{0xffffffff}))
      ->type_name("MESSAGE");
  sub->add_option("--break-on", f->options.break_on,
                  "stop after a message of this type was handled")
      ->type_name("TYPE");
  sub->add_flag("--states", f->options.states,
                "show each actor's state before and after each message");
  sub->add_option("--model", f->options.models,
                  "where the models are, if not where they were")
      ->type_name("FILE");
  sub->add_flag("--json", f->json, "JSON objects, a line each");
  sub->callback([f, &chosen] { chosen = [f] { return replay_trace(*f); }; });
}

} // namespace troupe::cli
