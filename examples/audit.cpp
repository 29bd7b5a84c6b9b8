// A record of decisions that can be proven: what was written about a request is
// in the log, and a log that was changed shows it.
#include <troupe/audit.hpp>
#include <troupe/embedding.hpp>

#include <filesystem>
#include <iostream>

namespace {

int complain(const troupe::error& e) {
  std::cerr << e.message << "\n";
  return 1;
}

} // namespace

int main(int argc, char** argv) {
  auto folder = std::filesystem::path{argc > 2 ? argv[2] : "."};
  auto log = (folder / "audit.log").string();
  {
    auto options = troupe::runtime_options{};
    options.model = argc > 1 ? argv[1] : "models/troupe-demo.gguf";
    options.audit.emplace().file = log; // and audit.log.key, audit.log.pub
    auto rt = troupe::runtime::open(std::move(options));
    if (!rt)
      return complain(rt.failure());
    auto request = troupe::text_request(*rt, "Once upon a time");
    request.organisation = "acme";
    request.max_tokens = 16;
    auto answer = troupe::generate(*rt, std::move(request));
    if (!answer)
      return complain(answer.failure());
  } // the log is closed

  auto key = troupe::read_public_key(log + ".pub");
  auto file = troupe::map_audit_file(log);
  if (!key || !file)
    return complain(key ? file.failure() : key.failure());
  // Looks at all hashes and signatures on the way.
  auto tree = troupe::read_audit_tree({{log, file->bytes}}, *key);
  if (!tree)
    return complain(tree.failure());
  auto proof = troupe::prove_inclusion(*tree, 1);
  if (!proof)
    return complain(proof.failure());
  auto& c = proof->checkpoint;
  auto holds = troupe::verify_inclusion(proof->leaf, proof->record, c.records,
                                        proof->path, c.root);
  std::cout << "record 1 of " << c.records << ": the proof "
            << (holds ? "holds\n" : "does NOT hold\n");

  // Somebody changes a bit in the middle.
  auto bytes = std::vector(file->bytes.begin(), file->bytes.end());
  bytes[bytes.size() / 2] ^= std::byte{1};
  auto report = troupe::verify_audit_log({{"a copy", bytes}});
  auto found = !report || !report->findings.empty();
  std::cout << (found ? "the change is found\n" : "the change is NOT found\n");
  return holds && found ? 0 : 1;
}
