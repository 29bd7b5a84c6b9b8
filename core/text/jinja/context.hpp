#pragma once

#include <optional>
#include <string>

#include "core/base/error.hpp"

namespace troupe::jinja {

/// What a rendering may cost. Templates come from model files, so each bound
/// is an error of its own and not a crash.
struct bounds {
  int64_t steps = 1 << 20;
  int64_t bytes = int64_t{64} << 20; ///< of all values ever made
  int depth = 200;                   ///< of expressions, blocks and calls
};

/// The state that all of a rendering shares: what is left of its bounds, and
/// the first error, after which everything does nothing and yields undefined.
class context {
public:
  explicit context(const bounds& b) : left_(b) {}

  bool ok() const { return !error_; }
  const error& failure() const { return *error_; }

  void fail(errc code, const std::string& what) {
    if (!error_)
      error_ = troupe::error{code, "chat template, line " + std::to_string(line)
                                       + ": " + what};
  }
  /// What Troupe does not implement, and what Jinja would refuse as well.
  void unsupported(const std::string& what) {
    fail(errc::unsupported, what + " is not supported");
  }
  void wrong(const std::string& what) { fail(errc::bad_file, what); }

  /// Whether so much may still be done.
  bool step(size_t n = 1) {
    return spend(left_.steps, n, "takes too many steps");
  }
  bool charge(size_t n) { return spend(left_.bytes, n, "makes too much text"); }
  bool enter() {
    if (left_.depth <= 0)
      fail(errc::unsupported, "is nested too deeply");
    else
      --left_.depth;
    return ok();
  }
  /// After each `enter` that was true.
  void leave() { ++left_.depth; }

  uint32_t line = 1; ///< of what is evaluated

private:
  bool spend(int64_t& left, size_t n, const char* what) {
    if (n > static_cast<size_t>(left))
      fail(errc::unsupported, what);
    else
      left -= static_cast<int64_t>(n);
    return ok();
  }

  bounds left_;
  std::optional<error> error_;
};

} // namespace troupe::jinja
