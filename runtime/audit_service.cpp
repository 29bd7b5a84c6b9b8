#include "runtime/audit_service.hpp"

#include <caf/all.hpp>
#include <unistd.h>

#include <chrono>
#include <thread>

#include "actors/auditor.hpp"
#include "runtime/audit_keys.hpp"

namespace troupe {

namespace {

constexpr auto moment = std::chrono::seconds{2};

bool exists(const std::string& path) {
  return ::access(path.c_str(), F_OK) == 0;
}

void tell(const audit_options& o, const std::string& line) {
  if (o.log)
    o.log(line);
}

result<signing_key> key_of(const audit_options& o) {
  if (!o.key.empty())
    return read_signing_key(o.key);
  auto path = o.file + ".key";
  // A log that is there has a key, which another must not replace.
  if (!exists(path) && !exists(o.file)) {
    auto made = make_audit_key(o.file);
    if (!made)
      return made.failure();
    tell(o, "the audit log " + o.file + " is signed with the new key "
                + made->at(0) + "; keep a copy of " + made->at(1)
                + " elsewhere to check it with");
  }
  return read_signing_key(path);
}

} // namespace

result<audit_service> audit_service::start(caf::actor_system& system,
                                           audit_options options) {
  auto key = key_of(options);
  if (!key)
    return key.failure();
  auto a = auditor_options{};
  if (!options.anchor.empty()) {
    auto to = audit_anchor_sink::open(options.anchor);
    if (!to)
      return to.failure();
    a.anchor = [to = std::move(*to)](const audit_anchor& c) { to->put(c); };
  }
  auto salt = audit_salt_of(options.file);
  if (!salt)
    return salt.failure();
  auto now = audit_now();
  auto how = audit_log_options{};
  how.segment_bytes = options.file_bytes;
  auto log = open_audit_log(options.file, *std::move(key), how, now);
  if (!log)
    return log.failure();
  if (auto& was = (*log)->recovered(); was.torn_bytes > 0)
    tell(options, "the audit log " + options.file
                      + " ended in a write that was "
                        "cut short: "
                      + std::to_string(was.torn_bytes)
                      + " bytes, of nothing that was acknowledged, are cut "
                        "off");
  a.log = std::move(*log);
  a.when_full =
      options.go_on_when_full ? audit_full::go_on : audit_full::refuse;
  a.unix_offset = duration{now.wall_ns - now.mono_ns};
  auto sink = std::make_shared<audit_sink>(audit_sink{
      {},
      audit::redactor{std::as_bytes(std::span{*salt}), options.texts},
      options.texts,
      a.unix_offset});
  sink->log = system.spawn<caf::detached>(auditor, std::move(a));
  return audit_service{system, std::move(sink)};
}

void audit_service::serves(const std::string& model, version_id version,
                           const std::string& digest) const {
  caf::anon_send(sink_->log,
                 audit_note{audit::version_event(audit_now(), "start", "serves",
                                                 {model, version, digest})});
}

void audit_service::admin(const std::string& action,
                          const std::string& detail) const {
  caf::anon_send(sink_->log, audit_note{audit::admin_event(
                                 audit_now(), "operator", action, detail)});
}

audit_service::~audit_service() {
  if (!sink_)
    return;
  // Sessions that end because the gateway has hold it until they have said so.
  auto end = std::chrono::steady_clock::now() + moment;
  while (sink_.use_count() > 1 && std::chrono::steady_clock::now() < end)
    std::this_thread::sleep_for(std::chrono::milliseconds{1});
  auto self = caf::scoped_actor{*system_, true};
  // What they have said comes before this.
  self->request(sink_->log, moment, audit_await{})
      .receive([](const audit_receipt&) {},
               [](const caf::error&) {
                 // The disk does not answer: the log ends with what it has.
               });
  self->send_exit(sink_->log, caf::exit_reason::user_shutdown);
  self->wait_for(sink_->log);
}

} // namespace troupe
