#include <boost/test/unit_test.hpp>

#include <array>
#include <atomic>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <string>
#include <thread>
#include <vector>

#include "core/base/random.hpp"
#include "runtime/embedding.hpp"
#include "tests/runtime/tiny_request.hpp"
#include "tests/support/core/temp_dir.hpp"

using namespace troupe;
using testing::request_of;

namespace {

constexpr auto threads = 5u;
constexpr auto calls_each = 200u;

/// Threads of a host that do with a few runtimes whatever can be done, and open
/// and close them meanwhile. A runtime is closed by nobody who has not waited
/// for the calls of others: that is a host's to see to.
class host {
public:
  host() {
    testing::write_tiny_model(dir_.file("tiny.gguf"));
    auto rt = open(0);
    BOOST_REQUIRE(rt.ok());
    expected_ = generate(*rt, request_of(3, 20, 12))->tokens;
  }

  void run() {
    auto all = std::vector<std::jthread>{};
    for (auto t = 0u; t < threads; ++t)
      all.emplace_back([this, t] {
        for (auto i = 0u; i < calls_each; ++i)
          once(random_bits(t, i));
      });
  }

  unsigned wrong() const { return wrong_; }
  unsigned failed() const { return failed_; }

private:
  struct slot {
    std::shared_mutex mutex;
    std::unique_ptr<runtime> rt;
  };

  result<runtime> open(uint64_t choice) {
    auto o = runtime_options{};
    o.model = dir_.file("tiny.gguf");
    o.threads = 1;
    if (choice % 3 == 1) {
      o.nodes.prefill.resize(1);
      o.nodes.decode.resize(2);
    } else if (choice % 3 == 2) {
      o.nodes.mixed.resize(2);
    }
    if (choice % 4 == 0)
      o.cache.emplace();
    if (choice % 5 == 0)
      o.drain_within = std::chrono::milliseconds{20};
    return runtime::open(std::move(o));
  }

  void once(uint64_t choice) {
    auto& s = slots_[choice % slots_.size()];
    auto rest = choice >> 8;
    if (rest % 16 == 0) {
      auto alone = std::lock_guard{s.mutex};
      s.rt.reset();
      if (auto rt = open(rest / 16))
        s.rt = std::make_unique<runtime>(std::move(*rt));
      else
        ++failed_;
      return;
    }
    auto guard = std::shared_lock{s.mutex};
    if (s.rt)
      call(*s.rt, rest);
  }

  void call(runtime& rt, uint64_t choice) {
    auto r = request_of(3, 20, 12);
    auto left = choice / 16 % 6; // events until it loses interest
    switch (choice % 16) {
    case 1:
    case 2:
    case 3:
      return expect(generate(rt, r));
    case 4:
    case 5:
      return expect(rt.submit(r, in_between::little));
    case 6:
      return expect(rt.submit(r));
    case 7:
    case 8: {
      auto g = rt.submit(r);
      for (; g && left > 0; --left)
        g->next();
      return check(g.ok());
    }
    case 9:
      return check(
          generate(rt, r, [&](const token_event&) { return left-- > 0; }).ok());
    case 10:
    case 11:
      rt.submit(r, [](const generation::event&) {});
      return;
    case 12: {
      auto e = embed_request{};
      e.inputs = {{5, 6, 7}, {8, 9}};
      return check(rt.embed(std::move(e)).vectors.size() == 2);
    }
    case 13: {
      auto g = rt.submit(r);
      if (g) // it may be on that node, or have ended
        static_cast<void>(rt.migrate(g->id(), 1 + left % 3));
      return expect(std::move(g));
    }
    case 14: {
      auto o = trace_options{};
      o.file = dir_.file("trace" + std::to_string(choice));
      if (!rt.start_trace(o)) // somebody records
        return;
      expect(generate(rt, r));
      return check(rt.stop_trace().ok());
    }
    default:
      return check(rt.status() && rt.versions() && rt.latencies());
    }
  }

  void expect(result<generation> g) {
    check(g.ok());
    if (g)
      expect(result<completion>{collect(*g)});
  }

  void expect(const result<completion>& c) {
    check(c.ok());
    if (c && c->tokens != expected_)
      ++wrong_;
  }

  void check(bool ok) {
    if (!ok)
      ++failed_;
  }

  testing::temp_dir dir_;
  std::vector<token_id> expected_;
  std::array<slot, 3> slots_;
  std::atomic<unsigned> wrong_{0};
  std::atomic<unsigned> failed_{0};
};

} // namespace

BOOST_AUTO_TEST_SUITE(host_storm)

BOOST_AUTO_TEST_CASE(whatever_threads_do_each_gets_its_tokens) {
  auto h = host{};
  h.run();
  BOOST_TEST(h.wrong() == 0u);
  BOOST_TEST(h.failed() == 0u);
}

BOOST_AUTO_TEST_SUITE_END()
