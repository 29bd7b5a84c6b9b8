#include <algorithm>
#include <string_view>

#include "core/trace/look/text.hpp"
#include "core/trace/look/trace_diagram.hpp"

namespace troupe {

namespace {

using namespace trace_words;

// Units are those of the picture.
constexpr auto margin = size_t{110};
constexpr auto step_x = size_t{190};
constexpr auto step_y = size_t{26};
constexpr auto head = size_t{60};

constexpr auto style = R"(<style>
svg{background:#fff;font:12px system-ui,sans-serif}
.life{stroke:#9aa0a6;stroke-dasharray:3 3}
.arrow{stroke:#1a1a1a;fill:none}
.tip{fill:#1a1a1a}
.time{fill:#5f6368;text-anchor:end}
.label{text-anchor:middle}
.note{fill:#5f6368}
.name{text-anchor:middle;font-weight:600}
.box{fill:#e8f0fe;stroke:#5f6368}
.fold{fill:#fef7e0;stroke:#9aa0a6}
</style>
)";

std::string number(size_t x) {
  return std::to_string(x);
}

std::string text_at(size_t x, size_t y, std::string_view how,
                    std::string_view what) {
  return "<text class=\"" + std::string{how} + "\" x=\"" + number(x) + "\" y=\""
         + number(y) + "\">" + xml(what) + "</text>\n";
}

std::string line(size_t x1, size_t y1, size_t x2, size_t y2,
                 std::string_view how) {
  return "<line class=\"" + std::string{how} + "\" x1=\"" + number(x1)
         + "\" y1=\"" + number(y1) + "\" x2=\"" + number(x2) + "\" y2=\""
         + number(y2) + "\"/>\n";
}

std::string box(size_t x, size_t y, size_t w, size_t h, std::string_view how) {
  return "<rect class=\"" + std::string{how} + "\" x=\"" + number(x) + "\" y=\""
         + number(y) + "\" width=\"" + number(w) + "\" height=\"" + number(h)
         + "\" rx=\"3\"/>\n";
}

class picture {
public:
  explicit picture(const trace_diagram& d)
      : d_(d),
        width_(margin + step_x * std::max<size_t>(d.lifelines.size(), 1)),
        height_(head + step_y * (d.steps.size() + 2)) {}

  std::string run() {
    text_ = "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 "
            + number(width_) + " " + number(height_) + "\" width=\""
            + number(width_) + "\" height=\"" + number(height_)
            + "\" role=\"img\">\n<title>" + xml(d_.title) + "</title>\n"
            + style;
    for (size_t i = 0; i < d_.lifelines.size(); ++i)
      lifeline(i);
    auto y = head + step_y;
    for (auto& s : d_.steps) {
      step(s, y);
      y += step_y;
    }
    if (d_.left_out > 0)
      text_ += text_at(margin, y, "note",
                       "and " + std::to_string(d_.left_out) + " more steps");
    return text_ + "</svg>\n";
  }

private:
  static size_t column(size_t lifeline) {
    return margin + step_x / 2 + step_x * lifeline;
  }

  void lifeline(size_t i) {
    auto x = column(i);
    text_ += line(x, head, x, lower_end(i), "life");
    text_ += box(x - step_x / 2 + 8, head - 32, step_x - 16, 28, "box");
    text_ += text_at(x, head - 13, "name", d_.lifelines[i]);
  }

  size_t lower_end(size_t lifeline) const {
    for (size_t k = 0; k < d_.steps.size(); ++k)
      if (d_.steps[k].what == diagram_step::kind::end
          && d_.steps[k].to == lifeline)
        return head + step_y * (k + 1);
    return height_;
  }

  void step(const diagram_step& s, size_t y) {
    using enum diagram_step::kind;
    text_ += text_at(margin - 14, y + 4, "time", "+" + duration(s.at_ns));
    auto label = s.label + (s.note.empty() ? "" : " (" + s.note + ")");
    if (s.what == fold) {
      auto low = column(s.from) - 12;
      auto wide = std::max(column(s.to) + 12 - low, step_x - 8);
      text_ += box(low, y - 11, wide, 20, "fold");
      text_ += text_at(low + wide / 2, y + 4, "label",
                       std::to_string(s.times) + " × " + label);
    } else if (s.what == end) {
      text_ += line(column(s.to) - 6, y, column(s.to) + 6, y, "arrow");
      text_ += text_at(column(s.to) + 34, y + 4, "label", s.label);
    } else if (s.from == s.to) {
      loop(column(s.to), y, label);
    } else {
      arrow(column(s.from), column(s.to), y, label);
    }
  }

  void loop(size_t x, size_t y, std::string_view label) {
    text_ += "<path class=\"arrow\" d=\"M" + number(x) + " " + number(y - 6)
             + "h16v10h-10\"/>\n";
    tip(x + 1, y + 4, true);
    text_ += text_at(x + 22, y + 4, "note", label);
  }

  void arrow(size_t from, size_t to, size_t y, std::string_view label) {
    text_ += line(from, y + 4, to, y + 4, "arrow");
    tip(to, y + 4, to < from);
    text_ += text_at((from + to) / 2, y - 1, "label", label);
  }

  void tip(size_t x, size_t y, bool to_left) {
    auto back = to_left ? x + 8 : x - 8;
    text_ += "<path class=\"tip\" d=\"M" + number(x) + " " + number(y) + "L"
             + number(back) + " " + number(y - 4) + "V" + number(y + 4)
             + "Z\"/>\n";
  }

  const trace_diagram& d_;
  size_t width_;
  size_t height_;
  std::string text_;
};

} // namespace

std::string to_svg(const trace_diagram& d) {
  return picture{d}.run();
}

std::string to_html(const trace_diagram& d) {
  return "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta "
         "charset=\"utf-8\">\n<meta http-equiv=\"Content-Security-Policy\" "
         "content=\"default-src 'none'; style-src 'unsafe-inline'\">\n<title>"
         + xml(d.title) + "</title>\n</head>\n<body>\n<h1>" + xml(d.title)
         + "</h1>\n" + to_svg(d) + "</body>\n</html>\n";
}

} // namespace troupe
