#include "runtime/replay/replayer.hpp"

#include <algorithm>
#include <cstring>

#include "runtime/replay/comparison.hpp"

namespace troupe {

namespace {

std::string name_of(const replay_actor& a) {
  return (a.name.empty() ? "actor" : a.name) + "#" + std::to_string(a.id);
}

// The messages that a request is about, and what led to them.
std::vector<bool> actors_of(const replay_script& s, uint64_t request) {
  auto wanted = std::vector<bool>(s.actors.size());
  for (auto& m : s.messages)
    if (m.request == request)
      for (auto a : {m.sender, m.receiver})
        if (a != replay_message::none)
          wanted[a] = true;
  return wanted;
}

class player {
public:
  player(const replay_script& s, const replay_options& o,
         const replay_watchers& w, const replay_factories& f)
      : script_(s), options_(o), watchers_(w), factories_(f),
        props_(s, o.models), comparison_(s, stage_) {
    for (auto& a : s.actors) {
      auto node = caf::node_id{};
      // Names that CAF did not give are those of no actor here.
      if (auto failed = parse(a.node, node))
        node = caf::node_id{};
      names_.push_back({std::move(node), a.id});
    }
    cleanups_ = find_cleanups();
  }

  result<replay_report> run();

private:
  bool wanted(uint32_t actor) const;
  std::map<uint32_t, uint32_t> find_cleanups() const;
  result<void> begin(const replay_step& s);
  result<caf::mailbox_element_ptr> element_for(const replay_step& s);
  result<bool> play(const replay_step& s, size_t at);
  void keep(std::vector<comparison::pair> sent, uint32_t process);
  void differ(const replay_step& s, comparison::difference d,
              std::string before);

  const replay_script& script_;
  const replay_options& options_;
  const replay_watchers& watchers_;
  const replay_factories& factories_;
  replay_stage stage_;
  replay_props props_;
  comparison comparison_;
  std::vector<actor_name> names_;
  std::vector<bool> of_request_;
  /// The step in which an actor ends, by the one before it.
  std::map<uint32_t, uint32_t> cleanups_;
  std::set<uint32_t> begun_;
  /// What was sent again and is yet to be handled, by its number.
  std::map<uint32_t, caf::mailbox_element_ptr> live_;
  replay_report report_;
};

bool player::wanted(uint32_t actor) const {
  auto& a = script_.actors[actor];
  if (!factories_.contains(a.name))
    return false;
  if (!options_.actor.empty() && options_.actor != a.name
      && options_.actor != name_of(a))
    return false;
  return of_request_.empty() || of_request_[actor];
}

std::map<uint32_t, uint32_t> player::find_cleanups() const {
  auto last = std::map<uint32_t, uint32_t>{};
  auto found = std::map<uint32_t, uint32_t>{};
  for (uint32_t i = 0; i < script_.steps.size(); ++i) {
    auto& s = script_.steps[i];
    auto before = last.find(s.actor);
    if (s.what == replay_step::kind::cleanup && before != last.end())
      found.emplace(before->second, i);
    last[s.actor] = i;
  }
  return found;
}

result<void> player::begin(const replay_step& s) {
  auto& a = script_.actors[s.actor];
  if (s.values.empty())
    return fail(errc::bad_file,
                name_of(a) + ": the recording does not say how it was spawned");
  auto ok = factories_.find(a.name)->second(stage_, props_, names_[s.actor],
                                            a.process, s.values.front());
  if (!ok)
    return fail(ok.failure().code, name_of(a) + ": " + ok.failure().message);
  begun_.insert(s.actor);
  ++report_.actors;
  return {};
}

result<caf::mailbox_element_ptr> player::element_for(const replay_step& s) {
  if (auto i = live_.find(s.message); i != live_.end()) {
    auto e = std::move(i->second);
    live_.erase(i);
    return e;
  }
  auto& m = script_.messages[s.message];
  if (!m.has_payload)
    return fail(errc::bad_file, "message " + std::to_string(s.message)
                                    + " is in the recording without its "
                                      "content");
  auto content = stage_.read(m.payload);
  if (!content)
    return content.failure();
  auto sender = m.sender == replay_message::none
                    ? nullptr
                    : stage_.handle(names_[m.sender]);
  return caf::make_mailbox_element(std::move(sender), caf::message_id{m.mid},
                                   caf::no_stages, std::move(*content));
}

// What others who play get later. Between processes it is written and read, as
// it was then.
void player::keep(std::vector<comparison::pair> sent, uint32_t process) {
  for (auto& p : sent) {
    auto& m = script_.messages[p.message];
    if (m.receiver == replay_message::none || !wanted(m.receiver))
      continue;
    if (script_.actors[m.receiver].process != process) {
      auto content = stage_.carried_over(p.what->content());
      if (!content)
        continue; // the recording has it
      p.what = caf::make_mailbox_element(std::move(p.what->sender), p.what->mid,
                                         std::move(p.what->stages),
                                         std::move(*content));
    }
    live_[p.message] = std::move(p.what);
  }
}

void player::differ(const replay_step& s, comparison::difference d,
                    std::string before) {
  auto r = replay_difference{};
  r.message = s.message;
  r.actor = name_of(script_.actors[s.actor]);
  r.what = std::move(d.what);
  r.recorded = std::move(d.recorded);
  r.replayed = std::move(d.replayed);
  r.before = std::move(before);
  r.after = stage_.state_of(names_[s.actor]);
  for (auto m = s.message;
       m != replay_message::none && r.history.size() < script_.messages.size();
       m = script_.messages[m].cause)
    r.history.push_back(m);
  std::reverse(r.history.begin(), r.history.end());
  report_.difference = std::move(r);
}

// False: it ends here.
result<bool> player::play(const replay_step& s, size_t at) {
  using kind = replay_step::kind;
  if (s.what == kind::cleanup || !wanted(s.actor))
    return true;
  auto& who = names_[s.actor];
  if (s.what == kind::init) {
    if (auto ok = begin(s); !ok)
      return ok.failure();
  } else if (!begun_.contains(s.actor) || stage_.has_ended(who)) {
    return true;
  }
  auto breaks = !options_.break_on.empty() && s.what == kind::message
                && script_.messages[s.message].type == options_.break_on;
  auto stops = options_.until == s.message;
  auto before = stage_.state_of(who);
  if (stops) {
    report_.stopped = replay_look{s.message, before, {}};
    return false;
  }
  auto done = replay_stage::outcome{};
  if (s.what == kind::init) {
    done = stage_.set_up(who, s);
  } else {
    auto e = element_for(s);
    if (!e)
      return e.failure();
    done = stage_.feed(who, std::move(*e), s);
  }
  ++report_.steps;
  auto expected = s.sent;
  if (auto i = cleanups_.find(static_cast<uint32_t>(at));
      i != cleanups_.end() && stage_.has_ended(who)) {
    auto& more = script_.steps[i->second].sent;
    expected.insert(expected.end(), more.begin(), more.end());
  }
  auto compared =
      comparison_.compare(std::move(done), expected, names_[s.actor], names_);
  report_.compared += compared.same.size();
  for (auto& p : compared.same)
    if (script_.messages[p.message].type == "troupe::token_event")
      ++report_.tokens;
  auto process = script_.actors[s.actor].process;
  if (compared.first) {
    differ(s, std::move(*compared.first), std::move(before));
    return false;
  }
  keep(std::move(compared.same), process);
  if (options_.states && watchers_.look)
    watchers_.look({s.message, before, stage_.state_of(who)});
  if (breaks)
    report_.stopped = replay_look{s.message, before, stage_.state_of(who)};
  return !breaks;
}

result<replay_report> player::run() {
  if (options_.request != 0)
    of_request_ = actors_of(script_, options_.request);
  for (uint32_t a = 0; a < script_.actors.size(); ++a)
    if (!script_.actors[a].name.empty() && !wanted(a))
      ++report_.outside[script_.actors[a].name];
  for (size_t i = 0; i < script_.steps.size(); ++i) {
    if (watchers_.progress)
      watchers_.progress(i, script_.steps.size());
    auto on = play(script_.steps[i], i);
    if (!on)
      return on.failure();
    if (!*on)
      break;
  }
  return std::move(report_);
}

} // namespace

result<replay_report> replay(const replay_script& script,
                             const replay_options& options,
                             const replay_watchers& watchers,
                             const replay_factories& factories) {
  if (script.dropped > 0)
    return fail(errc::bad_file,
                "the recording lacks " + std::to_string(script.dropped)
                    + " records that were lost while it was made: it cannot be "
                      "replayed");
  return player{script, options, watchers, factories}.run();
}

} // namespace troupe
