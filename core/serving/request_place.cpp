#include "core/serving/request_place.hpp"

#include <algorithm>

namespace troupe {

bool request_place::ask(epoch_t epoch) {
  if (placements_ >= policy_.most)
    return false;
  ++placements_;
  decoding_ = false;
  held_since_ = epoch;
  return true;
}

bool request_place::wait(time_point now) {
  if (!without_node_)
    without_node_ = now;
  --placements_;
  return now - *without_node_ < policy_.node_patience;
}

std::chrono::milliseconds request_place::backoff() const {
  return policy_.backoff * (int64_t{1} << std::min(placements_, 10u)) / 2;
}

void request_place::placed(node_id prefill, node_id decode, bool split) {
  prefill_ = prefill;
  decode_ = decode;
  split_ = split;
  holder_.reset();
  without_node_.reset();
}

bool request_place::moved(node_id node, epoch_t epoch) {
  // News of several moves may overtake each other.
  if (epoch <= held_since_)
    return false;
  held_since_ = epoch;
  holder_ = node;
  return true;
}

node_id request_place::held_by() const {
  return holder_.value_or(split_ ? decode_ : prefill_);
}

error request_place::gone(node_id node, const char* why) {
  avoided_.push_back(node);
  return last_error_ = {errc::abandoned, why};
}

std::optional<error> request_place::lost(place_part part, bool gap) {
  if (part == place_part::holder)
    return gone(*holder_, "the node is gone");
  // Whoever was before has nothing of it any more.
  if (holder_)
    return std::nullopt;
  if (part == place_part::decode)
    return gone(decode_, "the decode node is gone");
  if (!split_)
    return gone(prefill_, "the node is gone");
  // Once the decode node generates it needs nobody else, unless the first token
  // died with the prefill node. Nothing is placed there again, though.
  if (!decoding_ || gap)
    return gone(prefill_, "the prefill node is gone");
  avoided_.push_back(prefill_);
  return std::nullopt;
}

bool request_place::failed(error why) {
  last_error_ = why.code == errc::none
                    ? error{errc::abandoned, "a node gave the request up"}
                    : std::move(why);
  if (!may_pass(last_error_.code))
    return false;
  avoided_.insert(avoided_.end(), {prefill_, holder_.value_or(decode_)});
  return true;
}

} // namespace troupe
