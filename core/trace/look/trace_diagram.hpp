#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/trace/trace_model.hpp"

namespace troupe {

/// One row of a sequence diagram.
struct diagram_step {
  enum class kind : uint8_t {
    message, ///< an arrow; from a lifeline to itself, too
    spawn,   ///< an arrow to a lifeline that begins
    end,     ///< a lifeline ends
    fold,    ///< what is written stands for repeated steps
  };
  kind what = kind::message;
  uint32_t from = 0; ///< lifelines
  uint32_t to = 0;
  std::string label; ///< printable ASCII, but for a fold's
  std::string note;  ///< what is said of its times
  int64_t at_ns = 0; ///< since the diagram began
  uint64_t times = 1;
};

/// A sequence diagram, before it is drawn.
struct trace_diagram {
  std::string title;
  std::vector<std::string> lifelines; ///< names, in order of appearance
  std::vector<diagram_step> steps;
  uint64_t left_out = 0; ///< steps, beyond the most that are drawn
};

struct diagram_options {
  size_t width = 80; ///< of a text's lines, in characters
  bool ascii = false;
  /// All that led to the request's messages, also by way of steps that it
  /// shares with others; else what they were sent because of, and no more.
  bool all_causes = false;
  size_t most_steps = 2000; ///< after what repeats was folded
};

/// What happened to a request: its messages, and what led to them.
trace_diagram diagram_of(const trace_model& m, uint64_t request,
                         const diagram_options& o = {});

/// Drawn with characters: a line a step, or two where a label needs room.
std::string to_text(const trace_diagram& d, const diagram_options& o = {});

/// As an SVG picture that needs nothing else.
std::string to_svg(const trace_diagram& d);

/// As a page with that picture, that needs nothing else.
std::string to_html(const trace_diagram& d);

} // namespace troupe
