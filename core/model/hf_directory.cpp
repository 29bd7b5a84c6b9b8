#include "core/model/hf_directory.hpp"

#include <algorithm>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>

#include "core/model/gguf_type.hpp"
#include "core/text/bounded_json.hpp"

namespace troupe {

namespace {

namespace fs = std::filesystem;

constexpr auto whole_name = "model.safetensors";
constexpr auto index_name = "model.safetensors.index.json";
constexpr auto most_files = size_t{4096};
constexpr auto index_bounds = json_bounds{size_t{64} << 20, 4};

bool exists(const std::string& path) {
  auto ignored = std::error_code{};
  return fs::exists(path, ignored);
}

// The first file, by name, that `wanted` takes; empty if there is none.
template <class F>
std::string first_name(const std::string& dir, F wanted) {
  auto best = std::string{};
  auto ignored = std::error_code{};
  for (auto at = fs::directory_iterator{dir, ignored};
       at != fs::directory_iterator{}; at.increment(ignored)) {
    auto name = at->path().filename().string();
    if (wanted(name) && (best.empty() || name < best))
      best = name;
  }
  return best;
}

error no_config(const std::string& dir) {
  auto gguf =
      first_name(dir, [](auto& name) { return name.ends_with(".gguf"); });
  if (!gguf.empty())
    return fail(errc::io_error, dir
                                    + ": is a directory without config.json; "
                                      "to load a GGUF file name it, as in "
                                    + dir + "/" + printable(gguf, 256));
  return fail(errc::io_error,
              dir + ": is a directory without config.json, so not a model");
}

error no_weights(const std::string& dir) {
  auto other = first_name(dir, [](auto& name) {
    return name.ends_with(".bin") || name.ends_with(".pth")
           || name.ends_with(".pt");
  });
  if (!other.empty())
    return fail(errc::unsupported,
                dir + ": has " + printable(other, 256)
                    + "; Troupe reads safetensors, to which save_pretrained "
                      "of the transformers library converts");
  auto shard = first_name(
      dir, [](auto& name) { return name.ends_with(".safetensors"); });
  if (!shard.empty())
    return fail(errc::io_error, dir + ": has " + printable(shard, 256)
                                    + " but neither " + whole_name + " nor "
                                    + index_name);
  return fail(errc::io_error,
              dir + ": has neither " + whole_name + " nor " + index_name);
}

// A name of a file in the directory itself.
bool is_plain(const std::string& name) {
  return name.ends_with(".safetensors") && name.size() <= 255
         && name.find_first_of(std::string_view{"/\\\0", 3}) == name.npos
         && name[0] != '.';
}

/// The file of each tensor.
using weight_map = std::map<std::string, std::string>;

result<weight_map> read_index(const std::string& path) {
  auto map = mapped_file::open(path);
  if (!map)
    return map.failure();
  auto json = parse_object(text_of(map->bytes()), path, index_bounds);
  if (!json)
    return json.failure();
  auto bad = [&](const std::string& reason) {
    return fail(errc::bad_file, path + ": " + reason);
  };
  auto listed = json->find("weight_map");
  if (listed == json->end() || !listed->is_object() || listed->empty())
    return bad("weight_map is not an object of tensors");
  auto out = weight_map{};
  for (auto& [tensor, file] : listed->items()) {
    auto name = file.is_string() ? file.get<std::string>() : std::string{};
    if (!is_plain(name))
      return bad("weight_map has no name of a safetensors file for "
                 + printable(tensor));
    out.emplace(tensor, std::move(name));
  }
  return out;
}

} // namespace

result<hf_directory> hf_directory::open(const std::string& path) {
  auto dir = path;
  while (dir.size() > 1 && dir.back() == '/')
    dir.pop_back();
  if (!exists(dir + "/config.json"))
    return no_config(dir);
  auto whole = exists(dir + "/" + whole_name);
  auto index = dir + "/" + index_name;
  if (!whole && !exists(index))
    return no_weights(dir);
  auto config = mapped_file::open(dir + "/config.json");
  if (!config)
    return config.failure();
  auto shards = weight_map{};
  auto names = std::vector<std::string>{};
  if (whole) {
    names.push_back(whole_name);
  } else {
    auto read = read_index(index);
    if (!read)
      return read.failure();
    shards = *std::move(read);
    for (auto& [tensor, file] : shards)
      names.push_back(file);
    std::sort(names.begin(), names.end());
    names.erase(std::unique(names.begin(), names.end()), names.end());
    if (names.size() > most_files)
      return fail(errc::unsupported,
                  index + ": lists " + std::to_string(names.size()) + " files");
  }
  auto files = std::vector<safetensors_file>{};
  for (auto& name : names) {
    auto file = safetensors_file::open(dir + "/" + name);
    if (!file)
      return file.failure();
    files.push_back(*std::move(file));
  }
  auto out = of(dir, config->bytes(), std::move(files));
  if (!out)
    return out;
  out->config_map_ = *std::move(config);
  for (auto& [tensor, file] : shards) {
    auto found = out->find(tensor);
    if (!found || found->file->path() != dir + "/" + file)
      return fail(errc::bad_file, index + ": tensor " + printable(tensor)
                                      + " is not in " + printable(file));
  }
  return out;
}

result<hf_directory> hf_directory::of(std::string path, const_bytes config,
                                      std::vector<safetensors_file> files) {
  auto out = hf_directory{};
  out.path_ = std::move(path);
  out.config_ = config;
  out.files_ = std::move(files);
  if (auto ok = out.index_tensors(); !ok)
    return ok.failure();
  return out;
}

result<void> hf_directory::index_tensors() {
  for (auto& file : files_)
    for (auto& tensor : file.tensors())
      tensors_.push_back({&tensor, &file});
  std::sort(tensors_.begin(), tensors_.end(),
            [](auto& a, auto& b) { return a.tensor->name < b.tensor->name; });
  auto same = std::adjacent_find(
      tensors_.begin(), tensors_.end(),
      [](auto& a, auto& b) { return a.tensor->name == b.tensor->name; });
  if (same != tensors_.end())
    return same->file->complain(errc::bad_file,
                                "tensor " + printable(same->tensor->name)
                                    + " is in another file as well");
  return {};
}

const hf_directory::entry* hf_directory::find(std::string_view name) const {
  auto at = std::lower_bound(
      tensors_.begin(), tensors_.end(), name,
      [](auto& e, std::string_view name) { return e.tensor->name < name; });
  return at == tensors_.end() || at->tensor->name != name ? nullptr : &*at;
}

void hf_directory::release(const_bytes part) const {
  for (auto& file : files_)
    file.release(part);
}

} // namespace troupe
