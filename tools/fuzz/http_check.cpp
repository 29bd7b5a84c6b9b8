// Reads any bytes as the head of a request: wherever it is cut, its end is
// found at the same place, and a head that is accepted has one meaning.

#include <algorithm>
#include <cstdlib>
#include <string>

#include "core/api/http_check.hpp"

using namespace troupe::api;

namespace {

void require(bool x) {
  if (!x)
    std::abort();
}

size_t fields_named(std::string head, std::string_view name) {
  std::transform(head.begin(), head.end(), head.begin(), [](unsigned char c) {
    return static_cast<char>(c >= 'A' && c <= 'Z' ? c + 32 : c);
  });
  auto n = size_t{0};
  auto wanted = "\r\n" + std::string{name} + ":";
  for (auto at = head.find(wanted); at != std::string::npos;
       at = head.find(wanted, at + 1))
    ++n;
  return n;
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using verdict = head_scanner::verdict;
  auto all = std::string_view{reinterpret_cast<const char*>(data), size};
  auto at_once = head_scanner{};
  auto v = at_once.scan(all);
  auto in_two = head_scanner{};
  auto first = in_two.scan(all.substr(0, size / 2));
  if (first == verdict::incomplete)
    require(in_two.scan(all) == v);
  else
    require(first == v);
  auto limits = head_limits{};
  auto bad = check_head(all, limits);
  if (bad) {
    require(bad->status >= 400 && bad->status <= 505 && !bad->reason.empty());
    return 0;
  }
  require(v == verdict::whole && at_once.size() == size);
  require(size <= limits.bytes);
  auto head = std::string{all};
  auto lengths = fields_named(head, "content-length");
  auto encodings = fields_named(head, "transfer-encoding");
  require(lengths + encodings <= 1);
  require(fields_named(head, "host") <= 1);
  require(head.find('\0') == std::string::npos);
  require(head.find("\r\n ") == std::string::npos);
  require(head.find("\r\n\t") == std::string::npos);
  return 0;
}
