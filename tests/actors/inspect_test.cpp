#include <boost/test/unit_test.hpp>

#include <caf/all.hpp>
#include <caf/binary_deserializer.hpp>
#include <caf/binary_serializer.hpp>

#include <bit>
#include <cstring>
#include <limits>

#include "core/base/random.hpp"
#include "tests/support/actors/fakes.hpp"
#include "tests/support/actors/sim_system.hpp"

using namespace troupe;
using namespace troupe::testing;

namespace {

using bytes = std::vector<char>;

struct fixture {
  sim_system sim;

  template <class T>
  bytes save(T x) {
    auto buf = bytes{};
    auto sink = caf::binary_serializer{sim.sys, buf};
    auto e = sink(x);
    BOOST_REQUIRE(!e);
    return buf;
  }

  template <class T>
  caf::error load(const bytes& buf, T& x) {
    auto source = caf::binary_deserializer{sim.sys, buf};
    return source(x);
  }

  // To bytes, back, and to bytes again; every truncation must be an error.
  template <class T>
  T round_trip(const T& x) {
    auto buf = save(x);
    auto y = T{};
    BOOST_REQUIRE(!load(buf, y));
    BOOST_TEST((save(y) == buf));
    for (size_t n = 0; n < buf.size(); ++n) {
      auto z = T{};
      BOOST_REQUIRE(load(bytes(buf.begin(), buf.begin() + n), z));
    }
    return y;
  }

  // As one message too, the way it travels.
  template <class T>
  T trip(const T& x) {
    auto y = round_trip(x);
    auto buf = save(y);
    auto m = caf::make_message(y);
    auto whole = bytes{};
    auto sink = caf::binary_serializer{sim.sys, whole};
    BOOST_REQUIRE(!m.save(sink));
    auto back = caf::message{};
    auto source = caf::binary_deserializer{sim.sys, whole};
    BOOST_REQUIRE(!back.load(source));
    BOOST_REQUIRE(back.match_elements<T>());
    BOOST_TEST((save(back.get_as<T>(0)) == buf));
    BOOST_TEST(!caf::deep_to_string(y).empty());
    return y;
  }
};

sampling_params some_sampling() {
  auto p = sampling_params{};
  p.temperature = 0.5f;
  p.top_k = 7;
  p.logit_bias = {{3, -1.f}, {4, 2.f}};
  p.seed = ~uint64_t{0};
  p.want_logprob = true;
  return p;
}

sequence_spec some_spec() {
  auto s = sequence_spec{};
  s.request = 1;
  s.seq = 2;
  s.epoch = 3;
  s.prompt = {4, 5, 6};
  s.emitted = {7};
  s.sampling = some_sampling();
  s.max_tokens = 8;
  s.end_tokens = {9, 10};
  s.priority = 2;
  s.cache_salt = "s";
  s.form = {answer_form::kind::regex, "[0-9]+"};
  return s;
}

sequence_output some_output() {
  auto o = sequence_output{};
  o.request = 1;
  o.seq = 2;
  o.epoch = 3;
  o.index = 4;
  o.tokens = {5, 6};
  o.reason = finish_reason::stop;
  o.code = errc::timeout;
  o.message = "why";
  o.cached_tokens = 7;
  o.details = {{5, -0.5f, {{5, -0.5f}, {6, -1.f}}}, {6, -2.f, {}}};
  return o;
}

kv_offer some_offer() {
  auto o = kv_offer{};
  o.seq = 1;
  o.epoch = 2;
  o.model = "digest";
  o.layout = {2, 3, 4, 5, kv_dtype::f32};
  o.blocks = 5;
  o.max_blocks = 6;
  return o;
}

} // namespace

BOOST_AUTO_TEST_SUITE(inspect_suite)

BOOST_FIXTURE_TEST_CASE(requests_and_events, fixture) {
  auto r = generate_request{};
  r.request = 77;
  r.prompt = {1, -2, 3};
  r.sampling = some_sampling();
  r.max_tokens = 5;
  r.stop = {"a", ""};
  r.ignore_end = true;
  r.cache_salt = "tenant";
  auto back = trip(r);
  BOOST_TEST(back.prompt == r.prompt, boost::test_tools::per_element());
  BOOST_TEST(back.sampling.top_k == 7u);
  BOOST_TEST(back.ignore_end);
  BOOST_TEST(back.cache_salt == "tenant");
  trip(token_event{1, 2, {3, 4}, "text", some_output().details});
  auto f = trip(
      finish_event{1, finish_reason::error, errc::no_node, "m", "t", 2, 3, 4});
  BOOST_TEST(f.cached_tokens == 4u);
  BOOST_TEST((f.code == errc::no_node));
  trip(admitted{5});
  trip(cancel_request{6});
  trip(session_done{7});
}

BOOST_FIXTURE_TEST_CASE(requests_to_embed, fixture) {
  auto r = embed_request{};
  r.request = 7;
  r.inputs = {{1, 2}, {}, {-3}};
  r.dimensions = 5;
  r.organisation = "acme";
  r.session = "s";
  r.version = 3;
  r.unlimited = true;
  auto back = trip(r);
  BOOST_TEST((back.inputs == r.inputs));
  BOOST_TEST(back.dimensions == 5u);
  BOOST_TEST(back.session == "s");
  BOOST_TEST(back.version == 3u);
  BOOST_TEST(back.unlimited);
  auto g = generate_request{};
  g.embed = true;
  BOOST_TEST(trip(g).embed);
  auto s = some_spec();
  s.embed = true;
  BOOST_TEST(trip(s).embed);
  auto p = place_request{};
  p.prompt_only = true;
  BOOST_TEST(trip(p).prompt_only);
  round_trip(submit_embed{r, {}});
}

// To the last bit, whatever they are.
BOOST_FIXTURE_TEST_CASE(vectors, fixture) {
  using limits = std::numeric_limits<float>;
  auto v = std::vector<float>{0.f,
                              -0.f,
                              1.f / 3,
                              limits::denorm_min(),
                              limits::max(),
                              limits::infinity(),
                              -limits::infinity(),
                              std::bit_cast<float>(0x7fc12345u)};
  auto same = [&](const std::vector<float>& x) {
    return x.size() == v.size()
           && std::memcmp(x.data(), v.data(), v.size() * sizeof(float)) == 0;
  };
  BOOST_TEST(same(trip(embedding_event{1, 2, v}).vector));
  auto o = some_output();
  o.state = v;
  BOOST_TEST(same(trip(o).state));
  auto f = finish_event{};
  f.state = v;
  BOOST_TEST(same(trip(f).state));
  BOOST_TEST(trip(embedding_event{}).vector.empty());
  // Four bytes each, and what says how many.
  BOOST_TEST(save(embedding_event{1, 2, v}).size() == 12u + 8 + 4 * v.size());
}

BOOST_FIXTURE_TEST_CASE(a_vector_that_is_too_long_takes_no_memory, fixture) {
  auto buf = save(embedding_event{1, 2, {}});
  auto n = max_wire_bytes / sizeof(float) + 1;
  for (auto i = 0; i < 8; ++i) // the highest byte first
    buf[buf.size() - 1 - i] = static_cast<char>(n >> (8 * i));
  auto x = embedding_event{};
  BOOST_TEST(static_cast<bool>(load(buf, x)));
  BOOST_TEST(x.vector.capacity() == 0u);
}

BOOST_FIXTURE_TEST_CASE(sequences_and_ticks, fixture) {
  auto s = trip(some_spec());
  BOOST_TEST(s.max_length() == 11u);
  auto o = trip(some_output());
  BOOST_TEST(o.details.at(0).top.at(1).logprob == -1.f);
  auto step = step_output{};
  step.sequences = {some_output(), some_output()};
  BOOST_TEST(trip(step).sequences.size() == 2u);
  trip(cancel_sequence{1, 2});
  trip(step_tick{3});
  trip(deadline_tick{4});
}

BOOST_FIXTURE_TEST_CASE(views_and_plans, fixture) {
  auto v = schedule_view{1,    2,  3,        4, 5,  6,
                         true, {}, {{7, 8}}, 9, 10, {{{11, 12, 13, 14}, 15}}};
  auto e = schedule_entry{};
  e.seq = 13;
  e.phase = schedule_phase::swapped;
  e.leaving = true;
  e.resumed_ns = -14;
  v.entries = {e, e};
  auto back = trip(v);
  BOOST_TEST(back.steps.at(0).shape.decode_context == 14u);
  BOOST_TEST(back.steps.at(0).took == 15);
  BOOST_TEST(back.finished.at(0).length == 8u);
  BOOST_TEST((back.entries.at(1).phase == schedule_phase::swapped));
  BOOST_TEST(back.entries.at(1).leaving);
  BOOST_TEST(back.entries.at(1).resumed_ns == -14);
  auto p = trip(schedule_plan{1, {{2, preempt_way::recompute}}, {3, 4}});
  BOOST_TEST((p.preempt.at(0).way == preempt_way::recompute));
  BOOST_TEST(p.order == (std::vector<seq_id>{3, 4}));
}

BOOST_FIXTURE_TEST_CASE(control_messages, fixture) {
  trip(status_query{1});
  auto n = node_status{1, "red", node_role::mixed, 2, 3, 4, 5, 6, 7, 8, 9};
  trip(n);
  auto c = cluster_status{};
  c.nodes = {n, n};
  c.silent = {8};
  trip(c);
  auto where = trip(place_request{1, {2, 3}, {4, 5}});
  BOOST_TEST(where.avoid.size() == 2u);
  BOOST_TEST(where.size.answer == 5u);
  auto load = trip(node_load{1, 2, 3, 4, 5, 6, {7, 8, 9, 10, 11}});
  BOOST_TEST(load.prompt_tokens == 3u);
  BOOST_TEST(load.cost.decode_context == 11.);
  trip(release_placement{1});
}

BOOST_FIXTURE_TEST_CASE(cluster_messages, fixture) {
  auto j = join_request{};
  j.name = "red";
  j.role = node_role::decode;
  j.incarnation = 1;
  j.number = 2;
  j.replaces = 3;
  j.model = "digest:i8";
  j.layout = {4, 5, 6, 7, kv_dtype::i8};
  j.isa = "x86_64";
  j.threads = 8;
  j.blocks = 9;
  auto back = trip(join_node{j, {"host", 1}, {}}).request;
  BOOST_TEST((back.layout == j.layout));
  BOOST_TEST(back.replaces == 3u);
  trip(join_reply{1, 2, 3, 4, 5, 6, errc::unsupported, "why"});
  trip(name_taken{1, 2, 3});
  auto beat = heartbeat{1, 2, 3, true, {1, 2, 3, 4, 5, 6, {7, 8, 9, 10, 11}}};
  BOOST_TEST(trip(beat).load.cost.row == beat.load.cost.row);
  trip(heartbeat_ack{1, 2});
  trip(drain_order{1});
  trip(leave{1, 2});
  trip(epoch_over{1, "why"});
  auto peers = trip(node_peers{1, {{"host", 2}, {"::1", 3}}});
  BOOST_TEST(peers.peers.at(1).port == 3u);
  trip(node_emptied{1});
  BOOST_TEST(trip(drain_request{0, "red"}).name == "red");
}

BOOST_FIXTURE_TEST_CASE(step_reports_and_limits, fixture) {
  auto r = step_report{};
  r.shape = {1, 2, 3, 4};
  r.took = -5;
  r.demand = {6, 7, 8, duration{9}, 10};
  auto back = trip(r);
  BOOST_TEST(back.shape.decode_context == 4u);
  BOOST_TEST(back.took == -5);
  BOOST_TEST((back.demand.oldest_wait == duration{9}));
  BOOST_TEST(back.demand.oldest_tokens == 10u);
  BOOST_TEST((trip(batch_limits{1, 2}) == batch_limits{1, 2}));
}

BOOST_FIXTURE_TEST_CASE(handoff_messages, fixture) {
  auto o = round_trip(some_offer());
  BOOST_TEST((o.layout == kv_layout{2, 3, 4, 5, kv_dtype::f32}));
  BOOST_TEST(o.version == kv_handoff_version);
  trip(kv_grant{1, 2, 3});
  trip(kv_credit{1, 2, 3});
  trip(kv_commit{1, 2, 3, {4, 5}, 6, {7, 8}});
  trip(kv_accepted{1, 2});
  trip(kv_abort{1, 2, errc::digest_mismatch, "why"});
}

BOOST_FIXTURE_TEST_CASE(messages_with_handles, fixture) {
  auto log = std::make_shared<node_log>();
  auto prefill = sim.spawn(fake_prefill, log);
  auto decode = sim.spawn(fake_decode, log);
  auto client = sim.spawn(fake_client, std::make_shared<client_log>());
  trip(add_prefill{1, prefill});
  trip(add_decode{2, decode});
  auto p = trip(placement{1, prefill, 2, decode});
  BOOST_TEST((p.prefill == prefill));
  BOOST_TEST((p.decode == decode));
  BOOST_TEST(!trip(placement{1, prefill, 1, {}}).decode);
  trip(add_mixed{3, {}});
  trip(prefill_job{some_spec(), decode, {}});
  trip(handoff_offer{some_offer(), some_spec(), prefill, {}});
  auto s = submit{};
  s.request.prompt = {1};
  s.client = client;
  BOOST_TEST((trip(s).client == client));
}

BOOST_FIXTURE_TEST_CASE(a_chunk_by_reference_becomes_bytes, fixture) {
  auto layout = kv_layout{3, 1, 4, 4, kv_dtype::f16};
  auto pool = block_pool{make_block_arena(layout), 2};
  auto leases = pool.take(2);
  auto c = kv_chunk{};
  c.seq = 1;
  c.epoch = 2;
  c.index = 3;
  c.first_block = 4;
  c.blocks = 2;
  c.first_layer = 1;
  c.layers = 2;
  c.layer_bytes = layout.layer_bytes();
  c.digest = {5, 6};
  auto expected = raw_bytes{};
  for (auto& lease : *leases) {
    for (size_t i = 0; i < layout.block_bytes(); ++i)
      lease.data()[i] = static_cast<std::byte>(i + 100 * expected.size());
    c.payload.blocks.push_back(lease.ref());
    expected.insert(expected.end(), lease.data() + layout.layer_bytes(),
                    lease.data() + 3 * layout.layer_bytes());
  }
  auto back = trip(c);
  BOOST_TEST(back.payload.blocks.empty());
  BOOST_TEST((back.payload.bytes == expected));
  BOOST_TEST(back.first_layer == 1u);
  BOOST_TEST((back.digest == kv_digest{5, 6}));
  BOOST_TEST(back.layer_bytes == 0u);
  trip(kv_chunk{}); // an empty one
}

BOOST_FIXTURE_TEST_CASE(an_absurd_chunk_is_refused_before_it_is_allocated,
                        fixture) {
  auto c = kv_chunk{};
  c.payload.bytes.resize(8);
  auto buf = save(c);
  // The length stands right before the bytes.
  auto at = buf.size() - 8 - sizeof(uint64_t);
  for (auto huge : {max_wire_bytes + 1, ~uint64_t{0}}) {
    auto evil = buf;
    for (size_t i = 0; i < sizeof(huge); ++i) // big-endian on the wire
      evil[at + i] = static_cast<char>(huge >> (8 * (7 - i)));
    auto back = kv_chunk{};
    BOOST_TEST(
        (load(evil, back) == caf::make_error(caf::sec::invalid_argument)));
    BOOST_TEST(back.payload.bytes.capacity() == 0u);
  }
}

BOOST_FIXTURE_TEST_CASE(what_ranks_send_arrives_bit_for_bit, fixture) {
  auto p = rank_part{
      1, 2, 3, 4, collective_kind::all_to_all, 5, 9, {1.5f, -0.f, 1e-42f}};
  auto part = trip(p);
  BOOST_TEST(part.group == 1u);
  BOOST_TEST(part.from == 2u);
  BOOST_TEST(part.to == 3u);
  BOOST_TEST(part.number == 4u);
  BOOST_TEST((part.kind == collective_kind::all_to_all));
  BOOST_TEST(part.first == 5u);
  BOOST_TEST(part.total == 9u);
  BOOST_REQUIRE(part.values.size() == 3u);
  BOOST_TEST(std::memcmp(part.values.data(), p.values.data(), 12) == 0);
  trip(rank_part{});

  auto c = rank_command{};
  c.number = 7;
  c.forgotten = {8};
  c.blocks.push_back({9, raw_bytes(3, std::byte{4})});
  c.begins = true;
  c.rows.push_back({{1, 2}, 17, {5, 6, 7}, false, true});
  c.layers = 11;
  auto back = trip(c);
  BOOST_TEST(back.number == 7u);
  BOOST_TEST(back.forgotten == c.forgotten, boost::test_tools::per_element());
  BOOST_REQUIRE(back.blocks.size() == 1u);
  BOOST_TEST(back.blocks[0].number == 9u);
  BOOST_TEST((back.blocks[0].bytes == c.blocks[0].bytes));
  BOOST_REQUIRE(back.rows.size() == 1u);
  BOOST_TEST((back.rows[0].fields() == c.rows[0].fields()));
  BOOST_TEST(back.begins);
  BOOST_TEST(back.layers == 11u);
  BOOST_TEST(!back.finishes);
  // Nothing is allocated for what cannot be.
  auto evil = save(p);
  auto at = evil.size() - 12 - sizeof(uint64_t);
  std::fill_n(evil.begin() + static_cast<ptrdiff_t>(at), sizeof(uint64_t),
              '\x7f');
  auto none = rank_part{};
  BOOST_TEST((load(evil, none) == caf::make_error(caf::sec::invalid_argument)));
  BOOST_TEST(none.values.capacity() == 0u);
}

BOOST_FIXTURE_TEST_CASE(noise_is_an_error_or_a_value_never_a_crash, fixture) {
  auto good = save(some_spec());
  auto errors = 0;
  for (uint64_t seed = 0; seed < 3000; ++seed) {
    auto buf = good;
    for (auto i = 0; i < 3; ++i)
      buf[random_bits(seed, i) % buf.size()] =
          static_cast<char>(random_bits(seed, i, 1));
    auto back = sequence_spec{};
    errors += load(buf, back) ? 1 : 0;
    auto step = step_output{};
    errors += load(buf, step) ? 1 : 0;
    auto chunk = kv_chunk{};
    errors += load(buf, chunk) ? 1 : 0;
    auto command = rank_command{};
    errors += load(buf, command) ? 1 : 0;
  }
  BOOST_TEST(errors > 1000);
}

// CAF's own way to write an infinite number never ends.
BOOST_FIXTURE_TEST_CASE(numbers_arrive_bit_by_bit, fixture) {
  using limits = std::numeric_limits<float>;
  for (auto x : {0.f, -0.f, 0.1f, 1e-41f, limits::max(), limits::infinity(),
                 -limits::infinity(), limits::quiet_NaN()}) {
    auto same = [&](float y) {
      return std::bit_cast<uint32_t>(x) == std::bit_cast<uint32_t>(y);
    };
    auto t = round_trip(sampled{5, x, {{6, x}, {7, 1.f}}});
    BOOST_TEST(same(t.logprob));
    BOOST_TEST(same(t.top.at(0).logprob));
    auto p = some_sampling();
    p.temperature = x;
    p.logit_bias = {{3, x}, {4, 2.f}};
    p = round_trip(p);
    BOOST_TEST(same(p.temperature));
    BOOST_REQUIRE(p.logit_bias.size() == 2u);
    BOOST_TEST(p.logit_bias[0].first == 3);
    BOOST_TEST(same(p.logit_bias[0].second));
    auto l = node_load{};
    l.cost.base = x;
    l = round_trip(l);
    BOOST_TEST(same(static_cast<float>(l.cost.base)));
  }
}

BOOST_AUTO_TEST_SUITE_END()
