#include "core/serving/answer_stream.hpp"

#include <utility>

namespace troupe {

void answer_stream::begin(std::shared_ptr<const tokenizer> text,
                          answer_limits limits) {
  limits_ = std::move(limits);
  if (!text)
    return;
  // The answer goes on after the prompt: its first space is its own.
  decoder_.emplace(std::move(text), true);
  stops_.emplace(limits_.stop);
}

bool answer_stream::accept(uint32_t index, const std::vector<token_id>& tokens,
                           const std::vector<sampled>& details,
                           finish_reason reason) {
  auto most = limits_.max_tokens;
  if (index > most || tokens.size() > most - index)
    return false;
  auto count = static_cast<uint32_t>(tokens.size());
  if (limits_.want_logprob && details.size() == count)
    for (uint32_t i = 0; i < count; ++i)
      if (index + i >= delivered_)
        details_.emplace(index + i, details[i]);
  stream_.accept(index, tokens);
  if (reason != finish_reason::none)
    announced_.emplace(index + count, reason);
  return true;
}

std::optional<answer_stream::piece>
answer_stream::take(const std::function<bool()>& allowed, size_t most) {
  auto p = piece{};
  p.index = delivered_;
  while (p.tokens.size() < most && delivered_ < ready().size() && !stopped()
         && allowed())
    give(p);
  if (p.tokens.empty())
    return std::nullopt;
  return p;
}

void answer_stream::give(piece& p) {
  auto token = ready()[delivered_];
  p.tokens.push_back(token);
  if (limits_.want_logprob) {
    auto i = details_.find(delivered_);
    p.details.push_back(i != details_.end() ? std::move(i->second)
                                            : sampled{token, 0.f, {}});
    details_.erase(delivered_);
  }
  if (decoder_)
    p.text += stops_->push(decoder_->push(token));
  ++delivered_;
}

finish_reason answer_stream::end() const {
  if (stopped())
    return finish_reason::stop;
  if (announced_ && delivered_ >= announced_->first)
    return announced_->second;
  return delivered_ >= limits_.max_tokens ? finish_reason::length
                                          : finish_reason::none;
}

std::string answer_stream::finish() {
  if (!decoder_ || stopped())
    return {};
  auto text = stops_->push(decoder_->finish());
  if (!stopped())
    text += stops_->finish();
  return text;
}

} // namespace troupe
