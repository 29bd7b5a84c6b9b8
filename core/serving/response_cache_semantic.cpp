#include "core/serving/response_cache_semantic.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

#include "core/serving/response_cache_guard.hpp"

namespace troupe {

namespace {

// [n] * [n]; n is less than 2^16, so that the sum fits.
int32_t dot(const int8_t* a, const int8_t* b, size_t n) {
  auto sum = int32_t{0};
  for (size_t i = 0; i < n; ++i)
    sum += int16_t{a[i]} * int16_t{b[i]};
  return sum;
}

constexpr auto most_inputs = size_t{1} << 16;

// The least p that k of n does not exclude with an error of e.
double lower_bound(uint32_t n, uint32_t k, double e) {
  if (k == 0)
    return 0;
  if (k == n)
    return std::pow(e, 1. / n);
  auto log_choose = 0.;
  for (auto i = 0u; i < n - k; ++i)
    log_choose += std::log((n - i) / (i + 1.));
  // log of the chance of k or more where each has one of p: each term is the
  // last one times a ratio.
  auto log_tail = [&](double p) {
    auto sum = 1.;
    auto term = 1.;
    for (auto i = k; i < n; ++i)
      sum += term *= (n - i) / (i + 1.) * p / (1 - p);
    return log_choose + k * std::log(p) + (n - k) * std::log1p(-p)
           + std::log(sum);
  };
  auto low = 0.;
  auto high = k / static_cast<double>(n);
  for (auto i = 0; i < 30; ++i) {
    auto p = (low + high) / 2;
    (log_tail(p) < std::log(e) ? low : high) = p;
  }
  return low;
}

} // namespace

embedding_row quantise_direction(std::span<const float> x) {
  auto largest = 0.f;
  auto squares = 0.;
  for (auto v : x) {
    if (!std::isfinite(v))
      return {};
    largest = std::max(largest, std::fabs(v));
    squares += static_cast<double>(v) * v;
  }
  if (largest == 0 || x.size() >= most_inputs)
    return {};
  auto row = embedding_row{};
  row.scale = static_cast<float>(largest / 127 / std::sqrt(squares));
  for (auto v : x)
    row.values.push_back(static_cast<int8_t>(
        std::lrint(static_cast<double>(v) / largest * 127)));
  return row;
}

// -- what entries learn -------------------------------------------------------

size_t hit_record::bin(double similarity) {
  auto b = (similarity - 0.5) * 2 * bins;
  return b > 0 ? static_cast<size_t>(std::min(b, bins - 1.)) : 0; // NaN: 0
}

void hit_record::add(double similarity, bool same) {
  ++(same ? same_ : other_)[bin(similarity)];
  if (++seen_ < most_seen)
    return;
  // What was long ago counts half, and all that is counted stays little work.
  seen_ = 0;
  for (auto& n : same_)
    seen_ += n /= 2;
  for (auto& n : other_) // few, and none of them is to vanish
    seen_ += n = (n + 1) / 2;
}

// Requests that were less similar had the same answer no more often.
double hit_record::least_chance(double similarity) const {
  auto k = 0u;
  auto n = 0u;
  for (size_t b = 0; b <= bin(similarity); ++b) {
    k += same_[b];
    n += same_[b] + other_[b];
  }
  auto best = 0.;
  for (auto e : {0.3, 0.1, 0.05, 0.03, 0.02, 0.01, 0.005, 0.002})
    best = std::max(best, (1 - e) * lower_bound(n, k, e));
  return best;
}

// -- lookup -------------------------------------------------------------------

semantic_cache::semantic_cache(const semantic_options& options)
    : options_(options) {
  constexpr auto longest = duration{std::chrono::hours{24 * 365}};
  options_.ttl = std::clamp(options_.ttl, duration{0}, longest);
  options_.least_similarity = std::clamp(options_.least_similarity, 0.5, 1.);
}

semantic_cache::lookup_result
semantic_cache::lookup(const response_scope& scope, std::string_view prompt,
                       std::span<const float> embedding, double random,
                       time_point now) {
  auto s = spaces_.find(response_key::of(scope, {}).identity);
  if (options_.error <= 0 || s == spaces_.end())
    return {};
  auto& in = s->second;
  auto x = quantise_direction(embedding);
  if (x.values.empty() || x.values.size() != in.inputs)
    return {};
  auto best = -1.f;
  auto row = size_t{0};
  for (size_t i = 0; i < in.ids.size(); ++i) {
    auto product =
        dot(x.values.data(), in.rows.data() + i * in.inputs, in.inputs);
    auto similarity = static_cast<float>(product) * in.scales[i];
    if (similarity > best) {
      best = similarity;
      row = i;
    }
  }
  auto r = lookup_result{found::explore, in.ids[row],
                         std::min(1., double{best} * x.scale), nullptr};
  auto& e = *entries_.find(r.entry);
  if (e.expires <= now) {
    // It hides who comes next.
    erase(r.entry);
    return lookup(scope, prompt, embedding, random, now);
  }
  if (r.similarity < options_.least_similarity
      || !may_mean_the_same(prompt, e.prompt))
    return {};
  r.answer = e.answer;
  order_.splice(order_.begin(), order_, e.place);
  // Explored with a chance of t, it is right at least with one of
  // t + (1 - t) * chance; that is to be 1 - error. Where chance is small that
  // would allow for some hits that are mostly wrong: there are none.
  auto chance = e.record.least_chance(r.similarity);
  auto wanted = 1 - options_.error - chance;
  // Answers may change, so that some are always computed.
  constexpr auto least_explored = 0.01;
  if (chance >= 0.5
      && random >= std::max(wanted / (1 - chance), least_explored))
    r.is = found::hit;
  return r;
}

void semantic_cache::observe(uint64_t id, double similarity, bool same) {
  if (auto* e = entries_.find(id))
    e->record.add(similarity, same);
}

void semantic_cache::store(const response_scope& scope, std::string prompt,
                           std::span<const float> embedding,
                           cached_response answer, time_point now) {
  auto x = quantise_direction(embedding);
  if (options_.error <= 0 || x.values.empty() || !answer)
    return;
  auto key = response_key::of(scope, {}).identity;
  auto bytes =
      overhead + x.values.size() + key.size() + prompt.size() + answer->size();
  if (!make_room(scope.tenant, bytes))
    return;
  auto s = spaces_.try_emplace(std::move(key)).first;
  auto& in = s->second;
  if (in.ids.empty())
    in = {scope.tenant, scope.version, x.values.size(), {}, {}, {}};
  else if (in.inputs != x.values.size())
    return;
  auto id = entries_.add({s,
                          in.ids.size(),
                          std::move(prompt),
                          std::move(answer),
                          now + options_.ttl,
                          bytes,
                          {},
                          {}});
  order_.push_front(id);
  entries_.find(id)->place = order_.begin();
  in.rows.insert(in.rows.end(), x.values.begin(), x.values.end());
  in.scales.push_back(x.scale);
  in.ids.push_back(id);
  auto& of = of_tenant_[scope.tenant];
  ++of.entries;
  of.bytes += bytes;
  bytes_ += bytes;
}

// -- dropping -----------------------------------------------------------------

// The last row takes the place of the one that goes.
void semantic_cache::erase(uint64_t id) {
  auto e = *entries_.take(id);
  order_.erase(e.place);
  auto& in = e.in->second;
  auto& of = of_tenant_.at(in.tenant);
  of.bytes -= e.bytes;
  bytes_ -= e.bytes;
  if (--of.entries == 0)
    of_tenant_.erase(in.tenant);
  auto last = in.ids.size() - 1;
  std::copy_n(in.rows.begin() + last * in.inputs, in.inputs,
              in.rows.begin() + e.row * in.inputs);
  in.scales[e.row] = in.scales[last];
  in.ids[e.row] = in.ids[last];
  if (e.row != last)
    entries_.find(in.ids[e.row])->row = e.row;
  in.rows.resize(last * in.inputs);
  in.scales.pop_back();
  in.ids.pop_back();
  if (in.ids.empty())
    spaces_.erase(e.in);
}

semantic_cache::usage semantic_cache::used_by(std::string_view tenant) const {
  auto i = of_tenant_.find(tenant);
  return i == of_tenant_.end() ? usage{} : i->second;
}

// Those that were not used for longest go, of this tenant first.
bool semantic_cache::make_room(std::string_view tenant, uint64_t bytes) {
  if (options_.most_of_tenant == 0 || options_.most_entries == 0
      || bytes > std::min(options_.tenant_budget, options_.budget))
    return false;
  for (auto u = used_by(tenant); u.entries >= options_.most_of_tenant
                                 || u.bytes + bytes > options_.tenant_budget;
       u = used_by(tenant))
    erase(*std::find_if(order_.rbegin(), order_.rend(), [&](uint64_t id) {
      return entries_.find(id)->in->second.tenant == tenant;
    }));
  while (order_.size() >= options_.most_entries
         || bytes_ + bytes > options_.budget)
    erase(order_.back());
  return true;
}

void semantic_cache::sweep(time_point now) {
  for (auto i = order_.begin(); i != order_.end();) {
    auto id = *i++;
    if (entries_.find(id)->expires <= now)
      erase(id);
  }
}

template <class Which>
void semantic_cache::forget(Which which) {
  auto ids = std::vector<uint64_t>{};
  for (auto& [identity, s] : spaces_)
    if (which(s))
      ids.insert(ids.end(), s.ids.begin(), s.ids.end());
  for (auto id : ids)
    erase(id);
}

void semantic_cache::forget_tenant(std::string_view tenant) {
  forget([&](const space& s) { return s.tenant == tenant; });
}

void semantic_cache::forget_version(uint32_t version) {
  forget([&](const space& s) { return s.version == version; });
}

} // namespace troupe
