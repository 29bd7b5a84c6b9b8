#include "core/trust/audit_events.hpp"
#include "core/trust/audit_log.hpp"
#include "core/trust/audit_walker.hpp"

namespace troupe {

namespace {

error changed(const std::string& file, const std::string& what) {
  return fail(errc::bad_file,
              file + ": " + what
                  + "; this is no write that was cut short: keep the log as it "
                    "is, and move it away to begin a new one");
}

} // namespace

result<audit_log> audit_log::open(std::unique_ptr<audit_folder> folder,
                                  signing_key key, audit_log_options options,
                                  audit_time now) {
  auto log = audit_log{std::move(folder), std::move(key), options};
  if (auto ok = log.recover(now); !ok)
    return ok.failure();
  auto& was = log.recovered_;
  if (auto n = log.put(audit::opened(now, log.segment_, was.torn_bytes)); !n)
    return n.failure();
  if (auto ok = log.write(now, true); !ok)
    return ok.failure();
  return log;
}

// A file's first record follows a header that is durable: one that is not whole
// has none, and is begun anew.
result<void> audit_log::recover(audit_time now) {
  auto n = folder_->segments();
  if (!n)
    return n.failure();
  for (auto left = *n; left > 0; --left) {
    auto file = folder_->read(left - 1);
    if (!file)
      return file.failure();
    segment_ = left - 1;
    if (header_bytes(file->bytes))
      return resume(file->bytes, now);
    if (!is_torn_header(file->bytes))
      return changed(folder_->name(segment_), "has no header");
    recovered_.torn_bytes += file->bytes.size();
    if (*n - left > 0)
      return changed(folder_->name(segment_), "has no whole header");
  }
  recovered_.is_new = true;
  id_ = options_.id;
  return begin_segment(0, now);
}

result<void> audit_log::resume(const_bytes file, audit_time now) {
  auto name = folder_->name(segment_);
  auto index = index_audit_file(file);
  if (!index)
    return fail(index.failure().code, name + ": " + index.failure().message);
  auto& h = index->header;
  if (h.segment != segment_)
    return changed(name, "is the log's file " + std::to_string(h.segment));
  auto torn = index->torn_tail();
  if (index->damages.size() > (torn ? 1u : 0u))
    return changed(name, "is damaged at byte "
                             + std::to_string(index->damages[0].offset));
  id_ = h.log;
  auto keys = audit_keys{h.key, index->keys};
  auto w = audit_walker{file, id_, keys};
  if (auto wrong = w.start({0, header_bytes(file)->size(), 0}, true))
    return changed(name, *wrong);
  auto& mark = index->last_mark();
  if (auto wrong = w.start(mark, true))
    return changed(name,
                   "at byte " + std::to_string(mark.offset) + ": " + *wrong);
  checkpoint_ = w.checkpoint();
  sealed_ = w.chain().records();
  auto end = mark.end;
  auto chain = w.chain();
  while (end < index->runs.back().end) {
    if (auto wrong = w.step(end))
      return changed(name, "at byte " + std::to_string(end) + ": " + *wrong);
    // A change of keys without its seal has not happened.
    if (!index->keys.empty()
        && index->keys.back().record + 1 == w.chain().records()) {
      index->keys.pop_back();
      break;
    }
    end = w.end();
    chain = w.chain();
  }
  auto& signs = index->keys.empty() ? h.key : index->keys.back().key;
  if (signs != key_.public_key())
    return fail(errc::invalid_argument, name + ": is signed with key "
                                            + key_name(signs) + ", this is key "
                                            + key_name(key_.public_key()));
  durable_ = live_ = {chain, end};
  recovered_.records = durable();
  recovered_.unsealed = durable() - sealed_;
  recovered_.torn_bytes += file.size() - end;
  unsealed_since_ = now.mono_ns;
  auto opened = folder_->open(segment_);
  if (!opened)
    return opened.failure();
  file_ = std::move(*opened);
  return file_->cut(end);
}

result<void> audit_log::begin_segment(uint32_t segment, audit_time now) {
  auto h = audit_header{id_, segment, now, key_.public_key(), durable_.chain};
  auto bytes = encode(h, key_);
  if (!bytes)
    return bytes.failure();
  auto file = folder_->create(segment);
  if (!file)
    return file.failure();
  begun_ = std::move(*file);
  if (auto ok = begun_->append(*bytes); !ok)
    return ok;
  if (auto ok = begun_->sync(); !ok)
    return ok;
  file_ = std::move(begun_);
  segment_ = segment;
  durable_.chain.add_header(*bytes);
  durable_.bytes = bytes->size();
  live_ = durable_;
  return {};
}

} // namespace troupe
