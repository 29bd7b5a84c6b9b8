#include "actors/tracing/tracer.hpp"

#include <caf/all.hpp>

#include "actors/tracing/message_facts.hpp"
#include "actors/tracing/quiet.hpp"
#include "actors/tracing/saved_content.hpp"
#include "actors/tracing/thread_log.hpp"
#include "actors/tracing/ticks.hpp"
#include "core/trace/encode.hpp"

namespace troupe::tracing {

namespace {

thread_log& me() {
  return thread_log::mine();
}

// -- records ------------------------------------------------------------------

void write_actor(trace_kind kind, caf::abstract_actor& a, const char* name,
                 uint64_t cause) {
  auto text = std::string_view{name};
  auto r = trace_actor_record{};
  r.head.bytes = static_cast<uint32_t>(sizeof r) + padded(text.size());
  r.head.kind = kind;
  r.head.ticks = ticks();
  r.actor = a.id();
  r.cause = cause;
  r.node = me().index_here(a.node());
  r.name_bytes = static_cast<uint32_t>(text.size());
  me().write(&r, sizeof r, std::as_bytes(std::span{text.data(), text.size()}));
}

// In each recording, before anything else that is said of it.
void introduce(caf::abstract_actor& a, const char* name, uint32_t& told) {
  auto generation = buffers::all().generation();
  if (told == generation)
    return;
  told = generation;
  write_actor(trace_kind::actor, a, name, me().current);
}

// -- contents -----------------------------------------------------------------

const_bytes saved(const caf::type_erased_tuple& content,
                  caf::actor_system& system, uint32_t how) {
  auto& to = me().scratch;
  to.clear();
  auto sink = caf::binary_serializer{system, to};
  if (!save_content(content, sink, (how & full_kv) != 0))
    to.clear();
  return std::as_bytes(std::span{to.data(), to.size()});
}

// A record of a message, but for where it is from and where it goes.
void write_sent(trace_sent r, const caf::type_erased_tuple& content,
                caf::actor_system& system) {
  auto how = mode_now();
  auto payload = const_bytes{};
  r.head.kind = trace_kind::sent;
  if (!content.empty()) {
    auto& facts = facts_of(content.type(0));
    r.head.type = facts.number;
    if (facts.request) {
      r.request = facts.request(content.get(0));
      r.content_bytes = facts.bytes(content.get(0));
    }
  }
  if (how & payloads)
    payload = saved(content, system, how);
  auto digest = uint64_t{0};
  payload = settle_payload(r, payload, digest);
  me().write(&r, sizeof r, payload);
}

caf::mailbox_element_ptr unpack(caf::mailbox_element_ptr p) {
  auto& e = p->content().get_as<trace_envelope>(0);
  return caf::make_mailbox_element(std::move(p->sender), p->mid,
                                   std::move(p->stages), e.content);
}

} // namespace

// -- messages -----------------------------------------------------------------

caf::mailbox_element_ptr arriving(caf::abstract_actor& at, const char* name,
                                  uint32_t& told, caf::mailbox_element_ptr p) {
  auto how = mode_now();
  if (how & replaying) {
    auto* s = current_seam();
    if (s->feeding())
      return p;
    s->captured(caf::strong_actor_ptr{at.ctrl()}, std::move(p), {});
    return nullptr;
  }
  auto r = trace_sent{};
  if (in_envelope(*p)) {
    auto& e = p->content().get_as<trace_envelope>(0);
    r.cause = e.departure;
    r.process = e.process;
    r.head.flags = trace_marked;
    p = unpack(std::move(p));
  }
  if (!(how & recording))
    return p;
  introduce(at, name, told);
  auto& t = me();
  if (r.process == 0)
    r.cause = t.current;
  r.head.ticks = ticks();
  r.message = reinterpret_cast<uintptr_t>(p.get());
  r.receiver = at.id();
  r.receiver_node = t.index_here(at.node());
  if (p->sender) {
    r.sender = p->sender->id();
    r.sender_node = t.index_there(p->sender->node());
  }
  r.mid = p->mid.integer_value();
  write_sent(r, p->content(), at.home_system());
  return p;
}

caf::message leaving(caf::abstract_actor& from, const caf::strong_actor_ptr& to,
                     caf::message_id mid, std::chrono::nanoseconds delay,
                     caf::message content) {
  auto& t = me();
  auto r = trace_sent{};
  r.head.flags = trace_left;
  if (delay > std::chrono::nanoseconds{})
    r.head.flags |= trace_delayed;
  r.head.ticks = ticks();
  r.message = t.next();
  r.cause = t.current;
  r.sender = from.id();
  r.sender_node = t.index_here(from.node());
  r.receiver = to->id();
  r.receiver_node = t.index_there(to->node());
  r.mid = mid.integer_value();
  r.delay_ns = static_cast<uint64_t>(delay.count());
  write_sent(r, content, from.home_system());
  return caf::make_message(
      trace_envelope{buffers::all().process(), r.message, std::move(content)});
}

handling::handling(caf::abstract_actor& actor, const char* name, uint32_t& told,
                   const caf::mailbox_element* what, uint8_t flags)
    : actor_(actor), what_(what), flags_(flags) {
  if (!(mode_now() & recording))
    return;
  introduce(actor, name, told);
  auto& t = me();
  before_ = std::exchange(t.current, number_ = t.next());
  t.works->store(true, std::memory_order_relaxed);
  notes_ = t.notes.size();
  generation_ = buffers::all().generation();
  begun_ = ticks();
}

handling::~handling() {
  if (begun_ == 0)
    return;
  auto& t = me();
  t.current = before_;
  // Another recording than that in which it began knows nothing of it.
  if (number_ != 0 && generation_ == buffers::all().generation()) {
    auto r = trace_handled{};
    auto notes = std::as_bytes(std::span{t.notes}).subspan(notes_);
    r.head.bytes = static_cast<uint32_t>(sizeof r) + padded(notes.size());
    r.head.kind = trace_kind::handled;
    r.head.flags = flags_;
    r.head.ticks = begun_;
    r.message = reinterpret_cast<uintptr_t>(what_);
    r.handling = number_;
    r.end_ticks = ticks();
    r.actor = actor_.id();
    r.node = t.index_here(actor_.node());
    r.notes_bytes = static_cast<uint32_t>(notes.size());
    t.write(&r, sizeof r, notes);
  }
  t.notes.resize(notes_);
  if (before_ == 0)
    t.works->store(false, std::memory_order_release);
}

bool quiet() {
  return thread_log::all_idle();
}

void gone(caf::abstract_actor& actor, const char* name, uint32_t& told) {
  if (!(mode_now() & recording))
    return;
  introduce(actor, name, told);
  write_actor(trace_kind::gone, actor, name, 0);
}

// -- notes --------------------------------------------------------------------

namespace {

void note(trace_note kind, const void* bytes, size_t n) {
  append_note(me().notes, kind, bytes, n);
}

bool noting() {
  return (mode_now() & payloads) != 0 && me().current != 0;
}

} // namespace

caf::actor_clock::time_point read_clock(const caf::actor_clock& clock) {
  auto how = mode_now();
  if (how & replaying)
    return current_seam()->now();
  auto now = clock.now();
  if ((how & payloads) && me().current != 0) {
    int64_t ns = std::chrono::nanoseconds{now.time_since_epoch()}.count();
    note(trace_note::clock, &ns, sizeof ns);
  }
  return now;
}

caf::strong_actor_ptr spawned_then() {
  return mode_now() & replaying ? current_seam()->spawned() : nullptr;
}

void note_spawned(caf::actor_id id) {
  if (!noting())
    return;
  uint64_t n = id;
  note(trace_note::spawned, &n, sizeof n);
}

void note_value(const std::vector<char>& bytes) {
  if (noting())
    note(trace_note::value, bytes.data(), bytes.size());
}

} // namespace troupe::tracing
