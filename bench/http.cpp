#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <span>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <benchmark/benchmark.h>

#include "core/base/random.hpp"
#include "core/engine/engine.hpp"
#include "core/kv/block_pool.hpp"
#include "core/kv/page_table.hpp"
#include "core/model/model.hpp"
#include "core/sampling/fused_sampler.hpp"
#include "runtime/http/server.hpp"

using namespace troupe;

namespace {

constexpr auto model_path = TROUPE_SOURCE_DIR "/models/troupe-demo.gguf";
constexpr auto prompt_tokens = uint32_t{64};
constexpr auto short_answer = uint32_t{1};
constexpr auto long_answer = uint32_t{129};

using clock_type = std::chrono::steady_clock;
using microseconds = std::chrono::duration<double, std::micro>;

template <class T>
T need(result<T> r) {
  if (!r)
    throw std::runtime_error{r.failure().message};
  return std::move(*r);
}

// Never the same one twice, so that nothing is there already.
std::vector<token_id> prompt_of(uint64_t n) {
  auto ids = std::vector<token_id>(prompt_tokens);
  for (uint32_t i = 0; i < prompt_tokens; ++i)
    ids[i] = static_cast<token_id>(300 + random_bits(n, i) % 3000);
  return ids;
}

sampling_params greedy() {
  auto p = sampling_params{};
  p.temperature = 0;
  return p;
}

// What a request costs without anything around the engine.
class bare_engine {
public:
  explicit bare_engine(std::shared_ptr<const model> m)
      : vocab_(m->params.vocab),
        engine_(std::move(m), {1, 256, nullptr, activation_type::i8}),
        pool_(make_block_arena(engine_.layout(kv_dtype::f16)), 1024) {}

  // Requests from `n` on, all in one batch once their prompts are computed.
  void run(uint64_t n, uint32_t requests, uint32_t answer) {
    auto all = std::vector<sequence>(requests);
    for (auto& s : all) {
      s.prompt = prompt_of(n++);
      if (!s.table.grow(pool_, prompt_tokens + answer))
        throw std::runtime_error{"no memory"};
    }
    for (size_t i = 0; i < all.size(); i += prompts_at_once)
      step(std::span{all}.subspan(
          i, std::min<size_t>(prompts_at_once, all.size() - i)));
    for (auto i = 1u; i < answer; ++i)
      step(all);
  }

private:
  static constexpr auto prompts_at_once = size_t{256 / prompt_tokens};

  struct sequence {
    std::vector<token_id> prompt;
    std::vector<token_id> generated;
    page_table table;
  };

  void step(std::span<sequence> some) {
    rows_.clear();
    for (auto& s : some) {
      auto& row = rows_.emplace_back();
      row.table = &s.table;
      row.tokens = s.generated.empty() ? std::span{s.prompt}
                                       : std::span{s.generated}.last(1);
      row.want_logits = true;
    }
    auto logits = need(engine_.forward(rows_));
    for (size_t i = 0; i < some.size(); ++i) {
      auto& s = some[i];
      auto drawn = sampler_.sample(
          logits.subspan(i * vocab_, vocab_), s.prompt, s.generated,
          static_cast<uint32_t>(s.generated.size()), greedy_);
      s.generated.push_back(need(std::move(drawn)).id);
    }
  }

  size_t vocab_;
  engine engine_;
  block_pool pool_;
  fused_sampler sampler_;
  sampling_params greedy_ = greedy();
  std::vector<batch_row> rows_;
};

// A client on one connection.
class http_stream {
public:
  explicit http_stream(uint16_t port)
      : socket_(::socket(AF_INET, SOCK_STREAM, 0)) {
    auto at = sockaddr_in{};
    at.sin_family = AF_INET;
    at.sin_port = htons(port);
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    auto on = 1;
    ::setsockopt(socket_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (::connect(socket_, reinterpret_cast<sockaddr*>(&at), sizeof at) != 0)
      throw std::runtime_error{"cannot connect"};
  }
  http_stream(http_stream&& other) noexcept
      : socket_(std::exchange(other.socket_, -1)) {}
  ~http_stream() { ::close(socket_); }

  void ask(uint64_t n, uint32_t answer) {
    auto body = std::string{"{\"prompt\":["};
    for (auto id : prompt_of(n))
      body += std::to_string(id) + ",";
    body.back() = ']';
    body += ",\"temperature\":0,\"ignore_eos\":true,\"stream\":true,"
            "\"max_tokens\":"
            + std::to_string(answer) + "}";
    auto text = "POST /v1/completions HTTP/1.1\r\nhost: localhost\r\n"
                "content-type: application/json\r\ncontent-length: "
                + std::to_string(body.size()) + "\r\n\r\n" + body;
    if (::write(socket_, text.data(), text.size())
        != static_cast<ssize_t>(text.size()))
      throw std::runtime_error{"cannot write"};
  }

  void read_to_end() {
    auto in = std::string{};
    char piece[16384];
    while (!in.ends_with("\r\n0\r\n\r\n")) {
      auto n = ::read(socket_, piece, sizeof piece);
      if (n <= 0)
        throw std::runtime_error{"the stream ended"};
      in.append(piece, static_cast<size_t>(n));
    }
    if (!in.starts_with("HTTP/1.1 200")
        || in.find("data: [DONE]") == std::string::npos)
      throw std::runtime_error{"no answer: " + in.substr(0, 200)};
  }

private:
  int socket_;
};

// Of `part` of them no value is larger.
double quantile(std::vector<double> v, double part) {
  auto at = static_cast<ptrdiff_t>(part * static_cast<double>(v.size() - 1));
  std::ranges::nth_element(v, v.begin() + at);
  return v[static_cast<size_t>(at)];
}

// The same requests, so many at a time, by the bare engine, by a runtime in the
// process, and over HTTP, in turns, alone on the machine but for each other's
// idle threads. What the last two take longer than the first, right before, is
// what actors, and actors and HTTP, cost: the median of all turns, and where
// half of them lie, since machines change their speed.
void overhead(benchmark::State& state) {
  auto requests = static_cast<uint32_t>(state.range(0));
  auto o = runtime_options{};
  o.model = model_path;
  o.threads = 1;
  o.kv = kv_dtype::f16;
  o.prefix_cache = false;
  auto rt = need(runtime::open(o));
  auto h = http_options{};
  h.port = 0;
  auto server = need(http_server::start(rt, h));
  auto clients = std::vector<http_stream>{};
  for (auto i = 0u; i < requests; ++i)
    clients.emplace_back(server.port());
  auto engine = bare_engine{need(load_model(model_path))};
  auto by_runtime = [&](uint64_t n, uint32_t answer) {
    auto all = std::vector<generation>{};
    for (auto i = 0u; i < requests; ++i) {
      auto r = generate_request{};
      r.prompt = prompt_of(n + i);
      r.sampling = greedy();
      r.max_tokens = answer;
      r.ignore_end = true;
      all.push_back(need(rt.submit(std::move(r))));
    }
    for (auto& g : all)
      if (collect(g).tokens.size() != answer)
        throw std::runtime_error{"an answer is too short"};
  };
  auto over_http = [&](uint64_t n, uint32_t answer) {
    for (auto& c : clients)
      c.ask(n++, answer);
    for (auto& c : clients)
      c.read_to_end();
  };
  auto n = uint64_t{1};
  std::vector<double> took[3][2];
  auto time = [&](int who, auto run) {
    // The others had the caches, with weights of their own.
    run(n, short_answer);
    n += requests;
    for (auto which : {0, 1}) {
      auto begin = clock_type::now();
      run(n, which == 0 ? short_answer : long_answer);
      took[who][which].push_back(
          microseconds{clock_type::now() - begin}.count());
      n += requests;
    }
  };
  for (auto _ : state) {
    time(0, [&](auto i, auto a) { engine.run(i, requests, a); });
    time(1, by_runtime);
    time(2, over_http);
  }
  constexpr auto tokens = double{long_answer - short_answer};
  auto counters = [&](int who, const std::string& name) {
    auto of_request = std::vector<double>{}, of_token = of_request;
    for (size_t i = 0; i < took[who][0].size(); ++i) {
      auto first = took[who][0][i] - took[0][0][i];
      auto all = took[who][1][i] - took[0][1][i];
      of_request.push_back(first / requests);
      of_token.push_back((all - first) / tokens / requests);
    }
    auto show = [&](const std::string& what, const std::vector<double>& v) {
      state.counters[name + what] = quantile(v, .5);
      state.counters[name + what + "_q1"] = quantile(v, .25);
      state.counters[name + what + "_q3"] = quantile(v, .75);
    };
    show("_request_us", of_request);
    show("_token_us", of_token);
  };
  counters(1, "actors");
  counters(2, "http");
  auto first = quantile(took[0][0], .5), all = quantile(took[0][1], .5);
  state.counters["engine_request_us"] = first / requests;
  state.counters["engine_token_us"] = (all - first) / tokens / requests;
}

BENCHMARK(overhead)
    ->Name("overhead/http")
    ->ArgName("at_once")
    ->Arg(1)
    ->Arg(8)
    ->Iterations(60)
    ->UseRealTime()
    ->Unit(benchmark::kMillisecond);
BENCHMARK(overhead)
    ->Name("overhead/http")
    ->ArgName("at_once")
    ->Arg(64)
    ->Iterations(8)
    ->UseRealTime()
    ->Unit(benchmark::kMillisecond);

} // namespace
