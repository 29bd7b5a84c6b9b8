#include "core/text/stream_decoder.hpp"

#include "core/text/utf8.hpp"

namespace troupe {

stream_decoder::stream_decoder(std::shared_ptr<const tokenizer> text,
                               bool continues)
    : text_(std::move(text)), drop_space_(text_->adds_space() && !continues) {}

std::string stream_decoder::push(token_id id) {
  auto before = pending_.size();
  text_->append_piece(id, pending_);
  if (drop_space_ && pending_.size() > before) {
    drop_space_ = false;
    if (pending_[before] == ' ')
      pending_.erase(before, 1);
  }
  return take(false);
}

std::string stream_decoder::finish() {
  return take(true);
}

// Whole characters of what is pending; `at_end`, all of it.
std::string stream_decoder::take(bool at_end) {
  auto out = std::string{};
  auto at = size_t{0};
  while (at < pending_.size()) {
    auto step = step_utf8(pending_, at);
    if (step.state == utf8_state::cut && !at_end)
      break;
    if (step.state == utf8_state::whole)
      out.append(pending_, at, step.size);
    else
      out += "\uFFFD";
    at += step.size;
  }
  pending_.erase(0, at);
  return out;
}

} // namespace troupe
