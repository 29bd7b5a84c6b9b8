#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/trace/look/trace_follow.hpp"

namespace troupe {

/// Follows a trace from file to file while it is written: whoever wants lines
/// polls. Begins with the newest file.
class trace_tail {
public:
  explicit trace_tail(std::string file) : file_(std::move(file)) {}

  /// Shows what was handled since the last time. False: the sink wanted no
  /// more.
  bool poll(const trace_filter& f, const trace_sink& sink);

  /// What was wrong since this was called last: damage, and files that came
  /// and went between two polls.
  std::vector<std::string> take_complaints();

private:
  void begin(const trace_file_header& h);
  void tell();

  std::string file_;
  trace_follower follower_;
  std::optional<uint64_t> process_;
  uint32_t number_ = 0; ///< of the file that is read
  uint64_t size_ = 0;   ///< of it, as far as it was read
  size_t told_ = 0;     ///< findings of it
  std::vector<std::string> complaints_;
};

} // namespace troupe
