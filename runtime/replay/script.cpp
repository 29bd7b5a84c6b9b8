#include "runtime/replay/script.hpp"

#include <algorithm>

#include "core/trace/format.hpp"

namespace troupe {

namespace {

// What a handler got that was in no message. False: it is not whole.
bool read_notes(const_bytes notes, replay_step& to) {
  while (!notes.empty()) {
    if (notes.size() < sizeof(trace_note_header))
      return false;
    auto h = load_unaligned<trace_note_header>(notes.data());
    notes = notes.subspan(sizeof h);
    if (h.bytes > notes.size())
      return false;
    auto what = notes.first(h.bytes);
    notes = notes.subspan(h.bytes);
    switch (h.kind) {
    case trace_note::clock:
      if (what.size() != sizeof(int64_t))
        return false;
      to.clock.push_back(load_unaligned<int64_t>(what.data()));
      break;
    case trace_note::spawned:
      if (what.size() != sizeof(uint64_t))
        return false;
      to.spawned.push_back(load_unaligned<uint64_t>(what.data()));
      break;
    case trace_note::value:
      to.values.push_back(what);
      break;
    }
  }
  return true;
}

class script_writer {
public:
  explicit script_writer(const trace_model& m) : model_(m) {}

  result<replay_script> write() {
    if (auto ok = check(); !ok)
      return ok.failure();
    add_processes();
    add_actors();
    add_messages();
    if (auto ok = add_steps(); !ok)
      return ok.failure();
    add_sent();
    return std::move(script_);
  }

private:
  result<void> check();
  void add_processes();
  void add_actors();
  void add_messages();
  result<void> add_steps();
  result<void> add_step(uint32_t message);
  bool is_ready(uint32_t message) const;
  void add_sent();

  const trace_model& model_;
  replay_script script_;
  std::vector<uint32_t> step_of_; ///< by message
};

result<void> script_writer::check() {
  if (model_.processes.empty())
    return fail(errc::bad_file, "the recording is of no process");
  for (auto& p : model_.processes)
    if ((p.flags & trace_payloads) == 0)
      return fail(errc::unsupported,
                  "the recording does not hold what was in the messages; "
                  "record with --trace-payloads");
  for (auto& p : model_.processes)
    if (p.says("began") == "late")
      return fail(errc::unsupported,
                  "the recording began when its process was at work: it can be "
                  "looked at, but not replayed");
  return {};
}

void script_writer::add_processes() {
  script_.full_kv = true;
  for (auto& p : model_.processes) {
    auto& says = script_.processes.emplace_back();
    for (auto& [key, value] : p.about)
      says.emplace(key, value);
    script_.dropped += p.dropped;
    script_.full_kv = script_.full_kv && (p.flags & trace_full_kv) != 0;
  }
}

void script_writer::add_actors() {
  for (auto& a : model_.actors)
    script_.actors.push_back(
        {a.node == trace_none ? std::string{} : model_.nodes[a.node], a.number,
         std::string{a.name}, a.process});
}

void script_writer::add_messages() {
  script_.messages.reserve(model_.messages.size());
  for (auto& m : model_.messages) {
    auto r = replay_message{};
    r.sender = m.sender;
    r.receiver = m.receiver;
    if (m.type != trace_none)
      r.type = model_.types[m.type];
    r.mid = m.mid;
    r.request = m.request;
    r.cause = m.cause;
    r.payload = m.payload;
    r.has_payload = m.is(trace_payload_whole);
    script_.messages.push_back(r);
  }
}

// What is sent again has to be there before it is handled, whatever the clocks
// say.
bool script_writer::is_ready(uint32_t message) const {
  auto& m = model_.messages[message];
  if (m.cause == trace_none || model_.messages[m.cause].handling == 0)
    return true;
  return step_of_[m.cause] != trace_none;
}

// Those of all processes, as their clocks have them.
result<void> script_writer::add_steps() {
  step_of_.assign(model_.messages.size(), trace_none);
  auto next = std::vector<size_t>(model_.handlings.size());
  for (;;) {
    auto best = next.size();
    auto best_ready = false;
    for (size_t p = 0; p < next.size(); ++p) {
      if (next[p] == model_.handlings[p].size())
        continue;
      auto m = model_.handlings[p][next[p]];
      auto ready = is_ready(m);
      auto sooner = [&] {
        auto other = model_.handlings[best][next[best]];
        return model_.messages[m].begun_ns < model_.messages[other].begun_ns;
      };
      if (best == next.size() || (ready && !best_ready)
          || (ready == best_ready && sooner())) {
        best = p;
        best_ready = ready;
      }
    }
    if (best == next.size())
      return {};
    if (auto ok = add_step(model_.handlings[best][next[best]++]); !ok)
      return ok;
  }
}

result<void> script_writer::add_step(uint32_t message) {
  auto& m = model_.messages[message];
  auto s = replay_step{};
  using kind = replay_step::kind;
  s.what = m.is(trace_is_init)      ? kind::init
           : m.is(trace_is_cleanup) ? kind::cleanup
                                    : kind::message;
  s.message = message;
  s.actor = m.receiver;
  s.begun_ns = m.begun_ns;
  if (s.actor == trace_none || !read_notes(m.notes, s))
    return fail(errc::bad_file, "the recording of message "
                                    + std::to_string(message)
                                    + " is not what this build writes");
  step_of_[message] = static_cast<uint32_t>(script_.steps.size());
  script_.steps.push_back(std::move(s));
  return {};
}

void script_writer::add_sent() {
  for (uint32_t i = 0; i < model_.messages.size(); ++i) {
    auto& m = model_.messages[i];
    if (m.is_pseudo() || m.cause == trace_none
        || step_of_[m.cause] == trace_none)
      continue;
    script_.steps[step_of_[m.cause]].sent.push_back(i);
  }
}

} // namespace

result<replay_script> make_script(const trace_model& m) {
  return script_writer{m}.write();
}

} // namespace troupe
