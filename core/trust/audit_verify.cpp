#include "core/trust/audit_verify.hpp"

#include <algorithm>

namespace troupe {

namespace {

// Of one part: what has gone wrong everywhere need not be told of everything.
constexpr auto most_findings = size_t{1000};

} // namespace

std::string to_string(const audit_finding& f) {
  return f.file + ": record " + std::to_string(f.record) + " at byte "
         + std::to_string(f.offset) + ": " + f.what;
}

void audit_verification::find(std::vector<audit_finding>& to, size_t source,
                              uint64_t record, uint64_t offset,
                              std::string what) const {
  if (to.size() < most_findings)
    to.push_back(
        {source, sources_[source].name, record, offset, std::move(what)});
}

// -- plan ---------------------------------------------------------------------

result<audit_verification>
audit_verification::plan(std::vector<audit_source> sources,
                         const audit_verify_options& options) {
  auto v = audit_verification{std::move(sources)};
  v.leave_out_torn_file();
  auto changes = std::vector<audit_key_change>{};
  auto first_key = options.key;
  for (size_t i = 0; i < v.sources_.size(); ++i) {
    auto index = index_audit_file(v.sources_[i].bytes);
    if (!index) {
      v.find(v.findings_, i, 0, 0, index.failure().message);
      v.indexes_.emplace_back();
      continue;
    }
    if (!first_key)
      first_key = index->header.key;
    changes.insert(changes.end(), index->keys.begin(), index->keys.end());
    v.indexes_.push_back(*std::move(index));
  }
  std::ranges::sort(changes, {}, &audit_key_change::record);
  v.keys_ = std::make_unique<audit_keys>(
      first_key.value_or(ed25519_public_key{}), changes);
  for (size_t i = 0; i < v.sources_.size(); ++i) {
    if (!v.indexes_[i])
      continue;
    v.join(i);
    v.split(i, options.part_bytes);
  }
  if (!v.indexes_.empty() && v.indexes_[0])
    v.first_ = v.indexes_[0]->header.before.records();
  if (options.from_checkpoint)
    if (auto ok = v.begin_at(*options.from_checkpoint); !ok)
      return ok.failure();
  return v;
}

// The last file may have been begun and not finished. It has no records then.
void audit_verification::leave_out_torn_file() {
  if (!is_torn_header(sources_.back().bytes))
    return;
  torn_file_ = std::move(sources_.back());
  sources_.pop_back();
}

// A file's header against the file before it, and what cannot be read of it.
void audit_verification::join(size_t source) {
  auto& index = *indexes_[source];
  auto& h = index.header;
  for (auto& d : index.damages) {
    auto torn = d.end == index.size;
    // A tail that is not sealed. Behind it a file may have been begun: where
    // that fails, this one goes on.
    if (torn && source + 1 == sources_.size())
      continue;
    find(findings_, source, d.record, d.offset,
         torn ? "the file's end is missing or was changed"
              : "the bytes up to " + std::to_string(d.end)
                    + ", which a checkpoint follows, are not what was written");
  }
  auto before = source > 0 ? &indexes_[source - 1] : nullptr;
  if (!before || !*before)
    return;
  auto& b = **before;
  if (h.log != b.header.log)
    return find(findings_, source, h.before.records(), 0, "is of another log");
  if (h.segment != b.header.segment + 1)
    return find(findings_, source, h.before.records(), 0,
                "is the log's file " + std::to_string(h.segment)
                    + " where file " + std::to_string(b.header.segment + 1)
                    + " should be");
  auto w = audit_walker{sources_[source - 1].bytes, b.header.log, *keys_};
  (void)w.start(b.last_mark(), false);
  if (w.end() != b.size || w.chain() != h.before)
    find(findings_, source, h.before.records(), 0,
         "does not go on where the file before it ends: that has "
             + std::to_string(w.chain().records()) + " records sealed, this "
             + std::to_string(h.before.records()) + " before it");
}

void audit_verification::split(size_t source, uint64_t part_bytes) {
  for (auto& r : indexes_[source]->runs) {
    auto begin = [&](const audit_mark& at, bool check) {
      parts_.push_back({source, at, check, at.end, {}, {}, {}});
    };
    begin(r.start, true);
    for (auto& m : r.marks) {
      auto& p = parts_.back();
      p.marks.push_back(m);
      p.end = m.end;
      if (p.end - p.start.end >= part_bytes && m.end != r.end)
        begin(m, false);
    }
    parts_.back().end = r.end;
  }
}

void audit_verification::drop_before(size_t part) {
  auto at = std::pair{parts_[part].source, parts_[part].start.offset};
  first_ = parts_[part].start.records;
  parts_.erase(parts_.begin(), parts_.begin() + static_cast<long>(part));
  std::erase_if(findings_, [&](auto& f) {
    return std::pair{f.source, f.offset} < at;
  });
}

result<void> audit_verification::begin_at(uint64_t records) {
  auto nearest = std::optional<uint64_t>{};
  for (size_t i = 0; i < parts_.size(); ++i) {
    auto& p = parts_[i];
    if (p.check_start && p.start.records == records) {
      drop_before(i);
      return {};
    }
    for (auto m = p.marks.begin(); m != p.marks.end(); ++m) {
      if (m->records < records)
        nearest = m->records;
      if (m->records != records)
        continue;
      p.start = *m;
      p.check_start = true;
      p.marks.erase(p.marks.begin(), m + 1);
      drop_before(i);
      return {};
    }
  }
  return fail(errc::invalid_argument,
              "there is no checkpoint of " + std::to_string(records)
                  + " records"
                  + (nearest ? "; one before is of " + std::to_string(*nearest)
                             : std::string{}));
}

// -- parts --------------------------------------------------------------------

uint64_t audit_verification::bytes_of(size_t part) const {
  return parts_[part].end - parts_[part].start.end;
}

void audit_verification::check(size_t part) {
  auto& p = parts_[part];
  auto& index = *indexes_[p.source];
  auto w = audit_walker{sources_[p.source].bytes, index.header.log, *keys_};
  auto note = [&](const audit_mark& at) {
    if (auto& c = w.checkpoint())
      p.sealed.push_back({p.source, at.offset, c->records(), c->chain.value(),
                          c->chain.tree().root(), c->time, c->key});
  };
  if (auto wrong = w.start(p.start, p.check_start))
    find(p.findings, p.source, p.start.records, p.start.offset, *wrong);
  else if (p.check_start)
    note(p.start);
  auto next = p.marks.begin();
  for (auto at = p.start.end; at < p.end;) {
    while (next != p.marks.end() && next->offset < at)
      ++next;
    if (auto wrong = w.step(at)) {
      find(p.findings, p.source, w.chain().records(), at, *wrong);
      at = go_on(p, w, at);
      continue;
    }
    if (next != p.marks.end() && next->offset == at)
      note(*next);
    at = w.end();
  }
}

// From the next checkpoint on, which has to be signed.
uint64_t audit_verification::go_on(part& p, audit_walker& w,
                                   uint64_t after) const {
  for (auto& m : p.marks) {
    if (m.offset <= after)
      continue;
    if (auto wrong = w.start(m, true))
      find(p.findings, p.source, m.records, m.offset, *wrong);
    return m.end;
  }
  return p.end;
}

// -- report -------------------------------------------------------------------

audit_report audit_verification::report() const {
  auto r = audit_report{};
  r.first = first_;
  for (auto& s : sources_)
    r.files.push_back(s.name);
  if (torn_file_)
    r.files.push_back(torn_file_->name);
  r.findings = findings_;
  for (auto& p : parts_) {
    r.findings.insert(r.findings.end(), p.findings.begin(), p.findings.end());
    r.checkpoints.insert(r.checkpoints.end(), p.sealed.begin(), p.sealed.end());
  }
  std::ranges::stable_sort(r.findings, [](auto& a, auto& b) {
    return std::pair{a.source, a.offset} < std::pair{b.source, b.offset};
  });
  if (torn_file_) {
    r.torn = audit_damage{0, torn_file_->bytes.size(), 0};
    r.torn_file = torn_file_->name;
  }
  if (indexes_.empty() || !indexes_.back())
    return r;
  auto& last = indexes_.back();
  r.log = last->header.log;
  // An old checkpoint that was put in further back takes nothing away.
  r.sealed = first_;
  for (auto& c : r.checkpoints)
    r.sealed = std::max(r.sealed, c.records);
  r.records = std::max(last->runs.back().records, r.sealed);
  if (auto torn = last->torn_tail()) {
    r.torn = torn;
    r.torn_file = sources_.back().name;
  }
  r.closed = !torn_file_ && last->last_record == audit_kind::log_closed
             && last->last_mark().end == last->size;
  return r;
}

result<audit_report> verify_audit_log(std::vector<audit_source> sources,
                                      const audit_verify_options& options) {
  auto v = audit_verification::plan(std::move(sources), options);
  if (!v)
    return v.failure();
  for (size_t i = 0; i < v->parts(); ++i)
    v->check(i);
  return v->report();
}

} // namespace troupe
