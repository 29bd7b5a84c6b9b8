#include "runtime/topology.hpp"

#include <charconv>
#include <fstream>
#include <iterator>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>

namespace troupe {

namespace {

using json = nlohmann::json;

// "2" or "2x3", and nothing else.
std::optional<std::vector<uint32_t>> parse_shape(const std::string& text) {
  auto numbers = std::vector<uint32_t>{};
  auto at = text.data();
  auto end = at + text.size();
  do {
    auto n = uint32_t{0};
    auto parsed = std::from_chars(at, end, n);
    if (parsed.ec != std::errc{})
      return {};
    numbers.push_back(n);
    at = parsed.ptr;
  } while (numbers.size() < 2 && at != end && *at++ == 'x');
  if (at != end)
    return {};
  return numbers;
}

class reader {
public:
  explicit reader(const std::string& name) : name_(name) {}

  result<topology> read(const json& j) {
    if (!j.is_object())
      return complain("expected an object with " + roles);
    auto t = topology{};
    for (auto& [key, value] : j.items()) {
      if (key == "store" && value.is_boolean() && !value.get<bool>()) {
        t.store.reset();
        continue;
      }
      if (key == "store") {
        auto store = read_store(value);
        if (!store)
          return store.failure();
        t.store = std::move(*store);
        continue;
      }
      auto* role = key == "prefill"  ? &t.prefill
                   : key == "decode" ? &t.decode
                   : key == "mixed"  ? &t.mixed
                                     : nullptr;
      if (role == nullptr)
        return complain("unknown key \"" + key + "\"; there are " + roles);
      auto nodes = read_role(key, value);
      if (!nodes)
        return nodes.failure();
      *role = std::move(*nodes);
    }
    // Of two that need each other, one that is left out has one node.
    if (t.mixed.empty() || !t.prefill.empty() || !t.decode.empty()) {
      if (t.prefill.empty())
        t.prefill.resize(1);
      if (t.decode.empty())
        t.decode.resize(1);
    }
    return t;
  }

private:
  error complain(const std::string& reason) const {
    return fail(errc::bad_file, name_ + ": " + reason);
  }

  result<std::vector<node_plan>> read_role(const std::string& role,
                                           const json& j) {
    auto wanted = "\"" + role + "\" must be a number of nodes from 1 to "
                  + std::to_string(topology::max_nodes) + ", or a list of them";
    if (j.is_number_unsigned()) {
      auto n = j.get<uint64_t>();
      if (n < 1 || n > topology::max_nodes)
        return complain(wanted);
      return std::vector<node_plan>(static_cast<size_t>(n));
    }
    if (!j.is_array() || j.empty() || j.size() > topology::max_nodes)
      return complain(wanted);
    auto nodes = std::vector<node_plan>{};
    for (auto& entry : j) {
      auto n = read_node(
          "\"" + role + "\"[" + std::to_string(nodes.size()) + "]", entry);
      if (!n)
        return n.failure();
      nodes.push_back(*n);
    }
    return nodes;
  }

  result<node_plan> read_node(const std::string& where, const json& j) {
    if (!j.is_object())
      return complain(where + " must be an object");
    auto n = node_plan{};
    for (auto& [key, value] : j.items()) {
      auto ranks = key == "sequence_ranks";
      if (key != "threads" && key != "blocks" && key != "cache" && !ranks)
        return complain(where + " has an unknown key \"" + key
                        + "\"; there are \"threads\", \"blocks\", \"cache\" "
                          "and \"sequence_ranks\"");
      auto least = uint64_t{key == "cache" ? 0u : 1u};
      auto most = uint64_t{key == "threads" ? 256u
                           : ranks          ? node_plan::max_ranks
                                            : 1u << 24};
      if (!value.is_number_unsigned() || value.get<uint64_t>() < least
          || value.get<uint64_t>() > most)
        return complain(where + "." + key + " must be a number from "
                        + std::to_string(least) + " to "
                        + std::to_string(most));
      auto x = static_cast<uint32_t>(value.get<uint64_t>());
      if (key == "threads")
        n.threads = x;
      else if (key == "blocks")
        n.blocks = x;
      else if (ranks)
        n.sequence_ranks = x;
      else
        n.cache = x;
    }
    return n;
  }

  result<store_plan> read_store(const json& j) {
    if (!j.is_object())
      return complain("\"store\" must be an object, or false");
    auto s = store_plan{};
    for (auto& [key, value] : j.items()) {
      if (key == "directory") {
        if (!value.is_string() || value.get<std::string>().empty())
          return complain("\"store\".directory must be a path");
        s.directory = value.get<std::string>();
      } else if (key == "blocks" || key == "file_blocks") {
        if (!value.is_number_unsigned() || value.get<uint64_t>() < 1
            || value.get<uint64_t>() > 1u << 24)
          return complain("\"store\"." + key
                          + " must be a number from 1 to 16777216");
        (key == "blocks" ? s.blocks : s.file_blocks) =
            static_cast<uint32_t>(value.get<uint64_t>());
      } else {
        return complain("\"store\" has an unknown key \"" + key
                        + "\"; there are \"blocks\", \"directory\" and "
                          "\"file_blocks\"");
      }
    }
    if (s.directory.empty() != (s.file_blocks == 0))
      return complain("\"store\".directory needs \"file_blocks\", and the "
                      "reverse");
    return s;
  }

  inline static const std::string roles =
      "\"prefill\", \"decode\", \"mixed\" and \"store\"";
  const std::string& name_;
};

} // namespace

result<topology> parse_topology(const std::string& text,
                                const std::string& name) {
  auto j = json::parse(text, nullptr, false);
  if (j.is_discarded())
    return fail(errc::bad_file, name + ": not JSON");
  return reader{name}.read(j);
}

result<topology> read_topology(const std::string& what) {
  if (auto shape = parse_shape(what)) {
    for (auto n : *shape)
      if (n < 1 || n > topology::max_nodes)
        return fail(errc::invalid_argument,
                    "topology " + what + ": 1 to "
                        + std::to_string(topology::max_nodes)
                        + " nodes of each role");
    auto t = topology{};
    if (shape->size() == 1) {
      t.mixed.resize(shape->front());
    } else {
      t.prefill.resize(shape->front());
      t.decode.resize(shape->back());
    }
    return t;
  }
  constexpr auto most = size_t{1} << 20;
  auto in = std::ifstream{what, std::ios::binary};
  if (!in)
    return fail(errc::io_error, what
                                    + ": no such file, and not a shape such "
                                      "as 2 (mixed nodes) or 2x3 (prefill x "
                                      "decode nodes)");
  auto text = std::string(most + 1, '\0');
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<size_t>(in.gcount()));
  if (in.bad())
    return fail(errc::io_error, what + ": cannot be read");
  if (text.size() > most)
    return fail(errc::bad_file, what + ": larger than 1 MiB");
  return parse_topology(text, what);
}

} // namespace troupe
