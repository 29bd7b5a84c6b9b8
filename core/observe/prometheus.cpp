#include "core/observe/export.hpp"
#include "core/observe/number.hpp"

namespace troupe {

namespace {

// HELP texts have no quotes to escape.
void escape(std::string& to, std::string_view text, bool quotes) {
  for (auto c : text) {
    if (c == '\\')
      to += "\\\\";
    else if (c == '\n')
      to += "\\n";
    else if (c == '"' && quotes)
      to += "\\\"";
    else
      to += c;
  }
}

void append_value(std::string& to, double x) {
  if (std::isnan(x))
    to += "NaN";
  else if (std::isinf(x))
    to += x < 0 ? "-Inf" : "+Inf";
  else
    append_number(to, x);
}

class writer {
public:
  std::string text;

  void family(const metric_snapshot& m) {
    constexpr std::string_view types[] = {"counter", "gauge", "histogram"};
    text += "# HELP " + m.about.name + " ";
    escape(text, m.about.help, false);
    text += "\n# TYPE " + m.about.name + " ";
    text += types[static_cast<size_t>(m.kind)];
    text += '\n';
    for (auto& s : m.all)
      series(m.about, s);
  }

private:
  void series(const metric_description& about,
              const metric_snapshot::series& s) {
    if (auto* n = std::get_if<uint64_t>(&s.value)) {
      name(about, s, "");
      append_integer(text, *n);
      text += '\n';
    } else if (auto* x = std::get_if<double>(&s.value)) {
      name(about, s, "");
      append_value(text, *x);
      text += '\n';
    } else {
      buckets(about, s, std::get<histogram_counts>(s.value));
    }
  }

  void buckets(const metric_description& about,
               const metric_snapshot::series& s, const histogram_counts& h) {
    auto within = uint64_t{0};
    auto counts = bucket_counts(h, about);
    for (size_t i = 0; i < counts.size(); ++i) {
      auto le = std::string{"+Inf"};
      if (i < about.bounds.size()) {
        le.clear();
        append_number(le, about.bounds[i]);
      }
      name(about, s, "_bucket", le);
      append_integer(text, within += counts[i]);
      text += '\n';
    }
    name(about, s, "_sum");
    append_value(text, static_cast<double>(h.sum()) * about.scale);
    text += '\n';
    name(about, s, "_count");
    append_integer(text, h.count());
    text += '\n';
  }

  // The name, the labels, and a space.
  void name(const metric_description& about, const metric_snapshot::series& s,
            std::string_view suffix, std::string_view le = {}) {
    text += about.name;
    text += suffix;
    auto separator = '{';
    auto label = [&](std::string_view key, std::string_view value) {
      text += separator;
      text += key;
      text += "=\"";
      escape(text, value, true);
      text += '"';
      separator = ',';
    };
    for (size_t i = 0; i < about.label_names.size(); ++i)
      label(about.label_names[i], s.label_values[i]);
    if (!le.empty())
      label("le", le);
    text += separator == ',' ? "} " : " ";
  }
};

} // namespace

std::string to_prometheus(const metrics_snapshot& all) {
  auto w = writer{};
  for (auto& m : all)
    w.family(m);
  return std::move(w.text);
}

} // namespace troupe
