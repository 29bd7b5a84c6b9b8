#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "core/base/result.hpp"

namespace re2 {
class RE2;
}

namespace troupe::schema {

/// A regular expression of ECMA-262, in the dialect of RE2.
///
/// errc::invalid_argument for what ECMA-262 has not either; errc::unsupported
/// for what no automaton without memory can do, such as lookaround and back
/// references, and for Unicode properties that RE2 does not know.
result<std::string> translate_pattern(std::string_view ecma);

/// A regular expression that finds its matches in linear time.
class pattern {
public:
  /// As `translate_pattern`; errc::unsupported also for one whose program is
  /// larger than allowed, as of repetitions within repetitions.
  static result<pattern> compile(std::string_view ecma);

  pattern(pattern&&) noexcept;
  pattern& operator=(pattern&&) noexcept;
  ~pattern();

  /// Whether a part of the text matches. REQUIRES: it is UTF-8.
  bool matches(std::string_view text) const;
  /// Instructions: a match takes as many steps per byte at worst.
  uint32_t size() const { return size_; }

private:
  pattern();

  std::unique_ptr<re2::RE2> program_;
  uint32_t size_ = 0;
};

} // namespace troupe::schema
