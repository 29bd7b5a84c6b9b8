#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace troupe::api {

/// What the head of a request may be at most.
struct head_limits {
  size_t bytes = size_t{16} << 10; ///< all of it, with its empty line
  size_t fields = 100;
  uint64_t body = uint64_t{8} << 20; ///< that a content-length may announce
};

/// Why a request is not served. The connection must be closed after this:
/// where its next request begins is not certain.
struct rejection {
  int status = 400;
  std::string_view reason; ///< a literal
};

/// Finds the end of a head as its bytes come, and the first byte that no head
/// may hold: a CR or LF that is not of a CR LF, NUL, other control characters.
class head_scanner {
public:
  enum class verdict : uint8_t { incomplete, whole, broken };

  /// `bytes` are all that have come, those of earlier calls first.
  verdict scan(std::string_view bytes);

  /// Of the head, with its empty line. REQUIRES: it is whole.
  size_t size() const { return at_; }

private:
  size_t at_ = 0;        ///< bytes looked at
  unsigned newline_ = 0; ///< of CR LF CR LF, those that came last
};

/// Whether two readers could take this head for different requests, or it is
/// not one that this server reads: nothing if it is good. Stricter than
/// RFC 9112: only origin-form targets ("*" for OPTIONS), exactly one host,
/// one content-length of digits alone or one transfer-encoding that is
/// `chunked` and never both, no folded lines, no space before a colon.
/// `head` goes up to its empty line.
std::optional<rejection> check_head(std::string_view head,
                                    const head_limits& limits = {});

} // namespace troupe::api
