#include "core/trust/audit_index.hpp"

namespace troupe {

namespace {

class indexer {
public:
  indexer(const_bytes file, audit_index& to) : file_(file), to_(to) {}

  void run(audit_mark start) {
    auto at = start;
    while (true) {
      walk(at);
      auto& r = to_.runs.back();
      if (r.end == file_.size())
        return;
      auto next = find_checkpoint(r.end);
      to_.damages.push_back(
          {r.end, next ? next->offset : file_.size(), r.records});
      if (!next)
        return;
      at = *next;
    }
  }

private:
  void walk(audit_mark start) {
    auto& r = to_.runs.emplace_back();
    r.start = start;
    r.end = start.end;
    r.records = start.records;
    while (auto f = frame_at(file_, r.end)) {
      if (f->type == audit_frame_type::record)
        on_record(*f, r.records++);
      else if (!on_checkpoint(*f, r))
        return;
      r.end = f->end();
    }
  }

  void on_record(const audit_frame& f, uint64_t number) {
    if (f.body.size() < 4)
      return; // who follows the chain will find it
    to_.last_record = load_unaligned<audit_kind>(f.body.data() + 2);
    if (to_.last_record != audit_kind::key_rotated)
      return;
    auto v = audit_record_view::parse(f.body);
    if (!v)
      return;
    auto r = v->record();
    auto* key = r.find(audit_field_id::new_key);
    auto bytes = ed25519_public_key{};
    if (!key || key->bytes.size() != bytes.size())
      return;
    std::memcpy(bytes.data(), key->bytes.data(), bytes.size());
    to_.keys.push_back({number, bytes});
  }

  bool on_checkpoint(const audit_frame& f, audit_run& r) {
    if (!parse_checkpoint(f.body))
      return false;
    auto size = load_unaligned<uint64_t>(f.body.data() + 8);
    r.marks.push_back({f.offset, f.end(), size});
    return true;
  }

  // The next thing that looks like one, at any offset, and has its checksum.
  std::optional<audit_mark> find_checkpoint(uint64_t from) const {
    for (auto at = from + 1; at + frame_head_bytes < file_.size(); ++at) {
      if (load_unaligned<audit_frame_type>(file_.data() + at + frame_head_bytes)
          != audit_frame_type::checkpoint)
        continue;
      auto f = frame_at(file_, at, false);
      // The shape first: checksums of what is none would take long.
      if (!f || !parse_checkpoint(f->body) || !frame_at(file_, at))
        continue;
      return audit_mark{at, f->end(),
                        load_unaligned<uint64_t>(f->body.data() + 8)};
    }
    return std::nullopt;
  }

  const_bytes file_;
  audit_index& to_;
};

} // namespace

std::optional<audit_damage> audit_index::torn_tail() const {
  if (damages.empty() || damages.back().end != size)
    return std::nullopt;
  return damages.back();
}

result<audit_index> index_audit_file(const_bytes file) {
  auto head = header_bytes(file);
  if (!head)
    return fail(errc::bad_file, "does not begin with an audit log's header");
  auto h = parse_header(*head);
  if (!h)
    return h.failure();
  auto index = audit_index{};
  index.header = *h;
  index.size = file.size();
  indexer{file, index}.run({0, head->size(), h->before.records()});
  return index;
}

} // namespace troupe
