#include "runtime/http/metrics.hpp"

#include <algorithm>
#include <charconv>

namespace troupe::http {

namespace {

std::string plain(double x) {
  char text[32];
  return {text, std::to_chars(text, text + sizeof(text), x).ptr};
}

void declare(std::string& out, std::string_view name, std::string_view type,
             std::string_view help) {
  for (auto part : {std::string_view{"# HELP "}, name, std::string_view{" "},
                    help, std::string_view{"\n# TYPE "}, name,
                    std::string_view{" "}, type, std::string_view{"\n"}})
    out += part;
}

void value(std::string& out, std::string_view name, std::string_view type,
           std::string_view help, uint64_t x) {
  declare(out, name, type, help);
  out += name;
  out += ' ' + std::to_string(x) + '\n';
}

void write_nodes(std::string& out, const cluster_status& s) {
  auto used = uint64_t{0}, total = uint64_t{0}, cached = uint64_t{0},
       waiting = uint64_t{0}, running = uint64_t{0};
  for (auto& n : s.nodes) {
    used += n.blocks_in_use;
    total += n.blocks_total;
    cached += n.cached_blocks;
    waiting += n.waiting;
    running += n.sequences;
  }
  value(out, "troupe_nodes", "gauge", "Nodes that answer.", s.nodes.size());
  value(out, "troupe_sequences_running", "gauge", "Sequences on nodes.",
        running);
  value(out, "troupe_sequences_waiting", "gauge",
        "Sequences that wait for blocks or their turn.", waiting);
  value(out, "troupe_kv_blocks", "gauge", "KV blocks of all nodes.", total);
  value(out, "troupe_kv_blocks_in_use", "gauge",
        "KV blocks that sequences hold.", used);
  value(out, "troupe_kv_blocks_cached", "gauge",
        "KV blocks kept for prompts to come.", cached);
}

} // namespace

void time_histogram::record(duration d) {
  auto seconds = std::chrono::duration<double>(d).count();
  auto i = std::lower_bound(bounds.begin(), bounds.end(), seconds);
  ++counts_[static_cast<size_t>(i - bounds.begin())];
  sum_ += seconds;
}

void time_histogram::write(std::string& out, std::string_view name) const {
  auto bucket = [&](const std::string& bound, uint64_t n) {
    out += name;
    out += "_bucket{le=\"" + bound + "\"} " + std::to_string(n) + '\n';
  };
  auto sum = uint64_t{0};
  for (size_t i = 0; i < bounds.size(); ++i)
    bucket(plain(bounds[i]), sum += counts_[i]);
  bucket("+Inf", sum += counts_.back());
  out += name;
  out += "_sum " + plain(sum_) + '\n';
  out += name;
  out += "_count " + std::to_string(sum) + '\n';
}

std::string to_prometheus(const metrics& m, const gauges& now,
                          const cluster_status* nodes) {
  auto out = std::string{};
  declare(out, "troupe_http_requests_total", "counter",
          "Requests by endpoint and status.");
  for (auto& [key, n] : m.requests) {
    out += "troupe_http_requests_total{endpoint=\"";
    out += key.first;
    out += "\",status=\"" + std::to_string(key.second) + "\"} "
           + std::to_string(n) + '\n';
  }
  value(out, "troupe_http_connections", "gauge", "Connections.",
        now.connections);
  value(out, "troupe_http_connections_total", "counter", "Connections so far.",
        m.connections_total);
  value(out, "troupe_http_connections_refused_total", "counter",
        "Connections beyond the most allowed.", m.connections_refused);
  value(out, "troupe_http_body_bytes", "gauge",
        "Bytes of bodies that are held in memory.", now.body_bytes);
  value(out, "troupe_answers_in_flight", "gauge", "Answers under way.",
        now.answers);
  value(out, "troupe_answers_cancelled_total", "counter",
        "Answers whose client left.", m.cancelled);
  value(out, "troupe_prompt_tokens_total", "counter", "Tokens of prompts.",
        m.prompt_tokens);
  value(out, "troupe_prompt_tokens_cached_total", "counter",
        "Tokens of prompts whose KV was kept.", m.cached_tokens);
  value(out, "troupe_generated_tokens_total", "counter", "Tokens generated.",
        m.generated_tokens);
  declare(out, "troupe_time_to_first_token_seconds", "histogram",
          "From a request's first byte to its first token.");
  m.time_to_first_token.write(out, "troupe_time_to_first_token_seconds");
  declare(out, "troupe_answer_seconds", "histogram",
          "From a request's first byte to its answer's end.");
  m.answer_time.write(out, "troupe_answer_seconds");
  if (nodes)
    write_nodes(out, *nodes);
  return out;
}

} // namespace troupe::http
