#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/thread_pool.hpp>

#include <atomic>
#include <memory>
#include <unordered_set>

#include "core/api/openai_answer.hpp"
#include "core/base/random.hpp"
#include "runtime/http/metrics.hpp"
#include "runtime/http/options.hpp"
#include "runtime/runtime.hpp"

namespace boost::asio::ssl {
class context;
}

namespace troupe::http {

class connection;

inline time_point now() {
  return std::chrono::steady_clock::now();
}

/// What all connections share. Used by the thread that runs `io` alone, but for
/// what says otherwise.
struct server_state {
  server_state(runtime& r, http_options o)
      : rt(r), options(std::move(o)), counts(now()) {
    if (options.keys)
      keys.emplace(*options.keys);
  }

  runtime& rt;                  ///< of any thread
  const http_options options;   ///< of any thread
  std::optional<key_ring> keys; ///< of any thread; empty: anybody may ask
  /// Of clients; null: in the clear.
  std::shared_ptr<boost::asio::ssl::context> tls;
  api::model_card card;     ///< of any thread, once the server runs
  size_t longest_token = 0; ///< bytes; the same
  uint64_t random_key = 0;  ///< the same
  std::atomic<uint64_t> draws = 0;

  std::unordered_set<connection*> connections;
  uint32_t answers = 0;    ///< under way
  uint64_t body_bytes = 0; ///< held by requests
  metrics counts;
  bool stopping = false;

  boost::asio::io_context io{1};
  /// What takes long, or waits.
  boost::asio::thread_pool worker{1};
  /// What asks nodes, which may take seconds, for anybody who asks.
  boost::asio::thread_pool watchers{1};
  /// The same for operators.
  boost::asio::thread_pool operators{2};
  /// What takes minutes.
  boost::asio::thread_pool movers{2};
  /// What reads recorded messages: one at a time, for its memory.
  boost::asio::thread_pool readers{1};

  /// Of any thread.
  uint64_t random() { return random_bits(random_key, draws++); }

  /// 16 hexadecimal digits.
  std::string random_name() {
    auto bits = random();
    auto name = std::string(16, '0');
    for (auto i = name.rbegin(); i != name.rend(); ++i, bits >>= 4)
      *i = "0123456789abcdef"[bits & 15];
    return name;
  }
};

} // namespace troupe::http
