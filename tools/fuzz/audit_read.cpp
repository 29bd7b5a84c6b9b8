// Reads any bytes as a file of an audit log, and as anchors: whatever they are,
// the answer lies inside them, and a writer goes on with the log or says in one
// line why it does not. The first byte says how many bytes of the log's own
// beginning come before the rest, so that what is signed need not be guessed.

#include <cstdlib>

#include "core/trust/audit_anchor.hpp"
#include "tests/support/core/audit_world.hpp"

using namespace troupe;
using namespace troupe::testing;

namespace {

void require(bool x) {
  if (!x)
    std::abort();
}

// A good log, which the input goes on from.
const std::vector<std::byte>& good_log() {
  static const auto bytes = [] {
    auto w = audit_world{};
    w.options.checkpoint_records = 4;
    auto log = w.open();
    w.write(log, 10);
    return w.disk->files[0].bytes;
  }();
  return bytes;
}

void check_report(const audit_report& r, size_t size) {
  require(r.sealed <= r.records || !r.findings.empty());
  for (auto& f : r.findings) {
    require(f.offset <= size);
    require(!f.what.empty() && f.what.find('\n') == std::string::npos);
  }
  for (auto& c : r.checkpoints)
    require(c.offset < size && c.records <= r.sealed);
  if (r.torn)
    require(r.torn->offset <= r.torn->end && r.torn->end == size);
}

// Each record has one encoding.
void check_records(const_bytes file) {
  auto head = header_bytes(file);
  if (!head)
    return;
  auto at = uint64_t{head->size()};
  while (auto f = frame_at(file, at, false)) {
    require(f->end() > at && f->end() <= file.size());
    at = f->end();
    auto v = audit_record_view::parse(f->body);
    if (!v)
      continue;
    auto again = raw_bytes{};
    require(encode(v->record(), v->number(), again).ok());
    require(text_of(again) == text_of(f->body));
  }
}

void go_on(const std::vector<std::byte>& file, const audit_report& before) {
  auto w = audit_world{};
  w.disk->files[0].bytes = file;
  auto log =
      audit_log::open(open_disk(w.disk), test_key(), w.options, w.time());
  if (!log) {
    require(log.failure().message.find('\n') == std::string::npos);
    require(w.disk->files[0].bytes == file);
    return;
  }
  require(log->recovered().records >= before.sealed || !before.findings.empty()
          || log->recovered().is_new);
  require(log->append(some_record(1)).ok() && log->commit(w.time()).ok());
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0)
    return 0;
  auto& good = good_log();
  auto file = std::vector<std::byte>{
      good.begin(),
      good.begin() + static_cast<long>(good.size() * data[0] / 255)};
  auto rest = std::as_bytes(std::span{data + 1, size - 1});
  file.insert(file.end(), rest.begin(), rest.end());
  auto r = verify_audit_log({{"fuzz", file}});
  require(r.ok());
  check_report(*r, file.size());
  check_records(file);
  go_on(file, *r);
  auto anchors = parse_anchors(text_of(rest), "fuzz");
  if (!anchors)
    require(anchors.failure().message.starts_with("fuzz: line "));
  else
    for (auto& f : check_anchors(*r, *anchors))
      require(!f.what.empty());
  return 0;
}
