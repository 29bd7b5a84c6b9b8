#include "core/cluster/member.hpp"

#include <algorithm>
#include <utility>

#include "core/base/random.hpp"
#include "core/base/result.hpp"

namespace troupe {

namespace {

constexpr auto max_timeout = duration{std::chrono::hours{1}};
// Unanswered messages that are remembered.
constexpr auto max_sent = size_t{64};

// Joining again would not help.
bool for_good(errc code) {
  return code == errc::invalid_argument || code == errc::unsupported
         || code == errc::layout_mismatch;
}

} // namespace

member::member(join_request self, member_options options)
    : self_(std::move(self)), options_(options) {}

// -- joining ------------------------------------------------------------------

void member::start(time_point now, member_output& out) {
  if (state_ != state::left)
    return;
  failure_ = {};
  leaving_ = false;
  retries_ = 0;
  next_incarnation(now);
  send_join(now, out);
}

void member::next_incarnation(time_point now) {
  state_ = state::joining;
  self_.incarnation = random_bits(options_.seed, ++lives_);
  self_.replaces = 0;
  number_ = 0;
  node_ = 0;
  epoch_ = 0;
  sent_.clear();
  // Not at once: when a registry comes back all its nodes join.
  next_send_ = now + retry_delay();
}

// Between half of it and all of it, so that nodes do not stay in step.
duration member::retry_delay() {
  auto d = options_.first_retry;
  for (auto i = uint32_t{0}; i < retries_ && d < options_.max_retry; ++i)
    d *= 2;
  ++retries_;
  d = std::min(d, options_.max_retry);
  auto jitter = random_unit(options_.seed, ++draws_, 1);
  return d / 2 + duration{static_cast<int64_t>(jitter * (d / 2).count())};
}

void member::send_join(time_point now, member_output& out) {
  remember_sent(now);
  self_.number = number_;
  out.send.emplace_back(self_);
  next_send_ = now + retry_delay();
}

void member::remember_sent(time_point now) {
  sent_.emplace_back(++number_, now);
  if (sent_.size() > max_sent)
    sent_.pop_front();
}

void member::on(const join_reply& m, time_point now, member_output& out) {
  fence_if_cut_off(now, out);
  if (m.incarnation != self_.incarnation)
    return;
  if (in_cluster() && m.code == errc::none && m.epoch == epoch_)
    extend_lease(m.number); // of a join that was sent again meanwhile
  if (state_ != state::joining)
    return;
  if (m.code != errc::none) {
    failure_ = fail(m.code, m.reason);
    if (for_good(m.code))
      end(kind::refused, out);
    else if (m.code == errc::stale_epoch)
      next_incarnation(now);
    return;
  }
  auto interval = duration{m.interval_ns};
  auto timeout = duration{m.timeout_ns};
  if (interval <= duration{} || interval >= timeout || timeout > max_timeout)
    return;
  auto sent = take_sent(m.number);
  if (!sent || now >= *sent + timeout)
    return; // too old to act upon; the next one will be answered
  failure_ = {};
  state_ = state::member;
  node_ = m.node;
  epoch_ = m.epoch;
  interval_ = interval;
  timeout_ = timeout;
  joined_ = now;
  lease_ = *sent + timeout;
  out.events.push_back({kind::joined, node_, epoch_});
  send_sign_of_life(now, out);
}

void member::on(const name_taken& m, time_point now, member_output& out) {
  // To the last join alone, so that one answer makes one join.
  if (state_ != state::joining || m.incarnation != self_.incarnation
      || m.number != number_)
    return;
  self_.replaces = m.epoch;
  send_join(now, out);
}

// -- while a member -----------------------------------------------------------

bool member::acts(time_point now) const {
  return in_cluster() && !leaving_ && now < lease_;
}

void member::on(const heartbeat_ack& m, time_point now, member_output& out) {
  fence_if_cut_off(now, out);
  if (!in_cluster() || m.epoch != epoch_)
    return;
  extend_lease(m.number);
  if (now - joined_ >= timeout_)
    retries_ = 0; // two nodes of one name stay slow to replace each other
}

void member::extend_lease(uint64_t number) {
  if (auto sent = take_sent(number))
    lease_ = std::max(lease_, *sent + timeout_);
}

void member::on(const drain_order& m, time_point now, member_output& out) {
  fence_if_cut_off(now, out);
  if (state_ == state::member && m.epoch == epoch_)
    begin_draining(now, out);
}

void member::begin_draining(time_point now, member_output& out) {
  state_ = state::draining;
  out.events.push_back({kind::draining, node_, epoch_});
  send_sign_of_life(now, out);
}

// When the message was sent, if it is not answered yet; those before it need
// no answer any more.
std::optional<time_point> member::take_sent(uint64_t number) {
  while (!sent_.empty() && sent_.front().first < number)
    sent_.pop_front();
  if (sent_.empty() || sent_.front().first != number)
    return {};
  auto at = sent_.front().second;
  sent_.pop_front();
  return at;
}

void member::send_sign_of_life(time_point now, member_output& out) {
  next_send_ = now + interval_;
  if (leaving_) {
    out.send.emplace_back(leave{node_, epoch_});
    return;
  }
  remember_sent(now);
  out.send.emplace_back(
      heartbeat{node_, epoch_, number_, state_ == state::draining, load_});
}

void member::load(const node_load& load, time_point now, member_output& out) {
  load_ = load;
  fence_if_cut_off(now, out);
  if (in_cluster() && !leaving_)
    send_sign_of_life(now, out);
}

void member::drain(time_point now, member_output& out) {
  fence_if_cut_off(now, out);
  if (state_ == state::joining) {
    end(kind::left, out);
  } else if (state_ == state::fenced) {
    leaving_ = true;
  } else if (state_ == state::member) {
    begin_draining(now, out);
  }
}

void member::drained(time_point now, member_output& out) {
  fence_if_cut_off(now, out);
  if (state_ != state::draining || leaving_)
    return;
  leaving_ = true;
  send_sign_of_life(now, out);
}

// -- until it is none ---------------------------------------------------------

void member::on(const epoch_over& m, time_point now, member_output& out) {
  if (in_cluster() && m.epoch == epoch_)
    fence(now, out);
}

void member::fence_if_cut_off(time_point now, member_output& out) {
  if (in_cluster() && now >= lease_)
    fence(now, out);
}

void member::fence(time_point now, member_output& out) {
  if (leaving_) // nothing left to drop
    return end(kind::left, out);
  leaving_ = state_ == state::draining;
  if (now - joined_ >= timeout_)
    retries_ = 0;
  state_ = state::fenced;
  out.events.push_back({kind::fenced, node_, epoch_});
}

void member::end(kind how, member_output& out) {
  state_ = state::left;
  out.events.push_back({how, node_, epoch_});
}

void member::dropped(time_point now, member_output& out) {
  if (state_ != state::fenced)
    return;
  if (leaving_)
    end(kind::left, out);
  else
    next_incarnation(now);
}

void member::tick(time_point now, member_output& out) {
  fence_if_cut_off(now, out);
  if (!next_deadline() || now < next_send_)
    return;
  if (state_ == state::joining)
    send_join(now, out);
  else
    send_sign_of_life(now, out);
}

std::optional<time_point> member::next_deadline() const {
  if (state_ == state::joining)
    return next_send_;
  if (in_cluster())
    return std::min(next_send_, lease_);
  return {};
}

} // namespace troupe
