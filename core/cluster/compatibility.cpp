#include "core/cluster/compatibility.hpp"

#include <algorithm>
#include <string_view>

namespace troupe {

namespace {

constexpr auto max_word = size_t{64};

bool is_word(std::string_view s) {
  auto plain = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')
           || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-'
           || c == ':';
  };
  return !s.empty() && s.size() <= max_word
         && std::all_of(s.begin(), s.end(), plain);
}

error differs(errc code, const char* what, const std::string& cluster,
              const join_request& r, const std::string& node) {
  return fail(code, std::string{what} + " differs: the cluster has " + cluster
                        + ", node " + r.name + " has " + node);
}

} // namespace

result<void> check_request(const join_request& r) {
  auto bad = [](const char* why) { return fail(errc::invalid_argument, why); };
  if (!is_word(r.name))
    return bad("a node's name is 1 to 64 of A-Z a-z 0-9 . _ - :");
  if (r.role > node_role::store)
    return bad("no such role");
  if (!is_word(r.model) || !is_word(r.isa))
    return bad("model digest and ISA class are 1 to 64 of A-Z a-z 0-9 . _ - :");
  if (r.layout.dtype > kv_dtype::i8)
    return bad("no such type of KV");
  if (r.threads == 0 || r.blocks == 0)
    return bad("a node has at least one thread and one KV block");
  return {};
}

result<void> check_compatible(const join_request& r, const cluster_profile& c) {
  if (r.version != cluster_protocol_version)
    return differs(errc::unsupported, "protocol version",
                   std::to_string(cluster_protocol_version), r,
                   std::to_string(r.version));
  if (r.model != c.model)
    return differs(errc::layout_mismatch, "model", c.model, r, r.model);
  if (r.layout != c.layout)
    return differs(errc::layout_mismatch, "KV layout", to_string(c.layout), r,
                   to_string(r.layout));
  if (r.isa != c.isa)
    return differs(errc::layout_mismatch, "ISA class", c.isa, r, r.isa);
  return {};
}

bool plausible(const node_load& l) {
  return plausible(l.cost) && l.free_blocks <= l.blocks && l.block_tokens > 0;
}

std::string to_string(const kv_layout& l) {
  auto type = l.dtype == kv_dtype::f32   ? "f32"
              : l.dtype == kv_dtype::f16 ? "f16"
                                         : "i8";
  return std::string{type} + " [" + std::to_string(l.layers) + " layers, "
         + std::to_string(l.kv_heads) + " heads, " + std::to_string(l.k_dim)
         + " + " + std::to_string(l.v_dim) + "]";
}

} // namespace troupe
