#include "tests/support/core/audit_world.hpp"

#include <algorithm>
#include <stdexcept>

#include "core/base/random.hpp"

namespace troupe::testing {

namespace {

class disk_file : public audit_file {
public:
  disk_file(std::shared_ptr<audit_disk> disk, uint32_t segment)
      : disk_(std::move(disk)), segment_(segment) {}

  result<void> append(const_bytes bytes) override {
    auto n = bytes.size();
    if (disk_->room)
      n = std::min(n, *disk_->room
                          - std::min<size_t>(*disk_->room, disk_->size()));
    auto& f = mine();
    f.bytes.insert(f.bytes.end(), bytes.begin(), bytes.begin() + long(n));
    if (n < bytes.size() || disk_->breaks())
      return fail(errc::io_error, "disk: no space left on device");
    return {};
  }
  result<void> sync() override {
    ++disk_->syncs;
    if (disk_->sync_fails || disk_->breaks())
      return fail(errc::io_error, "disk: input/output error");
    mine().durable = mine().bytes.size();
    return {};
  }
  result<void> cut(uint64_t size) override {
    if (disk_->cut_fails || disk_->breaks())
      return fail(errc::io_error, "disk: input/output error");
    mine().bytes.resize(size);
    mine().durable = size;
    return {};
  }

private:
  audit_disk::file& mine() { return disk_->files.at(segment_); }

  std::shared_ptr<audit_disk> disk_;
  uint32_t segment_;
};

class disk_folder : public audit_folder {
public:
  explicit disk_folder(std::shared_ptr<audit_disk> disk)
      : disk_(std::move(disk)) {}

  result<uint32_t> segments() override {
    return static_cast<uint32_t>(disk_->files.size());
  }
  result<audit_bytes> read(uint32_t segment) override {
    auto copy =
        std::make_shared<std::vector<std::byte>>(disk_->files[segment].bytes);
    auto bytes = const_bytes{*copy};
    return audit_bytes{std::move(copy), bytes};
  }
  result<std::unique_ptr<audit_file>> create(uint32_t segment) override {
    if (disk_->create_fails || disk_->breaks())
      return fail(errc::io_error, "disk: cannot be opened");
    disk_->files[segment] = {};
    return open(segment);
  }
  result<std::unique_ptr<audit_file>> open(uint32_t segment) override {
    return std::unique_ptr<audit_file>{
        std::make_unique<disk_file>(disk_, segment)};
  }
  std::string name(uint32_t segment) const override {
    return audit_segment_name("audit.log", segment);
  }

private:
  std::shared_ptr<audit_disk> disk_;
};

} // namespace

void audit_disk::lose_power(size_t kept) {
  for (auto& [n, f] : files)
    f.bytes.resize(std::min(f.bytes.size(), f.durable + kept));
}

bool audit_disk::breaks() {
  return seed != 0 && random_bits(seed, calls++) % 4 == 0;
}

uint64_t audit_disk::size() const {
  auto n = uint64_t{0};
  for (auto& [i, f] : files)
    n += f.bytes.size();
  return n;
}

std::unique_ptr<audit_folder>
open_disk(const std::shared_ptr<audit_disk>& disk) {
  return std::make_unique<disk_folder>(disk);
}

signing_key test_key(uint8_t seed) {
  auto s = ed25519_seed{};
  s.fill(seed);
  return *signing_key::from_seed(s);
}

audit_time audit_at(int64_t mono_ns) {
  return {1'704'067'200'000'000'000 + mono_ns, mono_ns};
}

audit_record some_record(uint64_t n) {
  static const auto redact = audit::redactor{as_bytes("a salt of the test")};
  auto who = audit::subject{audit_at(static_cast<int64_t>(n)), n, "acme",
                            "laptop " + std::to_string(n % 7)};
  auto ids = std::array{static_cast<token_id>(n), 5, 6};
  if (n % 2 == 0)
    return audit::admitted(who, "demo", 3, redact.prompt(ids, "a text"));
  return audit::finished(who, "stop", n % 100, redact.output(ids, "a text"));
}

// -- world --------------------------------------------------------------------

audit_world::audit_world() {
  options.checkpoint_records = 64;
  options.id.fill(7);
}

audit_log audit_world::open(uint8_t key) {
  auto log = audit_log::open(open_disk(disk), test_key(key), options, time());
  if (!log)
    throw std::runtime_error{log.failure().message};
  return *std::move(log);
}

void audit_world::write(audit_log& log, size_t records, size_t in_each) {
  for (size_t i = 1; i <= records; ++i) {
    auto n = log.append(some_record(i));
    if (!n)
      throw std::runtime_error{n.failure().message};
    if (i % in_each != 0 && i != records)
      continue;
    now += 1000;
    if (auto ok = log.commit(time()); !ok)
      throw std::runtime_error{ok.failure().message};
  }
}

std::vector<audit_source> audit_world::sources() const {
  auto all = std::vector<audit_source>{};
  for (auto& [n, f] : disk->files)
    all.push_back({audit_segment_name("audit.log", n), f.bytes});
  return all;
}

audit_report audit_world::verify(const audit_verify_options& o) const {
  auto r = verify_audit_log(sources(), o);
  if (!r)
    throw std::runtime_error{r.failure().message};
  return *std::move(r);
}

std::vector<audit_record> audit_world::records() const {
  auto all = std::vector<audit_record>{};
  for (auto& s : sources()) {
    auto head = header_bytes(s.bytes);
    if (!head)
      continue;
    for (auto at = uint64_t{head->size()};;) {
      auto f = frame_at(s.bytes, at);
      if (!f)
        break;
      if (auto v = audit_record_view::parse(f->body))
        all.push_back(v->record());
      at = f->end();
    }
  }
  return all;
}

} // namespace troupe::testing
