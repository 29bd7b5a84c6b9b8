#include "core/trust/audit_anchor.hpp"

#include <nlohmann/json.hpp>
#include <unordered_map>

namespace troupe {

namespace {

using json = nlohmann::json;

constexpr auto longest_line = size_t{2048};

template <size_t N>
bool read(const json& j, const char* name, std::array<uint8_t, N>& to) {
  auto i = j.find(name);
  return i != j.end() && i->is_string()
         && from_hex(i->get_ref<const std::string&>(), to);
}

template <class T>
bool read(const json& j, const char* name, T& to) {
  auto i = j.find(name);
  if (i == j.end() || !i->is_number_integer())
    return false;
  if constexpr (std::is_unsigned_v<T>)
    if (!i->is_number_unsigned())
      return false;
  to = i->get<T>();
  return true;
}

std::optional<audit_anchor> parse(std::string_view line) {
  if (line.size() > longest_line)
    return std::nullopt;
  // An anchor has no objects or arrays in it: deep ones end at once.
  auto shallow = [](int depth, json::parse_event_t, json&) {
    return depth <= 1;
  };
  auto j = json::parse(line, shallow, false);
  auto a = audit_anchor{};
  if (!j.is_object() || !read(j, "log", a.log) || !read(j, "records", a.records)
      || !read(j, "wall_ns", a.time.wall_ns)
      || !read(j, "mono_ns", a.time.mono_ns) || !read(j, "key", a.key)
      || !read(j, "chain", a.chain) || !read(j, "root", a.root)
      || !read(j, "signature", a.signature))
    return std::nullopt;
  return a;
}

template <class T>
std::string hex(const T& bytes) {
  return to_hex(std::as_bytes(std::span{bytes}));
}

} // namespace

audit_anchor audit_anchor::of(const audit_log_id& log,
                              const audit_checkpoint& c) {
  return {log,        c.records(),     c.time,
          c.key,      c.chain.value(), c.chain.tree().root(),
          c.signature};
}

std::string to_json(const audit_anchor& a) {
  auto j = nlohmann::ordered_json{};
  j["log"] = hex(a.log);
  j["records"] = a.records;
  j["wall_ns"] = a.time.wall_ns;
  j["mono_ns"] = a.time.mono_ns;
  j["key"] = hex(a.key);
  j["chain"] = hex(a.chain);
  j["root"] = hex(a.root);
  j["signature"] = hex(a.signature);
  return j.dump();
}

result<std::vector<audit_anchor>> parse_anchors(std::string_view text,
                                                const std::string& name) {
  auto all = std::vector<audit_anchor>{};
  for (auto number = size_t{1};; ++number) {
    auto end = text.find('\n');
    if (end == text.npos)
      return all;
    auto a = parse(text.substr(0, end));
    if (!a)
      return fail(errc::bad_file, name + ": line " + std::to_string(number)
                                      + ": is not an anchor of an audit log");
    all.push_back(*a);
    text.remove_prefix(end + 1);
  }
}

std::vector<audit_finding>
check_anchors(const audit_report& report,
              const std::vector<audit_anchor>& anchors) {
  auto findings = std::vector<audit_finding>{};
  // Both may be many: one a second, for years.
  auto known = std::unordered_map<uint64_t, const audit_sealed*>{};
  for (auto& c : report.checkpoints)
    known.emplace(c.records, &c);
  auto add = [&](const audit_anchor& a, const audit_sealed* at,
                 std::string what) {
    auto source = at ? at->source : report.files.size() - 1;
    findings.push_back({source, report.files[source], a.records,
                        at ? at->offset : 0, std::move(what)});
  };
  for (auto& a : anchors) {
    if (!signature_checker{a.key}.check(
            signed_bytes(a.log, a.records, a.time, a.key, a.chain, a.root),
            a.signature)) {
      add(a, nullptr, "an anchor is not signed with the key that it names");
      continue;
    }
    if (a.log != report.log) {
      add(a, nullptr,
          "an anchor is of log " + hex(a.log) + ", this is " + hex(report.log));
      continue;
    }
    if (a.records <= report.first)
      continue;
    auto i = known.find(a.records);
    if (i == known.end()) {
      add(a, nullptr,
          a.records > report.sealed
              ? "the log ends before a checkpoint of "
                    + std::to_string(a.records)
                    + " records that an anchor is of: it has "
                    + std::to_string(report.sealed) + " sealed"
              : "there is no good checkpoint of " + std::to_string(a.records)
                    + " records, which an anchor is of");
      continue;
    }
    if (i->second->root != a.root || i->second->chain != a.chain)
      add(a, i->second,
          "the checkpoint has other hashes than the anchor of it: the log was "
          "written anew");
  }
  return findings;
}

} // namespace troupe
