#include "core/trace/encode.hpp"

#include <xxhash.h>

#include <cstddef>
#include <cstring>

namespace troupe {

namespace {

void append_raw(raw_bytes& to, const void* from, size_t n) {
  auto at = to.size();
  to.resize(at + n);
  if (n > 0)
    std::memcpy(to.data() + at, from, n);
}

void pad(raw_bytes& to) {
  while (to.size() % 8 != 0)
    to.push_back(std::byte{0});
}

} // namespace

uint64_t checksum_of(const trace_file_header& h) {
  return XXH3_64bits(&h, offsetof(trace_file_header, checksum));
}

uint64_t checksum_of(const trace_chunk_header& h, const_bytes records) {
  auto first = XXH3_64bits(&h, offsetof(trace_chunk_header, checksum));
  return XXH3_64bits_withSeed(records.data(), records.size(), first);
}

trace_file_header make_trace_header(uint64_t process, uint32_t file,
                                    uint32_t flags) {
  auto h = trace_file_header{};
  std::memcpy(h.magic, trace_magic, sizeof h.magic);
  h.version = trace_version;
  h.header_bytes = sizeof h;
  h.process = process;
  h.file = file;
  h.flags = flags;
  h.checksum = checksum_of(h);
  return h;
}

trace_chunk_header make_trace_chunk(uint64_t number, const trace_moment& moment,
                                    uint64_t dropped, const_bytes records) {
  auto h = trace_chunk_header{};
  h.magic = trace_chunk_magic;
  h.bytes = static_cast<uint32_t>(records.size());
  h.number = number;
  h.moment = moment;
  h.dropped = dropped;
  h.checksum = checksum_of(h, records);
  return h;
}

void append_text(raw_bytes& to, trace_kind kind, uint16_t type, uint32_t number,
                 std::string_view text, uint64_t ticks) {
  auto r = trace_text{};
  r.head.bytes = static_cast<uint32_t>(sizeof r) + padded(text.size());
  r.head.kind = kind;
  r.head.type = type;
  r.head.ticks = ticks;
  r.number = number;
  r.text_bytes = static_cast<uint32_t>(text.size());
  append_raw(to, &r, sizeof r);
  append_padded(to, std::as_bytes(std::span{text.data(), text.size()}));
}

void append_actor(raw_bytes& to, trace_actor_record r, std::string_view name,
                  const_bytes payload) {
  r.name_bytes = static_cast<uint32_t>(name.size());
  r.payload_bytes = static_cast<uint32_t>(payload.size());
  r.head.bytes =
      static_cast<uint32_t>(sizeof r) + padded(name.size() + payload.size());
  append_raw(to, &r, sizeof r);
  append_raw(to, name.data(), name.size());
  append_padded(to, payload);
}

void append_padded(raw_bytes& to, const_bytes bytes) {
  append_raw(to, bytes.data(), bytes.size());
  pad(to);
}

void put_record(std::byte* at, const void* record, uint32_t size,
                const_bytes extra) {
  std::memcpy(at, record, size);
  if (extra.empty())
    return;
  std::memset(at + size + padded(extra.size()) - 8, 0, 8);
  std::memcpy(at + size, extra.data(), extra.size());
}

const_bytes settle_payload(trace_sent& r, const_bytes content,
                           uint64_t& digest) {
  if (content.size() > trace_record_most / 2) {
    digest = XXH3_64bits(content.data(), content.size());
    content = std::as_bytes(std::span{&digest, 1});
    r.head.flags |= trace_digest;
  }
  if (!content.empty())
    r.head.flags |= trace_has_payload;
  r.payload_bytes = static_cast<uint32_t>(content.size());
  r.head.bytes = static_cast<uint32_t>(sizeof r) + padded(content.size());
  return content;
}

void append_note(std::vector<char>& notes, trace_note kind, const void* bytes,
                 size_t n) {
  auto h = trace_note_header{kind, static_cast<uint32_t>(n)};
  auto at = notes.size();
  notes.resize(at + sizeof h + n);
  std::memcpy(notes.data() + at, &h, sizeof h);
  if (n > 0)
    std::memcpy(notes.data() + at + sizeof h, bytes, n);
}

} // namespace troupe
