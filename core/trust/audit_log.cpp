#include "core/trust/audit_log.hpp"

#include <utility>

#include "core/trust/audit_events.hpp"

namespace troupe {

// -- the batch ----------------------------------------------------------------

result<uint64_t> audit_log::put(const audit_record& r) {
  auto number = live_.chain.records();
  auto begin = begin_frame(batch_);
  if (auto ok = encode(r, number, batch_); !ok) {
    batch_.resize(begin);
    return ok.failure();
  }
  end_frame(batch_, begin, live_.chain.link());
  live_.chain.add_record(const_bytes{batch_}.subspan(begin + frame_head_bytes));
  live_.bytes += batch_.size() - begin;
  return number;
}

result<void> audit_log::put_checkpoint(audit_time now) {
  auto c = make_checkpoint(id_, live_.chain, now, key_);
  if (!c)
    return c.failure();
  auto begin = begin_frame(batch_);
  auto body = encode(*c);
  batch_.insert(batch_.end(), body.begin(), body.end());
  end_frame(batch_, begin, live_.chain.link());
  live_.chain.add_checkpoint(body);
  live_.bytes += batch_.size() - begin;
  batch_checkpoint_ = std::move(*c);
  return {};
}

// What was lost comes before what follows it.
result<void> audit_log::put_gap(audit_time now) {
  if (lost_ == 0 || !batch_.empty())
    return {};
  auto r = audit::gap(now, lost_);
  if (auto ok = put(r); !ok)
    return ok.failure();
  batch_gap_ = lost_;
  return {};
}

result<uint64_t> audit_log::append(const audit_record& r) {
  if (batch_.size() >= options_.most_pending_bytes)
    return fail(errc::overloaded,
                "audit: " + std::to_string(batch_.size())
                    + " bytes wait to be written; retry later");
  if (auto ok = put_gap({r.wall_ns, r.mono_ns}); !ok)
    return ok.failure();
  auto number = put(r);
  if (number)
    ++batch_records_;
  return number;
}

void audit_log::drop_batch(const error& why) {
  failing_ = why;
  lost_ += batch_records_;
  batch_records_ = 0;
  batch_gap_ = 0;
  batch_.clear();
  batch_checkpoint_.reset();
  live_ = durable_;
}

// -- to the disk --------------------------------------------------------------

result<void> audit_log::flush() {
  // A header that is there would be taken for where this file ends.
  if (begun_) {
    if (auto ok = begun_->cut(0); !ok)
      return ok;
    begun_.reset();
  }
  if (untidy_) {
    if (auto ok = file_->cut(durable_.bytes); !ok)
      return ok;
    untidy_ = false;
  }
  // From here on the file may hold part of the batch.
  untidy_ = true;
  if (auto ok = file_->append(batch_); !ok)
    return ok;
  if (auto ok = file_->sync(); !ok)
    return ok;
  untidy_ = false;
  return {};
}

result<void> audit_log::write(audit_time now, bool seal) {
  if (auto ok = put_gap(now); !ok)
    return ok;
  if (rotated_)
    if (auto ok = put(audit::rotated(now, segment_)); !ok)
      return ok.failure();
  if (sealed_ == durable() && live_.chain.records() > sealed_)
    unsealed_since_ = now.mono_ns;
  auto wanted = live_.chain.records() > sealed_;
  auto written = result<void>{};
  if (wanted && (seal || checkpoint_due(now)))
    written = put_checkpoint(now);
  if (batch_.empty() && written)
    return {};
  if (written)
    written = flush();
  if (!written) {
    drop_batch(written.failure());
    return written;
  }
  durable_ = live_;
  lost_ -= std::exchange(batch_gap_, 0);
  batch_records_ = 0;
  batch_.clear();
  rotated_ = false;
  failing_.reset();
  if (batch_checkpoint_) {
    checkpoint_ = std::exchange(batch_checkpoint_, std::nullopt);
    sealed_ = checkpoint_->records();
  }
  return {};
}

bool audit_log::checkpoint_due(audit_time now) const {
  return live_.chain.records() - sealed_ >= options_.checkpoint_records
         || now.mono_ns - unsealed_since_
                >= options_.checkpoint_interval.count();
}

bool audit_log::due(audit_time now) const {
  return lost_ > 0 || pending() > 0
         || (durable() > sealed_ && checkpoint_due(now));
}

result<void> audit_log::commit(audit_time now) {
  auto full = live_.bytes >= options_.segment_bytes;
  auto written = write(now, full);
  if (written && full)
    rotate(now);
  return written;
}

result<void> audit_log::seal(audit_time now) {
  return write(now, true);
}

// The file has its last checkpoint. If the next one cannot be made, this one
// goes on, and the next commit tries again.
void audit_log::rotate(audit_time now) {
  if (sealed_ != durable())
    return;
  if (auto ok = begin_segment(segment_ + 1, now); !ok)
    failing_ = ok.failure();
  else
    rotated_ = true;
}

result<void> audit_log::change_key(signing_key next, audit_time now) {
  if (auto ok = write(now, false); !ok)
    return ok;
  if (auto n = put(audit::key_changed(now, next.public_key())); !n)
    return n.failure();
  if (auto ok = write(now, true); !ok)
    return ok;
  key_ = std::move(next);
  return {};
}

result<void> audit_log::close(audit_time now) {
  if (auto ok = write(now, false); !ok)
    return ok;
  if (auto n = put(audit::closed(now)); !n)
    return n.failure();
  return write(now, true);
}

} // namespace troupe
