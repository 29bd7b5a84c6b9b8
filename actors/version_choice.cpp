#include "actors/version_choice.hpp"

namespace troupe {

namespace {

// Whether the request's end says something about the version.
bool says_something(finish_reason reason, errc code) {
  if (reason == finish_reason::cancelled)
    return false;
  switch (code) {
  case errc::invalid_argument:
  case errc::unsupported:
  case errc::context_exceeded:
  case errc::overloaded:
  case errc::cancelled:
    return false;
  default:
    return true;
  }
}

} // namespace

route_version version_choice::question(const generate_request& r) {
  // Other organisations have other sessions of the same name.
  if (!r.session.empty())
    return {std::string{r.organisation}.append(1, '\0').append(r.session)};
  auto own = std::to_string(r.request);
  own.insert(own.begin(), '#');
  return {std::move(own)};
}

void version_choice::delivered(uint32_t count, time_point now) {
  if (tokens_ == 0)
    first_ = now;
  last_ = now;
  tokens_ += count;
}

std::optional<version_done> version_choice::end(finish_reason reason,
                                                errc code) {
  if (ticket_.ticket == 0)
    return std::nullopt;
  auto d = version_done{};
  d.ticket = ticket_.ticket;
  d.version = ticket_.version;
  d.counts = counts_ && says_something(reason, code);
  d.failed = reason == finish_reason::error;
  d.cut_off = reason == finish_reason::length;
  if (tokens_ > 0)
    d.ttft_ns = duration{first_ - began_}.count();
  if (tokens_ > 1)
    d.tpot_ns = duration{last_ - first_}.count() / (tokens_ - 1);
  ticket_.ticket = 0;
  return d;
}

} // namespace troupe
