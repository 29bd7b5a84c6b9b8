#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.hpp"

namespace troupe {

/// What a JSON document may be at most.
struct tape_bounds {
  size_t bytes = size_t{64} << 20;
  size_t depth = 1024;             ///< objects and arrays within each other
  size_t values = size_t{8} << 20; ///< keys count, too
};

enum class json_kind : uint8_t {
  null,
  no,
  yes,
  integer, ///< of up to 18 digits, however it was written
  decimal, ///< any other number
  string,
  array,
  object
};

/// One value, or one key, of a document.
struct json_node {
  json_kind kind = json_kind::null;
  uint32_t size = 0; ///< bytes of a string or decimal, items, or members
  union {
    int64_t integer = 0;
    const char* text; ///< of a string, UTF-8, or of a decimal as JSON writes it
    uint32_t end;     ///< of an array or object: behind its last node
  };

  std::string_view view() const { return {text, size}; }
  bool is_number() const {
    return kind == json_kind::integer || kind == json_kind::decimal;
  }
};

/// A JSON document as one array of nodes in the order of its text: a container,
/// then what it holds; a member is its key and then its value. Numbers that
/// are no integers of up to 18 digits stay text, so that none is rounded.
/// Reading another document reuses the memory of the one before. Strings
/// without escapes lie in the text, which must outlive the tape.
class json_tape {
public:
  json_tape() = default;
  json_tape(json_tape&&) = default;
  json_tape& operator=(json_tape&&) = default;

  /// Reads RFC 8259 strictly: UTF-8 without surrogates, also where they are
  /// escaped; no key twice in an object (RFC 7493); one value and white space
  /// around it. "JSON, byte N: reason" with errc::invalid_argument, or
  /// errc::unsupported for what exceeds the bounds.
  result<void> parse(std::string_view text, const tape_bounds& bounds = {});

  /// Takes over a value that lives longer than the tape. What JSON has not is
  /// refused: NaN, infinities, binary values, text that is not UTF-8.
  result<void> import(const nlohmann::json& value,
                      const tape_bounds& bounds = {});

  /// REQUIRES: a document has been read. The root is node 0.
  const json_node& operator[](uint32_t at) const { return nodes_[at]; }
  uint32_t size() const { return static_cast<uint32_t>(nodes_.size()); }
  const json_node* data() const { return nodes_.data(); }

  /// The node behind the value at `at`.
  uint32_t behind(uint32_t at) const {
    auto& n = nodes_[at];
    return n.kind >= json_kind::array ? n.end : at + 1;
  }

  /// The value of the member `key`, or 0 if there is none.
  /// REQUIRES: `object` is one.
  uint32_t member(uint32_t object, std::string_view key) const;

  /// Where a value is, as a JSON Pointer (RFC 6901); "" for the root.
  std::string pointer_to(uint32_t at) const;
  void add_pointer(std::string& to,
                   uint32_t at) const; ///< behind what is there

  /// The value that a JSON Pointer names, seen from the value `from`, or
  /// `nowhere`.
  uint32_t find(std::string_view pointer, uint32_t from = 0) const;
  static constexpr auto nowhere = ~uint32_t{0};

private:
  friend class json_reader;
  friend class json_importer;

  static json_node number(std::string_view text);
  char* room(size_t bytes);
  void clear();

  std::vector<json_node> nodes_;
  std::vector<std::unique_ptr<char[]>> texts_; ///< of strings with escapes
  char* free_ = nullptr;
  size_t left_ = 0;
  std::vector<uint32_t> open_; ///< containers, while reading
  std::vector<uint64_t> keys_; ///< scratch
};

} // namespace troupe
