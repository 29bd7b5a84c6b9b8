#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>

#include "core/model/gguf.hpp"
#include "runtime/cli/cli.hpp"
#include "runtime/cli/inspect.hpp"

namespace troupe::cli {

std::string human(double n, const char* unit) {
  static constexpr const char* prefix[] = {"", "K", "M", "G", "T"};
  auto i = 0;
  for (; n >= 1000 && i < 4; ++i)
    n /= 1000;
  char text[48];
  std::snprintf(text, sizeof(text), i == 0 ? "%.0f %s%s" : "%.2f %s%s", n,
                prefix[i], unit);
  return text;
}

namespace {

struct totals {
  uint64_t values = 0;
  uint64_t bytes = 0;
  std::map<std::string, uint64_t> tensors_by_type;
};

std::string type_of(const gguf_tensor& t) {
  auto* e = find_encoding(t.type);
  return e ? std::string{e->name} : std::to_string(t.type);
}

totals add_up(const gguf_file& f) {
  auto sum = totals{};
  for (auto& t : f.tensors()) {
    sum.values += t.values();
    sum.bytes += t.data.size();
    ++sum.tensors_by_type[type_of(t)];
  }
  return sum;
}

std::string as_text(const gguf_file& f, bool all) {
  auto sum = add_up(f);
  auto out = printable(f.path(), 4096) + ": GGUF version "
             + std::to_string(f.version()) + ", "
             + human(static_cast<double>(f.bytes().size()), "B") + ", "
             + std::to_string(f.tensors().size()) + " tensors, "
             + human(static_cast<double>(sum.values), " values") + "\n";
  for (auto& [type, n] : sum.tensors_by_type)
    out += "  " + std::to_string(n) + " of type " + type + "\n";
  out += "\nmetadata\n";
  for (auto& e : f.metadata())
    out += "  " + printable(e.key, 200) + " (" + e.type_name()
           + ") = " + e.render() + "\n";
  out += "\ntensors\n";
  auto shown =
      all ? f.tensors().size() : std::min(few_tensors, f.tensors().size());
  for (auto& t : f.tensors().first(shown)) {
    char line[256];
    std::snprintf(line, sizeof(line), "  %-32s %-8s %20s  at %llu\n",
                  printable(t.name, 64).c_str(), type_of(t).c_str(),
                  t.shape_name().c_str(),
                  static_cast<unsigned long long>(t.offset));
    out += line;
  }
  if (shown < f.tensors().size())
    out += "  ... and " + std::to_string(f.tensors().size() - shown)
           + " more (--all shows them)\n";
  return out;
}

std::string as_json(const gguf_file& f) {
  using json = nlohmann::ordered_json;
  auto sum = add_up(f);
  auto j = json{{"file", f.path()},
                {"version", f.version()},
                {"alignment", f.alignment()},
                {"bytes", f.bytes().size()},
                {"values", sum.values}};
  auto& metadata = j["metadata"] = json::array();
  for (auto& e : f.metadata()) {
    auto m = json{{"key", printable(e.key, 4096)}, {"type", e.type_name()}};
    if (e.type == gguf_type::array)
      m["count"] = e.count;
    m["value"] = e.render();
    metadata.push_back(std::move(m));
  }
  auto& tensors = j["tensors"] = json::array();
  for (auto& t : f.tensors()) {
    auto shape = json::array();
    for (auto d = 0u; d < t.dims; ++d)
      shape.push_back(t.shape[d]);
    tensors.push_back(json{{"name", printable(t.name, 4096)},
                           {"type", type_of(t)},
                           {"shape", std::move(shape)},
                           {"offset", t.offset},
                           {"bytes", t.data.size()}});
  }
  return j.dump(-1, ' ', false, json::error_handler_t::replace) + "\n";
}

int inspect(const inspect_options& o) {
  auto ignored = std::error_code{};
  if (std::filesystem::is_directory(o.file, ignored))
    return inspect_directory(o);
  auto f = gguf_file::open(o.file);
  if (!f)
    return report(f.failure());
  return write_all(o.json ? as_json(*f) : as_text(*f, o.all));
}

} // namespace

void add_inspect(CLI::App& app, action& chosen) {
  auto o = std::make_shared<inspect_options>();
  auto* sub = app.add_subcommand("inspect", "show what a model file holds");
  sub->footer(R"(
Metadata and tensors of a GGUF file, or config.json and tensors of a Hugging
Face directory, after checking that they keep to their format. Works for
architectures and encodings that Troupe cannot run, too.
)");
  sub->add_option("file", o->file, "GGUF file or directory")->required();
  sub->add_flag("--all", o->all, "list every tensor");
  sub->add_flag("--json", o->json, "print one JSON object");
  sub->callback([o, &chosen] { chosen = [o] { return inspect(*o); }; });
}

} // namespace troupe::cli
