#include "runtime/audit_keys.hpp"
#include "runtime/cli/audit_commands.hpp"

namespace troupe::cli {

namespace {

int keygen(const std::string& base) {
  auto made = make_audit_key(base);
  if (!made)
    return report(made.failure());
  return write_all(made->at(0) + "\n" + made->at(1) + "\n");
}

struct rekey_flags {
  std::string file;
  std::string key;
  std::string next;
};

int rekey(const rekey_flags& f) {
  auto key = read_signing_key(f.key);
  if (!key)
    return report(key.failure());
  auto next = read_signing_key(f.next);
  if (!next)
    return report(next.failure());
  // A log that is not there would be begun.
  if (auto there = map_audit_file(f.file); !there)
    return report(there.failure());
  auto log = open_audit_log(f.file, *std::move(key), {}, audit_now());
  if (!log)
    return report(log.failure());
  auto name = key_name(next->public_key());
  if (auto ok = (*log)->change_key(*std::move(next), audit_now()); !ok)
    return report(ok.failure());
  if (auto ok = (*log)->close(audit_now()); !ok)
    return report(ok.failure());
  return write_all(f.file + ": is signed with key " + name + " from record "
                   + std::to_string((*log)->durable() - 1) + " on\n");
}

void add_keygen(CLI::App& audit, action& chosen) {
  auto base = std::make_shared<std::string>();
  auto* sub = audit.add_subcommand("keygen", "make a key that signs a log");
  sub->footer(R"(
Writes an Ed25519 key: NAME.key, which the server needs and only its owner can
read, and NAME.pub, with which anyone can check the log. Overwrites nothing.
Prints the new files' paths.

Example:
  troupe audit keygen audit
)");
  sub->add_option("name", *base, "where to, without .key or .pub")->required();
  sub->callback([base, &chosen] { chosen = [base] { return keygen(*base); }; });
}

void add_rekey(CLI::App& audit, action& chosen) {
  auto f = std::make_shared<rekey_flags>();
  auto* sub = audit.add_subcommand("rekey", "let another key sign a log");
  sub->footer(R"(
Adds a record that names the new key, sealed with the old one. The log must not
be in use. The old key's .pub still verifies all of it; the server needs the new
one from then on.

Example:
  troupe audit rekey audit.log --key audit.key --next audit-2025.key
)");
  sub->add_option("file", f->file, "the log's first file")->required();
  sub->add_option("--key", f->key, "that signs it now")->required();
  sub->add_option("--next", f->next, "that is to sign it")->required();
  sub->callback([f, &chosen] { chosen = [f] { return rekey(*f); }; });
}

} // namespace

void add_audit(CLI::App& app, action& chosen) {
  auto* audit = app.add_subcommand("audit", "look at audit logs");
  audit->require_subcommand(1);
  add_audit_verify(*audit, chosen);
  add_audit_prove(*audit, chosen);
  add_audit_show(*audit, chosen);
  add_keygen(*audit, chosen);
  add_rekey(*audit, chosen);
}

} // namespace troupe::cli
