#include "runtime/http/metrics.hpp"

#include <nlohmann/json.hpp>

#include "actors/activity.hpp"
#include "core/observe/export.hpp"

namespace troupe::http {

namespace {

constexpr auto window_part = std::chrono::seconds{5};
constexpr auto window_parts = size_t{13}; // a minute, and what is under way

// The names are good ones, and nobody else's.
counter& count(metric_registry& all, const char* name, const char* help) {
  return (*all.counters(name, help))->with();
}

metric_snapshot
value_of(const char* name, const char* help, uint64_t x,
         metric_snapshot::type kind = metric_snapshot::type::gauge) {
  auto m = metric_snapshot{};
  m.about.name = name;
  m.about.help = help;
  m.kind = kind;
  m.all.push_back({{}, x});
  return m;
}

void add_nodes(metrics_snapshot& to, const cluster_status& s) {
  auto used = uint64_t{0}, total = uint64_t{0}, cached = uint64_t{0},
       waiting = uint64_t{0}, running = uint64_t{0};
  for (auto& n : s.nodes) {
    used += n.blocks_in_use;
    total += n.blocks_total;
    cached += n.cached_blocks;
    waiting += n.waiting;
    running += n.sequences;
  }
  for (auto& [name, help, x] :
       {std::tuple{"troupe_nodes", "Nodes that answer.",
                   uint64_t{s.nodes.size()}},
        {"troupe_sequences_running", "Sequences on nodes.", running},
        {"troupe_sequences_waiting",
         "Sequences that wait for blocks or their turn.", waiting},
        {"troupe_kv_blocks", "KV blocks of all nodes.", total},
        {"troupe_kv_blocks_in_use", "KV blocks that sequences hold.", used},
        {"troupe_kv_blocks_cached", "KV blocks kept for prompts to come.",
         cached}})
    to.push_back(value_of(name, help, x));
}

void add_actors(metrics_snapshot& to) {
  auto messages = metric_snapshot{}, alive = metric_snapshot{};
  messages.about = {"troupe_actor_messages_total",
                    "Messages handled, by kind of actor.",
                    {"actor"}};
  messages.kind = metric_snapshot::type::counter;
  alive.about = {"troupe_actors", "Actors that live, by kind.", {"actor"}};
  alive.kind = metric_snapshot::type::gauge;
  for (auto& a : actor_activities()) {
    messages.all.push_back({{std::string{a.name}}, a.messages});
    alive.all.push_back({{std::string{a.name}}, a.alive});
  }
  to.push_back(std::move(messages));
  to.push_back(std::move(alive));
}

void add_cache(metrics_snapshot& to, const cache_status& s) {
  using enum metric_snapshot::type;
  for (auto& [name, help, x, kind] :
       {std::tuple{"troupe_cache_hits_total",
                   "Answers that were there already.", s.hits, counter},
        {"troupe_cache_misses_total", "Answers computed, to be kept.", s.misses,
         counter},
        {"troupe_cache_waited_total",
         "Requests that waited for another's answer.", s.waited, counter},
        {"troupe_cache_expired_total", "Answers that grew too old.", s.expired,
         counter},
        {"troupe_cache_evicted_total", "Answers that gave way to others.",
         s.evicted, counter},
        {"troupe_cache_entries", "Answers that are kept.", s.entries, gauge},
        {"troupe_cache_bytes", "Bytes of them.", s.bytes, gauge},
        {"troupe_cache_semantic_hits_total",
         "Answers to requests in other words.", s.semantic_hits, counter},
        {"troupe_cache_explored_total",
         "Requests computed though an answer was near, to learn from.",
         s.explored, counter},
        {"troupe_cache_confirmed_total",
         "Of these, those whose answer was the same.", s.confirmed, counter},
        {"troupe_cache_semantic_entries",
         "Answers kept for requests in other words.", s.semantic_entries,
         gauge},
        {"troupe_cache_semantic_bytes", "Bytes of them.", s.semantic_bytes,
         gauge}})
    to.push_back(value_of(name, help, x, kind));
}

nlohmann::json percentiles(const histogram_counts& h) {
  auto at = std::array{0.5, 0.95, 0.99};
  auto ns = std::array<uint64_t, 3>{};
  h.quantiles(at, ns);
  auto ms = [](uint64_t x) { return static_cast<double>(x) * 1e-6; };
  return {{"count", h.count()},
          {"p50", ms(ns[0])},
          {"p95", ms(ns[1])},
          {"p99", ms(ns[2])}};
}

} // namespace

timing::timing(metric_registry& all, const char* name, const char* help,
               time_point now)
    : all_((*all.histograms(name, help))->with()),
      recorder_(all_.make_recorder()), window_(window_part, window_parts, now) {
}

histogram_counts timing::recent(time_point now) {
  return window_.update(all_.counts(), now);
}

metrics::metrics(time_point now)
    : requests(**all.counters("troupe_http_requests_total",
                              "Requests by endpoint and status.",
                              {"endpoint", "status"})),
      connections(
          count(all, "troupe_http_connections_total", "Connections so far.")),
      connections_refused(count(all, "troupe_http_connections_refused_total",
                                "Connections beyond the most allowed.")),
      handshakes_failed(count(all, "troupe_http_handshakes_failed_total",
                              "Connections that ended before TLS began.")),
      prompt_tokens(
          count(all, "troupe_prompt_tokens_total", "Tokens of prompts.")),
      cached_tokens(count(all, "troupe_prompt_tokens_cached_total",
                          "Tokens of prompts whose KV was kept.")),
      generated_tokens(
          count(all, "troupe_generated_tokens_total", "Tokens generated.")),
      cancelled(count(all, "troupe_answers_cancelled_total",
                      "Answers whose client left.")),
      time_to_first_token(all, "troupe_time_to_first_token_seconds",
                          "From a request's first byte to its first token.",
                          now),
      time_per_token(all, "troupe_time_per_output_token_seconds",
                     "Mean time between an answer's tokens.", now),
      answer_time(all, "troupe_answer_seconds",
                  "From a request's first byte to its answer's end.", now) {}

std::string to_prometheus(const metrics& m, const gauges& now,
                          const cluster_status* nodes,
                          const cache_status* cache) {
  auto all = m.all.snapshot();
  all.push_back(
      value_of("troupe_http_connections", "Connections.", now.connections));
  all.push_back(value_of("troupe_http_body_bytes",
                         "Bytes of bodies that are held in memory.",
                         now.body_bytes));
  all.push_back(
      value_of("troupe_answers_in_flight", "Answers under way.", now.answers));
  if (nodes)
    add_nodes(all, *nodes);
  if (cache)
    add_cache(all, *cache);
  add_actors(all);
  return troupe::to_prometheus(all);
}

nlohmann::json recent_latencies(metrics& m, time_point now) {
  return {{"ttft_ms", percentiles(m.time_to_first_token.recent(now))},
          {"tpot_ms", percentiles(m.time_per_token.recent(now))},
          {"answer_ms", percentiles(m.answer_time.recent(now))}};
}

} // namespace troupe::http
