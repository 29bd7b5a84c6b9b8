#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "core/base/result.hpp"
#include "core/observe/histogram.hpp"
#include "core/observe/metrics_snapshot.hpp"

namespace troupe {

/// Only grows.
class counter {
public:
  void add(uint64_t n = 1) { value_.fetch_add(n, std::memory_order_relaxed); }
  uint64_t value() const { return value_.load(std::memory_order_relaxed); }

private:
  std::atomic<uint64_t> value_{0};
};

/// Goes up and down.
class gauge {
public:
  void set(double x) { value_.store(x, std::memory_order_relaxed); }
  void add(double x) { value_.fetch_add(x, std::memory_order_relaxed); }
  double value() const { return value_.load(std::memory_order_relaxed); }

private:
  std::atomic<double> value_{0};
};

/// How many different things a family can be about. What clients choose ends
/// up in labels, and must not end up in memory for ever.
struct label_cap {
  /// Different values of each label; further ones are "other".
  size_t values = 100;
  /// Combinations; further ones have "other" for every label.
  size_t series = 1000;
  /// Longer values are "other".
  size_t length = 128;
};

/// One metric with its labels: a T (counter, gauge or histogram) for each
/// combination of their values.
template <class T>
class metric_family {
public:
  metric_family(metric_description about, label_cap cap)
      : about_(std::move(about)), cap_(cap), seen_(about_.label_names.size()) {}

  /// The series of these values, which lasts as long as the family. Bytes that
  /// are not UTF-8 become '?'; values that are missing are empty, and those
  /// beyond the labels ignored. Takes a lock: keep the reference where it
  /// matters.
  T& with(std::vector<std::string> values = {});

  metric_snapshot snapshot() const;
  const metric_description& about() const { return about_; }

private:
  using label_values = std::vector<std::string>;

  void fit(label_values& values);

  metric_description about_;
  label_cap cap_;
  mutable std::mutex mutex_;
  std::vector<std::set<std::string, std::less<>>> seen_; ///< by label
  std::map<label_values, std::unique_ptr<T>> series_;
};

extern template class metric_family<counter>;
extern template class metric_family<gauge>;
extern template class metric_family<histogram>;

/// All families of a process. Any thread may call anything.
class metric_registry {
public:
  explicit metric_registry(label_cap cap = {}) : cap_(cap) {}

  /// A new family, which lasts as long as the registry; the one that is there,
  /// if it is of the same kind and labels. invalid_argument: the names are none
  /// that Prometheus takes, or are taken.
  result<metric_family<counter>*>
  counters(std::string name, std::string help,
           std::vector<std::string> labels = {});
  result<metric_family<gauge>*> gauges(std::string name, std::string help,
                                       std::vector<std::string> labels = {});
  /// Recorded in whole numbers, exported times `scale`: nanoseconds as seconds.
  /// `bounds` are of exported values, ascending.
  result<metric_family<histogram>*>
  histograms(std::string name, std::string help,
             std::vector<std::string> labels = {}, double scale = 1e-9,
             std::vector<double> bounds = latency_bounds());

  /// The state of all, by name.
  metrics_snapshot snapshot() const;

private:
  template <class T>
  using family_ptr = std::unique_ptr<metric_family<T>>;
  using any_family = std::variant<family_ptr<counter>, family_ptr<gauge>,
                                  family_ptr<histogram>>;

  template <class T>
  result<metric_family<T>*> family(metric_description about);

  label_cap cap_;
  mutable std::mutex mutex_;
  std::map<std::string, any_family, std::less<>> families_;
};

} // namespace troupe
