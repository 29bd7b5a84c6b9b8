#pragma once

#include <cassert>
#include <optional>
#include <utility>
#include <variant>

#include "core/base/error.hpp"

namespace troupe {

/// A value or an `error`. Nothing in `core` throws for a condition that its
/// caller can meet; it returns one of these.
template <class T>
class [[nodiscard]] result {
public:
  using value_type = T;

  result(T value) : value_(std::in_place_index<0>, std::move(value)) {}
  result(error e) : value_(std::in_place_index<1>, std::move(e)) {
    assert(failure());
  }

  bool ok() const { return value_.index() == 0; }
  explicit operator bool() const { return ok(); }

  /// REQUIRES: ok().
  T& value() & { return std::get<0>(value_); }
  const T& value() const& { return std::get<0>(value_); }
  T&& value() && { return std::get<0>(std::move(value_)); }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T&& operator*() && { return std::move(*this).value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }

  /// REQUIRES: !ok().
  const error& failure() const { return std::get<1>(value_); }

private:
  std::variant<T, error> value_;
};

/// Success without a value, or an `error`.
template <>
class [[nodiscard]] result<void> {
public:
  using value_type = void;

  result() = default;
  result(error e) : error_(std::move(e)) { assert(error_->code != errc::none); }

  bool ok() const { return !error_.has_value(); }
  explicit operator bool() const { return ok(); }
  const error& failure() const { return *error_; }

private:
  std::optional<error> error_;
};

/// Shorthand for `return fail(errc::bad_file, path + ": wrong magic");` Cold,
/// so that compilers put such lines, and what makes their texts, out of the way
/// of what runs.
[[gnu::cold]] inline error fail(errc code, std::string message) {
  return {code, std::move(message)};
}

} // namespace troupe
