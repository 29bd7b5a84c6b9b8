#include <atomic>
#include <cstdio>
#include <thread>
#include <unistd.h>

#include "core/trust/audit_anchor.hpp"
#include "runtime/cli/audit_commands.hpp"
#include "runtime/cli/json_text.hpp"
#include "runtime/whole_file.hpp"

namespace troupe::cli {

namespace {

constexpr auto largest_anchor_file = size_t{1} << 30;

struct verify_flags {
  std::vector<std::string> files;
  std::string key;
  std::string anchor;
  std::optional<uint64_t> from_checkpoint;
  unsigned threads = 0;
  bool json = false;
};

// On a terminal: how much is done.
class progress {
public:
  explicit progress(uint64_t all)
      : all_(all), shown_(all > 0 && ::isatty(STDERR_FILENO)) {}
  ~progress() {
    if (shown_)
      std::fprintf(stderr, "\r%60s\r", "");
  }

  void show(uint64_t done) {
    if (!shown_)
      return;
    constexpr auto width = uint64_t{40};
    auto bar = std::string(width * done / all_, '#');
    bar.resize(width, ' ');
    std::fprintf(stderr, "\r[%s] %3d %%", bar.c_str(),
                 static_cast<int>(100 * done / all_));
  }

private:
  uint64_t all_;
  bool shown_;
};

// Each part in one of several threads; the first of them tells how far it is.
void check_all(audit_verification& v, unsigned threads) {
  auto all = uint64_t{0};
  for (size_t i = 0; i < v.parts(); ++i)
    all += v.bytes_of(i);
  auto bar = progress{all};
  auto next = std::atomic<size_t>{0};
  auto done = std::atomic<uint64_t>{0};
  auto work = [&](bool tells) {
    for (size_t i; (i = next++) < v.parts();) {
      v.check(i);
      auto now = done += v.bytes_of(i);
      if (tells)
        bar.show(now);
    }
  };
  auto others = std::vector<std::jthread>{};
  for (auto i = 1u; i < threads && i < v.parts(); ++i)
    others.emplace_back(work, false);
  work(true);
}

nlohmann::ordered_json to_json(const audit_report& r) {
  auto j = nlohmann::ordered_json{};
  j["good"] = r.findings.empty();
  j["log"] = to_hex(std::as_bytes(std::span{r.log}));
  j["files"] = r.files;
  j["first"] = r.first;
  j["records"] = r.records;
  j["sealed"] = r.sealed;
  j["unsealed"] = r.records - std::min(r.records, r.sealed);
  j["checkpoints"] = r.checkpoints.size();
  j["closed"] = r.closed;
  j["torn"] = nullptr;
  if (r.torn)
    j["torn"] = {{"file", r.torn_file},
                 {"offset", r.torn->offset},
                 {"bytes", r.torn->end - r.torn->offset}};
  j["root"] = nullptr;
  if (!r.checkpoints.empty()) {
    auto& c = r.checkpoints.back();
    j["root"] = to_hex(as_bytes(c.root));
    j["key"] = key_name(c.key);
    j["time"] = utc(c.time.wall_ns);
  }
  j["findings"] = nlohmann::ordered_json::array();
  for (auto& f : r.findings)
    j["findings"].push_back({{"file", f.file},
                             {"record", f.record},
                             {"offset", f.offset},
                             {"what", f.what}});
  return j;
}

std::string to_text(const audit_report& r) {
  auto text = std::string{};
  for (auto& f : r.findings)
    text += to_string(f) + "\n";
  auto n = [](uint64_t x) { return std::to_string(x); };
  text += (r.findings.empty() ? "good: " : "NOT good: ") + n(r.records)
          + " records in " + n(r.files.size())
          + (r.files.size() == 1 ? " file, " : " files, ") + n(r.sealed)
          + " of them sealed";
  if (!r.checkpoints.empty())
    text += " at " + utc(r.checkpoints.back().time.wall_ns) + " by key "
            + key_name(r.checkpoints.back().key);
  text += r.closed ? "; closed\n" : "; not closed\n";
  if (r.first > 0)
    text += "looked at from record " + n(r.first) + " on\n";
  if (r.records > r.sealed || r.torn)
    text += "unsealed tail: " + n(r.records - std::min(r.records, r.sealed))
            + " whole records";
  if (r.torn)
    text += ", then " + n(r.torn->end - r.torn->offset)
            + " bytes of a write that was cut short, at byte "
            + n(r.torn->offset) + " of " + r.torn_file;
  if (r.records > r.sealed || r.torn)
    text += "\n";
  return text;
}

int verify(const verify_flags& f) {
  auto in = open_audit_input(f.files);
  if (!in)
    return report(in.failure());
  auto key = read_key_option(f.key);
  if (!key)
    return report(key.failure());
  auto anchors = std::vector<audit_anchor>{};
  if (!f.anchor.empty()) {
    auto text = read_whole_file(f.anchor, largest_anchor_file);
    if (!text)
      return report(text.failure());
    auto all = parse_anchors(*text, f.anchor);
    if (!all)
      return report(all.failure());
    anchors = *std::move(all);
  }
  auto o = audit_verify_options{};
  o.key = *key;
  o.from_checkpoint = f.from_checkpoint;
  auto v = audit_verification::plan(in->sources, o);
  if (!v)
    return report(v.failure());
  check_all(*v,
            f.threads > 0 ? f.threads : std::thread::hardware_concurrency());
  auto r = v->report();
  auto missing = check_anchors(r, anchors);
  r.findings.insert(r.findings.end(), missing.begin(), missing.end());
  if (!o.key)
    std::fprintf(stderr, "troupe: without --key it is not known who signed "
                         "this log\n");
  auto code = write_all(f.json ? dump(to_json(r)) + "\n" : to_text(r));
  return code == exit_ok && !r.findings.empty() ? exit_failed : code;
}

} // namespace

void add_audit_verify(CLI::App& audit, action& chosen) {
  auto f = std::make_shared<verify_flags>();
  auto* sub =
      audit.add_subcommand("verify", "look whether a log is what was written");
  sub->footer(R"(
Follows the chain of hashes through all records, and checks every signature.
Each finding names a record, an offset in its file, and what is wrong. What
comes after the last checkpoint is chained, but not sealed yet: where a write
was cut short there is no finding. That the end of a log was removed, or all of
it was written anew by somebody who has the key, shows only against anchors,
which were kept somewhere else.

The log's first file is enough: those that follow it, FILE.1 and so on, are
found. Several files are taken as a part of a log, in their order.

Examples:
  troupe audit verify audit.log --key audit.pub
  troupe audit verify audit.log --key audit.pub --anchor anchors.jsonl --json
)");
  sub->add_option("files", f->files, "the log")->required();
  sub->add_option("--key", f->key, "the public key of its beginning");
  sub->add_option("--anchor", f->anchor, "checkpoints that were kept");
  sub->add_option("--from-checkpoint", f->from_checkpoint,
                  "only what follows the checkpoint of so many records");
  sub->add_option("--threads", f->threads, "0: one for each core")
      ->check(CLI::Range(0u, 1024u));
  sub->add_flag("--json", f->json, "one JSON object");
  sub->callback([f, &chosen] { chosen = [f] { return verify(*f); }; });
}

} // namespace troupe::cli
