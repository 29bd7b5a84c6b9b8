#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "core/base/result.hpp"
#include "core/observe/histogram.hpp"

namespace troupe {

struct metric_description {
  std::string name;
  std::string help;
  std::vector<std::string> label_names;
  /// Of histograms: exported values are recorded ones times this.
  double scale = 1;
  /// Of histograms: upper bounds of the exported buckets, without infinity.
  std::vector<double> bounds = {};

  bool operator==(const metric_description&) const = default;
};

/// 1 ms to 60 s, in seconds.
std::vector<double> latency_bounds();

/// Whether Prometheus takes the names, and the bounds ascend and are finite.
result<void> check(const metric_description& about);

/// A metric at one time: what exporters write.
struct metric_snapshot {
  struct series {
    std::vector<std::string> label_values;
    std::variant<uint64_t, double, histogram_counts> value;
  };
  enum class type : uint8_t { counter, gauge, histogram };

  metric_description about;
  type kind = type::counter;
  std::vector<series> all;
};

using metrics_snapshot = std::vector<metric_snapshot>;

/// How many values of a histogram lie within each bound and above the one
/// before; the last count is of those above all bounds. A bound is met within
/// the histogram's error.
std::vector<uint64_t> bucket_counts(const histogram_counts& h,
                                    const metric_description& about);

/// `text` with '?' for each byte that is not part of UTF-8.
std::string as_utf8(std::string_view text);

} // namespace troupe
