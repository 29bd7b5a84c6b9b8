#include "core/trust/audit_record.hpp"

#include <boost/test/unit_test.hpp>

#include <limits>

#include "core/base/random.hpp"
#include "core/trust/audit_events.hpp"

using namespace troupe;

namespace {

raw_bytes encoded(const audit_record& r, uint64_t number = 5) {
  auto bytes = raw_bytes{};
  BOOST_REQUIRE(encode(r, number, bytes).ok());
  return bytes;
}

audit_record decoded(const_bytes bytes) {
  auto v = audit_record_view::parse(bytes);
  BOOST_REQUIRE(v.has_value());
  return v->record();
}

const auto salted = audit::redactor{as_bytes("salt"), false};
const auto in_clear = audit::redactor{as_bytes("salt"), true};
const auto ids = std::array<token_id, 3>{1, 2, 3};

audit::subject someone() {
  return {{11, 22}, 33, "acme", "laptop"};
}

std::vector<audit_record> one_of_each() {
  auto s = someone();
  auto m = audit::model_ref{"demo", 4, "ab12"};
  return {audit::admitted(s, "demo", 3, in_clear.prompt(ids, "hello")),
          audit::refused(s, "overloaded", "the queue is full"),
          audit::cache_answer(s, "hit", 4),
          audit::model_version(s, m),
          audit::placed(s, 1, 2, 3),
          audit::preempted(s, 2, "swap"),
          audit::migrated(s, 1, 2),
          audit::failed_over(s, 2, 17, "abandoned"),
          audit::safety_verdict(s, "block", 0.75, "harm"),
          audit::finished(s, "stop", 3, salted.output(ids, "hello")),
          audit::admin_event({1, 2}, "root", "drain", "node 3"),
          audit::version_event({1, 2}, "root", "promote", m),
          audit::opened({1, 2}, 0, 9),
          audit::rotated({1, 2}, 1),
          audit::gap({1, 2}, 12),
          audit::key_changed({1, 2}, {}),
          audit::closed({1, 2})};
}

} // namespace

BOOST_AUTO_TEST_SUITE(audit_records)

BOOST_AUTO_TEST_CASE(each_kind_is_read_as_it_was_written) {
  auto kinds = std::vector<audit_kind>{};
  for (auto& r : one_of_each()) {
    auto bytes = encoded(r, 77);
    auto v = audit_record_view::parse(bytes);
    BOOST_REQUIRE(v.has_value());
    BOOST_TEST(v->number() == 77u);
    BOOST_TEST((v->kind() == r.kind));
    BOOST_TEST(v->request() == r.request);
    BOOST_TEST((v->record() == r));
    BOOST_TEST(!to_string(r.kind).empty());
    for (auto& f : r.details)
      BOOST_TEST(!to_string(f.id).empty());
    kinds.push_back(r.kind);
  }
  // All that there are.
  for (auto k = 1u; k <= unsigned(audit_kind::log_closed); ++k)
    BOOST_TEST((std::ranges::find(kinds, audit_kind(k)) != kinds.end()));
}

// One byte more or less, or another meaning of any byte, is another record.
BOOST_AUTO_TEST_CASE(an_encoding_has_one_meaning) {
  for (auto& r : one_of_each()) {
    auto bytes = encoded(r);
    for (size_t n = 0; n < bytes.size(); ++n)
      BOOST_REQUIRE(!audit_record_view::parse(const_bytes{bytes}.first(n)));
    for (size_t bit = 0; bit < 8 * bytes.size(); ++bit) {
      auto changed = bytes;
      changed[bit / 8] ^= std::byte(1u << bit % 8);
      auto v = audit_record_view::parse(changed);
      if (!v)
        continue;
      auto again = raw_bytes{};
      BOOST_REQUIRE(encode(v->record(), v->number(), again).ok());
      BOOST_REQUIRE(again == changed);
      BOOST_REQUIRE((v->record() != r || v->number() != 5));
    }
    bytes.push_back(std::byte{0});
    BOOST_TEST(!audit_record_view::parse(bytes).has_value());
  }
}

// Where one text ends and the next begins cannot be moved.
BOOST_AUTO_TEST_CASE(texts_do_not_run_together) {
  auto a = audit::refused({{}, 1, "acme", "x"}, "ab", "c");
  auto b = audit::refused({{}, 1, "acm", "ex"}, "a", "bc");
  BOOST_TEST((encoded(a) != encoded(b)));
  auto hostile = audit::refused({{}, 1, std::string{"a\0\n\"", 4}, ""},
                                std::string_view{"\xff\x00|", 3}, "");
  BOOST_TEST((decoded(encoded(hostile)) == hostile));
}

BOOST_AUTO_TEST_CASE(what_is_too_large_is_refused) {
  auto bytes = raw_bytes{};
  auto refuse = [&](const audit_record& r) {
    auto e = encode(r, 0, bytes);
    BOOST_REQUIRE(!e.ok());
    BOOST_TEST((e.failure().code == errc::invalid_argument));
    BOOST_TEST(bytes.empty());
  };
  auto r = audit::closed({});
  r.organisation = std::string(audit_limits::name_bytes + 1, 'x');
  refuse(r);
  r.organisation.clear();
  r.details.resize(256);
  refuse(r);
  r.details.resize(1);
  r.details[0].type = audit_type{9};
  refuse(r);
  r.details[0].type = audit_type::text;
  r.details[0].bytes = std::string(audit_limits::record_bytes - 46, 'x');
  refuse(r);
  r.details[0].bytes.pop_back();
  BOOST_TEST(encode(r, 0, bytes).ok());
  BOOST_TEST(bytes.size() == audit_limits::record_bytes);
  BOOST_TEST((decoded(bytes) == r));
}

BOOST_AUTO_TEST_CASE(texts_are_told_only_if_wanted) {
  auto a = salted.prompt(ids, "a secret");
  BOOST_TEST(!a.clear.has_value());
  auto r = audit::admitted(someone(), "demo", 3, a);
  BOOST_TEST(text_of(encoded(r)).find("secret") == std::string_view::npos);
  auto b = in_clear.prompt(ids, "a secret");
  BOOST_TEST(*b.clear == "a secret");
  BOOST_TEST((a.digest == b.digest));
  // Of the tokens, as what they are of, under this salt.
  BOOST_TEST((a.digest != salted.output(ids, "a secret").digest));
  auto other = std::array<token_id, 3>{1, 2, 4};
  BOOST_TEST((a.digest != salted.prompt(other, "a secret").digest));
  auto elsewhere = audit::redactor{as_bytes("tlas")};
  BOOST_TEST((a.digest != elsewhere.prompt(ids, "a secret").digest));
  auto raw = std::string{"prompt"};
  raw += text_of(std::as_bytes(std::span{ids}));
  BOOST_TEST((a.digest == hmac_sha256{as_bytes("salt")}.of(as_bytes(raw))));
  auto most = audit::redactor::longest_clear;
  auto large = in_clear.output(ids, std::string(most + 1, 'x'));
  BOOST_TEST(large.clear->size() == most);
}

BOOST_AUTO_TEST_CASE(scores_stay_within_their_bounds) {
  auto score = [](double x) {
    auto r = audit::safety_verdict(someone(), "pass", x, "harm");
    return r.find(audit_field_id::score)->number;
  };
  BOOST_TEST(score(0) == 0u);
  BOOST_TEST(score(0.25) == 250'000u);
  BOOST_TEST(score(7) == 1'000'000u);
  BOOST_TEST(score(-7) == 0u);
  BOOST_TEST(score(std::numeric_limits<double>::quiet_NaN()) == 1'000'000u);
  BOOST_TEST(score(std::numeric_limits<double>::infinity()) == 1'000'000u);
}

BOOST_AUTO_TEST_SUITE_END()
