#include "tests/support/core/trace_scene.hpp"

namespace troupe::testing {

namespace {

constexpr auto us = int64_t{1000};

constexpr auto request = uint64_t{7};

traced_message of_request(traced from, traced to, uint16_t type) {
  return {from, to, type, request};
}

// The node's step of 100 µs that begins at `at`; returns the next one's tick.
uint64_t step(trace_builder& b, uint64_t tick, int64_t at, bool has_request,
              bool is_last) {
  b.begin(scene_node, tick, at);
  auto out = uint64_t{0};
  if (has_request)
    out = b.arrive(of_request(scene_node, scene_session, scene_output),
                   at + 85 * us);
  auto next = b.arrive({scene_node, scene_node, scene_tick}, at + 93 * us);
  b.end(at + 95 * us);
  if (!has_request)
    return next;
  b.begin(scene_session, out, at + 90 * us);
  b.arrive(of_request(scene_session, scene_client, scene_token), at + 92 * us);
  if (is_last)
    b.arrive(of_request(scene_session, scene_client, scene_finish),
             at + 94 * us);
  b.end(at + 96 * us);
  return next;
}

} // namespace

void name_scene(trace_builder& b) {
  b.type(scene_generate, "troupe::generate_request");
  b.type(scene_submit, "troupe::submit");
  b.type(scene_tick, "troupe::step_tick");
  b.type(scene_output, "troupe::step_output");
  b.type(scene_token, "troupe::token_event");
  b.type(scene_finish, "troupe::finish_event");
  b.type(scene_query, "troupe::status_query");
  b.type(scene_status, "troupe::node_status");
  b.node(0, "here");
  b.actor(scene_gateway, "gateway", 0);
  b.actor(scene_node, "decode_node", 0);
}

std::vector<std::byte> scene_of(uint32_t tokens, bool finish) {
  auto b = trace_builder{1};
  name_scene(b);
  b.chunk(1 * us);
  auto tick = b.arrive({{}, scene_node, scene_tick}, 2 * us);
  tick = step(b, tick, 4 * us, false, false);
  // Meanwhile the client comes.
  auto g = b.arrive(of_request(scene_client, scene_gateway, scene_generate),
                    10 * us);
  b.begin(scene_gateway, g, 20 * us);
  b.actor(scene_session, "session", 22 * us);
  b.begin(scene_session, 0, 23 * us, trace_init);
  b.end(25 * us);
  auto s = b.arrive(of_request(scene_gateway, scene_session, scene_generate),
                    28 * us);
  b.end(30 * us);
  b.begin(scene_session, s, 35 * us);
  auto n =
      b.arrive(of_request(scene_session, scene_node, scene_submit), 40 * us);
  b.end(45 * us);
  b.handle(scene_node, n, 99 * us, 103 * us);
  for (uint32_t i = 0; i < tokens; ++i)
    tick = step(b, tick, (104 + 100 * i) * us, true, finish && i + 1 == tokens);
  return b.bytes();
}

} // namespace troupe::testing
