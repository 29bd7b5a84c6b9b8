#include "core/trust/audit_prove.hpp"

#include "runtime/cli/audit_commands.hpp"
#include "runtime/cli/json_text.hpp"

namespace troupe::cli {

namespace {

using json = nlohmann::ordered_json;

struct prove_flags {
  std::vector<std::string> files;
  std::string key;
  std::optional<uint64_t> record;
  std::vector<uint64_t> sizes;
  bool json = false;
};

json to_json(const merkle_path& path) {
  auto j = json::array();
  for (auto& p : path)
    j.push_back(to_hex(as_bytes(p)));
  return j;
}

// Lines of "name: value" instead of an object.
int put(const json& j, bool as_json) {
  if (as_json)
    return write_all(dump(j) + "\n");
  auto text = std::string{};
  for (auto& [name, value] : j.items())
    if (value.is_array())
      for (auto& v : value)
        text += name + ": " + v.get<std::string>() + "\n";
    else
      text += name + ": "
              + (value.is_string() ? value.get<std::string>() : dump(value))
              + "\n";
  return write_all(text);
}

int bad_proof() {
  return report(fail(errc::bad_file, "the proof does not hold"));
}

int prove_record(const audit_tree& t, const prove_flags& f) {
  auto p = prove_inclusion(t, *f.record);
  if (!p)
    return report(p.failure());
  auto& c = p->checkpoint;
  if (!verify_inclusion(p->leaf, p->record, c.records, p->path, c.root))
    return bad_proof();
  auto j = json{};
  j["record"] = p->record;
  j["leaf"] = to_hex(as_bytes(p->leaf));
  j["path"] = to_json(p->path);
  j["checkpoint"] = json::parse(troupe::to_json(c));
  return put(j, f.json);
}

int prove_sizes(const audit_tree& t, const prove_flags& f) {
  auto p = prove_consistency(t, f.sizes[0], f.sizes[1]);
  if (!p)
    return report(p.failure());
  if (!verify_consistency(p->old_size, p->size, p->path, p->old_root, p->root))
    return bad_proof();
  auto j = json{};
  j["old_records"] = p->old_size;
  j["old_root"] = to_hex(as_bytes(p->old_root));
  j["records"] = p->size;
  j["root"] = to_hex(as_bytes(p->root));
  j["path"] = to_json(p->path);
  return put(j, f.json);
}

int prove(const prove_flags& f) {
  auto in = open_audit_input(f.files);
  if (!in)
    return report(in.failure());
  auto key = read_key_option(f.key);
  if (!key)
    return report(key.failure());
  auto t = read_audit_tree(in->sources, *key);
  if (!t)
    return report(t.failure());
  return f.record ? prove_record(*t, f) : prove_sizes(*t, f);
}

} // namespace

void add_audit_prove(CLI::App& audit, action& chosen) {
  auto f = std::make_shared<prove_flags>();
  auto* sub = audit.add_subcommand(
      "prove", "prove that a record is in a log, or that a log has only grown");
  sub->footer(R"(
Proofs of RFC 9162: with --record the hashes that lead from a record to the root
that the newest checkpoint signs; with --consistency those that show that the
log of B records begins with that of A records. The log is verified first.

Examples:
  troupe audit prove audit.log --record 17 --json
  troupe audit prove audit.log --consistency 1000 2000
)");
  sub->add_option("files", f->files, "the log, as troupe audit verify takes it")
      ->required();
  sub->add_option("--key", f->key, "the public key of its beginning");
  auto* what = sub->add_option_group("what");
  what->add_option("--record", f->record, "its number");
  what->add_option("--consistency", f->sizes, "two numbers of records")
      ->expected(2)
      ->type_name("A B");
  what->require_option(1);
  sub->add_flag("--json", f->json, "one JSON object");
  sub->callback([f, &chosen] { chosen = [f] { return prove(*f); }; });
}

} // namespace troupe::cli
