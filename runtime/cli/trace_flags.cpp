#include "runtime/cli/trace_flags.hpp"

#include <cstdio>

namespace troupe::cli {

void add_trace_options(CLI::App* sub, trace_flags& f) {
  auto group = "Message trace";
  auto* file =
      sub->add_option("--trace", f.file,
                      "record all messages between actors to this file;\n"
                      "see troupe trace --help")
          ->type_name("FILE")
          ->group(group);
  sub->add_flag("--trace-payloads", f.payloads,
                "with what they hold, so that it can be replayed; prompts\n"
                "and answers are in the file then")
      ->needs(file)
      ->group(group);
  sub->add_flag("--trace-kv", f.full_kv, "KV too, and not only its digest")
      ->needs(file)
      ->group(group);
  sub->add_option("--trace-mb", f.max_mb,
                  "of all its files: FILE, FILE.1, … take turns")
      ->needs(file)
      ->check(CLI::Range(uint64_t{1}, uint64_t{1} << 30))
      ->capture_default_str()
      ->group(group);
}

std::optional<trace_options> options_of(const trace_flags& f) {
  if (f.file.empty())
    return {};
  auto o = trace_options{};
  o.file = f.file;
  o.payloads = f.payloads || f.full_kv;
  o.full_kv = f.full_kv;
  o.max_bytes = f.max_mb << 20;
  o.log = [](const std::string& line) {
    std::fprintf(stderr, "trace: %s\n", line.c_str());
  };
  return o;
}

} // namespace troupe::cli
