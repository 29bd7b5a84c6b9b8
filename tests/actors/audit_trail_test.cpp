#include "actors/audit_trail.hpp"

#include <boost/test/unit_test.hpp>

#include <caf/all.hpp>

#include "actors/auditor.hpp"
#include "actors/error.hpp"
#include "tests/support/actors/faked_front.hpp"
#include "tests/support/core/audit_world.hpp"

using namespace troupe;
using namespace troupe::testing;
using namespace std::chrono_literals;

namespace {

constexpr auto salt = std::array<std::byte, 32>{};

// A front whose decisions are recorded on a disk in memory.
struct recorded : faked_front, audit_world {
  explicit recorded(audit_full when_full = audit_full::refuse,
                    bool texts = false) {
    auto a = auditor_options{};
    a.log = std::make_shared<audit_log>(audit_world::open());
    a.when_full = when_full;
    auto s = session_options{};
    log = sim.spawn(auditor, a);
    s.audit = std::make_shared<audit_sink>(
        audit_sink{log, audit::redactor{salt, texts}, texts, 1000h});
    faked_front::open(s);
  }

  static generate_request request(uint32_t max_tokens = 8) {
    auto r = generate_request{};
    r.prompt = {10, 11, 12};
    r.max_tokens = max_tokens;
    r.organisation = "acme";
    r.key = "laptop";
    return r;
  }

  request_id begin(generate_request r = request()) {
    auto id = start(std::move(r));
    sim.run();
    return id;
  }

  std::vector<audit_record> of(request_id id) const {
    auto all = records();
    std::erase_if(all, [&](auto& r) {
      return r.request != id || r.kind >= audit_kind::log_opened;
    });
    return all;
  }

  std::string story(request_id id) const {
    auto s = std::string{};
    for (auto& r : of(id))
      s += (s.empty() ? "" : " ") + std::string{to_string(r.kind)};
    return s;
  }

  auditor_actor log;
};

struct going_on : recorded {
  going_on() : recorded(audit_full::go_on) {}
};

struct in_clear : recorded {
  in_clear() : recorded(audit_full::refuse, true) {}
};

uint64_t value(const audit_record& r, audit_field_id id) {
  auto* f = r.find(id);
  BOOST_REQUIRE(f);
  return f->number;
}

const std::string& words(const audit_record& r, audit_field_id id) {
  auto* f = r.find(id);
  BOOST_REQUIRE(f);
  return f->bytes;
}

} // namespace

BOOST_AUTO_TEST_SUITE(audit_trail_suite)

BOOST_FIXTURE_TEST_CASE(a_request_is_recorded_from_its_admission_to_its_end,
                        recorded) {
  auto id = begin();
  say(0, {20, 21, 22}, finish_reason::stop);
  BOOST_TEST(story(id) == "admitted placed finished");
  auto all = of(id);
  for (auto& r : all) {
    BOOST_TEST(r.organisation == "acme");
    BOOST_TEST(r.key == "laptop");
    BOOST_TEST(r.wall_ns - r.mono_ns == duration{1000h}.count());
  }
  BOOST_TEST(value(all[0], audit_field_id::prompt_tokens) == 3u);
  BOOST_TEST(value(all[1], audit_field_id::prefill_node) == 1u);
  BOOST_TEST(value(all[1], audit_field_id::node) == 2u);
  BOOST_TEST(value(all[2], audit_field_id::output_tokens) == 3u);
  BOOST_TEST(words(all[2], audit_field_id::reason) == "stop");
  BOOST_TEST(!all[0].find(audit_field_id::prompt_text));
  BOOST_TEST(!all[2].find(audit_field_id::output_text));
}

BOOST_FIXTURE_TEST_CASE(the_digest_is_of_the_tokens_that_the_client_got,
                        recorded) {
  auto id = begin(request(2));
  say(0, {20, 21, 22}, finish_reason::stop); // beyond what was asked for
  say(0, {20, 21}, finish_reason::length);
  auto told = of(id).back();
  auto want = audit::redactor{salt}.output(answer(id).tokens, "");
  auto expected = audit::finished({}, "length", 2, want);
  BOOST_TEST((*told.find(audit_field_id::output_digest)
              == *expected.find(audit_field_id::output_digest)));
}

BOOST_FIXTURE_TEST_CASE(texts_are_in_clear_only_if_that_is_asked_for,
                        in_clear) {
  auto r = request();
  r.prompt = faked_front::text->encode("a question");
  auto id = begin(std::move(r));
  say(0, faked_front::text->encode("an answer"), finish_reason::stop);
  auto all = of(id);
  BOOST_TEST(words(all.front(), audit_field_id::prompt_text) == "a question");
  BOOST_TEST(words(all.back(), audit_field_id::output_text) == "an answer");
}

BOOST_FIXTURE_TEST_CASE(nothing_is_computed_before_the_admission_is_durable,
                        recorded) {
  auto self = caf::scoped_actor{sim.sys};
  self->send(gate, submit{request(), client});
  while (jobs() == 0)
    BOOST_REQUIRE(sim.step());
  disk->lose_power();
  BOOST_TEST(story(job().spec.request).starts_with("admitted"));
}

BOOST_FIXTURE_TEST_CASE(what_cannot_be_recorded_is_refused, recorded) {
  disk->room = 0;
  auto id = begin();
  auto& e = heard->end(id);
  BOOST_TEST((e.reason == finish_reason::error));
  BOOST_TEST((e.code == errc::io_error));
  BOOST_TEST(e.message.find("cannot be recorded") != std::string::npos,
             e.message);
  BOOST_TEST(jobs() == 0u);
  disk->room.reset();
  id = begin();
  say(0, {20}, finish_reason::stop);
  BOOST_TEST((heard->end(id).reason == finish_reason::stop));
}

BOOST_FIXTURE_TEST_CASE(or_it_is_served_and_the_gap_is_marked, going_on) {
  disk->room = 0;
  auto id = begin();
  say(0, {20}, finish_reason::stop);
  BOOST_TEST((heard->end(id).reason == finish_reason::stop));
  disk->room.reset();
  auto next = begin();
  say(0, {20}, finish_reason::stop);
  BOOST_TEST(story(next) == "admitted placed finished");
  auto gaps = size_t(
      std::ranges::count(records(), audit_kind::log_gap, &audit_record::kind));
  BOOST_TEST(gaps == 1u);
  BOOST_TEST(verify().findings.empty());
}

BOOST_FIXTURE_TEST_CASE(a_request_without_an_auditor_is_refused, recorded) {
  auto r = request();
  auto id = begin(r);
  say(0, {20}, finish_reason::stop);
  sim.kill(log);
  sim.run();
  id = begin(r);
  BOOST_TEST((heard->end(id).code == errc::io_error));
  BOOST_TEST(jobs() == 1u); // the first one
}

BOOST_FIXTURE_TEST_CASE(what_nodes_do_with_it_is_recorded, recorded) {
  auto id = begin();
  say(0, {20});
  auto o = output_for(job(), 1, {});
  o.preempted = put_away::swapped;
  say(o);
  auto fresh = sim.spawn(fake_decode, decodes);
  auto moved = sequence_moved{id, job().spec.seq, next_move(job().spec.epoch),
                              9, caf::actor_cast<sequence_holder>(fresh)};
  caf::anon_send(gate, moved);
  caf::anon_send(gate, moved); // told twice
  sim.run();
  caf::anon_send_exit(fresh, caf::exit_reason::kill);
  sim.run();
  sim.drain();
  say(1, {21}, finish_reason::stop);
  BOOST_TEST(story(id)
             == "admitted placed preempted migrated failed_over "
                "placed finished");
  auto all = of(id);
  BOOST_TEST(words(all[2], audit_field_id::action) == "swap");
  BOOST_TEST(value(all[2], audit_field_id::node) == 2u);
  BOOST_TEST(value(all[3], audit_field_id::from_node) == 2u);
  BOOST_TEST(value(all[3], audit_field_id::node) == 9u);
  BOOST_TEST(value(all[4], audit_field_id::from_node) == 9u);
  BOOST_TEST(value(all[5], audit_field_id::attempt) == 2u);
  BOOST_TEST(answer(id).tokens == (std::vector<token_id>{20, 21}),
             boost::test_tools::per_element());
}

BOOST_FIXTURE_TEST_CASE(refusals_are_recorded_with_their_reason, recorded) {
  auto r = request();
  r.prompt.clear();
  sim.ask_error<admitted>(gate, submit{r, client});
  sim.run();
  auto last = records().back();
  BOOST_TEST((last.kind == audit_kind::refused));
  BOOST_TEST(words(last, audit_field_id::reason) == "invalid_argument");
  BOOST_TEST(last.organisation == "acme");
}

BOOST_FIXTURE_TEST_CASE(drains_and_moves_by_hand_are_recorded, recorded) {
  caf::anon_send(gate, drain_request{3, {}});
  caf::anon_send(gate, migrate_request{5, 2});
  sim.run();
  auto all = records();
  std::erase_if(all, [](auto& r) { return r.kind != audit_kind::admin_event; });
  BOOST_REQUIRE_EQUAL(all.size(), 2u);
  BOOST_TEST(words(all[0], audit_field_id::action) == "drain");
  BOOST_TEST(words(all[1], audit_field_id::detail) == "request 5 to node 2");
}

BOOST_AUTO_TEST_SUITE_END()
