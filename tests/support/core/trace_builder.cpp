#include "tests/support/core/trace_builder.hpp"

#include <algorithm>
#include <cassert>
#include <cstring>

namespace troupe::testing {

namespace {

constexpr auto base_ticks = int64_t{7'000'000};
constexpr auto epoch_ns = int64_t{1'700'000'000'000'000'000};

} // namespace

trace_builder::trace_builder(uint64_t process, int64_t skew_ns, uint32_t file,
                             uint32_t flags)
    : skew_ns_(skew_ns) {
  auto h = make_trace_header(process, file, flags);
  auto b = std::as_bytes(std::span{&h, 1});
  file_.insert(file_.end(), b.begin(), b.end());
}

uint64_t trace_builder::ticks(int64_t at) const {
  return static_cast<uint64_t>(base_ticks + at * 3);
}

template <class T>
void trace_builder::append(const T& record, const_bytes more) {
  auto b = std::as_bytes(std::span{&record, 1});
  records_.insert(records_.end(), b.begin(), b.end());
  append_padded(records_, more);
}

// -- names --------------------------------------------------------------------

void trace_builder::about(std::string_view text) {
  append_text(records_, trace_kind::about, 0, 0, text, ticks(0));
}

void trace_builder::type(uint16_t number, std::string_view name) {
  append_text(records_, trace_kind::type, number, 0, name, ticks(0));
}

void trace_builder::node(uint32_t number, std::string_view name) {
  append_text(records_, trace_kind::node, 0, number, name, ticks(0));
}

void trace_builder::actor(traced who, std::string_view name, int64_t at,
                          const_bytes payload) {
  auto r = trace_actor_record{};
  r.head.kind = trace_kind::actor;
  r.head.ticks = ticks(at);
  r.actor = who.number;
  r.node = who.node;
  r.cause = running_.empty() ? 0 : running_.back().number;
  append_actor(records_, r, name, payload);
}

void trace_builder::gone(traced who, int64_t at) {
  auto r = trace_actor_record{};
  r.head.kind = trace_kind::gone;
  r.head.ticks = ticks(at);
  r.actor = who.number;
  r.node = who.node;
  append_actor(records_, r, {}, {});
}

// -- messages -----------------------------------------------------------------

void trace_builder::append_sent(trace_sent r, const traced_message& m,
                                int64_t at, const_bytes payload) {
  last_ = std::max(last_, at);
  r.head.kind = trace_kind::sent;
  r.head.type = m.type;
  r.head.ticks = ticks(at);
  if (!payload.empty())
    r.head.flags |= trace_has_payload;
  r.head.bytes = static_cast<uint32_t>(sizeof r) + padded(payload.size());
  r.sender = m.from.number;
  r.sender_node = m.from.node;
  r.receiver = m.to.number;
  r.receiver_node = m.to.node;
  r.mid = m.mid;
  r.request = m.request;
  r.content_bytes = m.bytes;
  r.payload_bytes = static_cast<uint32_t>(payload.size());
  append(r, payload);
}

uint64_t trace_builder::arrive(const traced_message& m, int64_t at,
                               const_bytes payload, uint64_t address) {
  auto r = trace_sent{};
  r.message = address != 0 ? address : addresses_ += 16;
  r.cause = running_.empty() ? 0 : running_.back().number;
  append_sent(r, m, at, payload);
  return r.message;
}

uint64_t trace_builder::arrive_marked(const traced_message& m, int64_t at,
                                      uint64_t process, uint64_t departure) {
  auto r = trace_sent{};
  r.head.flags = trace_marked;
  r.message = addresses_ += 16;
  r.cause = departure;
  r.process = process;
  append_sent(r, m, at, {});
  return r.message;
}

uint64_t trace_builder::leave(const traced_message& m, int64_t at,
                              int64_t delay_ns) {
  auto r = trace_sent{};
  r.head.flags = trace_left;
  if (delay_ns > 0)
    r.head.flags |= trace_delayed;
  r.delay_ns = static_cast<uint64_t>(delay_ns);
  r.message = ++numbers_;
  r.cause = running_.empty() ? 0 : running_.back().number;
  append_sent(r, m, at, {});
  return r.message;
}

uint64_t trace_builder::begin(traced who, uint64_t address, int64_t at,
                              uint8_t flags) {
  running_.push_back({who, address, at, ++numbers_, flags});
  return numbers_;
}

void trace_builder::end(int64_t at, const_bytes notes) {
  assert(!running_.empty());
  auto h = running_.back();
  running_.pop_back();
  last_ = std::max(last_, at);
  auto r = trace_handled{};
  r.head.kind = trace_kind::handled;
  r.head.flags = h.flags;
  r.head.ticks = ticks(h.begun);
  r.head.bytes = static_cast<uint32_t>(sizeof r) + padded(notes.size());
  r.message = h.address;
  r.handling = h.number;
  r.end_ticks = ticks(at);
  r.actor = h.who.number;
  r.node = h.who.node;
  r.notes_bytes = static_cast<uint32_t>(notes.size());
  append(r, notes);
}

void trace_builder::handle(traced who, uint64_t address, int64_t from,
                           int64_t to) {
  begin(who, address, from);
  end(to);
}

// -- the file -----------------------------------------------------------------

void trace_builder::chunk(int64_t at, uint64_t dropped) {
  auto m = trace_moment{};
  m.ticks = ticks(at);
  m.steady_ns = 1'000'000 + at;
  m.unix_ns = epoch_ns + at + skew_ns_;
  auto h = make_trace_chunk(chunks_++, m, dropped, records_);
  auto b = std::as_bytes(std::span{&h, 1});
  file_.insert(file_.end(), b.begin(), b.end());
  file_.insert(file_.end(), records_.begin(), records_.end());
  records_.clear();
}

std::vector<std::byte> trace_builder::bytes() {
  if (chunks_ == 0)
    chunk(0);
  if (!records_.empty() || chunks_ == 1)
    chunk(last_ + 1000);
  return {file_.begin(), file_.end()};
}

trace_model model_of(const std::vector<std::vector<std::byte>>& files) {
  auto inputs = std::vector<trace_input>{};
  for (auto& f : files)
    inputs.push_back({std::to_string(inputs.size()), f});
  return read_trace(inputs);
}

trace_model model_of(const std::vector<std::byte>& file) {
  return read_trace(std::vector{trace_input{"0", file}});
}

uint32_t index_of(const trace_model& m, std::string_view type) {
  auto is = [&](auto& x) { return m.type_name(x) == type; };
  assert(std::count_if(m.messages.begin(), m.messages.end(), is) == 1);
  auto i = std::find_if(m.messages.begin(), m.messages.end(), is);
  return static_cast<uint32_t>(i - m.messages.begin());
}

const trace_message& only(const trace_model& m, std::string_view type) {
  return m.messages[index_of(m, type)];
}

} // namespace troupe::testing
