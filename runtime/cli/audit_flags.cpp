#include "runtime/cli/audit_flags.hpp"

namespace troupe::cli {

void add_audit_options(CLI::App* sub, audit_options& o) {
  auto group = "Audit log";
  auto* file = sub->add_option("--audit", o.file,
                               "record decisions to this log;\n"
                               "see troupe audit --help")
                   ->type_name("FILE")
                   ->group(group);
  sub->add_option("--audit-key", o.key,
                  "signs it; default: FILE.key, which a new log gets")
      ->needs(file)
      ->type_name("FILE")
      ->group(group);
  sub->add_option("--audit-anchor", o.anchor,
                  "a file or URL that gets each checkpoint as well, so that a\n"
                  "log that is written anew shows")
      ->needs(file)
      ->type_name("FILE|URL")
      ->group(group);
  sub->add_flag("--audit-texts", o.texts,
                "with prompts and answers in clear, not only their digests")
      ->needs(file)
      ->group(group);
  sub->add_flag(
         "--audit-go-on", o.go_on_when_full,
         "serve on when the disk takes no records, and record later how\n"
         "many are missing; without it such requests are refused")
      ->needs(file)
      ->group(group);
}

} // namespace troupe::cli
