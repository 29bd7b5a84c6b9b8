#include <algorithm>
#include <string_view>

#include "core/trace/look/text.hpp"
#include "core/trace/look/trace_diagram.hpp"

namespace troupe {

namespace {

using namespace trace_words;

// What is drawn with.
struct strokes {
  std::string_view line, ended, right_from, left_from, dash, to_right, to_left,
      corner, loop, dots;
};

constexpr auto unicode =
    strokes{"│", "╵", "├", "┤", "─", "▶", "◀", "┌", "↺", "…"};
constexpr auto plain =
    strokes{"|", "'", "|", "|", "-", ">", "<", ".", "@", "..."};

constexpr auto margin = size_t{13}; ///< for times, in columns

class painter {
public:
  painter(const trace_diagram& d, const diagram_options& o)
      : d_(d), options_(o), s_(o.ascii ? plain : unicode),
        width_(std::max<size_t>(o.width, 40)) {
    auto n = std::max<size_t>(d.lifelines.size(), 1);
    step_ = std::clamp<size_t>((width_ - margin) / n, 3, 24);
    state_.resize(d.lifelines.size(), alive);
  }

  std::string run() {
    put(d_.title);
    header();
    for (auto& s : d_.steps)
      draw(s);
    if (d_.left_out > 0)
      put(std::string{s_.dots} + " and " + std::to_string(d_.left_out)
          + " more steps");
    return std::move(text_);
  }

private:
  enum life : uint8_t { alive, over };
  using cells = std::vector<std::string>;

  size_t column(uint32_t lifeline) const { return margin + lifeline * step_; }

  // A line of lifelines alone.
  cells empty_line() const {
    auto c = cells(width_ + 1, " ");
    for (uint32_t i = 0; i < state_.size(); ++i)
      if (state_[i] == alive)
        at(c, column(i)) = s_.line;
    return c;
  }

  static std::string& at(cells& c, size_t i) {
    if (i >= c.size())
      c.resize(i + 1, " ");
    return c[i];
  }

  // Text in one cell a character; what does not fit into the width is cut.
  void write(cells& c, size_t from, std::string_view text) const {
    auto i = from;
    for (size_t k = 0; k < text.size() && i < width_; ++i) {
      auto n = size_t{1};
      while (k + n < text.size() && (text[k + n] & 0xc0) == 0x80)
        ++n;
      at(c, i) = text.substr(k, n);
      k += n;
    }
  }

  void put(std::string_view line) {
    text_ += line;
    text_ += '\n';
  }

  void put(const cells& c) {
    auto line = std::string{};
    for (auto& x : c)
      line += x;
    line.erase(line.find_last_not_of(' ') + 1);
    put(line);
  }

  // Each name on a line of its own, so that each fits.
  void header() {
    for (uint32_t i = 0; i < d_.lifelines.size(); ++i) {
      auto c = cells(width_ + 1, " ");
      for (uint32_t k = 0; k < i; ++k)
        at(c, column(k)) = s_.line;
      at(c, column(i)) = s_.corner;
      write(c, column(i) + 2, d_.lifelines[i]);
      put(c);
    }
  }

  cells timed_line(const diagram_step& s) const {
    auto c = empty_line();
    auto t = "+" + duration(s.at_ns, options_.ascii);
    write(c, 0, right(t, margin - 2));
    return c;
  }

  void draw(const diagram_step& s) {
    using enum diagram_step::kind;
    auto label = s.label + (s.note.empty() ? "" : " (" + s.note + ")");
    if (s.what == fold)
      draw_fold(s);
    else if (s.what == end)
      draw_end(s);
    else if (s.from == s.to)
      draw_loop(s, label);
    else
      draw_arrow(s, label);
  }

  void draw_fold(const diagram_step& s) {
    auto c = timed_line(s);
    write(c, column(s.from),
          std::string{s_.dots} + " " + std::to_string(s.times) + " "
              + (options_.ascii ? "x" : "×") + " " + s.label + " "
              + std::string{s_.dots} + (s.note.empty() ? "" : " " + s.note));
    put(c);
  }

  void draw_end(const diagram_step& s) {
    state_[s.to] = over;
    auto c = timed_line(s);
    at(c, column(s.to)) = s_.ended;
    write(c, column(s.to) + 2, s.label);
    put(c);
  }

  void draw_loop(const diagram_step& s, std::string_view label) {
    auto c = timed_line(s);
    at(c, column(s.to)) = s_.right_from;
    write(c, column(s.to) + 1, s_.loop);
    write(c, column(s.to) + 3, label);
    put(c);
  }

  void draw_arrow(const diagram_step& s, const std::string& label) {
    auto from = column(s.from);
    auto to = column(s.to);
    auto low = std::min(from, to);
    auto high = std::max(from, to);
    auto c = timed_line(s);
    auto fits = width(label) + 4 <= high - low;
    if (!fits) {
      // On a line of its own, over what it crosses.
      write(c, low + 2, label);
      put(c);
      c = empty_line();
    }
    for (auto i = low + 1; i < high; ++i)
      at(c, i) = s_.dash;
    at(c, from) = from < to ? s_.right_from : s_.left_from;
    if (from < to)
      at(c, high - 1) = s_.to_right;
    else
      at(c, low + 1) = s_.to_left;
    if (fits)
      write(c, low + 2 + (high - low - 3 - width(label)) / 2, label);
    put(c);
  }

  const trace_diagram& d_;
  const diagram_options& options_;
  const strokes& s_;
  size_t width_;
  size_t step_;
  std::vector<life> state_;
  std::string text_;
};

} // namespace

std::string to_text(const trace_diagram& d, const diagram_options& o) {
  return painter{d, o}.run();
}

} // namespace troupe
