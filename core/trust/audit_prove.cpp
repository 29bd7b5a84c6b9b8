#include "core/trust/audit_prove.hpp"

namespace troupe {

namespace {

error needs_earlier(const audit_tree& t) {
  return fail(errc::invalid_argument,
              "the proof needs records before " + std::to_string(t.tree.first())
                  + ", where the first file given begins; give the log's "
                    "earlier files as well");
}

uint64_t sealed(const audit_tree& t) {
  return t.checkpoints.empty() ? 0 : t.checkpoints.back().records;
}

// The leaves, of a file that was verified.
void add_file(audit_tree& t, const_bytes file) {
  auto index = index_audit_file(file);
  auto& h = index->header;
  auto chain = h.before;
  auto at = uint64_t{header_bytes(file)->size()};
  chain.add_header(file.first(at));
  while (at < index->runs[0].end) {
    auto f = *frame_at(file, at, false);
    at = f.end();
    if (f.type == audit_frame_type::record) {
      chain.add_record(f.body);
      t.tree.add(chain.value());
      continue;
    }
    t.checkpoints.push_back(audit_anchor::of(h.log, *parse_checkpoint(f.body)));
    chain.add_checkpoint(f.body);
  }
}

} // namespace

result<audit_tree>
read_audit_tree(std::vector<audit_source> sources,
                const std::optional<ed25519_public_key>& key) {
  auto o = audit_verify_options{};
  o.key = key;
  auto report = verify_audit_log(sources, o);
  if (!report)
    return report.failure();
  if (!report->findings.empty())
    return fail(errc::bad_file, to_string(report->findings[0]));
  auto t = audit_tree{};
  t.log = report->log;
  for (size_t i = 0; i < sources.size(); ++i) {
    auto bytes = sources[i].bytes;
    if (is_torn_header(bytes))
      break; // the last one
    if (i == 0)
      t.tree =
          merkle_tree{parse_header(*header_bytes(bytes)).value().before.tree()};
    add_file(t, bytes);
  }
  return t;
}

result<inclusion_proof> prove_inclusion(const audit_tree& t, uint64_t record) {
  if (record >= sealed(t))
    return fail(errc::invalid_argument,
                "record " + std::to_string(record)
                    + " is not sealed: the newest checkpoint is of "
                    + std::to_string(sealed(t)) + " records");
  if (record < t.tree.first())
    return needs_earlier(t);
  auto& c = t.checkpoints.back();
  auto path = t.tree.inclusion(record, c.records);
  if (!path)
    return needs_earlier(t);
  return inclusion_proof{record, t.tree.leaf(record), *std::move(path), c};
}

result<consistency_proof> prove_consistency(const audit_tree& t,
                                            uint64_t old_size, uint64_t size) {
  if (old_size == 0 || old_size > size || size > sealed(t))
    return fail(errc::invalid_argument,
                "a log of " + std::to_string(size)
                    + " records is not compared with one of "
                    + std::to_string(old_size)
                    + ": the sizes ascend from 1 to the "
                    + std::to_string(sealed(t)) + " that are sealed");
  auto path = t.tree.consistency(old_size, size);
  auto old_root = t.tree.root(old_size);
  auto root = t.tree.root(size);
  if (!path || !old_root || !root)
    return needs_earlier(t);
  return consistency_proof{old_size, size, *old_root, *root, *std::move(path)};
}

} // namespace troupe
