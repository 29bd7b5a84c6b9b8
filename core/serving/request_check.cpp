#include "core/serving/request_check.hpp"

namespace troupe {

namespace {

result<void> check_tokens(std::span<const token_id> ids, uint32_t vocab,
                          const std::string& where) {
  for (size_t i = 0; i < ids.size(); ++i)
    if (ids[i] < 0 || static_cast<uint32_t>(ids[i]) >= vocab)
      return fail(errc::invalid_argument,
                  "token " + std::to_string(i) + " of " + where + " is "
                      + std::to_string(ids[i]) + "; the vocabulary has "
                      + std::to_string(vocab) + " tokens");
  return {};
}

} // namespace

result<void> check_prompt(std::span<const token_id> ids, bool embed,
                          const request_bounds& b) {
  if (ids.empty())
    return fail(errc::invalid_argument, "the prompt is empty");
  auto length = ids.size();
  if (length > b.context || (length == b.context && !embed))
    return fail(errc::context_exceeded,
                "the prompt has " + std::to_string(length)
                    + " tokens; the context holds " + std::to_string(b.context)
                    + (embed ? "" : ", the answer included"));
  return check_tokens(ids, b.vocab, "the prompt");
}

result<void> check_inputs(std::span<const std::vector<token_id>> inputs,
                          size_t most_inputs, size_t most_tokens,
                          const request_bounds& b) {
  if (inputs.empty() || inputs.size() > most_inputs)
    return fail(errc::invalid_argument,
                std::to_string(inputs.size()) + " inputs; 1 to "
                    + std::to_string(most_inputs) + " are allowed");
  auto tokens = size_t{0};
  for (auto& input : inputs)
    tokens += input.size();
  if (tokens > most_tokens)
    return fail(errc::invalid_argument,
                "the inputs have " + std::to_string(tokens)
                    + " tokens together; at most " + std::to_string(most_tokens)
                    + " are allowed");
  for (size_t i = 0; i < inputs.size(); ++i) {
    auto& input = inputs[i];
    auto which = "input " + std::to_string(i);
    if (input.empty())
      return fail(errc::invalid_argument, which + " is empty");
    if (input.size() > b.context)
      return fail(errc::context_exceeded, which + " has "
                                              + std::to_string(input.size())
                                              + " tokens; the context holds "
                                              + std::to_string(b.context));
    if (auto ok = check_tokens(input, b.vocab, which); !ok)
      return ok;
  }
  return {};
}

result<void> check_stops(std::span<const std::string> stops,
                         const request_bounds& b) {
  if (stops.size() > b.stops)
    return fail(errc::invalid_argument,
                std::to_string(stops.size()) + " stop strings; at most "
                    + std::to_string(b.stops) + " are allowed");
  for (auto& s : stops)
    if (s.empty() || s.size() > b.stop_bytes)
      return fail(errc::invalid_argument,
                  "a stop string has " + std::to_string(s.size())
                      + " bytes; 1 to " + std::to_string(b.stop_bytes)
                      + " are allowed");
  return {};
}

} // namespace troupe
