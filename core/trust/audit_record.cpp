#include "core/trust/audit_record.hpp"

#include <algorithm>

#include "core/trust/audit_format.hpp"

namespace troupe {

namespace {

constexpr auto head_bytes = size_t{40};
constexpr auto field_head_bytes = size_t{7};

size_t size_of(const audit_field& f) {
  return field_head_bytes
         + (f.type == audit_type::number ? sizeof f.number : f.bytes.size());
}

bool is_type(audit_type t) {
  return t >= audit_type::number && t <= audit_type::bytes;
}

std::byte* put(std::byte* to, const void* from, size_t bytes) {
  if (bytes > 0)
    std::memcpy(to, from, bytes);
  return to + bytes;
}

template <class T>
std::byte* put(std::byte* to, T x) {
  return put(to, &x, sizeof x);
}

std::byte* put(std::byte* to, const audit_field& f) {
  to = put(put(to, f.id), f.type);
  if (f.type == audit_type::number)
    return put(put(to, uint32_t{sizeof f.number}), f.number);
  to = put(to, static_cast<uint32_t>(f.bytes.size()));
  return put(to, f.bytes.data(), f.bytes.size());
}

} // namespace

const audit_field* audit_record::find(audit_field_id id) const {
  auto i = std::ranges::find(details, id, &audit_field::id);
  return i != details.end() ? &*i : nullptr;
}

// -- out ----------------------------------------------------------------------

result<void> encode(const audit_record& r, uint64_t number, raw_bytes& to) {
  if (r.organisation.size() > audit_limits::name_bytes
      || r.key.size() > audit_limits::name_bytes
      || r.details.size() > audit_limits::details)
    return fail(errc::invalid_argument,
                "audit: a name of more than 1,024 bytes or more than 255 "
                "details do not fit into a record; tell less");
  auto size = head_bytes + r.organisation.size() + r.key.size();
  for (auto& f : r.details) {
    if (!is_type(f.type))
      return fail(errc::invalid_argument,
                  "audit: a detail is a number, a text or bytes");
    size += size_of(f);
  }
  if (size > audit_limits::record_bytes)
    return fail(errc::invalid_argument,
                "audit: a record of " + std::to_string(size)
                    + " bytes is more than a megabyte; leave texts out");
  auto at = to.size();
  to.resize(at + size);
  auto p = to.data() + at;
  p = put(p, audit_frame_type::record);
  p = put(p, static_cast<uint8_t>(r.details.size()));
  p = put(p, r.kind);
  p = put(put(put(put(p, number), r.wall_ns), r.mono_ns), r.request);
  p = put(p, static_cast<uint16_t>(r.organisation.size()));
  p = put(p, static_cast<uint16_t>(r.key.size()));
  p = put(p, r.organisation.data(), r.organisation.size());
  p = put(p, r.key.data(), r.key.size());
  for (auto& f : r.details)
    p = put(p, f);
  return {};
}

// -- in -----------------------------------------------------------------------

// Visits each field's head and bytes; false unless they fill the body.
template <class Visit>
bool audit_record_view::walk(const_bytes body, Visit visit) {
  auto names = size_t{load_unaligned<uint16_t>(body.data() + 36)}
               + load_unaligned<uint16_t>(body.data() + 38);
  auto at = head_bytes + names;
  if (at > body.size())
    return false;
  for (auto n = std::to_integer<unsigned>(body[1]); n > 0; --n) {
    if (body.size() - at < field_head_bytes)
      return false;
    auto p = body.data() + at;
    auto id = load_unaligned<audit_field_id>(p);
    auto type = load_unaligned<audit_type>(p + 2);
    auto size = load_unaligned<uint32_t>(p + 3);
    at += field_head_bytes;
    if (size > body.size() - at || !is_type(type)
        || (type == audit_type::number && size != sizeof(uint64_t)))
      return false;
    visit(id, type, body.subspan(at, size));
    at += size;
  }
  return at == body.size();
}

std::optional<audit_record_view> audit_record_view::parse(const_bytes body) {
  if (body.size() < head_bytes || body.size() > audit_limits::record_bytes
      || load_unaligned<audit_frame_type>(body.data())
             != audit_frame_type::record
      || load_unaligned<uint16_t>(body.data() + 36) > audit_limits::name_bytes
      || load_unaligned<uint16_t>(body.data() + 38) > audit_limits::name_bytes
      || !walk(body, [](auto, auto, auto) {}))
    return std::nullopt;
  return audit_record_view{body};
}

audit_record audit_record_view::record() const {
  auto r = audit_record{};
  r.kind = kind();
  r.wall_ns = load<int64_t>(12);
  r.mono_ns = load<int64_t>(20);
  r.request = request();
  auto organisation = load<uint16_t>(36);
  r.organisation = text_of(body_.subspan(head_bytes, organisation));
  r.key = text_of(body_.subspan(head_bytes + organisation, load<uint16_t>(38)));
  walk(body_, [&](audit_field_id id, audit_type type, const_bytes bytes) {
    auto f = audit_field{id, type, 0, {}};
    if (type == audit_type::number)
      f.number = load_unaligned<uint64_t>(bytes.data());
    else
      f.bytes = text_of(bytes);
    r.details.push_back(std::move(f));
  });
  return r;
}

} // namespace troupe
