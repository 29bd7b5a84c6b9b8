#include "actors/tracing/saved_content.hpp"

#include <caf/all.hpp>

#include "actors/tracing/message_facts.hpp"

namespace troupe::tracing {

bool save_content(const caf::type_erased_tuple& content, caf::serializer& sink,
                  bool full_kv) {
  auto n = static_cast<uint16_t>(content.size());
  auto e = sink(n);
  for (size_t i = 0; !e && i < n; ++i) {
    auto& facts = facts_of(content.type(i));
    auto type = facts.number;
    e = sink(type);
    if (!e)
      e = facts.save_without_kv && !full_kv
              ? facts.save_without_kv(content.get(i), sink)
              : content.save(i, sink);
  }
  return !e;
}

std::vector<char> saved_content(const caf::type_erased_tuple& content,
                                caf::execution_unit* context, bool full_kv) {
  auto bytes = std::vector<char>{};
  auto sink = caf::binary_serializer{context, bytes};
  if (!save_content(content, sink, full_kv))
    bytes.clear();
  return bytes;
}

} // namespace troupe::tracing
