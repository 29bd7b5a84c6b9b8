#include "actors/trace_recorder.hpp"

#include <caf/all.hpp>

#include "actors/tracing/buffers.hpp"
#include "actors/tracing/message_facts.hpp"
#include "actors/tracing/ticks.hpp"
#include "core/trace/encode.hpp"

namespace troupe {

namespace {

constexpr auto interval = std::chrono::milliseconds{50};

using pointer = trace_recorder_actor::stateful_pointer<trace_recorder_state>;

trace_recorder_actor::behavior_type recorder(pointer self, trace_options opts,
                                             std::shared_ptr<trace_writer> to) {
  self->state.init(std::move(opts), std::move(*to));
  self->delayed_send(self, interval, deadline_tick{});
  return {
      [=](const trace_command& m) { return self->state.on(m); },
      [=](const deadline_tick&) {
        self->state.drain();
        self->delayed_send(self, interval, deadline_tick{});
      },
  };
}

uint32_t flags_of(const trace_options& o) {
  return (o.payloads ? uint32_t{trace_payloads} : 0)
         | (o.payloads && o.full_kv ? uint32_t{trace_full_kv} : 0);
}

} // namespace

void trace_recorder_state::init(trace_options opts, trace_writer writer) {
  opts_ = std::move(opts);
  writer_.emplace(std::move(writer));
  auto now = tracing::ticks();
  for (auto& [key, value] : opts_.about)
    append_text(texts_, trace_kind::about, 0, 0, key + "=" + value, now);
  for (auto& f : tracing::all_message_facts())
    append_text(texts_, trace_kind::type, f.number, 0, f.name, now);
  drain();
}

result<void> trace_recorder_state::write() {
  auto& all = tracing::buffers::all();
  records_.clear();
  all.drain(records_);
  // Whatever they name is there by now.
  auto nodes = all.nodes();
  for (; nodes_ < nodes.size(); ++nodes_)
    append_text(texts_, trace_kind::node, 0, static_cast<uint32_t>(nodes_),
                nodes[nodes_], tracing::ticks());
  auto moment = tracing::moment();
  auto dropped = all.dropped();
  if (!texts_.empty())
    if (auto ok = writer_->write(texts_, moment, dropped); !ok)
      return ok;
  texts_.clear();
  if (records_.empty())
    return {};
  return writer_->write(records_, moment, dropped);
}

void trace_recorder_state::drain() {
  if (!writer_)
    return;
  auto ok = write();
  bytes_ = writer_->bytes();
  if (ok)
    return;
  tracing::buffers::all().stop();
  writer_.reset();
  failure_ = ok.failure().message;
  if (opts_.log)
    opts_.log("messages are no longer recorded: " + failure_);
}

trace_status trace_recorder_state::on(const trace_command& m) {
  if (m.what == trace_command::kind::stop && writer_)
    tracing::buffers::all().stop();
  if (m.what != trace_command::kind::status)
    drain();
  if (m.what == trace_command::kind::stop)
    writer_.reset();
  auto s = trace_status{};
  s.recording = writer_.has_value();
  s.file = opts_.file;
  s.bytes = bytes_;
  s.dropped = tracing::buffers::all().dropped();
  s.failure = failure_;
  return s;
}

result<trace_recorder_actor> start_trace_recorder(caf::actor_system& system,
                                                  trace_options options) {
  auto w = trace_writer_options{};
  w.file = options.file;
  w.process = tracing::buffers::all().process();
  w.flags = flags_of(options);
  w.max_bytes = options.max_bytes;
  w.files = options.files;
  auto how = uint32_t{tracing::recording};
  if (options.payloads)
    how |= tracing::payloads;
  if (options.payloads && options.full_kv)
    how |= tracing::full_kv;
  if (auto ok = tracing::buffers::all().start(how, options.ring_bytes); !ok)
    return ok.failure();
  auto writer = trace_writer::open(std::move(w));
  if (!writer) {
    tracing::buffers::all().stop();
    return writer.failure();
  }
  return system.spawn<caf::detached + caf::hidden>(
      recorder, std::move(options),
      std::make_shared<trace_writer>(std::move(*writer)));
}

} // namespace troupe
