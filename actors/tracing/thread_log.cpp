#include "actors/tracing/thread_log.hpp"

#include "core/trace/encode.hpp"

namespace troupe::tracing {

namespace {

work_flags& threads_at_work() {
  static auto* f = new work_flags; // threads end whenever they do
  return *f;
}

} // namespace

thread_log::thread_log() : works(threads_at_work().add()) {
  auto [r, number] = buffers::all().add_thread();
  records_ = std::move(r);
  base_ = number << 40;
}

thread_log& thread_log::mine() {
  thread_local auto log = thread_log{};
  return log;
}

bool thread_log::all_idle() {
  return threads_at_work().none();
}

void thread_log::write(const void* record, uint32_t size, const_bytes extra) {
  auto total = size + padded(extra.size());
  put_record(records_->claim(total), record, size, extra);
  records_->publish(total);
}

uint32_t thread_log::index(const caf::node_id& n, known_node& last) {
  if (n != last.id)
    last = {n, buffers::all().index_of(n)};
  return last.number;
}

} // namespace troupe::tracing
