#include "runtime/config.hpp"

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>
#include <numeric>
#include <vector>

namespace troupe {

namespace {

using json = nlohmann::json;

// Levenshtein, of words as short as keys are.
size_t distance(const std::string& a, const std::string& b) {
  auto row = std::vector<size_t>(b.size() + 1);
  std::iota(row.begin(), row.end(), size_t{0});
  for (size_t i = 1; i <= a.size(); ++i) {
    auto corner = row[0];
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      auto change = corner + (a[i - 1] == b[j - 1] ? 0 : 1);
      corner = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, change});
    }
  }
  return row.back();
}

// One object of the file: takes its keys one by one; what is left is unknown.
// The first complaint counts.
class section {
public:
  section(const json& j, std::string where) : j_(j), where_(std::move(where)) {
    if (!j.is_object())
      complain(where_.empty() ? "expected an object"
                              : "\"" + where_ + "\" must be an object");
  }

  const json* take(const std::string& key) {
    known_.push_back(key);
    if (!j_.is_object())
      return nullptr;
    auto i = j_.find(key);
    return i != j_.end() ? &*i : nullptr;
  }

  void text(const std::string& key, std::string& to) {
    if (auto* j = take(key)) {
      if (j->is_string() && !j->get_ref<const std::string&>().empty()
          && j->get_ref<const std::string&>().size() < 4096)
        to = j->get<std::string>();
      else
        complain(path(key) + " must be a text");
    }
  }

  void flag(const std::string& key, bool& to) {
    if (auto* j = take(key)) {
      if (j->is_boolean())
        to = j->get<bool>();
      else
        complain(path(key) + " must be true or false");
    }
  }

  template <class Number>
  void number(const std::string& key, uint64_t least, uint64_t most,
              Number& to) {
    if (auto* j = take(key)) {
      if (j->is_number_unsigned() && j->get<uint64_t>() >= least
          && j->get<uint64_t>() <= most)
        to = static_cast<Number>(j->get<uint64_t>());
      else
        complain(path(key) + " must be a number from " + std::to_string(least)
                 + " to " + std::to_string(most));
    }
  }

  void milliseconds(const std::string& key, duration& to) {
    auto ms = uint64_t{0};
    number(key, 1, 3'600'000, ms);
    if (ms > 0)
      to = std::chrono::milliseconds{static_cast<int64_t>(ms)};
  }

  template <class Value>
  void choice(const std::string& key,
              std::vector<std::pair<std::string, Value>> all, Value& to) {
    auto word = std::string{};
    text(key, word);
    if (word.empty())
      return;
    auto names = std::string{};
    for (auto& [name, value] : all) {
      if (name == word) {
        to = value;
        return;
      }
      names += (names.empty() ? "" : ", ") + name;
    }
    complain(path(key) + " must be one of " + names);
  }

  void complain(std::string why) {
    if (complaint_.empty())
      complaint_ = std::move(why);
  }

  // After all keys were taken: what is wrong, or "".
  std::string finish() {
    if (complaint_.empty() && j_.is_object())
      for (auto& [key, value] : j_.items())
        if (std::find(known_.begin(), known_.end(), key) == known_.end()) {
          auto near = *std::min_element(known_.begin(), known_.end(),
                                        [&, &k = key](auto& a, auto& b) {
                                          return distance(a, k.substr(0, 64))
                                                 < distance(b, k.substr(0, 64));
                                        });
          complain("unknown key " + path(key.substr(0, 64))
                   + "; did you mean \"" + near + "\"?");
          break;
        }
    return complaint_;
  }

  std::string path(const std::string& key) const {
    return "\"" + (where_.empty() ? key : where_ + "." + key) + "\"";
  }

private:
  const json& j_;
  std::string where_;
  std::vector<std::string> known_;
  std::string complaint_;
};

// Complaints of an inner section are the outer one's.
template <class Read>
void inner(section& outer, const std::string& key, const std::string& where,
           Read read) {
  if (auto* j = outer.take(key)) {
    auto s = section{*j, where};
    read(s);
    if (auto why = s.finish(); !why.empty())
      outer.complain(std::move(why));
  }
}

void read_cluster(section& s, cluster_options& o) {
  auto at = std::string{};
  s.text("listen", at);
  if (!at.empty()) {
    if (auto a = parse_address(at))
      o.listen = *a;
    else
      s.complain(s.path("listen") + ": " + a.failure().message);
  }
  s.milliseconds("interval_ms", o.interval);
  s.milliseconds("timeout_ms", o.timeout);
  inner(s, "tls", "cluster.tls", [&](section& t) {
    auto f = tls_files{};
    t.text("certificate", f.certificate);
    t.text("key", f.key);
    t.text("ca", f.ca);
    if (f.certificate.empty() || f.key.empty() || f.ca.empty())
      t.complain("\"cluster.tls\" takes \"certificate\", \"key\" and \"ca\"");
    o.tls = std::move(f);
  });
}

void read_http(section& s, http_options& o) {
  s.text("host", o.host);
  s.number("port", 0, 65535, o.port);
  s.text("model_name", o.model_name);
  s.number("max_connections", 1, 1u << 20, o.max_connections);
  s.number("max_requests", 1, 1u << 16, o.max_requests);
  s.number("max_body_bytes", 1024, uint64_t{1} << 30, o.max_body_bytes);
  s.milliseconds("header_ms", o.header_deadline);
  s.milliseconds("body_ms", o.body_deadline);
  s.milliseconds("idle_ms", o.idle_deadline);
}

} // namespace

result<runtime_options> parse_config(const std::string& text,
                                     const std::string& name) {
  auto j = json::parse(text, nullptr, false);
  if (j.is_discarded())
    return fail(errc::bad_file, name + ": not JSON");
  auto o = runtime_options{};
  auto s = section{j, ""};
  s.text("model", o.model);
  s.number("threads", 1, 256, o.threads);
  s.number("tensor_ranks", 1, node_plan::max_ranks, o.tensor_ranks);
  s.number("prefill_chunk", 1, 1u << 20, o.prefill_chunk);
  s.number("max_batch", 1, 4096, o.max_batch);
  s.flag("prefix_cache", o.prefix_cache);
  s.flag("preempt", o.preempt);
  auto kv = o.kv;
  s.choice<std::optional<kv_dtype>>(
      "kv",
      {{"f32", kv_dtype::f32}, {"f16", kv_dtype::f16}, {"i8", kv_dtype::i8}},
      kv);
  o.kv = kv;
  s.choice<activation_type>("activations",
                            {{"i8", activation_type::i8},
                             {"i16", activation_type::i16},
                             {"f32", activation_type::f32}},
                            o.activations);
  if (auto* nodes = s.take("nodes")) {
    auto t = parse_topology(nodes->dump(), name + ": \"nodes\"");
    if (!t)
      return t.failure();
    o.nodes = std::move(*t);
  }
  inner(s, "cluster", "cluster",
        [&](section& c) { read_cluster(c, o.cluster.emplace()); });
  inner(s, "http", "http", [&](section& h) { read_http(h, o.http.emplace()); });
  if (auto why = s.finish(); !why.empty())
    return fail(errc::bad_file, name + ": " + why);
  return o;
}

result<runtime_options> read_config(const std::string& path) {
  constexpr auto most = size_t{1} << 20;
  auto in = std::ifstream{path, std::ios::binary};
  if (!in)
    return fail(errc::io_error, path + ": cannot be opened");
  auto text = std::string(most + 1, '\0');
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<size_t>(in.gcount()));
  if (in.bad())
    return fail(errc::io_error, path + ": cannot be read");
  if (text.size() > most)
    return fail(errc::bad_file, path + ": larger than 1 MiB");
  return parse_config(text, path);
}

} // namespace troupe
