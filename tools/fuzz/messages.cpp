// Reads any bytes as each of the messages that travel between processes. What
// is accepted is written and read again as the same bytes, and nothing grows
// beyond what the bytes themselves could hold. Run with -malloc_limit_mb=64.

#include <caf/all.hpp>

#include <cstdlib>
#include <utility>

#include "actors/protocol/interfaces.hpp"

using namespace troupe;

namespace {

void require(bool x) {
  if (!x)
    std::abort();
}

template <class T>
void read(const char* bytes, size_t size) {
  auto message = T{};
  auto source = caf::binary_deserializer{nullptr, bytes, size};
  if (source(message))
    return;
  auto once = std::vector<char>{};
  auto sink = caf::binary_serializer{nullptr, once};
  // What has no handle in it.
  if (sink(message))
    return;
  auto again = T{};
  auto back = caf::binary_deserializer{nullptr, once};
  require(!back(again));
  auto twice = std::vector<char>{};
  auto last = caf::binary_serializer{nullptr, twice};
  require(!last(again));
  require(once == twice);
}

constexpr auto first = caf::id_block::troupe::begin;
constexpr auto count = caf::id_block::troupe::end - first;

template <size_t... I>
constexpr auto readers(std::index_sequence<I...>) {
  return std::array{&read<typename caf::type_by_id<first + I>::type>...};
}

constexpr auto all = readers(std::make_index_sequence<count>{});

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size > 0)
    all[data[0] % all.size()](reinterpret_cast<const char*>(data) + 1,
                              size - 1);
  return 0;
}
