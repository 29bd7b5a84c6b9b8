#include <cstdio>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>

#include "core/model/gguf_type.hpp"
#include "core/model/hf_directory.hpp"
#include "core/text/bounded_json.hpp"
#include "runtime/cli/cli.hpp"
#include "runtime/cli/inspect.hpp"

namespace troupe::cli {

namespace {

using json = nlohmann::ordered_json;

struct totals {
  uint64_t values = 0;
  uint64_t bytes = 0;
  std::map<std::string, uint64_t> tensors_by_type;
};

totals add_up(const hf_directory& dir) {
  auto sum = totals{};
  for (auto& file : dir.files())
    sum.bytes += file.bytes().size();
  for (auto& e : dir.tensors()) {
    sum.values += e.tensor->values();
    ++sum.tensors_by_type[printable(e.tensor->type)];
  }
  return sum;
}

std::string name_of(const safetensors_file& file) {
  return std::filesystem::path{file.path()}.filename();
}

std::string as_text(const hf_directory& dir, const nlohmann::json& config,
                    bool all) {
  auto sum = add_up(dir);
  auto tensors = dir.tensors();
  auto out = printable(dir.path(), 4096) + ": Hugging Face directory, "
             + std::to_string(dir.files().size()) + " safetensors files, "
             + human(static_cast<double>(sum.bytes), "B") + ", "
             + std::to_string(tensors.size()) + " tensors, "
             + human(static_cast<double>(sum.values), " values") + "\n";
  for (auto& [type, n] : sum.tensors_by_type)
    out += "  " + std::to_string(n) + " of type " + type + "\n";
  out += "\nconfig.json\n";
  for (auto& [key, value] : config.items())
    out += "  " + printable(key, 200) + " = "
           + printable(value.dump(-1, ' ', true,
                                  nlohmann::json::error_handler_t::replace),
                       200)
           + "\n";
  out += "\ntensors\n";
  auto shown = all ? tensors.size() : std::min(few_tensors, tensors.size());
  for (auto& e : tensors.first(shown)) {
    char line[1200];
    std::snprintf(line, sizeof(line), "  %-48s %-8s %20s  at %zu of %s\n",
                  printable(e.tensor->name, 256).c_str(),
                  printable(e.tensor->type).c_str(),
                  e.tensor->shape_name().c_str(), e.tensor->offset,
                  printable(name_of(*e.file), 256).c_str());
    out += line;
  }
  if (shown < tensors.size())
    out += "  ... and " + std::to_string(tensors.size() - shown)
           + " more (--all shows them)\n";
  return out;
}

std::string as_json(const hf_directory& dir, const nlohmann::json& config) {
  auto sum = add_up(dir);
  auto j = json{{"file", dir.path()},
                {"bytes", sum.bytes},
                {"values", sum.values},
                {"config", config}};
  auto& tensors = j["tensors"] = json::array();
  for (auto& e : dir.tensors())
    tensors.push_back(json{{"name", e.tensor->name},
                           {"type", e.tensor->type},
                           {"shape", e.tensor->shape},
                           {"file", name_of(*e.file)},
                           {"offset", e.tensor->offset},
                           {"bytes", e.tensor->data.size()}});
  return j.dump(-1, ' ', false, json::error_handler_t::replace) + "\n";
}

} // namespace

int inspect_directory(const inspect_options& o) {
  auto dir = hf_directory::open(o.file);
  if (!dir)
    return report(dir.failure());
  auto config = parse_object(text_of(dir->config()), dir->config_path(), {});
  if (!config)
    return report(config.failure());
  return write_all(o.json ? as_json(*dir, *config)
                          : as_text(*dir, *config, o.all));
}

} // namespace troupe::cli
