#include "runtime/cluster/transport_guard.hpp"

#include <algorithm>
#include <utility>

namespace troupe {

namespace {

constexpr uint32_t lines_a_second = 20;

} // namespace

size_t transport_guard::staying() const {
  return static_cast<size_t>(std::count_if(
      links_.begin(), links_.end(), [](auto& l) { return !l.second.leaving; }));
}

size_t transport_guard::incomplete() const {
  return static_cast<size_t>(
      std::count_if(links_.begin(), links_.end(), [](auto& l) {
        auto& e = l.second;
        return !e.leaving && e.pending && e.side == link_side::accepted;
      }));
}

size_t transport_guard::accepted_from(const std::string& address) const {
  return static_cast<size_t>(
      std::count_if(links_.begin(), links_.end(), [&](auto& l) {
        auto& e = l.second;
        return !e.leaving && e.side == link_side::accepted
               && e.address == address;
      }));
}

bool transport_guard::evict(const std::string* address) {
  for (auto& [id, e] : links_)
    if (e.pending && !e.leaving && e.side == link_side::accepted
        && (address == nullptr || e.address == *address)) {
      e.leaving = true;
      e.link->refuse("gave way to newer connections before its handshake");
      return true;
    }
  return false;
}

std::optional<std::string> transport_guard::admit(const std::string& address) {
  auto guard = std::lock_guard{lock_};
  ++accepted_;
  if (ended_)
    return "the node is leaving";
  // Those that leave still hold a socket until the network's thread comes
  // round to them.
  if (links_.size() >= limits_.max_connections + limits_.max_pending)
    return "too many connections";
  if (accepted_from(address) >= limits_.max_per_address && !evict(&address))
    return "too many connections from its address";
  if (incomplete() >= limits_.max_pending)
    evict(nullptr);
  if (staying() >= limits_.max_connections && !evict(nullptr))
    return "too many connections";
  return std::nullopt;
}

transport_guard::link_id transport_guard::add(guarded_link& link,
                                              const std::string& address,
                                              link_side side, time_point now) {
  auto guard = std::lock_guard{lock_};
  links_.emplace(next_, entry{&link, address, side,
                              now + limits_.handshake_deadline, now});
  return next_++;
}

void transport_guard::remove(link_id id) {
  auto guard = std::lock_guard{lock_};
  if (auto at = links_.find(id); at != links_.end()) {
    bytes_ -= at->second.bytes;
    links_.erase(at);
  }
}

void transport_guard::established(link_id id) {
  auto guard = std::lock_guard{lock_};
  if (auto at = links_.find(id); at != links_.end()) {
    at->second.pending = false;
    if (!at->second.closing)
      at->second.deadline.reset();
  }
}

void transport_guard::due(link_id id, std::optional<time_point> when) {
  auto guard = std::lock_guard{lock_};
  if (auto at = links_.find(id); at != links_.end() && !at->second.closing)
    at->second.deadline = when;
}

void transport_guard::heard(link_id id, time_point now) {
  auto guard = std::lock_guard{lock_};
  if (auto at = links_.find(id); at != links_.end())
    at->second.heard = now;
}

void transport_guard::closing(link_id id, time_point now) {
  auto guard = std::lock_guard{lock_};
  if (auto at = links_.find(id); at != links_.end() && !at->second.closing) {
    at->second.closing = true;
    at->second.deadline = now + limits_.handshake_deadline;
  }
}

bool transport_guard::buffers(link_id id, size_t bytes) {
  auto guard = std::lock_guard{lock_};
  auto at = links_.find(id);
  if (at == links_.end())
    return true;
  auto others = bytes_ - at->second.bytes;
  if (bytes > at->second.bytes && others + bytes > limits_.max_buffered)
    return false;
  at->second.bytes = bytes;
  bytes_ = others + bytes;
  return true;
}

void transport_guard::expire(time_point now) {
  auto guard = std::lock_guard{lock_};
  for (auto& [id, e] : links_) {
    auto late = e.deadline && *e.deadline <= now;
    auto silent = e.heard + limits_.silence_deadline <= now;
    if (e.leaving || (!late && !silent))
      continue;
    e.leaving = true;
    e.link->refuse(!late       ? "has fallen silent"
                   : e.closing ? "does not close the connection"
                   : e.pending ? "no complete handshake in time"
                               : "no complete message in time");
  }
}

void transport_guard::end() {
  {
    auto guard = std::lock_guard{log_lock_};
    log_ = nullptr;
  }
  auto guard = std::lock_guard{lock_};
  ended_ = true;
  for (auto& [id, e] : links_)
    if (!std::exchange(e.leaving, true))
      e.link->refuse("");
}

void transport_guard::refused(const std::string& peer, const std::string& why,
                              time_point now) {
  ++refused_;
  auto guard = std::lock_guard{log_lock_};
  if (!log_)
    return;
  if (now - log_second_ >= std::chrono::seconds{1}) {
    if (unwritten_ > 0)
      log_("cluster port: refused " + std::to_string(unwritten_) + " more");
    log_second_ = now;
    lines_ = 0;
    unwritten_ = 0;
  }
  if (lines_ < lines_a_second) {
    ++lines_;
    log_("cluster port: refused " + peer + ": " + why);
  } else {
    ++unwritten_;
  }
}

transport_stats transport_guard::stats() const {
  auto guard = std::lock_guard{lock_};
  return {links_.size(), incomplete(), accepted_.load(), refused_.load()};
}

} // namespace troupe
