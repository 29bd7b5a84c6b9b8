#include "core/serving/request_check.hpp"

namespace troupe {

namespace {

// What makes texts of errors is large, and each request comes by: it stays out
// of the functions that check.

[[gnu::cold, gnu::noinline]] error
unknown_token(size_t i, const std::string& where, token_id id, uint32_t vocab) {
  return fail(errc::invalid_argument, "token " + std::to_string(i) + " of "
                                          + where + " is " + std::to_string(id)
                                          + "; the vocabulary has "
                                          + std::to_string(vocab) + " tokens");
}

[[gnu::cold, gnu::noinline]] error too_long(size_t length, bool embed,
                                            uint32_t context) {
  return fail(errc::context_exceeded,
              "the prompt has " + std::to_string(length)
                  + " tokens; the context holds " + std::to_string(context)
                  + (embed ? "" : ", the answer included"));
}

[[gnu::cold, gnu::noinline]] error too_many_stops(size_t n, size_t most) {
  return fail(errc::invalid_argument,
              std::to_string(n) + " stop strings; at most "
                  + std::to_string(most) + " are allowed");
}

[[gnu::cold, gnu::noinline]] error wrong_stop(size_t bytes, size_t most) {
  return fail(errc::invalid_argument,
              "a stop string has " + std::to_string(bytes) + " bytes; 1 to "
                  + std::to_string(most) + " are allowed");
}

result<void> check_tokens(std::span<const token_id> ids, uint32_t vocab,
                          const std::string& where) {
  for (size_t i = 0; i < ids.size(); ++i)
    if (ids[i] < 0 || static_cast<uint32_t>(ids[i]) >= vocab)
      return unknown_token(i, where, ids[i], vocab);
  return {};
}

} // namespace

result<void> check_prompt(std::span<const token_id> ids, bool embed,
                          const request_bounds& b) {
  if (ids.empty())
    return fail(errc::invalid_argument, "the prompt is empty");
  auto length = ids.size();
  if (length > b.context || (length == b.context && !embed))
    return too_long(length, embed, b.context);
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
    return too_many_stops(stops.size(), b.stops);
  for (auto& s : stops)
    if (s.empty() || s.size() > b.stop_bytes)
      return wrong_stop(s.size(), b.stop_bytes);
  return {};
}

} // namespace troupe
