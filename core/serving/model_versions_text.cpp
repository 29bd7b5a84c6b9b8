#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <optional>
#include <set>
#include <type_traits>

#include "core/serving/model_versions.hpp"

// The state as text, and the names in it.

namespace troupe {

namespace {

constexpr auto magic = std::string_view{"troupe-versions"};
constexpr auto longest_text = size_t{1} << 18;

constexpr auto roles =
    std::array<std::string_view, 4>{"standby", "canary", "active", "leaving"};

template <class Number>
void append(std::string& to, Number x) {
  char text[32];
  auto end = std::to_chars(text, text + sizeof text, x).ptr;
  to += ' ';
  to.append(text, end);
}

// One word: other bytes than printable ASCII as %XX.
std::string escaped(std::string_view name) {
  constexpr auto hex = "0123456789abcdef";
  auto s = std::string{};
  for (auto c : name) {
    auto b = static_cast<unsigned char>(c);
    if (b > 0x20 && b < 0x7f && b != '%')
      s += c;
    else
      s += {'%', hex[b >> 4], hex[b & 15]};
  }
  return s;
}

std::optional<std::string> unescaped(std::string_view text) {
  auto s = std::string{};
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      s += text[i];
      continue;
    }
    if (i + 3 > text.size())
      return std::nullopt;
    auto byte = uint8_t{0};
    auto* end = text.data() + i + 3;
    if (std::from_chars(text.data() + i + 1, end, byte, 16).ptr != end)
      return std::nullopt;
    s += static_cast<char>(byte);
    i += 2;
  }
  return s;
}

// Takes words and lines off a text, and remembers if one was not as expected.
class word_reader {
public:
  explicit word_reader(std::string_view text) : text_(text) {}

  bool ok() const { return ok_; }
  size_t line() const { return line_; }
  bool at_end() const { return text_.empty(); }
  bool at_line_end() const { return text_.starts_with('\n'); }

  std::string_view word() {
    auto n = std::min(text_.find_first_of(" \n"), text_.size());
    auto w = text_.substr(0, n);
    text_.remove_prefix(n);
    if (text_.starts_with(' '))
      text_.remove_prefix(1);
    ok_ = ok_ && !w.empty();
    return w;
  }
  void expect(std::string_view what) { ok_ = (word() == what) && ok_; }
  void end_line() {
    ok_ = ok_ && text_.starts_with('\n');
    if (!ok_)
      return;
    text_.remove_prefix(1);
    ++line_;
  }
  template <class Number>
  void number(Number& x) {
    auto w = word();
    auto r = std::from_chars(w.data(), w.data() + w.size(), x);
    ok_ = ok_ && r.ec == std::errc{} && r.ptr == w.data() + w.size();
    if constexpr (std::is_floating_point_v<Number>)
      ok_ = ok_ && std::isfinite(x);
  }
  void require(bool x) { ok_ = ok_ && x; }

private:
  std::string_view text_;
  size_t line_ = 1;
  bool ok_ = true;
};

} // namespace

// -- writing ------------------------------------------------------------------

std::string model_versions::save(time_point now) const {
  auto s = std::string{magic} + " 1\nlast";
  append(s, last_);
  s += "\nrollout";
  append(s, rollout_);
  append(s, seed_);
  append(s, share_);
  append(s, canary_ == 0 ? int64_t{0} : (now - began_).count());
  s += "\nevidence";
  auto evidence = evidence_;
  evidence.each_number([&](auto& x) { append(s, x); });
  s += '\n';
  for (auto& [v, x] : versions_) {
    if (x.role == version_role::leaving)
      continue;
    s += "version";
    append(s, v);
    append(s, x.bytes);
    s += ' ';
    s += to_string(x.role);
    s += ' ' + escaped(x.name);
    if (!x.source.empty())
      s += ' ' + escaped(x.source);
    s += '\n';
  }
  return s;
}

// -- reading ------------------------------------------------------------------

class versions_reader {
public:
  versions_reader(std::string_view text, const version_options& options)
      : in_(text), to_(options) {}

  result<model_versions> read(time_point now) {
    in_.expect(magic);
    in_.expect("1");
    in_.end_line();
    in_.expect("last");
    in_.number(to_.last_);
    in_.end_line();
    read_rollout(now);
    while (in_.ok() && !in_.at_end())
      read_version(now);
    if (!in_.ok())
      return fail(errc::bad_file,
                  "versions: line " + std::to_string(in_.line()) + " is wrong");
    if (to_.canary_ != 0 && (to_.active_ == 0 || !shared_))
      return fail(errc::bad_file, "versions: a canary without its share");
    to_.counted_ = recent_map<uint8_t>{model_versions::remembered_keys};
    return std::move(to_);
  }

private:
  void read_rollout(time_point now) {
    auto elapsed = int64_t{0};
    in_.expect("rollout");
    in_.number(to_.rollout_);
    in_.number(to_.seed_);
    in_.number(to_.share_);
    in_.number(elapsed);
    in_.end_line();
    in_.expect("evidence");
    to_.evidence_ = canary_evidence{to_.options_.canary};
    to_.evidence_.each_number([&](auto& x) {
      in_.number(x);
      in_.require(std::abs(static_cast<double>(x)) < 1e15);
    });
    auto& e = to_.evidence_;
    in_.require(e.canary_failures() <= e.canary_requests()
                && e.baseline_failures() <= e.baseline_requests());
    in_.end_line();
    // A clock that was set back, or a long one, is no evidence.
    elapsed = std::clamp(elapsed, int64_t{0}, longest_elapsed);
    to_.began_ = now - duration{elapsed};
    shared_ = to_.use_share(to_.share_);
  }

  void read_version(time_point now) {
    auto v = version_id{0};
    auto x = model_versions::version{};
    in_.expect("version");
    in_.number(v);
    in_.number(x.bytes);
    auto role = std::ranges::find(roles, in_.word()) - roles.begin();
    x.role = static_cast<version_role>(role);
    auto name = unescaped(in_.word());
    in_.require(name && name->size() <= model_versions::longest_name
                && names_.insert(*name).second);
    if (in_.ok() && !in_.at_line_end()) {
      auto source = unescaped(in_.word());
      in_.require(source && source->size() <= model_versions::longest_source);
      x.source = source.value_or("");
    }
    in_.require(v > last_read_ && v <= to_.last_
                && x.role < version_role::leaving
                && to_.versions_.size() < model_versions::most_versions);
    if (x.role == version_role::active)
      take(to_.active_, v);
    if (x.role == version_role::canary)
      take(to_.canary_, v);
    in_.end_line();
    if (!in_.ok())
      return;
    x.name = *name;
    last_read_ = v;
    to_.versions_[v] = std::move(x);
    to_.note(v, version_event::loading, now, "restored");
    to_.tasks_.push_back({version_action::load, v});
  }

  void take(version_id& place, version_id v) {
    in_.require(place == 0);
    place = v;
  }

  static constexpr auto longest_elapsed = int64_t{1} << 56; // two years

  word_reader in_;
  model_versions to_;
  std::set<std::string> names_;
  version_id last_read_ = 0;
  bool shared_ = false;
};

result<model_versions> model_versions::restore(std::string_view text,
                                               const version_options& options,
                                               time_point now) {
  if (text.size() > longest_text)
    return fail(errc::bad_file, "versions: too long");
  return versions_reader{text, options}.read(now);
}

// -- names --------------------------------------------------------------------

std::string_view to_string(version_role r) {
  auto i = static_cast<size_t>(r);
  return i < roles.size() ? roles[i] : "?";
}

std::string_view to_string(version_state s) {
  constexpr auto names =
      std::array<std::string_view, 3>{"loading", "warming", "ready"};
  auto i = static_cast<size_t>(s);
  return i < names.size() ? names[i] : "?";
}

std::string_view to_string(version_event e) {
  constexpr auto names = std::array<std::string_view, 9>{
      "loading",  "loaded",      "ready",     "failed",  "canary",
      "promoted", "rolled_back", "unloading", "unloaded"};
  auto i = static_cast<size_t>(e);
  return i < names.size() ? names[i] : "?";
}

} // namespace troupe
