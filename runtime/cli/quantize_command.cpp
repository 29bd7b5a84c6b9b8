#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <sys/mman.h>
#include <sys/stat.h>
#include <thread>
#include <unistd.h>

#include "core/model/requantize.hpp"
#include "core/tensor/thread_pool.hpp"
#include "runtime/cli/cli.hpp"
#include "runtime/cli/interrupt.hpp"

namespace troupe::cli {

namespace {

struct quantize_options {
  std::string in;
  std::string out;
  std::string type;
  bool pure = false;
  bool force = false;
  bool json = false;
  unsigned threads = 0;
};

constexpr auto all_types = std::to_array<dtype>(
    {dtype::f32, dtype::f16, dtype::bf16, dtype::q8_0, dtype::q6_k, dtype::q5_k,
     dtype::q5_1, dtype::q5_0, dtype::q4_k, dtype::q4_1, dtype::q4_0});

std::vector<std::string> type_names() {
  auto names = std::vector<std::string>{};
  for (auto t : all_types)
    names.emplace_back(to_string(t));
  return names;
}

// -- a file that is there whole or not at all ---------------------------------

error system_failure(const std::string& path) {
  return fail(errc::io_error,
              printable(path, 4096) + ": " + std::strerror(errno));
}

/// Written beside its place under a name of its own, and put in place by
/// `commit`; until then, and if that fails, only the old file is there.
class new_file {
public:
  explicit new_file(std::string path) : path_(std::move(path)) {}

  ~new_file() {
    if (fd_ >= 0)
      ::close(fd_);
    if (!temporary_.empty())
      ::unlink(temporary_.c_str());
  }

  new_file(const new_file&) = delete;
  new_file& operator=(const new_file&) = delete;

  /// Room for `bytes` is made at once, so that a full disk shows here.
  result<void> open(uint64_t bytes, bool overwrite) {
    overwrite_ = overwrite;
    struct stat there = {};
    if (::stat(path_.c_str(), &there) == 0) {
      if (!S_ISREG(there.st_mode))
        return fail(errc::io_error, printable(path_, 4096)
                                        + ": there is something that is not a "
                                          "regular file");
      if (!overwrite)
        return exists();
    }
    auto name = path_ + ".tmp.XXXXXX";
    fd_ = ::mkostemp(name.data(), O_CLOEXEC);
    if (fd_ < 0)
      return system_failure(path_);
    temporary_ = name;
    auto mask = ::umask(0);
    ::umask(mask);
    if (::fchmod(fd_, 0666 & ~mask) != 0)
      return system_failure(path_);
    if (bytes > 0 && ::fallocate(fd_, 0, 0, static_cast<off_t>(bytes)) != 0
        && errno != EOPNOTSUPP && errno != ENOSYS)
      return system_failure(path_);
    return {};
  }

  result<void> write(std::span<const std::byte> bytes) {
    while (!bytes.empty()) {
      auto n = ::write(fd_, bytes.data(), bytes.size());
      if (n > 0)
        bytes = bytes.subspan(static_cast<size_t>(n));
      else if (errno != EINTR)
        return system_failure(path_);
    }
    return {};
  }

  result<void> commit() {
    if (::fsync(fd_) != 0)
      return system_failure(path_);
    if (!put_in_place())
      return errno == EEXIST ? result<void>{exists()} : system_failure(path_);
    temporary_.clear();
    // So that the name outlives a power cut, too; not all file systems can.
    auto folder = std::filesystem::path{path_}.parent_path();
    auto at = ::open(folder.empty() ? "." : folder.c_str(),
                     O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (at >= 0) {
      ::fsync(at);
      ::close(at);
    }
    return {};
  }

private:
  error exists() const {
    return fail(errc::io_error,
                printable(path_, 4096) + ": exists; --force replaces it");
  }

  bool put_in_place() const {
    if (!overwrite_) {
      if (::renameat2(AT_FDCWD, temporary_.c_str(), AT_FDCWD, path_.c_str(),
                      RENAME_NOREPLACE)
          == 0)
        return true;
      if (errno != EINVAL && errno != ENOSYS) // the file system cannot say so
        return false;
    }
    return ::rename(temporary_.c_str(), path_.c_str()) == 0;
  }

  std::string path_;
  std::string temporary_;
  int fd_ = -1;
  bool overwrite_ = false;
};

// -- progress -----------------------------------------------------------------

/// On stderr, if that is a terminal; drawn when a per cent is done.
class progress_bar {
public:
  explicit progress_bar(uint64_t total)
      : total_(std::max<uint64_t>(total, 1)), shown_(::isatty(STDERR_FILENO)) {}

  ~progress_bar() {
    if (drawn_ >= 0)
      std::fputs("\r\x1b[K", stderr);
  }

  void advance(uint64_t values, std::string_view what) {
    done_ += values;
    auto percent = static_cast<int>(100.0 * static_cast<double>(done_)
                                    / static_cast<double>(total_));
    if (!shown_ || percent == drawn_)
      return;
    drawn_ = percent;
    constexpr auto width = 30;
    auto bar = std::string(static_cast<size_t>(percent * width / 100), '#');
    bar.resize(width, '.');
    std::fprintf(stderr, "\r[%s] %3d %%  %s\x1b[K", bar.c_str(), percent,
                 printable(what, 64).c_str());
  }

private:
  uint64_t total_;
  uint64_t done_ = 0;
  bool shown_;
  int drawn_ = -1;
};

// -- the work -----------------------------------------------------------------

/// A few pieces at a time, encoded on all threads and written in order: what
/// is in memory does not grow with the model.
class converter {
public:
  converter(const gguf_file& from, const requantize_plan& plan,
            unsigned threads, const interrupt_watch& interrupts)
      : from_(from), plan_(plan), pool_(threads), pieces_(4 * size_t{threads}),
        interrupts_(interrupts) {}

  /// cancelled: by an interrupt.
  result<void> run(new_file& to) {
    auto values = uint64_t{0};
    for (auto& t : plan_.tensors)
      values += t.from->values();
    auto bar = progress_bar{values};
    if (auto ok = to.write(plan_.header); !ok)
      return ok;
    written_ = plan_.header.size();
    for (auto& t : plan_.tensors) {
      auto gap =
          std::vector<std::byte>(static_cast<size_t>(t.offset - written_));
      if (auto ok = to.write(gap); !ok)
        return ok;
      if (auto ok = convert(t, to, bar); !ok)
        return ok;
      written_ = t.offset + t.bytes;
      forget(t.from->data);
    }
    return {};
  }

private:
  struct piece {
    std::vector<std::byte> bytes;
    error failure;
  };

  result<void> convert(const requantized_tensor& t, new_file& to,
                       progress_bar& bar) {
    auto total = pieces_of(t);
    for (auto first = uint64_t{0}; first < total; first += pieces_.size()) {
      if (interrupts_.interrupted())
        return fail(errc::cancelled, "interrupted");
      auto n = std::min<uint64_t>(pieces_.size(), total - first);
      pool_.run(static_cast<uint32_t>(n), [&](uint32_t i, unsigned) {
        auto& p = pieces_[i];
        p.bytes.resize(range_of_piece(t, first + i).bytes);
        auto ok = requantize_piece(from_, t, first + i, p.bytes);
        p.failure = ok ? error{} : ok.failure();
      });
      for (auto i = size_t{0}; i < n; ++i) {
        if (pieces_[i].failure)
          return pieces_[i].failure;
        if (auto ok = to.write(pieces_[i].bytes); !ok)
          return ok;
      }
      auto done = std::min<uint64_t>(n * requantize_piece_values,
                                     t.from->values()
                                         - first * requantize_piece_values);
      bar.advance(done, t.from->name);
    }
    return {};
  }

  // Lets go of the whole pages of the mapped file: they are read once.
  static void forget(const_bytes data) {
    auto page = static_cast<uintptr_t>(::sysconf(_SC_PAGESIZE));
    auto first = reinterpret_cast<uintptr_t>(data.data());
    auto begin = (first + page - 1) / page * page;
    auto end = (first + data.size()) / page * page;
    if (begin < end)
      ::madvise(reinterpret_cast<void*>(begin), end - begin, MADV_DONTNEED);
  }

  const gguf_file& from_;
  const requantize_plan& plan_;
  thread_pool pool_;
  std::vector<piece> pieces_;
  const interrupt_watch& interrupts_;
  uint64_t written_ = 0;
};

int summarise(const quantize_options& o, const gguf_file& from,
              const requantize_plan& plan) {
  auto types = std::map<std::string, uint64_t>{};
  auto kept = uint64_t{0};
  for (auto& t : plan.tensors) {
    ++types[std::string{to_string(t.to)}];
    kept += t.kept() ? 1 : 0;
  }
  if (o.json) {
    auto j = nlohmann::ordered_json{{"file", o.out},
                                    {"type", o.type},
                                    {"bytes_in", from.bytes().size()},
                                    {"bytes_out", plan.bytes},
                                    {"tensors", plan.tensors.size()},
                                    {"copied", kept},
                                    {"types", types}};
    return write_all(
        j.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace)
        + "\n");
  }
  auto list = std::string{};
  for (auto& [type, n] : types)
    list += (list.empty() ? "" : ", ") + std::to_string(n) + " " + type;
  std::fprintf(stderr, "%s: %.1f MB to %.1f MB; tensors: %s\n",
               printable(o.out, 4096).c_str(),
               static_cast<double>(from.bytes().size()) / 1e6,
               static_cast<double>(plan.bytes) / 1e6, list.c_str());
  return exit_ok;
}

int quantize(const quantize_options& o) {
  // A file-size limit shows as a failed write, not as a signal.
  std::signal(SIGXFSZ, SIG_IGN);
  auto interrupts = interrupt_watch{};
  auto from = gguf_file::open(o.in);
  if (!from)
    return report(from.failure());
  auto how = requantize_options{};
  for (auto t : all_types)
    if (to_string(t) == o.type)
      how.type = t;
  how.pure = o.pure;
  auto plan = plan_requantize(*from, how);
  if (!plan)
    return report(plan.failure());
  auto to = new_file{o.out};
  if (auto ok = to.open(plan->bytes, o.force); !ok)
    return report(ok.failure());
  auto threads = o.threads > 0
                     ? o.threads
                     : std::max(1u, std::thread::hardware_concurrency());
  auto done = converter{*from, *plan, threads, interrupts}.run(to);
  if (done)
    done = to.commit();
  if (!done) {
    report(done.failure());
    return done.failure().code == errc::cancelled ? exit_interrupted
                                                  : exit_failed;
  }
  return summarise(o, *from, *plan);
}

} // namespace

void add_quantize(CLI::App& app, action& chosen) {
  auto o = std::make_shared<quantize_options>();
  auto* sub =
      app.add_subcommand("quantize", "write a model in another encoding");
  sub->footer(R"(
Writes the GGUF file IN as OUT with its matrices in the encoding TYPE; vectors
become f32. The output matrix becomes q6_k where TYPE has fewer bits, unless
--pure. OUT appears when it is whole; if anything fails there is no new file.
With --json, prints {"file", "type", "bytes_in", "bytes_out", "tensors",
"copied", "types"}.

Example: troupe quantize model-f16.gguf model-q4_k.gguf --type q4_k
)");
  sub->add_option("in", o->in, "GGUF file to read")->required();
  sub->add_option("out", o->out, "GGUF file to write")->required();
  sub->add_option("-t,--type", o->type, "encoding of the matrices")
      ->required()
      ->check(CLI::IsMember(type_names()));
  sub->add_flag("--pure", o->pure, "the output matrix in that encoding, too");
  sub->add_flag("-f,--force", o->force, "replace OUT if it exists");
  sub->add_option("--threads", o->threads,
                  "threads that encode (default: all processors)")
      ->check(CLI::Range(1, 1024));
  sub->add_flag("--json", o->json, "print one JSON object");
  sub->callback([o, &chosen] { chosen = [o] { return quantize(*o); }; });
}

} // namespace troupe::cli
