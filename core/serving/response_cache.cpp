#include "core/serving/response_cache.hpp"

#include <algorithm>
#include <iterator>
#include <utility>
#include <xxhash.h>

namespace troupe {

// With its length before each part, so that no two lists of parts are alike.
response_key response_key::of(const response_scope& scope,
                              const std::vector<std::string>& messages) {
  auto k = response_key{};
  auto add = [&](std::string_view part) {
    auto n = uint64_t{part.size()};
    k.identity.append(reinterpret_cast<const char*>(&n), sizeof n);
    k.identity += part;
  };
  auto size =
      scope.tenant.size() + scope.system_prompt.size() + scope.sampling.size();
  for (auto& m : messages)
    size += m.size();
  k.identity.reserve(size + (messages.size() + 5) * sizeof(uint64_t));
  add(scope.tenant);
  add({reinterpret_cast<const char*>(&scope.version), sizeof scope.version});
  add(scope.system_prompt);
  add(scope.sampling);
  for (auto& m : messages)
    add(m);
  auto d = XXH3_128bits(k.identity.data(), k.identity.size());
  k.high = d.high64;
  k.low = d.low64;
  k.tenant = scope.tenant;
  k.version = scope.version;
  return k;
}

bool cacheable(double temperature, bool asked) {
  return asked || temperature == 0;
}

// Times beyond a year are as good as for ever, and cannot overflow.
response_cache::response_cache(const response_cache_options& options)
    : options_(options) {
  constexpr auto longest = duration{std::chrono::hours{24 * 365}};
  options_.ttl = std::clamp(options_.ttl, duration{0}, longest);
  options_.flight = std::clamp(options_.flight, duration{0}, longest);
}

// -- finding ------------------------------------------------------------------

response_cache::lookup_result response_cache::lookup(const response_key& key,
                                                     uint64_t caller,
                                                     time_point now) {
  if (!options_.enabled)
    return {};
  auto e = find(key, now);
  if (e == order_.end())
    return miss(key, caller, now);
  ++stats_.hits;
  order_.splice(order_.begin(), order_, e);
  auto& of_tenant = e->tenant->second.order;
  of_tenant.splice(of_tenant.begin(), of_tenant, e->place);
  return {found::hit, e->answer, {}};
}

response_cache::entry_list::iterator
response_cache::find(const response_key& key, time_point now) {
  auto i = by_digest_.find(of(key));
  if (i == by_digest_.end())
    return order_.end();
  auto e = i->second;
  if (e->key.identity != key.identity) {
    ++stats_.collisions;
    return order_.end();
  }
  if (e->expires <= now) {
    ++stats_.expired;
    erase(e);
    return order_.end();
  }
  return e;
}

response_cache::lookup_result
response_cache::miss(const response_key& key, uint64_t caller, time_point now) {
  auto i = joined_.find(of(key));
  auto* f = i == joined_.end() ? nullptr : flights_.find(i->second);
  auto same = f && f->key.identity == key.identity;
  if (same && now >= f->until) { // its leader has had its time
    ++stats_.misses;
    f->until = now + options_.flight;
    return {found::lead, nullptr, {i->second, ++f->turn}};
  }
  if (same && f->waiting.size() < options_.most_waiting) {
    ++stats_.waited;
    f->waiting.push_back(caller);
    return {found::wait, nullptr, {i->second, f->turn}};
  }
  ++stats_.misses;
  auto number = flights_.add({key, {}, now + options_.flight});
  if (!f) // otherwise it flies alone
    joined_[of(key)] = number;
  return {found::lead, nullptr, {number, 0}};
}

// -- filling ------------------------------------------------------------------

response_cache::flight* response_cache::in_turn(flight_id id) {
  auto* f = flights_.find(id.number);
  return f && f->turn == id.turn ? f : nullptr;
}

void response_cache::end(uint64_t number) {
  auto f = flights_.take(number);
  auto i = joined_.find(of(f->key));
  if (i != joined_.end() && i->second == number)
    joined_.erase(i);
}

std::vector<uint64_t> response_cache::fill(flight_id id, cached_response answer,
                                           time_point now) {
  auto* f = in_turn(id);
  if (!f)
    return {};
  auto waiting = std::move(f->waiting);
  if (!f->forgotten && answer)
    store(f->key, std::move(answer), now);
  end(id.number);
  return waiting;
}

std::optional<response_cache::successor>
response_cache::abandon(flight_id id, time_point now) {
  auto* f = in_turn(id);
  if (!f)
    return std::nullopt;
  if (f->waiting.empty()) {
    end(id.number);
    return std::nullopt;
  }
  return next_in_turn(id.number, *f, now);
}

// REQUIRES: somebody waits.
response_cache::successor
response_cache::next_in_turn(uint64_t number, flight& f, time_point now) {
  auto caller = f.waiting.front();
  f.waiting.erase(f.waiting.begin());
  f.until = now + options_.flight;
  return {caller, {number, ++f.turn}};
}

void response_cache::leave(flight_id id, uint64_t caller) {
  if (auto* f = flights_.find(id.number))
    std::erase(f->waiting, caller);
}

void response_cache::store(response_key key, cached_response answer,
                           time_point now) {
  auto bytes =
      overhead + key.tenant.size() + key.identity.size() + answer->size();
  if (answer->size() > options_.largest || bytes > options_.budget
      || bytes > options_.tenant_budget)
    return;
  if (auto i = by_digest_.find(of(key)); i != by_digest_.end())
    erase(i->second);
  while (bytes_of(key.tenant) + bytes > options_.tenant_budget)
    evict(tenants_.find(key.tenant)->second.order.back());
  while (bytes_ + bytes > options_.budget)
    evict(std::prev(order_.end()));
  auto tenant = tenants_.try_emplace(key.tenant).first;
  auto d = of(key);
  order_.push_front({std::move(key),
                     std::move(answer),
                     now + options_.ttl,
                     bytes,
                     tenant,
                     {}});
  auto& mine = tenant->second;
  mine.order.push_front(order_.begin());
  order_.front().place = mine.order.begin();
  mine.bytes += bytes;
  bytes_ += bytes;
  by_digest_[d] = order_.begin();
  ++stats_.stored;
}

// -- dropping -----------------------------------------------------------------

void response_cache::evict(entry_list::iterator e) {
  ++stats_.evicted;
  erase(e);
}

void response_cache::erase(entry_list::iterator e) {
  auto tenant = e->tenant;
  tenant->second.order.erase(e->place);
  tenant->second.bytes -= e->bytes;
  if (tenant->second.order.empty())
    tenants_.erase(tenant);
  bytes_ -= e->bytes;
  by_digest_.erase(of(e->key));
  order_.erase(e);
}

std::vector<response_cache::successor> response_cache::sweep(time_point now) {
  for (auto e = order_.begin(); e != order_.end();) {
    auto next = std::next(e);
    if (e->expires <= now) {
      ++stats_.expired;
      erase(e);
    }
    e = next;
  }
  auto leading = std::vector<successor>{};
  auto over = std::vector<uint64_t>{};
  flights_.for_each([&](uint64_t number, flight& f) {
    if (now < f.until)
      return;
    if (f.waiting.empty())
      over.push_back(number);
    else
      leading.push_back(next_in_turn(number, f, now));
  });
  for (auto number : over)
    end(number);
  return leading;
}

// Flights as well: what is asked from now on is not answered by them.
template <class Which>
void response_cache::forget(Which which) {
  for (auto e = order_.begin(); e != order_.end();) {
    auto next = std::next(e);
    if (which(e->key))
      erase(e);
    e = next;
  }
  flights_.for_each([&](uint64_t, flight& f) { f.forgotten |= which(f.key); });
  std::erase_if(joined_, [&](auto& x) {
    auto* f = flights_.find(x.second);
    return f && f->forgotten;
  });
}

void response_cache::forget_tenant(std::string_view tenant) {
  forget([&](const response_key& k) { return k.tenant == tenant; });
}

void response_cache::forget_version(uint32_t version) {
  forget([&](const response_key& k) { return k.version == version; });
}

uint64_t response_cache::bytes_of(std::string_view tenant) const {
  auto i = tenants_.find(tenant);
  return i == tenants_.end() ? 0 : i->second.bytes;
}

} // namespace troupe
