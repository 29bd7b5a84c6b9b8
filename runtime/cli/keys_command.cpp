#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>

#include "runtime/api_key.hpp"
#include "runtime/cli/cli.hpp"

namespace troupe::cli {

namespace {

struct keys_flags {
  std::string organisation;
  std::string name;
};

int add_key(const keys_flags& f) {
  auto made = make_key();
  if (!made)
    return report(made.failure());
  auto entry = nlohmann::ordered_json{};
  entry["organisation"] = f.organisation;
  entry["name"] = f.name;
  entry["hash"] = to_string(made->hash);
  auto text = entry.dump(-1, ' ', false,
                         nlohmann::ordered_json::error_handler_t::replace);
  std::fprintf(stderr,
               "The key, which is not shown again, and below it the entry for "
               "\"keys\" in the configuration:\n");
  return write_all(made->secret + "\n" + text + "\n");
}

} // namespace

void add_keys(CLI::App& app, action& chosen) {
  auto f = std::make_shared<keys_flags>();
  auto* sub = app.add_subcommand("keys", "make keys for the HTTP gateway");
  sub->require_subcommand(1);
  auto* add = sub->add_subcommand("add", "make a key, and print it once");
  add->footer(R"(
Prints two lines: a new random key, for the client, and an entry for "keys" in
the configuration, which tells the key again but does not hold it. Changes no
file. The limits of organisations and keys are those of "tenants" there
(docs/config.md).

Example:
  troupe keys add --organisation acme --key laptop
)");
  auto name = CLI::Validator(
      [](std::string& s) {
        return s.empty() || s.size() > longest_tenant_name
                   ? std::string{"a name has 1 to 256 bytes"}
                   : std::string{};
      },
      "NAME");
  add->add_option("--organisation", f->organisation, "whose key it is")
      ->required()
      ->check(name);
  add->add_option("--key", f->name, "what the organisation calls it")
      ->required()
      ->check(name);
  add->callback([f, &chosen] { chosen = [f] { return add_key(*f); }; });
}

} // namespace troupe::cli
