#include "runtime/replay/comparison.hpp"

#include <algorithm>
#include <cstring>

#include "actors/tracing/message_facts.hpp"

namespace troupe {

namespace {

// Losses and exits follow from who watches whom, which replays do not repeat.
bool is_system(std::string_view type) {
  return type == "@down" || type == "@exit";
}

// Digests under a salt that no recording has.
bool is_secret(std::string_view type) {
  return type == "troupe::audit_batch" || type == "troupe::audit_note";
}

std::string_view type_of(const caf::type_erased_tuple& content) {
  return content.empty() ? std::string_view{}
                         : tracing::facts_of(content.type(0)).name;
}

} // namespace

comparison::comparison(const replay_script& script, replay_stage& stage)
    : script_(script), stage_(stage) {}

bool comparison::is_seen(const actor_name& who,
                         const std::vector<actor_name>& names) {
  if (seen_.empty())
    for (size_t i = 0; i < names.size(); ++i)
      seen_[names[i]] = !script_.actors[i].name.empty();
  auto i = seen_.find(who);
  return i != seen_.end() && i->second;
}

std::string comparison::told(const caf::type_erased_tuple& content) const {
  auto text = std::string{type_of(content)};
  return text + content.stringify();
}

std::string comparison::told(uint32_t message) {
  auto& m = script_.messages[message];
  if (!m.has_payload)
    return std::string{m.type} + " (without its content)";
  auto content = stage_.read(m.payload);
  return content ? told(content->content())
                 : std::string{m.type} + " (" + content.failure().message + ")";
}

std::optional<comparison::difference>
comparison::check(const replay_stage::output& o, uint32_t message) {
  auto& m = script_.messages[message];
  auto& content = o.what->content();
  auto differ = [&](std::string what) {
    return difference{std::move(what), told(message), told(content)};
  };
  if (type_of(content) != m.type)
    return differ("another message is sent");
  if (o.what->mid.integer_value() != m.mid)
    return differ("the message is not a request, or the answer, that it was");
  if (!m.has_payload || is_secret(m.type))
    return std::nullopt;
  auto bytes = stage_.write(content, script_.full_kv);
  if (bytes.size() != m.payload.size()
      || std::memcmp(bytes.data(), m.payload.data(), bytes.size()) != 0)
    return differ("the message holds something else");
  return std::nullopt;
}

comparison::verdict comparison::compare(replay_stage::outcome done,
                                        const std::vector<uint32_t>& expected,
                                        const actor_name& who,
                                        const std::vector<actor_name>& names) {
  auto v = verdict{};
  auto left = std::vector<uint32_t>{};
  for (auto m : expected)
    if (!is_system(script_.messages[m].type))
      left.push_back(m);
  for (auto& o : done.outputs) {
    auto& content = o.what->content();
    if (is_system(type_of(content)))
      continue;
    auto i = std::find_if(left.begin(), left.end(), [&](uint32_t m) {
      auto r = script_.messages[m].receiver;
      return r != replay_message::none && !(names[r] < o.to)
             && !(o.to < names[r]);
    });
    if (i == left.end()) {
      // What leaves for another process as an answer is not recorded there.
      auto answers_afar = o.what->mid.is_response() && o.to.node != who.node;
      if (!is_seen(o.to, names) || answers_afar)
        continue;
      v.first = difference{
          "a message is sent that was not sent then", {}, told(content)};
      return v;
    }
    if (auto d = check(o, *i)) {
      v.first = std::move(d);
      return v;
    }
    v.same.push_back({*i, std::move(o.what)});
    left.erase(i);
  }
  // An answer to another process may be due to a later step than the one in
  // which its request came.
  std::erase_if(left, [&](uint32_t m) {
    auto& x = script_.messages[m];
    return caf::message_id{x.mid}.is_response()
           && x.receiver != replay_message::none
           && names[x.receiver].node != who.node;
  });
  if (!left.empty())
    v.first = difference{
        "a message is not sent that was sent then", told(left.front()), {}};
  else if (!done.asked_too_much.empty())
    v.first = difference{"it asks for " + done.asked_too_much
                             + " once more than it did then",
                         {},
                         {}};
  else if (done.asked_too_little)
    v.first = difference{"it asks less often for the time, or for what it "
                         "shares with others, than it did then",
                         {},
                         {}};
  return v;
}

} // namespace troupe
