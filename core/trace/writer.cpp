#include "core/trace/writer.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>

#include "core/trace/encode.hpp"

namespace troupe {

namespace {

// A reader that misses one misses no more than that.
constexpr auto most_in_chunk = size_t{1} << 20;

error io_error(const std::string& file, const char* what) {
  return {errc::io_error, file + ": " + what + ": " + std::strerror(errno)};
}

std::string numbered(const std::string& file, uint32_t n) {
  return n == 0 ? file : file + "." + std::to_string(n);
}

// How many of the bytes are whole records that fit into a chunk; one at least.
size_t chunk_of(const_bytes records) {
  auto n = size_t{0};
  while (n < records.size()) {
    auto r = load_unaligned<trace_record>(records.data() + n);
    if (n > 0 && n + r.bytes > most_in_chunk)
      break;
    n += r.bytes;
  }
  return n;
}

} // namespace

result<trace_writer> trace_writer::open(trace_writer_options options) {
  options.files = std::max(1u, options.files);
  auto w = trace_writer{std::move(options)};
  // What an earlier recording left would be taken for a part of this one.
  for (auto n = 1u; ::unlink(numbered(w.options_.file, n).c_str()) == 0; ++n)
    ;
  if (auto ok = w.begin_file({}); !ok)
    return ok.failure();
  return w;
}

trace_writer::trace_writer(trace_writer&& other) noexcept
    : options_(std::move(other.options_)), fd_(std::exchange(other.fd_, -1)),
      number_(other.number_), chunk_(other.chunk_), in_file_(other.in_file_),
      bytes_(other.bytes_), dropped_(other.dropped_),
      texts_(std::move(other.texts_)), alive_(std::move(other.alive_)) {}

trace_writer::~trace_writer() {
  if (fd_ >= 0)
    ::close(fd_);
}

result<void> trace_writer::put(const_bytes bytes) {
  while (!bytes.empty()) {
    auto n = ::write(fd_, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR)
      continue;
    if (n < 0)
      return io_error(options_.file, "writing the trace failed");
    bytes = bytes.subspan(static_cast<size_t>(n));
    in_file_ += static_cast<uint64_t>(n);
    bytes_ += static_cast<uint64_t>(n);
  }
  return {};
}

result<void> trace_writer::begin_file(const trace_moment& moment) {
  fd_ = ::open(options_.file.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC,
               0600);
  if (fd_ < 0)
    return io_error(options_.file, "the trace's file cannot be opened");
  in_file_ = 0;
  chunk_ = 0;
  auto h = make_trace_header(options_.process, number_++, options_.flags);
  if (auto ok = put(std::as_bytes(std::span{&h, 1})); !ok)
    return ok;
  auto known = texts_;
  for (auto& [key, record] : alive_)
    known.insert(known.end(), record.begin(), record.end());
  for (auto left = const_bytes{known}; !left.empty();) {
    auto n = chunk_of(left);
    if (auto ok = put_chunk(left.first(n), moment); !ok)
      return ok;
    left = left.subspan(n);
  }
  return {};
}

result<void> trace_writer::rotate(const trace_moment& moment) {
  ::close(std::exchange(fd_, -1));
  // Whoever reads the only file goes on to, and does not see it cut short.
  if (options_.files == 1)
    ::unlink(options_.file.c_str());
  for (auto n = options_.files - 1; n > 0; --n) {
    auto from = numbered(options_.file, n - 1);
    auto to = numbered(options_.file, n);
    if (std::rename(from.c_str(), to.c_str()) != 0 && errno != ENOENT)
      return io_error(from, "the trace's file cannot be renamed");
  }
  return begin_file(moment);
}

result<void> trace_writer::put_chunk(const_bytes records,
                                     const trace_moment& moment) {
  auto h = make_trace_chunk(chunk_++, moment, dropped_, records);
  if (auto ok = put(std::as_bytes(std::span{&h, 1})); !ok)
    return ok;
  return put(records);
}

void trace_writer::remember(const_bytes records) {
  for (auto at = records; !at.empty();) {
    auto r = load_unaligned<trace_record>(at.data());
    auto bytes = at.first(r.bytes);
    if (r.kind == trace_kind::about || r.kind == trace_kind::type
        || r.kind == trace_kind::node) {
      texts_.insert(texts_.end(), bytes.begin(), bytes.end());
    } else if (r.kind == trace_kind::actor || r.kind == trace_kind::gone) {
      auto a = load_unaligned<trace_actor_record>(at.data());
      auto key = std::pair{a.node, a.actor};
      if (r.kind == trace_kind::gone)
        alive_.erase(key);
      else
        alive_[key] = raw_bytes(bytes.begin(), bytes.end());
    }
    at = at.subspan(r.bytes);
  }
}

result<void> trace_writer::write(const_bytes records,
                                 const trace_moment& moment, uint64_t dropped) {
  if (fd_ < 0)
    return fail(errc::io_error,
                options_.file + ": the trace ended with an error");
  dropped_ = dropped;
  do {
    auto n = chunk_of(records);
    auto full = in_file_ > 0
                && in_file_ + sizeof(trace_chunk_header) + n
                       > options_.max_bytes / options_.files;
    if (full)
      if (auto ok = rotate(moment); !ok)
        return ok;
    if (auto ok = put_chunk(records.first(n), moment); !ok)
      return ok;
    remember(records.first(n));
    records = records.subspan(n);
  } while (!records.empty());
  return {};
}

} // namespace troupe
