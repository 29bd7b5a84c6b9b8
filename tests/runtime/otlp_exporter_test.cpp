#include "runtime/otlp_exporter.hpp"

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/streambuf.hpp>
#include <boost/asio/write.hpp>
#include <boost/test/unit_test.hpp>

#include <atomic>
#include <functional>
#include <future>
#include <nlohmann/json.hpp>
#include <thread>

#include "runtime/post_json.hpp"
#include "runtime/runtime.hpp"
#include "tests/support/core/temp_dir.hpp"
#include "tests/support/core/tiny_model.hpp"

using namespace troupe;
using namespace std::chrono_literals;
namespace asio = boost::asio;
using asio::ip::tcp;

namespace {

// Whoever collects: takes requests one after the other, and has one answer.
class collector {
public:
  using handler =
      std::function<bool(const std::string& path, const std::string& body)>;

  // Until `heard` says that it was the last one.
  collector(std::string status, handler heard)
      : status_(std::move(status)), heard_(std::move(heard)),
        thread_([this] { run(); }) {}
  ~collector() { thread_.join(); }

  std::string url() const {
    return "http://127.0.0.1:" + std::to_string(at_.local_endpoint().port());
  }

private:
  static std::string text_of(const asio::streambuf& b, size_t n) {
    return {static_cast<const char*>(b.data().data()), n};
  }

  void run() {
    for (auto more = true; more;) {
      auto socket = at_.accept();
      auto buffer = asio::streambuf{};
      auto n = asio::read_until(socket, buffer, "\r\n\r\n");
      auto head = text_of(buffer, n);
      buffer.consume(n);
      auto length = std::stoul(head.substr(head.find("Content-Length: ") + 16));
      auto ec = boost::system::error_code{};
      while (!ec && buffer.size() < length)
        asio::read(socket, buffer, asio::transfer_at_least(1), ec);
      auto body = text_of(buffer, buffer.size());
      auto path = head.substr(5, head.find(' ', 5) - 5);
      asio::write(socket, asio::buffer("HTTP/1.1 " + status_
                                       + "\r\ncontent-length: 2\r\n\r\n{}"));
      more = heard_(path, body);
    }
  }

  asio::io_context io_;
  tcp::acceptor at_{io_, {asio::ip::make_address("127.0.0.1"), 0}};
  std::string status_;
  handler heard_;
  std::thread thread_;
};

generate_request request() {
  auto r = generate_request{};
  r.prompt = {1, 2, 3};
  r.max_tokens = 3;
  r.ignore_end = true;
  return r;
}

const std::atomic<bool> going_on{false};

} // namespace

BOOST_AUTO_TEST_SUITE(otlp_exporter_suite)

BOOST_AUTO_TEST_CASE(addresses) {
  auto a = parse_http_address("http://collector:4318/v2/");
  BOOST_REQUIRE(a);
  BOOST_TEST(a->host == "collector");
  BOOST_TEST(a->port == "4318");
  BOOST_TEST(a->path == "/v2");
  BOOST_TEST(parse_http_address("http://x")->port == "80");
  auto six = parse_http_address("http://[::1]:4318/");
  BOOST_REQUIRE(six);
  BOOST_TEST(six->host == "::1");
  BOOST_TEST(six->port == "4318");
  BOOST_TEST(parse_http_address("http://[::1]")->port == "80");
  for (auto* bad : {"", "https://x", "http://", "http://x:", "http://x:y",
                    "http://x:123456", "http://x:99999", "http://[::1",
                    "http://[::1]4318", "http://a:b:80", "http://x/ y", "x:80"})
    BOOST_TEST(!parse_http_address(bad), bad);
}

BOOST_AUTO_TEST_CASE(a_collector_that_refuses_is_named) {
  auto c = collector{"400 Bad Request", [](auto&&...) { return false; }};
  auto to = parse_http_address(c.url());
  auto sent = post_json(*to, "/v1/traces", "{}", 5s, going_on);
  BOOST_REQUIRE(!sent);
  BOOST_TEST(sent.failure().message.find("400") != std::string::npos);
  BOOST_TEST((sent.failure().code == errc::invalid_argument));
}

BOOST_AUTO_TEST_CASE(who_does_not_answer_is_not_waited_for_once_all_is_over) {
  auto io = asio::io_context{};
  auto silent = tcp::acceptor{io, {asio::ip::make_address("127.0.0.1"), 0}};
  auto to = http_address{"127.0.0.1",
                         std::to_string(silent.local_endpoint().port()), ""};
  auto over = std::atomic<bool>{true};
  BOOST_TEST(
      (post_json(to, "/", "{}", 1h, over).failure().code == errc::timeout));
  BOOST_TEST((post_json(to, "/", "{}", 1ms, going_on).failure().code
              == errc::timeout));
}

BOOST_AUTO_TEST_CASE(requests_and_their_times_arrive) {
  auto spans = std::promise<nlohmann::json>{};
  auto metrics = std::promise<std::string>{};
  auto has_spans = false, has_metrics = false;
  auto c = collector{
      "200 OK", [&](const std::string& path, const std::string& body) {
        if (path == "/v1/traces" && !has_spans) {
          spans.set_value(nlohmann::json::parse(body));
          has_spans = true;
        } else if (path == "/v1/metrics" && !has_metrics && has_spans) {
          metrics.set_value(body);
          has_metrics = true;
        }
        return !has_spans || !has_metrics;
      }};
  auto dir = testing::temp_dir{};
  testing::write_tiny_model(dir.file("tiny.gguf"));
  auto o = runtime_options{};
  o.model = dir.file("tiny.gguf");
  o.threads = 1;
  o.otlp.emplace();
  o.otlp->endpoint = c.url();
  o.otlp->interval = 20ms;
  auto rt = runtime::open(std::move(o));
  BOOST_REQUIRE(rt);
  auto g = rt->submit(request());
  BOOST_REQUIRE(g);
  BOOST_TEST(collect(*g).tokens.size() == 3u);
  auto all = spans.get_future().get();
  auto text = all.dump();
  for (auto* name : {"prefill", "decode", "queue"})
    BOOST_TEST(text.find('"' + std::string{name} + '"') != std::string::npos,
               name);
  BOOST_TEST(metrics.get_future().get().find("troupe_stage_seconds")
             != std::string::npos);
}

BOOST_AUTO_TEST_CASE(what_is_no_address_is_refused_at_once) {
  auto dir = testing::temp_dir{};
  testing::write_tiny_model(dir.file("tiny.gguf"));
  auto o = runtime_options{};
  o.model = dir.file("tiny.gguf");
  o.threads = 1;
  o.otlp.emplace();
  o.otlp->endpoint = "nowhere";
  auto rt = runtime::open(std::move(o));
  BOOST_REQUIRE(!rt);
  BOOST_TEST(rt.failure().message.find("nowhere") != std::string::npos);
}

BOOST_AUTO_TEST_SUITE_END()
