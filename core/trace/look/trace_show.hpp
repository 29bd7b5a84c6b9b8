#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "core/trace/look/text.hpp"
#include "core/trace/trace_model.hpp"

namespace troupe {

/// Which messages are looked at. All that is said must hold.
struct trace_filter {
  uint64_t request = 0;   ///< 0: any
  std::string actor = {}; ///< sends or receives: "name" or "name#number"
  std::string type = {};  ///< with or without "troupe::"
  std::optional<int64_t> from_ns = {}; ///< since the trace began
  std::optional<int64_t> to_ns = {};

  bool takes(const trace_model& m, uint32_t message) const;
};

/// One line for each message, in order. False: the sink wanted no more.
bool show_trace(const trace_model& m, const trace_filter& f,
                const trace_sink& sink);

/// The line of one message, with its end; times are since `origin_ns`.
std::string show_message(const trace_model& m, uint32_t message,
                         int64_t origin_ns, bool with_number = true);

} // namespace troupe
