#include "runtime/cli/cluster_flags.hpp"

namespace troupe::cli {

void add_tls_options(CLI::App* sub, tls_flags& f) {
  sub->add_option("--tls-cert", f.certificate,
                  "this process's certificate, PEM (see troupe certs)")
      ->type_name("FILE");
  sub->add_option("--tls-key", f.key, "its private key")->type_name("FILE");
  sub->add_option("--tls-ca", f.ca, "the CA whose certificates are trusted")
      ->type_name("FILE");
}

result<std::optional<tls_files>> files_of(const tls_flags& f) {
  auto given =
      int{!f.certificate.empty()} + int{!f.key.empty()} + int{!f.ca.empty()};
  if (given == 0)
    return std::optional<tls_files>{};
  if (given < 3)
    return fail(errc::invalid_argument,
                "TLS takes all of --tls-cert, --tls-key and --tls-ca");
  return std::optional{tls_files{f.certificate, f.key, f.ca}};
}

CLI::Option* add_at_option(CLI::App* sub, std::string& at) {
  at = "127.0.0.1:" + std::to_string(default_cluster_port);
  return sub->add_option("--at", at, "the cluster's front")
      ->type_name("HOST:PORT")
      ->capture_default_str();
}

} // namespace troupe::cli
