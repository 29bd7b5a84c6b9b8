#include "core/trust/audit_walker.hpp"

#include <cassert>

namespace troupe {

// -- keys ---------------------------------------------------------------------

audit_keys::audit_keys(const ed25519_public_key& first,
                       const std::vector<audit_key_change>& changes) {
  keys_.emplace_back(0, signature_checker{first});
  for (auto& c : changes)
    keys_.emplace_back(c.record + 1, signature_checker{c.key});
}

const signature_checker& audit_keys::of_header(uint64_t records) const {
  auto i = keys_.size() - 1;
  while (i > 0 && keys_[i].first > records)
    --i;
  return keys_[i].second;
}

const signature_checker& audit_keys::of_checkpoint(uint64_t records) const {
  return of_header(records > 0 ? records - 1 : 0);
}

// -- walker -------------------------------------------------------------------

std::optional<std::string> audit_walker::start(const audit_mark& mark,
                                               bool checked) {
  end_ = mark.end;
  key_named_ = false;
  last_.reset();
  if (mark.offset == 0) {
    auto head = file_.first(mark.end);
    auto h = parse_header(head);
    assert(h.ok());
    chain_ = h->before;
    since_ = chain_.records();
    auto& key = keys_.of_header(since_);
    chain_.add_header(head);
    if (checked && (h->key != key.key() || !check_signature(head, key)))
      return "the header is not signed with key " + key_name(key.key());
    return std::nullopt;
  }
  auto f = frame_at(file_, mark.offset, false);
  assert(f);
  last_ = parse_checkpoint(f->body);
  assert(last_);
  chain_ = last_->chain;
  since_ = chain_.records();
  chain_.add_checkpoint(f->body);
  return checked ? check_signed(*last_) : std::nullopt;
}

std::optional<std::string> audit_walker::step(uint64_t offset) {
  auto f = frame_at(file_, offset, false);
  assert(f);
  end_ = f->end();
  return f->type == audit_frame_type::record ? on_record(*f)
                                             : on_checkpoint(*f);
}

std::optional<std::string> audit_walker::on_record(const audit_frame& f) {
  auto v = audit_record_view::parse(f.body);
  if (!v)
    return "is not a record of this format";
  if (key_named_)
    return "follows a change of keys that the former key has not sealed";
  if (v->number() != chain_.records())
    return "says that it is record " + std::to_string(v->number())
           + ": records were removed, moved or repeated";
  if (f.link != chain_.link())
    return "does not follow what is before it: one of the two was changed, "
           "moved or removed, or is of another log";
  key_named_ = v->kind() == audit_kind::key_rotated;
  chain_.add_record(f.body);
  return std::nullopt;
}

std::optional<std::string> audit_walker::on_checkpoint(const audit_frame& f) {
  auto c = parse_checkpoint(f.body);
  if (!c)
    return "is not a checkpoint of this format";
  if (c->records() != chain_.records())
    return "a checkpoint of " + std::to_string(c->records())
           + " records stands here: records or checkpoints were removed, moved "
             "or repeated";
  if (f.link != chain_.link())
    return "a checkpoint does not follow what is before it: one of the two was "
           "changed, moved or removed, or is of another log";
  if (c->chain != chain_)
    return "a checkpoint has other hashes than the records before it: one from "
           + std::to_string(since_) + " on was changed";
  if (auto wrong = check_signed(*c))
    return wrong;
  key_named_ = false;
  since_ = chain_.records();
  chain_.add_checkpoint(f.body);
  last_ = std::move(c);
  return std::nullopt;
}

std::optional<std::string>
audit_walker::check_signed(const audit_checkpoint& c) const {
  auto& key = keys_.of_checkpoint(c.records());
  if (c.key != key.key())
    return "a checkpoint is signed with key " + key_name(c.key)
           + " where it should be " + key_name(key.key());
  if (!check_signature(log_, c, key))
    return "a checkpoint's signature is not that of key " + key_name(key.key());
  return std::nullopt;
}

} // namespace troupe
