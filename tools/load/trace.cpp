#include "tools/load/trace.hpp"

#include <algorithm>
#include <charconv>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "core/base/random.hpp"
#include "core/kv/layout.hpp"

namespace troupe::load {

namespace {

/// Tokens of Mooncake's blocks.
constexpr auto mooncake_block = uint32_t{512};

std::vector<std::string> split(const std::string& line) {
  auto parts = std::vector<std::string>{};
  auto in = std::istringstream{line};
  for (auto part = std::string{}; std::getline(in, part, ',');) {
    while (!part.empty() && (part.back() == '\r' || part.back() == ' '))
      part.pop_back();
    parts.push_back(std::move(part));
  }
  return parts;
}

bool parse(const std::string& s, uint32_t& to) {
  auto [end, bad] = std::from_chars(s.data(), s.data() + s.size(), to);
  return bad == std::errc{} && end == s.data() + s.size() && to > 0;
}

error at_line(const std::string& path, size_t line, const std::string& why) {
  return {errc::bad_file, path + ": line " + std::to_string(line) + ": " + why};
}

result<trace> read_csv(const std::string& path, std::istream& in) {
  auto line = std::string{};
  std::getline(in, line);
  auto names = split(line);
  auto column = [&](const char* name) {
    return static_cast<size_t>(std::ranges::find(names, name) - names.begin());
  };
  auto prompt = column("ContextTokens"), answer = column("GeneratedTokens");
  if (prompt == names.size() || answer == names.size())
    return at_line(path, 1, "no columns ContextTokens and GeneratedTokens");
  auto t = trace{};
  for (auto n = size_t{2}; std::getline(in, line); ++n) {
    auto parts = split(line);
    if (parts.empty())
      continue;
    auto r = row{};
    if (parts.size() != names.size() || !parse(parts[prompt], r.prompt)
        || !parse(parts[answer], r.answer))
      return at_line(path, n, "not so many tokens");
    t.rows.push_back(std::move(r));
  }
  return t;
}

result<trace> read_lines(const std::string& path, std::istream& in) {
  auto t = trace{};
  t.block = mooncake_block;
  auto line = std::string{};
  for (auto n = size_t{1}; std::getline(in, line); ++n) {
    auto j = nlohmann::json::parse(line, nullptr, false);
    if (!j.is_object() || !j["input_length"].is_number_unsigned()
        || !j["output_length"].is_number_unsigned()
        || !j["hash_ids"].is_array())
      return at_line(path, n, "no input_length, output_length and hash_ids");
    auto r = row{};
    r.prompt = std::max(1u, j["input_length"].get<uint32_t>());
    r.answer = std::max(1u, j["output_length"].get<uint32_t>());
    for (auto& id : j["hash_ids"]) {
      if (!id.is_number_unsigned())
        return at_line(path, n, "hash_ids must be numbers");
      r.blocks.push_back(id.get<uint64_t>());
    }
    t.rows.push_back(std::move(r));
  }
  return t;
}

} // namespace

result<trace> read_trace(const std::string& path) {
  auto in = std::ifstream{path};
  if (!in)
    return fail(errc::io_error, path + ": cannot be opened");
  auto t = path.ends_with(".jsonl") ? read_lines(path, in) : read_csv(path, in);
  if (t && t->rows.empty())
    return fail(errc::bad_file, path + ": holds no requests");
  return t;
}

trace scaled(trace t, uint32_t context) {
  auto longest = row{1, 1, {}};
  for (auto& r : t.rows) {
    longest.prompt = std::max(longest.prompt, r.prompt);
    longest.answer = std::max(longest.answer, r.answer);
  }
  auto scale = [](uint32_t& x, uint32_t longest, uint32_t to) {
    x = std::max<uint32_t>(1,
                           static_cast<uint32_t>(uint64_t{x} * to / longest));
  };
  auto room = context - context / 4 - 1;
  for (auto& r : t.rows) {
    // What is shared has to stay as long as a block of KV to be of use.
    if (t.block > kv_block_tokens)
      r.prompt = std::clamp<uint32_t>(
          static_cast<uint32_t>(uint64_t{r.prompt} * kv_block_tokens / t.block),
          1, room);
    else
      scale(r.prompt, longest.prompt, room);
    scale(r.answer, longest.answer, context / 4);
  }
  t.block = std::min(t.block, kv_block_tokens);
  return t;
}

std::vector<token_id> prompt_of(const trace& t, size_t i, token_id first,
                                uint32_t count) {
  auto& r = t.rows[i];
  auto tokens = std::vector<token_id>(r.prompt);
  for (uint32_t at = 0; at < r.prompt; ++at) {
    auto block = t.block > 0 ? at / t.block : 0;
    auto shared = block < r.blocks.size();
    auto seed = shared ? r.blocks[block] : ~uint64_t{i};
    auto place = shared ? at % t.block : at;
    tokens[at] =
        first + static_cast<token_id>(random_bits(seed, place) % count);
  }
  return tokens;
}

} // namespace troupe::load
