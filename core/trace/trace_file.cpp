#include "core/trace/trace_file.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

#include "core/trace/encode.hpp"

namespace troupe {

namespace {

constexpr auto chunk_head = uint64_t{sizeof(trace_chunk_header)};

// Bytes that may be hashed while chunks behind damage are sought: whoever
// writes nothing but beginnings of chunks must not make each of them be
// hashed to its end.
uint64_t hash_budget(const_bytes file) {
  return 8 * uint64_t{file.size()} + trace_chunk_most;
}

bool is_chunk_head(const trace_chunk_header& h) {
  return h.magic == trace_chunk_magic && h.bytes <= trace_chunk_most
         && h.bytes % 8 == 0;
}

trace_chunk_header chunk_head_at(const_bytes file, uint64_t at) {
  return load_unaligned<trace_chunk_header>(file.data() + at);
}

const_bytes records_at(const_bytes file, uint64_t at,
                       const trace_chunk_header& h) {
  return file.subspan(at + chunk_head, h.bytes);
}

// REQUIRES: no good chunk begins there.
const char* why_bad(const_bytes file, uint64_t at) {
  return file.size() - at >= chunk_head
                 && is_chunk_head(chunk_head_at(file, at))
             ? "a chunk's checksum is wrong"
             : "no chunk begins where one should";
}

// Where a chunk may begin next, or the end.
uint64_t find_magic(const_bytes file, uint64_t from) {
  auto magic = std::string_view{"CHNK"};
  auto at = text_of(file).find(magic, from);
  return at == std::string_view::npos ? file.size() : at;
}

} // namespace

// -- chunks -------------------------------------------------------------------

std::optional<trace_chunk> trace_file_reader::next(const_bytes file,
                                                   bool whole) {
  if (!header_ && !read_header(file, whole))
    return std::nullopt;
  while (at_ < file.size()) {
    if (damaged_ && !skip_damage(file, whole))
      return std::nullopt;
    auto s = look_at(file, at_);
    if (s == state::incomplete && !whole)
      return std::nullopt;
    if (s == state::good)
      s = check(file, at_);
    if (s == state::good)
      return take(file);
    find(at_, s == state::incomplete ? "the file ends within a chunk"
                                     : why_bad(file, at_));
    damaged_ = true;
  }
  return std::nullopt;
}

bool trace_file_reader::read_header(const_bytes file, bool whole) {
  auto refuse = [&](std::string what) {
    if (!refused_)
      find(0, std::move(what));
    refused_ = true;
    return false;
  };
  if (refused_)
    return false;
  auto n = std::min(file.size(), sizeof trace_magic);
  if (n > 0 && std::memcmp(file.data(), trace_magic, n) != 0)
    return refuse("this is not a message trace: it does not begin with "
                  "TRPTRACE");
  if (file.size() < sizeof(trace_file_header))
    return whole ? refuse("the file ends within its header") : false;
  auto h = load_unaligned<trace_file_header>(file.data());
  auto is_right = h.checksum == checksum_of(h);
  if (is_right && h.version != trace_version)
    return refuse("the trace is of version " + std::to_string(h.version)
                  + ", and this program reads version "
                  + std::to_string(trace_version)
                  + "; use the troupe that wrote it, or a newer one");
  if (is_right && h.header_bytes != sizeof h)
    return refuse("the header says that it has "
                  + std::to_string(h.header_bytes)
                  + " bytes, and those of this version have 40");
  if (!is_right)
    find(0, "the header's checksum is wrong: whose trace it is may be too");
  header_ = h;
  at_ = sizeof h;
  return true;
}

// Whether a whole chunk may begin there, by its head.
trace_file_reader::state trace_file_reader::look_at(const_bytes file,
                                                    uint64_t at) const {
  if (file.size() - at < chunk_head) {
    auto n = std::min<uint64_t>(file.size() - at, 4);
    auto magic = trace_chunk_magic;
    return std::memcmp(file.data() + at, &magic, n) == 0 ? state::incomplete
                                                         : state::bad;
  }
  auto h = chunk_head_at(file, at);
  if (!is_chunk_head(h))
    return state::bad;
  return h.bytes > file.size() - at - chunk_head ? state::incomplete
                                                 : state::good;
}

trace_file_reader::state trace_file_reader::check(const_bytes file,
                                                  uint64_t at) const {
  auto h = chunk_head_at(file, at);
  return h.checksum == checksum_of(h, records_at(file, at, h)) ? state::good
                                                               : state::bad;
}

// Goes on to the next chunk that is good; false: there is none so far.
bool trace_file_reader::skip_damage(const_bytes file, bool whole) {
  while (true) {
    auto at = find_magic(file, at_ + 1);
    if (at == file.size()) {
      // The beginning of a magic may be all that is there of it.
      at_ = whole ? at : std::max(at_, at < 4 ? 0 : at - 4);
      return false;
    }
    auto s = look_at(file, at);
    if (s == state::incomplete && !whole)
      return false;
    if (s == state::good) {
      hashed_ += chunk_head_at(file, at).bytes;
      if (hashed_ > hash_budget(file)) {
        find(at, "too much of the file looks like chunks and is none: the "
                 "rest is left out");
        at_ = file.size();
        return false;
      }
      s = check(file, at);
    }
    at_ = at;
    if (s == state::good) {
      damaged_ = false;
      return true;
    }
  }
}

trace_chunk trace_file_reader::take(const_bytes file) {
  auto c = trace_chunk{};
  c.offset = at_;
  c.header = chunk_head_at(file, at_);
  c.records = records_at(file, at_, c.header);
  if (c.header.number != next_number_)
    find(at_, "chunk " + std::to_string(c.header.number) + " follows where "
                  + std::to_string(next_number_) + " should");
  next_number_ = c.header.number + 1;
  // A right checksum says that the bytes are those that were written, not that
  // they make sense.
  for (auto left = c.records; !left.empty();) {
    if (auto* why = check_record(left)) {
      auto n = c.records.size() - left.size();
      find(at_ + chunk_head + n, why);
      c.records = c.records.first(n);
      break;
    }
    left = left.subspan(load_unaligned<trace_record>(left.data()).bytes);
  }
  at_ += chunk_head + c.header.bytes;
  return c;
}

void trace_file_reader::find(uint64_t offset, std::string what) {
  if (findings_.size() < most_findings)
    findings_.push_back({offset, std::move(what)});
  else if (findings_.size() == most_findings)
    findings_.push_back({offset, "from here on more is wrong than is told"});
}

// -- records ------------------------------------------------------------------

namespace {

template <class T>
bool has_bytes(const trace_record& r, const_bytes bytes, uint64_t (*more)(T)) {
  return r.bytes >= sizeof(T)
         && r.bytes
                == sizeof(T)
                       + ((more(load_unaligned<T>(bytes.data())) + 7)
                          & ~uint64_t{7});
}

bool has_right_size(const trace_record& r, const_bytes bytes) {
  switch (r.kind) {
  case trace_kind::about:
  case trace_kind::type:
  case trace_kind::node:
    return has_bytes<trace_text>(
        r, bytes, [](trace_text t) { return uint64_t{t.text_bytes}; });
  case trace_kind::actor:
  case trace_kind::gone:
    return has_bytes<trace_actor_record>(r, bytes, [](trace_actor_record a) {
      return uint64_t{a.name_bytes} + a.payload_bytes;
    });
  case trace_kind::sent:
    return has_bytes<trace_sent>(
        r, bytes, [](trace_sent s) { return uint64_t{s.payload_bytes}; });
  case trace_kind::handled:
    return has_bytes<trace_handled>(
        r, bytes, [](trace_handled h) { return uint64_t{h.notes_bytes}; });
  }
  return false;
}

bool is_known(trace_kind k) {
  return k >= trace_kind::about && k <= trace_kind::handled;
}

} // namespace

const char* check_record(const_bytes bytes) {
  if (bytes.size() < sizeof(trace_record))
    return "a record is cut short by the end of its chunk";
  auto r = load_unaligned<trace_record>(bytes.data());
  if (r.bytes < sizeof r || r.bytes % 8 != 0 || r.bytes > trace_record_most)
    return "a record's size is none";
  if (r.bytes > bytes.size())
    return "a record is larger than the rest of its chunk";
  if (!is_known(r.kind))
    return "a record is of an unknown kind";
  if (!has_right_size(r, bytes))
    return "a record's size is not that of what it holds";
  return nullptr;
}

namespace {

template <class T>
const_bytes behind(const_bytes record, uint64_t skip, uint64_t n) {
  return record.subspan(sizeof(T) + skip, n);
}

} // namespace

std::string_view trace_text_of(const_bytes record) {
  auto t = load_unaligned<trace_text>(record.data());
  return text_of(behind<trace_text>(record, 0, t.text_bytes));
}

std::string_view trace_name_of(const trace_actor_record& r,
                               const_bytes record) {
  return text_of(behind<trace_actor_record>(record, 0, r.name_bytes));
}

const_bytes trace_payload_of(const trace_actor_record& r, const_bytes record) {
  return behind<trace_actor_record>(record, r.name_bytes, r.payload_bytes);
}

const_bytes trace_payload_of(const trace_sent& r, const_bytes record) {
  return behind<trace_sent>(record, 0, r.payload_bytes);
}

const_bytes trace_notes_of(const trace_handled& r, const_bytes record) {
  return behind<trace_handled>(record, 0, r.notes_bytes);
}

} // namespace troupe
