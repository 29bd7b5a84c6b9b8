#include "core/trace/trace_model.hpp"

#include <algorithm>

#include "core/trace/model_parts.hpp"

namespace troupe {

std::string_view trace_process::says(std::string_view key) const {
  auto i = std::find_if(about.begin(), about.end(),
                        [&](auto& kv) { return kv.first == key; });
  return i == about.end() ? std::string_view{} : i->second;
}

// -- times --------------------------------------------------------------------

namespace {

int64_t between(int64_t from, int64_t to) {
  if (from == trace_never || to == trace_never || to < from)
    return 0;
  auto d = int64_t{0};
  return __builtin_sub_overflow(to, from, &d) ? 0 : d;
}

} // namespace

int64_t trace_message::last_ns() const {
  return std::max({left_ns, arrived_ns, begun_ns, ended_ns});
}

int64_t trace_message::wire_ns() const {
  return between(left_ns, arrived_ns);
}

int64_t trace_message::queueing_ns() const {
  return between(arrived_ns, begun_ns);
}

int64_t trace_message::handling_ns() const {
  return between(begun_ns, ended_ns);
}

// -- the whole ----------------------------------------------------------------

bool trace_model::damaged() const {
  return std::any_of(findings.begin(), findings.end(),
                     [](auto& f) { return !f.empty(); });
}

int64_t trace_model::begin_ns() const {
  if (messages.empty())
    return 0;
  auto& m = messages.front();
  return m.left_ns != trace_never      ? m.left_ns
         : m.arrived_ns != trace_never ? m.arrived_ns
                                       : m.begun_ns;
}

int64_t trace_model::end_ns() const {
  auto end = begin_ns();
  for (auto& m : messages)
    end = std::max(end, m.last_ns());
  return end;
}

std::string trace_model::actor_name(uint32_t actor) const {
  if (actor == trace_none)
    return "nobody";
  auto& a = actors[actor];
  return (a.name.empty() ? std::string{"actor"} : std::string{a.name}) + "#"
         + std::to_string(a.number);
}

bool trace_model::is_waiting(const trace_message& m) const {
  return m.is(trace_arrived) && !m.is(trace_is_handled) && !m.is_pseudo()
         && actors[m.receiver].process != trace_none;
}

std::string_view trace_model::type_name(const trace_message& m) const {
  if (m.is(trace_is_init))
    return "init";
  if (m.is(trace_is_cleanup))
    return "cleanup";
  if (m.type == trace_none)
    return "?";
  auto name = std::string_view{types[m.type]};
  constexpr auto ours = std::string_view{"troupe::"};
  return name.starts_with(ours) ? name.substr(ours.size()) : name;
}

trace_model read_trace(std::span<const trace_input> files,
                       const trace_progress& progress) {
  using namespace trace_building;
  auto p = parts{};
  read_files(p, files, progress);
  p.handlings.resize(p.files.size());
  p.departures.resize(p.files.size());
  make_room(p);
  for (uint32_t i = 0; i < p.files.size(); ++i) {
    p.m.processes[i].clock = clock_of(p.files[i]);
    collect(p, i);
  }
  p.files = {};
  connect(p);
  p.handlings = {};
  p.departures = {};
  correct_clocks(p);
  infer(p);
  put_in_order(p);
  return std::move(p.m);
}

} // namespace troupe
