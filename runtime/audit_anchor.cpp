#include "runtime/audit_anchor.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "runtime/post_json.hpp"

namespace troupe {

namespace {

constexpr auto patience = std::chrono::seconds{5};

error failed(const std::string& path, int number) {
  return fail(errc::io_error, path + ": " + std::strerror(number));
}

// A line of a file, durable. What a failure leaves of one is ended by the next.
class anchor_file {
public:
  anchor_file(std::string path, int fd) : path_(std::move(path)), fd_(fd) {}
  anchor_file(const anchor_file&) = delete;
  anchor_file& operator=(const anchor_file&) = delete;
  ~anchor_file() { ::close(fd_); }

  result<void> tell(const std::string& json) {
    auto start = ::lseek(fd_, 0, SEEK_END);
    auto line = json + "\n";
    auto n = ::write(fd_, line.data(), line.size());
    if (n == static_cast<ssize_t>(line.size()) && ::fdatasync(fd_) == 0)
      return {};
    auto why = n >= 0 && n < static_cast<ssize_t>(line.size()) ? ENOSPC : errno;
    if (start >= 0 && ::ftruncate(fd_, start) != 0)
      return failed(path_, errno);
    return failed(path_, why);
  }

private:
  std::string path_;
  int fd_;
};

// What a process that ended left of a line is cut off.
result<void> end_of_lines(const std::string& path, int fd) {
  auto size = ::lseek(fd, 0, SEEK_END);
  for (auto at = size; at > 0; --at) {
    auto c = char{};
    if (::pread(fd, &c, 1, at - 1) != 1)
      return failed(path, errno);
    if (c != '\n')
      continue;
    return at == size || ::ftruncate(fd, at) == 0
               ? result<void>{}
               : result<void>{failed(path, errno)};
  }
  if (size > 0 && ::ftruncate(fd, 0) != 0)
    return failed(path, errno);
  return {};
}

} // namespace

result<std::shared_ptr<audit_anchor_sink>>
audit_anchor_sink::open(const std::string& to) {
  if (to.find("://") != std::string::npos) {
    auto at = parse_http_address(to);
    if (!at)
      return at.failure();
    auto tell = [at = *at](std::string json) {
      static const auto never = std::atomic<bool>{false};
      return post_json(at, "", json, patience, never);
    };
    return std::make_shared<audit_anchor_sink>(tell);
  }
  auto fd = ::open(to.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if (fd < 0)
    return failed(to, errno);
  auto file = std::make_shared<anchor_file>(to, fd);
  if (auto ok = end_of_lines(to, fd); !ok)
    return ok.failure();
  return std::make_shared<audit_anchor_sink>(
      [file](std::string json) { return file->tell(json); });
}

audit_anchor_sink::audit_anchor_sink(
    std::function<result<void>(std::string)> tell)
    : tell_(std::move(tell)), thread_([this] { run(); }) {}

audit_anchor_sink::~audit_anchor_sink() {
  {
    auto guard = std::scoped_lock{mutex_};
    over_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void audit_anchor_sink::put(const audit_anchor& a) {
  {
    auto guard = std::scoped_lock{mutex_};
    counts_.skipped += next_.has_value();
    next_ = a;
  }
  changed_.notify_all();
}

void audit_anchor_sink::flush() {
  auto lock = std::unique_lock{mutex_};
  changed_.wait(lock, [this] { return !next_ && !busy_; });
}

audit_anchor_sink::counts audit_anchor_sink::status() const {
  auto guard = std::scoped_lock{mutex_};
  return counts_;
}

void audit_anchor_sink::run() {
  auto lock = std::unique_lock{mutex_};
  while (true) {
    changed_.wait(lock, [this] { return next_ || over_; });
    if (!next_)
      return;
    auto json = to_json(*std::exchange(next_, std::nullopt));
    busy_ = true;
    lock.unlock();
    auto ok = tell_(std::move(json));
    lock.lock();
    busy_ = false;
    counts_.told += ok.ok();
    counts_.failed += !ok.ok();
    counts_.last_error = ok ? "" : ok.failure().message;
    changed_.notify_all();
  }
}

} // namespace troupe
