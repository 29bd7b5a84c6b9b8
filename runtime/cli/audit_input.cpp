#include <cstdio>
#include <ctime>
#include <filesystem>

#include "runtime/audit_keys.hpp"
#include "runtime/cli/audit_commands.hpp"

namespace troupe::cli {

namespace {

bool begins_a_log(const_bytes file) {
  auto head = header_bytes(file);
  auto h = head ? parse_header(*head) : fail(errc::bad_file, "no header");
  return h.ok() && h->segment == 0;
}

result<void> add(const std::string& path, audit_input& to) {
  auto file = map_audit_file(path);
  if (!file)
    return file.failure();
  to.sources.push_back({path, file->bytes});
  to.owners.push_back(*std::move(file));
  return {};
}

} // namespace

result<audit_input> open_audit_input(const std::vector<std::string>& files) {
  auto in = audit_input{};
  for (auto& path : files)
    if (auto ok = add(path, in); !ok)
      return ok.failure();
  if (files.size() > 1 || !begins_a_log(in.sources[0].bytes))
    return in;
  for (auto n = uint32_t{1};; ++n) {
    auto next = audit_segment_name(files[0], n);
    auto ignored = std::error_code{};
    if (!std::filesystem::exists(next, ignored))
      return in;
    if (auto ok = add(next, in); !ok)
      return ok.failure();
  }
}

result<std::optional<ed25519_public_key>>
read_key_option(const std::string& path) {
  if (path.empty())
    return std::optional<ed25519_public_key>{};
  auto key = read_public_key(path);
  if (!key)
    return key.failure();
  return std::optional{*key};
}

std::string utc(int64_t wall_ns) {
  auto seconds = static_cast<std::time_t>(wall_ns / 1'000'000'000);
  auto rest = wall_ns % 1'000'000'000;
  if (rest < 0) {
    --seconds;
    rest += 1'000'000'000;
  }
  auto t = std::tm{};
  if (!gmtime_r(&seconds, &t))
    return std::to_string(wall_ns) + " ns";
  char text[64];
  auto n = std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &t);
  std::snprintf(text + n, sizeof text - n, ".%06dZ",
                static_cast<int>(rest / 1000));
  return text;
}

} // namespace troupe::cli
