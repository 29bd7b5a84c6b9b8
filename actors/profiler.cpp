#include "actors/profiler.hpp"

#include <caf/all.hpp>

#include "actors/births.hpp"

namespace troupe {

namespace {

constexpr auto window_part = std::chrono::seconds{5};
constexpr auto window_parts = size_t{13}; // a minute, and what is under way

time_point at(int64_t ns) {
  return time_point{duration{ns}};
}

bool is_good(const stage_time& s) {
  return static_cast<size_t>(s.what) < stages && s.begin_ns <= s.end_ns;
}

request_trace trace_of(const request_profile& p) {
  auto t = request_trace{
      p.request, {p.trace_high, p.trace_low}, p.parent, at(p.begin_ns)};
  for (auto& s : p.stages) {
    if (!is_good(s))
      continue;
    t.begin(s.what, at(s.begin_ns));
    t.end(s.what, at(s.end_ns));
  }
  t.finish(at(p.end_ns));
  return t;
}

} // namespace

// -- state --------------------------------------------------------------------

void profiler_state::init(profiler_options opts, time_point now) {
  opts_ = std::move(opts);
  began_ = now;
  metrics_ = std::make_unique<metric_registry>();
  traces_ = std::make_unique<trace_log>(opts_.traces);
  // The names are good ones, and nobody else's.
  requests_ = &(*metrics_->counters("troupe_requests_profiled_total",
                                    "Requests that sessions have ended."))
                   ->with();
  auto* family = *metrics_->histograms(
      "troupe_stage_seconds", "What requests spend in each stage.", {"stage"});
  for (size_t i = 0; i < stages; ++i) {
    auto& s = stages_[i];
    s.all = &family->with({std::string{to_string(static_cast<stage>(i))}});
    s.recorder = s.all->make_recorder();
    s.window =
        std::make_unique<histogram_window>(window_part, window_parts, now);
  }
}

void profiler_state::on(const request_profile& p) {
  requests_->add();
  for (auto& s : p.stages)
    if (is_good(s))
      stages_[static_cast<size_t>(s.what)].recorder.record(
          duration{s.end_ns - s.begin_ns});
  if (p.trace_high != 0 || p.trace_low != 0)
    traces_->add(trace_of(p));
}

otlp_origin profiler_state::origin(time_point now) const {
  auto unix_ns = [&](time_point t) {
    return static_cast<uint64_t>(
        (t.time_since_epoch() + opts_.unix_offset).count());
  };
  return {opts_.service, opts_.instance, unix_ns(began_), unix_ns(now)};
}

profile_report profiler_state::report(const profile_query& q, time_point now) {
  using enum profile_query::kind;
  switch (q.what) {
  case prometheus:
    return {to_prometheus(metrics_->snapshot())};
  case otlp_metrics:
    return {to_otlp_json(metrics_->snapshot(), origin(now))};
  case otlp_traces:
    break;
  }
  auto all = traces_->take();
  if (all.empty())
    return {};
  return {to_otlp_json(all, origin(now), opts_.unix_offset.count())};
}

stage_latencies profiler_state::latencies(time_point now) {
  auto l = stage_latencies{};
  for (size_t i = 0; i < stages; ++i) {
    auto& s = stages_[i];
    auto h = s.window->update(s.all->counts(), now);
    auto q = std::array{0.5, 0.95, 0.99};
    auto ns = std::array<uint64_t, 3>{};
    h.quantiles(q, ns);
    l.stages.push_back({static_cast<stage>(i), h.count(), ns[0], ns[1], ns[2]});
  }
  return l;
}

// -- behaviour ----------------------------------------------------------------

profiler_actor::behavior_type
profiler(actor_pointer<profiler_actor, profiler_state> self,
         profiler_options opts) {
  self->born_with([&] { return birth_of(opts); });
  auto now = [self] { return time_point{self->clock().now()}; };
  self->state.init(std::move(opts), now());
  return {
      [=](const request_profile& p) { self->state.on(p); },
      [=](const profile_query& q) { return self->state.report(q, now()); },
      [=](const latency_query&) { return self->state.latencies(now()); },
  };
}

} // namespace troupe
