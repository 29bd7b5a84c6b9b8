#pragma once

#include <string>

#include "core/base/result.hpp"
#include "core/cluster/messages.hpp"

namespace troupe {

/// What all nodes of a cluster have in common.
struct cluster_profile {
  std::string model;
  kv_layout layout;
  std::string isa;
};

/// Whether the request makes sense at all, whoever sent it: invalid_argument
/// with a sentence. Names are 1 to 64 of A-Z a-z 0-9 . _ - : and so are safe to
/// print.
result<void> check_request(const join_request& request);

/// Whether the node may take part: unsupported (protocol) or layout_mismatch,
/// with a sentence that has both sides' values.
/// REQUIRES: check_request().
result<void> check_compatible(const join_request& request,
                              const cluster_profile& cluster);

/// Whether the numbers of a load can be reckoned with: costs that can be, no
/// more blocks free than there are.
bool plausible(const node_load& load);

/// "f16 [28 layers, 8 heads, 128 + 128]"
std::string to_string(const kv_layout& layout);

} // namespace troupe
