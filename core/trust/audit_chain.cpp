#include "core/trust/audit_chain.hpp"

namespace troupe {

// The tags keep hashes of different things apart; 1 is that of tree nodes.
void audit_chain::add(std::byte tag, const_bytes bytes) {
  auto before = std::array<std::byte, 1 + 32>{tag};
  std::memcpy(before.data() + 1, value_.data(), value_.size());
  value_ = sha256{}.add(before).add(bytes).finish();
}

void audit_chain::add_record(const_bytes body) {
  add(std::byte{0}, body);
  tree_.add(value_);
}

void audit_chain::add_checkpoint(const_bytes body) {
  add(std::byte{2}, body);
}

void audit_chain::add_header(const_bytes header) {
  add(std::byte{3}, header);
}

} // namespace troupe
