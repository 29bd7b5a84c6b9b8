#include "core/trust/audit_format.hpp"

#include <algorithm>

#include "core/trust/audit_record.hpp"
#include "core/trust/crc32c.hpp"

namespace troupe {

namespace {

constexpr auto magic = std::string_view{"TRPAUDIT"};
constexpr auto header_head = size_t{128}; // up to the peaks
constexpr auto checkpoint_head = size_t{96};

std::array<std::byte, 32> context(std::string_view text) {
  auto c = std::array<std::byte, 32>{};
  std::memcpy(c.data(), text.data(), text.size());
  return c;
}

template <class T>
void append(raw_bytes& to, const T& x) {
  static_assert(std::is_trivially_copyable_v<T>);
  auto bytes = std::as_bytes(std::span{&x, 1});
  to.insert(to.end(), bytes.begin(), bytes.end());
}

void append(raw_bytes& to, const merkle_frontier& tree) {
  for (auto& peak : tree.peaks())
    append(to, peak);
}

// As many peaks as a tree of that size has, from `at` on.
merkle_frontier load_tree(uint64_t size, const std::byte* at) {
  auto peaks = std::array<sha256_digest, 64>{};
  auto n = merkle_peaks(size);
  std::memcpy(peaks.data(), at, n * sizeof peaks[0]);
  return {size, std::span{peaks}.first(n)};
}

// What headers and checkpoints say alike: 88 bytes, and then the peaks.
constexpr auto state_bytes = size_t{88};

struct log_state {
  audit_time time;
  ed25519_public_key key{};
  audit_chain chain;
};

void append(raw_bytes& to, const log_state& s) {
  append(to, s.chain.tree().size());
  append(to, s.time.wall_ns);
  append(to, s.time.mono_ns);
  append(to, s.key);
  append(to, s.chain.value());
  append(to, s.chain.tree());
}

// REQUIRES: it has as many peaks as its tree's size says.
log_state load_state(const std::byte* at) {
  return {{load_unaligned<int64_t>(at + 8), load_unaligned<int64_t>(at + 16)},
          load_unaligned<ed25519_public_key>(at + 24),
          {load_unaligned<sha256_digest>(at + 56),
           load_tree(load_unaligned<uint64_t>(at), at + state_bytes)}};
}

raw_bytes signed_header(const_bytes unsigned_header) {
  auto text = raw_bytes{};
  append(text, context("troupe audit header 1"));
  text.insert(text.end(), unsigned_header.begin(), unsigned_header.end());
  return text;
}

} // namespace

// -- headers ------------------------------------------------------------------

result<raw_bytes> encode(const audit_header& h, const signing_key& key) {
  auto bytes = raw_bytes{};
  auto peaks = static_cast<uint32_t>(h.before.tree().peaks().size());
  bytes.reserve(header_head + 32 * peaks + 64);
  for (auto c : magic)
    append(bytes, c);
  append(bytes, audit_header_version);
  append(bytes, static_cast<uint32_t>(header_head + 32 * peaks + 64));
  append(bytes, h.log);
  append(bytes, h.segment);
  append(bytes, peaks);
  append(bytes, log_state{h.time, h.key, h.before});
  auto s = key.sign(signed_header(bytes));
  if (!s)
    return s.failure();
  append(bytes, *s);
  return bytes;
}

std::optional<const_bytes> header_bytes(const_bytes file) {
  if (file.size() < header_head + 64 || !text_of(file).starts_with(magic))
    return std::nullopt;
  auto size = load_unaligned<uint32_t>(file.data() + 12);
  if (size < header_head + 64 || size > most_header_bytes || size > file.size())
    return std::nullopt;
  return file.first(size);
}

bool is_torn_header(const_bytes file) {
  if (file.size() >= most_header_bytes || header_bytes(file))
    return false;
  if (std::ranges::all_of(file, [](auto b) { return b == std::byte{0}; }))
    return true; // its size was written and its bytes were not
  auto known = text_of(file).substr(0, magic.size());
  if (known != magic.substr(0, known.size()))
    return false;
  // A size that contradicts the number of peaks was changed.
  return file.size() < 40
         || load_unaligned<uint32_t>(file.data() + 12)
                == header_head + 64
                       + 32 * load_unaligned<uint32_t>(file.data() + 36);
}

result<audit_header> parse_header(const_bytes bytes) {
  auto at = bytes.data();
  if (auto v = load_unaligned<uint32_t>(at + 8); v != audit_header_version)
    return fail(errc::unsupported, "version " + std::to_string(v)
                                       + " of the format, this build knows 1");
  auto h = audit_header{};
  h.log = load_unaligned<audit_log_id>(at + 16);
  h.segment = load_unaligned<uint32_t>(at + 32);
  auto peaks = load_unaligned<uint32_t>(at + 36);
  auto size = load_unaligned<uint64_t>(at + 40);
  if (peaks != merkle_peaks(size)
      || bytes.size() != header_head + 32 * size_t{peaks} + 64)
    return fail(errc::bad_file, "the header's sizes contradict each other");
  auto s = load_state(at + header_head - state_bytes);
  h.time = s.time;
  h.key = s.key;
  h.before = s.chain;
  return h;
}

bool check_signature(const_bytes header, const signature_checker& key) {
  auto text = header.first(header.size() - 64);
  auto s = load_unaligned<ed25519_signature>(text.data() + text.size());
  return key.check(signed_header(text), s);
}

// -- checkpoints --------------------------------------------------------------

raw_bytes encode(const audit_checkpoint& c) {
  auto bytes = raw_bytes{};
  append(bytes, audit_frame_type::checkpoint);
  append(bytes, static_cast<uint8_t>(c.chain.tree().peaks().size()));
  append(bytes, std::array<uint8_t, 6>{});
  append(bytes, log_state{c.time, c.key, c.chain});
  append(bytes, c.signature);
  return bytes;
}

std::optional<audit_checkpoint> parse_checkpoint(const_bytes body) {
  if (body.size() < checkpoint_head + 64
      || load_unaligned<audit_frame_type>(body.data())
             != audit_frame_type::checkpoint)
    return std::nullopt;
  auto at = body.data();
  auto peaks = load_unaligned<uint8_t>(at + 1);
  auto size = load_unaligned<uint64_t>(at + 8);
  auto zero = load_unaligned<std::array<uint8_t, 6>>(at + 2);
  if (peaks != merkle_peaks(size) || zero != decltype(zero){}
      || body.size() != checkpoint_head + 32 * size_t{peaks} + 64)
    return std::nullopt;
  auto s = load_state(at + checkpoint_head - state_bytes);
  auto signature = load_unaligned<ed25519_signature>(at + body.size() - 64);
  return audit_checkpoint{s.time, s.key, s.chain, signature};
}

std::array<std::byte, 168> signed_bytes(const audit_log_id& log,
                                        uint64_t records, audit_time time,
                                        const ed25519_public_key& key,
                                        const sha256_digest& chain,
                                        const sha256_digest& root) {
  auto text = raw_bytes{};
  text.reserve(168);
  append(text, context("troupe audit checkpoint 1"));
  append(text, log);
  append(text, records);
  append(text, time.wall_ns);
  append(text, time.mono_ns);
  append(text, key);
  append(text, chain);
  append(text, root);
  auto all = std::array<std::byte, 168>{};
  std::ranges::copy(text, all.begin());
  return all;
}

static std::array<std::byte, 168> signed_bytes(const audit_log_id& log,
                                               const audit_checkpoint& c) {
  return signed_bytes(log, c.records(), c.time, c.key, c.chain.value(),
                      c.chain.tree().root());
}

result<audit_checkpoint> make_checkpoint(const audit_log_id& log,
                                         const audit_chain& chain,
                                         audit_time time,
                                         const signing_key& key) {
  auto c = audit_checkpoint{time, key.public_key(), chain, {}};
  auto s = key.sign(signed_bytes(log, c));
  if (!s)
    return s.failure();
  c.signature = *s;
  return c;
}

bool check_signature(const audit_log_id& log, const audit_checkpoint& c,
                     const signature_checker& key) {
  return key.key() == c.key && key.check(signed_bytes(log, c), c.signature);
}

// -- frames -------------------------------------------------------------------

size_t begin_frame(raw_bytes& to) {
  auto at = to.size();
  to.resize(at + frame_head_bytes);
  return at;
}

void end_frame(raw_bytes& to, size_t begin, uint64_t link) {
  auto p = to.data() + begin;
  auto size = static_cast<uint32_t>(to.size() - begin - frame_head_bytes);
  std::memcpy(p + 4, &size, sizeof size);
  std::memcpy(p + 8, &link, sizeof link);
  auto sum = crc32c({p + 4, to.size() - begin - 4});
  std::memcpy(p, &sum, sizeof sum);
}

std::optional<audit_frame> frame_at(const_bytes file, uint64_t offset,
                                    bool checked) {
  if (offset > file.size() || file.size() - offset < frame_head_bytes)
    return std::nullopt;
  auto p = file.data() + offset;
  auto size = load_unaligned<uint32_t>(p + 4);
  if (size == 0 || size > audit_limits::record_bytes
      || size > file.size() - offset - frame_head_bytes)
    return std::nullopt;
  auto f = audit_frame{offset,
                       load_unaligned<uint64_t>(p + 8),
                       load_unaligned<audit_frame_type>(p + frame_head_bytes),
                       {p + frame_head_bytes, size}};
  if (f.type != audit_frame_type::record
      && f.type != audit_frame_type::checkpoint)
    return std::nullopt;
  if (checked
      && load_unaligned<uint32_t>(p) != crc32c({p + 4, size_t{size} + 12}))
    return std::nullopt;
  return f;
}

} // namespace troupe
