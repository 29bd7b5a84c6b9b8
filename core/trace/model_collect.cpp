#include <string>
#include <utility>

#include "core/trace/model_parts.hpp"

namespace troupe::trace_building {

uint32_t parts::actor(uint32_t node, uint64_t number) {
  if (actors.size() <= node)
    actors.resize(node + 1);
  if (auto i = actors[node].find(number); i != paged_index::none)
    return i;
  auto i = static_cast<uint32_t>(m.actors.size());
  auto& a = m.actors.emplace_back();
  a.node = node;
  a.number = number;
  actors[node].add(number, i);
  return i;
}

uint32_t parts::add(const trace_message& message, const link& l) {
  m.messages.push_back(message);
  links.push_back(l);
  return static_cast<uint32_t>(m.messages.size() - 1);
}

namespace {

// Of what is repeated in each line that is shown.
constexpr auto longest_name = size_t{1024};

uint32_t number_of(std::unordered_map<std::string_view, uint32_t>& known,
                   std::vector<std::string>& all, std::string_view name) {
  auto [i, is_new] = known.emplace(name, static_cast<uint32_t>(all.size()));
  if (is_new)
    all.emplace_back(name);
  return i->second;
}

// What the records of one process say: names first, since messages may come
// before them.
class collector {
public:
  collector(parts& p, uint32_t process)
      : p_(p), process_(process), clock_(p.m.processes[process].clock),
        types_(size_t{1} << 16, trace_none) {}

  void run() {
    auto arrivals = size_t{0};
    auto handlings = size_t{0};
    each([&](trace_kind k, const_bytes) {
      arrivals += k == trace_kind::sent;
      handlings += k == trace_kind::handled;
    });
    events_.reserve(arrivals + handlings);
    handled_.reserve(handlings);
    each([this](trace_kind k, const_bytes r) { name(k, r); });
    each([this](trace_kind k, const_bytes r) { add(k, r); });
    match(p_, process_, events_, handled_);
  }

private:
  template <class F>
  void each(F f) {
    for (auto& file : p_.files[process_])
      for (auto& c : file.chunks)
        for_each_record(c.records, f);
  }

  void name(trace_kind k, const_bytes record) {
    if (k > trace_kind::node)
      return;
    auto r = load_unaligned<trace_text>(record.data());
    auto text = trace_text_of(record).substr(0, longest_name);
    auto& process = p_.m.processes[process_];
    if (k == trace_kind::type)
      types_[r.head.type] = number_of(p_.types, p_.m.types, text);
    else if (k == trace_kind::node)
      nodes_[r.number] = number_of(p_.nodes, p_.m.nodes, text);
    else if (auto n = text.find('='); n != std::string_view::npos
                                      && process.says(text.substr(0, n)).empty()
                                      && process.about.size() < 1000)
      process.about.emplace_back(text.substr(0, n), text.substr(n + 1));
  }

  void add(trace_kind k, const_bytes record) {
    if (k == trace_kind::sent)
      add_sent(record);
    else if (k == trace_kind::handled)
      add_handled(record);
    else if (k == trace_kind::actor || k == trace_kind::gone)
      add_actor(k, record);
  }

  void add_actor(trace_kind k, const_bytes record) {
    auto r = load_unaligned<trace_actor_record>(record.data());
    auto i = p_.actor(node(r.node), r.actor);
    auto& a = p_.m.actors[i];
    auto at = clock_.to_ns(r.head.ticks);
    if (a.name.empty())
      a.name = trace_name_of(r, record).substr(0, longest_name);
    if (a.process == trace_none)
      a.process = process_;
    if (k == trace_kind::gone) {
      a.ended_ns = at;
      return;
    }
    if (a.payload.empty())
      a.payload = trace_payload_of(r, record);
    if (a.born_ns != trace_never)
      return;
    a.born_ns = at;
    if (r.cause != 0)
      p_.spawned.emplace_back(i, r.cause);
  }

  void add_sent(const_bytes record) {
    auto r = load_unaligned<trace_sent>(record.data());
    auto m = trace_message{};
    m.left_ns = clock_.to_ns(r.head.ticks);
    m.mid = r.mid;
    m.request = r.request;
    m.type = types_[r.head.type];
    m.bytes = r.content_bytes;
    m.process = static_cast<uint16_t>(process_);
    m.payload = trace_payload_of(r, record);
    if (r.head.flags & trace_digest)
      m.flags |= trace_payload_digest;
    else if (r.head.flags & trace_has_payload)
      m.flags |= trace_payload_whole;
    if (r.sender != 0)
      m.sender = p_.actor(node(r.sender_node), r.sender);
    m.receiver = p_.actor(node(r.receiver_node), r.receiver);
    auto l = link{r.cause, process_, link::handling};
    if (r.head.flags & trace_left) {
      m.flags |= trace_departed;
      if (r.head.flags & trace_delayed) {
        m.flags |= trace_is_timer;
        m.delay_ns = r.delay_ns;
      }
      p_.departures[process_].add(r.message, p_.add(m, l));
      return;
    }
    m.flags |= trace_arrived;
    m.arrived_ns = m.left_ns;
    if (r.head.flags & trace_marked) {
      auto i = p_.processes.find(r.process);
      l.what = link::departure;
      l.process = i == p_.processes.end() ? trace_none : i->second;
    }
    auto slot = p_.add(m, l);
    events_.push_back({r.message, r.head.ticks, m.receiver, slot, 0});
  }

  void add_handled(const_bytes record) {
    auto r = load_unaligned<trace_handled>(record.data());
    auto actor = p_.actor(node(r.node), r.actor);
    events_.push_back({r.message, r.head.ticks, actor,
                       static_cast<uint32_t>(handled_.size()), 1});
    handled_.push_back({record.data()});
  }

  // What is named nowhere still is one node of this process.
  uint32_t node(uint32_t number) {
    if (number == last_node_ && has_last_)
      return last_;
    auto [i, is_new] = nodes_.try_emplace(number, 0);
    if (is_new) {
      i->second = static_cast<uint32_t>(p_.m.nodes.size());
      p_.m.nodes.push_back("node " + std::to_string(number) + " of process "
                           + std::to_string(process_));
    }
    last_node_ = number;
    has_last_ = true;
    return last_ = i->second;
  }

  parts& p_;
  uint32_t process_;
  trace_clock clock_;
  std::vector<uint32_t> types_;
  std::unordered_map<uint32_t, uint32_t> nodes_;
  uint32_t last_node_ = 0;
  uint32_t last_ = 0;
  bool has_last_ = false;
  std::vector<event> events_;
  std::vector<handled_record> handled_;
};

} // namespace

void make_room(parts& p) {
  auto n = size_t{0};
  for (auto& files : p.files)
    for (auto& f : files)
      for (auto& c : f.chunks)
        for_each_record(c.records, [&n](trace_kind k, const_bytes record) {
          // Those of handlings: there was no message.
          auto flags = load_unaligned<trace_record>(record.data()).flags;
          n +=
              k == trace_kind::sent || (k == trace_kind::handled && flags != 0);
        });
  p.m.messages.reserve(n);
  p.links.reserve(n);
}

void collect(parts& p, uint32_t process) {
  collector{p, process}.run();
}

} // namespace troupe::trace_building
