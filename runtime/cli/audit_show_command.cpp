#include <cstdio>

#include "runtime/cli/audit_commands.hpp"
#include "runtime/cli/json_text.hpp"

namespace troupe::cli {

namespace {

using json = nlohmann::ordered_json;

struct show_flags {
  std::vector<std::string> files;
  std::optional<uint64_t> request;
  bool json = false;
};

std::string name_of(audit_kind k) {
  auto name = to_string(k);
  return name.empty() ? "kind_" + std::to_string(unsigned(k))
                      : std::string{name};
}

std::string name_of(audit_field_id id) {
  auto name = to_string(id);
  return name.empty() ? "field_" + std::to_string(unsigned(id))
                      : std::string{name};
}

json value_of(const audit_field& f) {
  if (f.type == audit_type::number)
    return f.number;
  if (f.type == audit_type::text)
    return f.bytes;
  return to_hex(as_bytes(f.bytes));
}

json to_json(const std::string& file, const audit_frame& at, uint64_t number,
             const audit_record& r) {
  auto j = json{};
  j["record"] = number;
  j["file"] = file;
  j["offset"] = at.offset;
  j["kind"] = name_of(r.kind);
  j["time"] = utc(r.wall_ns);
  j["wall_ns"] = r.wall_ns;
  j["mono_ns"] = r.mono_ns;
  j["request"] = r.request;
  j["organisation"] = r.organisation;
  j["key"] = r.key;
  for (auto& f : r.details)
    j["details"][name_of(f.id)] = value_of(f);
  return j;
}

std::string quoted(const std::string& s) {
  return dump(json(s));
}

// Texts are quoted: they may hold anything, also what terminals obey.
std::string to_line(uint64_t number, const audit_record& r) {
  auto line =
      std::to_string(number) + " " + utc(r.wall_ns) + " " + name_of(r.kind);
  if (r.request != 0)
    line += " request " + std::to_string(r.request);
  if (!r.organisation.empty() || !r.key.empty())
    line += " of " + quoted(r.organisation + "/" + r.key);
  for (auto& f : r.details)
    line += " " + name_of(f.id) + "=" + dump(value_of(f));
  return line;
}

std::string to_line(const audit_checkpoint& c) {
  return "  checkpoint of " + std::to_string(c.records()) + " records, "
         + utc(c.time.wall_ns) + ", key " + key_name(c.key);
}

// False if nobody reads it.
bool show_frame(const show_flags& f, const std::string& file,
                const audit_frame& at) {
  if (at.type == audit_frame_type::checkpoint) {
    auto c = parse_checkpoint(at.body);
    return f.json || f.request || !c || write(to_line(*c) + "\n");
  }
  auto v = audit_record_view::parse(at.body);
  if (!v || (f.request && v->request() != *f.request))
    return true;
  auto r = v->record();
  return write((f.json ? dump(to_json(file, at, v->number(), r))
                       : to_line(v->number(), r))
               + "\n");
}

int show_file(const show_flags& f, const audit_source& s, bool last) {
  auto index = index_audit_file(s.bytes);
  if (!index)
    return last && is_torn_header(s.bytes)
               ? exit_ok
               : report(fail(errc::bad_file,
                             s.name + ": " + index.failure().message));
  for (auto& run : index->runs) {
    for (auto at = run.start.end; at < run.end;) {
      auto frame = *frame_at(s.bytes, at, false);
      if (!show_frame(f, s.name, frame))
        return report(write_failure());
      at = frame.end();
    }
  }
  auto code = exit_ok;
  for (auto& d : index->damages)
    if (!last || d.end != index->size)
      code = report(fail(errc::bad_file,
                         s.name + ": bytes " + std::to_string(d.offset) + " to "
                             + std::to_string(d.end)
                             + " cannot be read; see troupe audit verify"));
  return code;
}

int show(const show_flags& f) {
  auto in = open_audit_input(f.files);
  if (!in)
    return report(in.failure());
  auto code = exit_ok;
  for (size_t i = 0; i < in->sources.size(); ++i) {
    auto c = show_file(f, in->sources[i], i + 1 == in->sources.size());
    code = std::max(code, c);
  }
  return code;
}

void add(CLI::App& audit, action& chosen, const char* name, const char* about,
         bool is_export) {
  auto f = std::make_shared<show_flags>();
  f->json = is_export;
  auto* sub = audit.add_subcommand(name, about);
  sub->footer(is_export ? R"(
One JSON object a line, in the order of the records. Bytes are hexadecimal.
Nothing is verified.

Example:
  troupe audit export audit.log | jq 'select(.kind == "refused")'
)"
                        : R"(
One line a record, and one a checkpoint. Nothing is verified.

Examples:
  troupe audit show audit.log
  troupe audit show audit.log --request 17
)");
  sub->add_option("files", f->files, "the log, as troupe audit verify takes it")
      ->required();
  sub->add_option("--request", f->request, "only the records of this one");
  if (!is_export)
    sub->add_flag("--json", f->json, "one JSON object a record");
  sub->callback([f, &chosen] { chosen = [f] { return show(*f); }; });
}

} // namespace

void add_audit_show(CLI::App& audit, action& chosen) {
  add(audit, chosen, "show", "print a log's records", false);
  add(audit, chosen, "export", "print a log's records as JSON", true);
}

} // namespace troupe::cli
