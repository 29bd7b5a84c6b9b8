#include <boost/test/unit_test.hpp>
#include <filesystem>
#include <fstream>

#include "core/base/random.hpp"
#include "runtime/runtime.hpp"
#include "tests/support/core/comes.hpp"
#include "tests/support/core/temp_dir.hpp"
#include "tests/support/core/tiny_model.hpp"

using namespace troupe;

// Versions with real models and nodes: answers are those of the version that a
// request is on, whatever happens to others meanwhile.

namespace {

struct fixture {
  fixture() {
    for (auto seed : {1u, 2u}) {
      auto m = testing::tiny_model_options{};
      m.seed = seed;
      testing::write_tiny_model(file(seed), m);
    }
  }

  std::string file(uint32_t seed) const {
    return dir.file("tiny" + std::to_string(seed) + ".gguf");
  }

  runtime open(uint32_t seed = 1, topology nodes = {}) const {
    auto o = runtime_options{};
    o.model = file(seed);
    o.threads = 1;
    o.nodes = std::move(nodes);
    o.versions.state_file = dir.file("versions");
    auto r = runtime::open(o);
    BOOST_REQUIRE_MESSAGE(r.ok(), (r.ok() ? "" : r.failure().message));
    return std::move(*r);
  }

  testing::temp_dir dir;
};

generate_request request_of(uint64_t seed) {
  auto r = generate_request{};
  for (uint32_t i = 0; i < 20; ++i)
    r.prompt.push_back(static_cast<token_id>(
        3 + random_bits(seed, i) % (testing::tiny_vocab_size - 3)));
  r.sampling.seed = seed;
  r.max_tokens = 30;
  r.ignore_end = true;
  return r;
}

completion run(runtime& rt, uint64_t seed, version_id version = 0) {
  auto r = request_of(seed);
  r.version = version;
  auto g = rt.submit(r);
  BOOST_REQUIRE_MESSAGE(g.ok(), (g.ok() ? "" : g.failure().message));
  return collect(*g);
}

const version_info* find(const versions_status& s, version_id v) {
  for (auto& i : s.versions)
    if (i.version == v)
      return &i;
  return nullptr;
}

template <class Wanted>
bool comes_to(runtime& rt, Wanted wanted) {
  return testing::comes([&] {
    auto s = rt.versions();
    BOOST_REQUIRE(s.ok());
    return wanted(*s);
  });
}

bool is_ready(runtime& rt, version_id v) {
  return comes_to(rt, [&](auto& s) {
    auto* i = find(s, v);
    return i != nullptr && i->state == version_state::ready;
  });
}

topology split() {
  auto t = topology{};
  t.prefill.resize(1);
  t.decode.resize(2);
  return t;
}

} // namespace

BOOST_AUTO_TEST_SUITE(versions_suite)

BOOST_FIXTURE_TEST_CASE(a_second_version_answers_with_its_own_weights,
                        fixture) {
  auto expected = std::map<uint32_t, std::vector<std::vector<token_id>>>{};
  for (auto seed : {1u, 2u}) {
    auto o = runtime_options{};
    o.model = file(seed);
    o.threads = 1;
    auto alone = runtime::open(o);
    BOOST_REQUIRE(alone.ok());
    for (uint64_t n = 0; n < 6; ++n)
      expected[seed].push_back(run(*alone, n).tokens);
  }
  BOOST_TEST((expected[1] != expected[2]));
  auto rt = open(1, split());
  auto two = rt.load_version("two", file(2));
  BOOST_REQUIRE_MESSAGE(two.ok(), (two.ok() ? "" : two.failure().message));
  BOOST_REQUIRE(is_ready(rt, *two));
  BOOST_TEST(rt.status()->nodes.size() == 6u);
  for (uint64_t n = 0; n < 6; ++n) {
    BOOST_TEST((run(rt, n).tokens == expected[1][n]));
    BOOST_TEST((run(rt, n, *two).tokens == expected[2][n]));
  }
  // Under way while they change places.
  auto open = std::vector<generation>{};
  for (uint64_t n = 0; n < 6; ++n) {
    auto g = rt.submit(request_of(n));
    BOOST_REQUIRE(g.ok());
    open.push_back(std::move(*g));
  }
  BOOST_REQUIRE(rt.command({version_command::kind::activate, *two, 0, "test"}));
  for (uint64_t n = 0; n < 6; ++n) {
    auto before = collect(open[n]);
    BOOST_TEST((before.end.reason == finish_reason::length));
    BOOST_TEST((before.tokens == expected[before.end.version][n]));
    auto after = run(rt, n);
    BOOST_TEST(after.end.version == *two);
    BOOST_TEST((after.tokens == expected[2][n]));
  }
  // Idle, the first one leaves, with its nodes.
  BOOST_TEST(comes_to(rt, [](auto& s) { return find(s, 1) == nullptr; }));
  BOOST_TEST(rt.status()->nodes.size() == 3u);
  auto no = run(rt, 0, 1);
  BOOST_TEST((no.end.code == errc::no_node));
}

BOOST_FIXTURE_TEST_CASE(what_does_not_fit_is_refused_with_the_reason, fixture) {
  auto rt = open();
  auto none = rt.load_version("none", dir.file("none.gguf"));
  BOOST_REQUIRE(!none.ok());
  BOOST_TEST((none.failure().code == errc::io_error));
  std::ofstream{dir.file("bad.gguf")} << "nothing";
  auto bad = rt.load_version("bad", dir.file("bad.gguf"));
  BOOST_REQUIRE(bad.ok());
  auto short_one = testing::tiny_model_options{};
  short_one.context = 128;
  testing::write_tiny_model(dir.file("short.gguf"), short_one);
  auto small = rt.load_version("short", dir.file("short.gguf"));
  BOOST_REQUIRE(small.ok());
  auto why = [&](version_id v) {
    auto text = std::string{};
    BOOST_REQUIRE(comes_to(rt, [&](auto& s) {
      for (auto& n : s.notes)
        if (n.version == v && n.what == version_event::failed)
          text = n.why;
      return !text.empty();
    }));
    return text;
  };
  BOOST_TEST(why(*bad).find("bad.gguf") != std::string::npos);
  BOOST_TEST(why(*small).find("context") != std::string::npos);
  BOOST_TEST(rt.status()->nodes.size() == 1u);
  auto same = rt.load_version("tiny1", file(2));
  BOOST_TEST(!same.ok());
  BOOST_TEST(!rt.command({version_command::kind::promote, 0, 0, ""}).ok());
}

BOOST_FIXTURE_TEST_CASE(versions_outlive_the_process, fixture) {
  {
    auto rt = open();
    auto two = rt.load_version("two", file(2));
    BOOST_REQUIRE(two.ok() && is_ready(rt, *two));
    BOOST_REQUIRE(rt.command({version_command::kind::canary, *two, 0.5, ""}));
    BOOST_REQUIRE(rt.command({version_command::kind::promote, 0, 0, ""}));
    auto three = rt.load_version("three", file(1));
    BOOST_REQUIRE(three.ok() && is_ready(rt, *three));
    BOOST_REQUIRE(
        rt.command({version_command::kind::canary, *three, 0.25, ""}));
  }
  auto rt = open(1);
  BOOST_TEST(rt.model_path() == file(2));
  BOOST_TEST(run(rt, 1).end.version >= 2u);
  BOOST_REQUIRE(is_ready(rt, 3));
  auto s = rt.versions();
  BOOST_REQUIRE(s.ok());
  BOOST_TEST(s->active == 2u);
  BOOST_TEST(s->canary == 3u);
  BOOST_TEST(s->share == 0.25);
}

BOOST_FIXTURE_TEST_CASE(a_broken_state_is_named, fixture) {
  std::ofstream{dir.file("versions")} << "troupe-versions 1\nlast x\n";
  auto o = runtime_options{};
  o.model = file(1);
  o.versions.state_file = dir.file("versions");
  auto r = runtime::open(o);
  BOOST_REQUIRE(!r.ok());
  BOOST_TEST(r.failure().message.find(dir.file("versions") + ": ")
             != std::string::npos);
  BOOST_TEST(r.failure().message.find("line 2") != std::string::npos);
}

// Vectors of different models cannot be compared.
BOOST_FIXTURE_TEST_CASE(texts_of_one_request_are_embedded_by_one_version,
                        fixture) {
  auto r = embed_request{};
  for (uint64_t n = 0; n < 20; ++n)
    r.inputs.push_back(request_of(n).prompt);
  auto rt = open(1);
  auto two = rt.load_version("two", file(2));
  BOOST_REQUIRE(two.ok());
  BOOST_REQUIRE(is_ready(rt, *two));
  auto of = std::map<version_id, std::vector<std::vector<float>>>{};
  for (auto v : {version_id{1}, *two}) {
    r.version = v;
    auto all = rt.embed(r);
    BOOST_TEST(all.end.version == v);
    of[v] = all.vectors;
  }
  BOOST_TEST((of[1] != of[*two]));
  r.version = 0;
  BOOST_REQUIRE(rt.command({version_command::kind::canary, *two, 0.5, {}}));
  auto versions = std::map<version_id, int>{};
  for (auto i = 0; i < 40; ++i) {
    auto all = rt.embed(r);
    BOOST_REQUIRE((all.end.reason == finish_reason::stop));
    ++versions[all.end.version];
    BOOST_TEST((all.vectors == of[all.end.version]));
  }
  BOOST_TEST(versions.size() == 2u);
  // None is left that would keep a version.
  BOOST_REQUIRE(rt.command({version_command::kind::promote, 0, 0, "test"}));
  BOOST_TEST(comes_to(rt, [&](auto& s) {
    auto* i = find(s, 1);
    return i == nullptr || i->under_way == 0;
  }));
}

BOOST_AUTO_TEST_SUITE_END()
