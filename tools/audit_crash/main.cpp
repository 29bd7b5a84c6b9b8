// Kills a process that writes an audit log, again and again, and looks whether
// anything that it had said to be durable is lost.
//
//   troupe_audit_crash [--kills N] [--seed S] [--dir D] [--key K] [--keep]
//
// The writer says each commit over a pipe once that is durable. After each kill
// the log is verified, opened by the next writer, and read. Kills end
// processes, not the power: what a loss of power leaves is simulated in
// tests/core/trust/audit_faults_test.cpp.

#include <CLI/CLI.hpp>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <poll.h>
#include <sstream>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "core/base/random.hpp"
#include "core/trust/audit_events.hpp"
#include "core/trust/audit_log.hpp"
#include "core/trust/audit_verify.hpp"

using namespace troupe;

namespace {

struct trial_result {
  uint64_t acknowledged = 0; ///< records, since the first one
  uint64_t there = 0;
  uint64_t torn_bytes = 0;
  uint64_t unsealed = 0;
  size_t files = 0;
};

struct settings {
  std::string path;
  signing_key key = *signing_key::from_seed(ed25519_seed{1, 2, 3});
  uint64_t seed = 1;
};

audit_time now() {
  auto t = timespec{};
  clock_gettime(CLOCK_MONOTONIC, &t);
  auto ns = t.tv_sec * 1'000'000'000 + t.tv_nsec;
  return {ns, ns};
}

// Its request says which one it is, whatever is in the log beside it.
audit_record numbered(uint64_t n) {
  auto who = audit::subject{now(), n, "acme", "laptop"};
  return audit::refused(who, "test", std::string(n % 300, 'x'));
}

// -- the writer
// -----------------------------------------------------------------

[[noreturn]] void give_up(const error& e) {
  std::fprintf(stderr, "troupe_audit_crash: %s\n", e.message.c_str());
  _exit(3);
}

// Appends records from `first` on for ever; says how many are durable.
[[noreturn]] void write_records(const settings& s, uint64_t trial,
                                uint64_t first, int to) {
  auto options = audit_log_options{};
  options.checkpoint_records = 200;
  options.segment_bytes = 200'000;
  auto folder = open_audit_folder(s.path);
  if (!folder)
    give_up(folder.failure());
  auto log = audit_log::open(*std::move(folder), s.key, options, now());
  if (!log)
    give_up(log.failure());
  for (auto n = first;;) {
    auto batch = 1 + random_bits(s.seed, trial, 2) % 200;
    for (uint64_t i = 0; i < batch; ++i)
      if (auto ok = log->append(numbered(n++)); !ok)
        give_up(ok.failure());
    if (auto ok = log->commit(now()); !ok)
      give_up(ok.failure());
    if (::write(to, &n, sizeof n) != sizeof n)
      _exit(4);
  }
}

// -- whoever kills it
// -----------------------------------------------------------

// Reads what the writer says: `commits` of it, however slow the machine is,
// and what else it says in the time that it has then. Returns the last.
uint64_t listen(int from, uint64_t commits, int64_t life_ns, uint64_t first) {
  constexpr auto patience_ns = int64_t{60'000'000'000};
  auto said = first;
  auto until_ns = now().mono_ns + (commits > 0 ? patience_ns : life_ns);
  while (true) {
    auto left = (until_ns - now().mono_ns) / 1'000'000;
    auto p = pollfd{from, POLLIN, 0};
    if (left < 0 || ::poll(&p, 1, static_cast<int>(left)) <= 0)
      return said;
    auto n = uint64_t{0};
    if (::read(from, &n, sizeof n) != sizeof n)
      return said;
    said = n;
    if (commits > 0 && --commits == 0)
      until_ns = now().mono_ns + life_ns;
  }
}

// What it had written before it was dead.
uint64_t drain(int from, uint64_t said) {
  for (auto n = uint64_t{0}; ::read(from, &n, sizeof n) == sizeof n;)
    said = n;
  ::close(from);
  return said;
}

result<trial_result> look(const settings& s, uint64_t acknowledged) {
  auto r = trial_result{acknowledged, 0, 0, 0, 0};
  auto files = std::vector<audit_bytes>{};
  auto sources = std::vector<audit_source>{};
  for (uint32_t i = 0;; ++i) {
    auto name = audit_segment_name(s.path, i);
    if (!std::filesystem::exists(name))
      break;
    auto f = map_audit_file(name);
    if (!f)
      return f.failure();
    files.push_back(*f);
    sources.push_back({name, f->bytes});
  }
  r.files = sources.size();
  for (auto& source : sources) {
    auto head = header_bytes(source.bytes);
    auto at = head ? head->size() : source.bytes.size();
    while (auto f = frame_at(source.bytes, at)) {
      at = f->end();
      auto v = audit_record_view::parse(f->body);
      if (!v || v->kind() != audit_kind::refused)
        continue;
      if (v->request() != r.there)
        return fail(errc::bad_file, "request " + std::to_string(v->request())
                                        + " where " + std::to_string(r.there)
                                        + " is next");
      ++r.there;
    }
  }
  if (sources.empty())
    return r;
  auto verified = verify_audit_log(sources);
  if (!verified)
    return verified.failure();
  if (!verified->findings.empty())
    return fail(errc::bad_file, to_string(verified->findings[0]));
  if (r.there < acknowledged)
    return fail(errc::bad_file, std::to_string(acknowledged)
                                    + " records were acknowledged, "
                                    + std::to_string(r.there) + " are there");
  if (verified->torn)
    r.torn_bytes = verified->torn->end - verified->torn->offset;
  r.unsealed = verified->records - verified->sealed;
  return r;
}

result<trial_result> trial(const settings& s, uint64_t number, uint64_t first) {
  int ends[2];
  if (::pipe(ends) != 0)
    return fail(errc::io_error, "no pipe");
  auto pid = ::fork();
  if (pid < 0)
    return fail(errc::io_error, "no process");
  if (pid == 0) {
    ::close(ends[0]);
    write_records(s, number, first, ends[1]);
  }
  ::close(ends[1]);
  // Some die before they said anything, the others while they write.
  auto commits = random_bits(s.seed, number, 3) % 12;
  auto life_ns =
      static_cast<int64_t>(random_bits(s.seed, number, 1) % 30'000'000);
  auto said = listen(ends[0], commits, life_ns, first);
  ::kill(pid, SIGKILL);
  auto status = 0;
  ::waitpid(pid, &status, 0);
  said = drain(ends[0], said);
  if (!WIFSIGNALED(status))
    return fail(errc::bad_file, "the writer ended by itself, with status "
                                    + std::to_string(WEXITSTATUS(status)));
  return look(s, said);
}

} // namespace

int main(int argc, char** argv) {
  auto s = settings{};
  auto kills = uint64_t{200};
  auto dir = std::filesystem::temp_directory_path().string();
  CLI::App app{"Kills writers of an audit log."};
  app.add_option("--kills", kills, "how often")->capture_default_str();
  app.add_option("--seed", s.seed, "of the times")->capture_default_str();
  app.add_option("--dir", dir, "where the log is");
  auto key = std::string{};
  app.add_option("--key", key, "that signs the log");
  auto keep = false;
  app.add_flag("--keep", keep, "the log stays, as audit.log in the directory");
  CLI11_PARSE(app, argc, argv);
  auto made = dir + "/troupe-audit-XXXXXX";
  if (!keep && !::mkdtemp(made.data()))
    return 1;
  s.path = (keep ? dir : made) + "/audit.log";
  if (!key.empty()) {
    auto pem = std::stringstream{};
    pem << std::ifstream{key}.rdbuf();
    auto k = signing_key::from_pem(pem.str(), key);
    if (!k)
      give_up(k.failure());
    s.key = *k;
  }
  auto before = look(s, 0); // of a log that is there
  if (!before)
    give_up(before.failure());
  auto last = *before;
  auto torn = uint64_t{0};
  auto unsealed = uint64_t{0};
  auto acknowledged = uint64_t{0};
  for (uint64_t i = 0; i < kills; ++i) {
    auto r = trial(s, i, last.there);
    if (!r) {
      std::fprintf(stderr, "kill %llu: %s; the log is %s\n",
                   static_cast<unsigned long long>(i),
                   r.failure().message.c_str(), s.path.c_str());
      return 1;
    }
    acknowledged += r->acknowledged - last.there;
    torn += r->torn_bytes > 0;
    unsealed += r->unsealed > 0;
    last = *r;
  }
  if (!keep)
    std::filesystem::remove_all(made);
  std::printf("%llu kills, %llu records acknowledged, none lost; %llu in the "
              "log, in %zu files; %llu ends were torn, %llu unsealed, none "
              "taken for tampering\n",
              static_cast<unsigned long long>(kills),
              static_cast<unsigned long long>(acknowledged),
              static_cast<unsigned long long>(last.there), last.files,
              static_cast<unsigned long long>(torn),
              static_cast<unsigned long long>(unsealed));
  return 0;
}
