#include "tools/load/run.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/system_error.hpp>

#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>

#include "tools/load/client.hpp"
#include "tools/load/trace.hpp"

namespace troupe::load {

namespace asio = boost::asio;
using clock = std::chrono::steady_clock;
using nlohmann::json;

namespace {

/// After the last requests began.
constexpr auto patience = std::chrono::seconds{60};

double mib_of(int pid) {
  auto total = size_t{0}, resident = size_t{0};
  auto in = std::ifstream{"/proc/" + std::to_string(pid) + "/statm"};
  in >> total >> resident;
  auto page = static_cast<double>(::sysconf(_SC_PAGESIZE));
  return static_cast<double>(resident) * page / (1 << 20);
}

json percentiles(std::vector<double> ms) {
  if (ms.empty())
    return nullptr;
  std::ranges::sort(ms);
  auto at = [&](double p) {
    return ms[static_cast<size_t>(p * static_cast<double>(ms.size() - 1))];
  };
  return {{"p50", at(0.5)}, {"p95", at(0.95)}, {"p99", at(0.99)}};
}

class crowd {
public:
  crowd(const options& o, std::vector<trace> traces,
        asio::ip::tcp::endpoint server,
        const std::function<void(const progress&)>& tell)
      : o_(o), traces_(std::move(traces)), server_(server), tell_(tell) {}

  report run() {
    begun_ = clock::now();
    for (size_t i = 0; i < o_.clients; ++i) {
      ++clients_;
      asio::co_spawn(io_, client_of(), asio::detached);
    }
    asio::co_spawn(io_, watch(), asio::detached);
    io_.run();
    return conclude();
  }

private:
  bool over() const {
    return clock::now() - begun_ >= std::chrono::seconds{o_.seconds};
  }

  std::pair<std::string, uint32_t> next() {
    auto n = asked_++;
    auto& t = traces_[n % traces_.size()];
    auto i = n / traces_.size() % t.rows.size();
    auto tokens = t.rows[i].answer;
    auto j = json{
        {"prompt", prompt_of(t, i, o_.first_token, o_.vocabulary)},
        {"max_tokens", tokens},
        {"stream", true},
        {"stream_options", {{"include_usage", true}}},
        {"ignore_eos", true},
        {"seed", n},
    };
    return {j.dump(), tokens};
  }

  asio::awaitable<void> client_of() {
    auto c = std::make_unique<client>(io_.get_executor(), server_);
    while (!over()) {
      auto [body, tokens] = next();
      ++p_.under_way;
      auto lost = std::string{};
      auto pause = std::chrono::seconds{};
      try {
        pause = note(co_await c->ask(body, tokens));
      } catch (const std::exception& e) {
        lost = e.what();
      }
      --p_.under_way;
      if (!lost.empty()) {
        fail(lost);
        c = std::make_unique<client>(io_.get_executor(), server_);
        co_await wait(std::chrono::seconds{1});
      } else if (pause.count() > 0) {
        co_await wait(pause);
      }
    }
    --clients_;
  }

  asio::awaitable<void> wait(std::chrono::milliseconds d) {
    auto timer = asio::steady_timer{io_, d};
    co_await timer.async_wait(asio::use_awaitable);
  }

  void fail(const std::string& why) {
    ++p_.failed;
    if (failures_.size() < 10)
      failures_.push_back(why);
  }

  // Returns how long the client is to wait.
  std::chrono::seconds note(const outcome& o) {
    switch (o.is) {
    case outcome::kind::failed:
      fail(o.why);
      break;
    case outcome::kind::turned_away:
      ++p_.turned_away;
      return std::max(o.retry_after, std::chrono::seconds{1});
    case outcome::kind::whole:
      count(o);
      break;
    }
    return {};
  }

  void count(const outcome& o) {
    ++p_.whole;
    tokens_ += o.tokens;
    auto ms = [](auto d) {
      return std::chrono::duration<double, std::milli>(d).count();
    };
    first_.push_back(ms(o.first));
    if (o.tokens > 1)
      between_.push_back(ms(o.last - o.first) / (o.tokens - 1));
  }

  asio::awaitable<void> watch() {
    while (clients_ > 0) {
      co_await wait(std::chrono::seconds{1});
      auto since = clock::now() - begun_;
      auto s = std::chrono::duration<double>(since).count();
      p_.seconds = static_cast<int>(s);
      p_.tokens_per_second = static_cast<double>(tokens_) / s;
      if (o_.pid != 0) {
        p_.server_mib = mib_of(o_.pid);
        auto& most = p_.seconds <= o_.settle ? early_ : late_;
        most = std::max(most, p_.server_mib);
      }
      tell_(p_);
      if (since > std::chrono::seconds{o_.seconds} + patience) {
        for (size_t i = 0; i < p_.under_way; ++i)
          fail("not ended a minute after all had begun");
        io_.stop();
      }
    }
  }

  report conclude() {
    auto j = json{{"clients", o_.clients},
                  {"seconds", p_.seconds},
                  {"whole", p_.whole},
                  {"turned_away", p_.turned_away},
                  {"failed", p_.failed},
                  {"tokens", tokens_},
                  {"tokens_per_second", p_.tokens_per_second},
                  {"ttft_ms", percentiles(first_)},
                  {"tpot_ms", percentiles(between_)}};
    if (!failures_.empty())
      j["failures"] = failures_;
    if (o_.pid != 0)
      j["server_mib"] = {{"most_until_settled", early_},
                         {"most_later", late_},
                         {"last", p_.server_mib}};
    return {p_.failed == 0 && p_.whole > 0, j.dump(2)};
  }

  const options& o_;
  std::vector<trace> traces_;
  asio::ip::tcp::endpoint server_;
  const std::function<void(const progress&)>& tell_;
  asio::io_context io_{1};
  clock::time_point begun_;
  size_t asked_ = 0;
  size_t clients_ = 0; ///< that go on
  progress p_;
  uint64_t tokens_ = 0;
  std::vector<double> first_, between_;
  std::vector<std::string> failures_;
  double early_ = 0, late_ = 0;
};

} // namespace

result<report> run(const options& o,
                   const std::function<void(const progress&)>& tell) {
  auto port = uint16_t{0};
  std::from_chars(o.port.data(), o.port.data() + o.port.size(), port);
  auto bad = boost::system::error_code{};
  auto address = asio::ip::make_address(o.host, bad);
  if (bad || port == 0)
    return fail(errc::invalid_argument,
                "--at takes an address and a port, as in 127.0.0.1:8080");
  auto traces = std::vector<trace>{};
  for (auto& path : o.traces) {
    auto t = read_trace(path);
    if (!t)
      return t.failure();
    traces.push_back(scaled(std::move(*t), o.context));
  }
  return crowd{o, std::move(traces), {address, port}, tell}.run();
}

} // namespace troupe::load
