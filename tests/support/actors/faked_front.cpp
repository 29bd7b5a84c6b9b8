#include "tests/support/actors/faked_front.hpp"

#include <caf/all.hpp>

namespace troupe::testing {

faked_front::faked_front(uint64_t seed)
    : sim(seed), text(*tokenizer::make(tiny_model()->vocab)) {
  script->place = [this](const place_request&) {
    return placement{1, prefill, 2, decode};
  };
}

void faked_front::open(session_options session, uint32_t max_sessions) {
  auto o = gateway_options{};
  o.registry = reg;
  o.vocab = tiny_vocab_size;
  o.context = 64;
  o.end_tokens = {tiny_im_end};
  o.text = text;
  o.max_sessions = max_sessions;
  o.session = std::move(session);
  gate = sim.spawn(gateway, o);
}

request_id faked_front::start(generate_request r) {
  return sim.ask<admitted>(gate, submit{std::move(r), client}).request;
}

void faked_front::say(sequence_output o) {
  emit(job(), std::move(o));
  sim.run();
}

void faked_front::say(uint32_t index, std::vector<token_id> tokens,
                      finish_reason reason, errc code) {
  say(output_for(job(), index, std::move(tokens), reason, code));
}

} // namespace troupe::testing
