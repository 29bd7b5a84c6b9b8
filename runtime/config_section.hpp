#pragma once

#include <algorithm>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include "core/base/time.hpp"

namespace troupe::config {

/// Levenshtein, of words as short as keys are.
inline size_t distance(const std::string& a, const std::string& b) {
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

/// One object of the file: takes its keys one by one; what is left is unknown.
/// The first complaint counts.
class section {
public:
  section(const nlohmann::json& j, std::string where)
      : j_(j), where_(std::move(where)) {
    if (!j.is_object())
      complain(where_.empty() ? "expected an object"
                              : "\"" + where_ + "\" must be an object");
  }

  bool has(const std::string& key) const {
    return j_.is_object() && j_.contains(key);
  }

  /// The names of an object whose keys are names.
  template <class Read>
  void each(Read read) {
    if (j_.is_object())
      for (auto& [name, value] : j_.items()) {
        known_.push_back(name);
        read(name);
      }
  }

  const nlohmann::json* take(const std::string& key) {
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

  /// Between 0 and 1.
  void fraction(const std::string& key, double& to) {
    auto* v = take(key);
    if (!v)
      return;
    auto x = v->is_number() ? v->get<double>() : -1;
    if (x >= 0 && x <= 1)
      to = x;
    else
      complain(path(key) + " must be a number from 0 to 1");
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

  /// After all keys were taken: what is wrong, or "".
  std::string finish() {
    if (complaint_.empty() && j_.is_object())
      for (auto& [key, value] : j_.items())
        if (std::find(known_.begin(), known_.end(), key) == known_.end()) {
          auto shown = key.substr(0, 64);
          auto why = "unknown key " + path(shown);
          auto near = std::min_element(
              known_.begin(), known_.end(), [&](auto& a, auto& b) {
                return distance(a, shown) < distance(b, shown);
              });
          if (near != known_.end())
            why += "; did you mean \"" + *near + "\"?";
          complain(std::move(why));
          break;
        }
    return complaint_;
  }

  std::string path(const std::string& key) const {
    return "\"" + (where_.empty() ? key : where_ + "." + key) + "\"";
  }

private:
  const nlohmann::json& j_;
  std::string where_;
  std::vector<std::string> known_;
  std::string complaint_;
};

/// Complaints of an inner section are the outer one's.
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

} // namespace troupe::config
