#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "core/base/result.hpp"

namespace troupe {

/// Reads the fields of an object one by one. After the first error the rest is
/// skipped and the values are worthless. A field that is null counts as absent.
/// REQUIRES: `object` is one, and outlives this.
class json_fields {
public:
  /// `within` goes before the names of fields in errors: "rope_scaling.".
  json_fields(const nlohmann::json& object, std::string path,
              std::string within = {});

  bool failed() const { return static_cast<bool>(error_); }
  const error& failure() const { return error_; }

  /// "PATH: reason", unless there was an error before.
  void stop(errc code, const std::string& reason);

  bool has(std::string_view key) const { return find(key) != nullptr; }

  /// Whether the field is there and null, which elsewhere counts as absent.
  bool is_null(std::string_view key) const;

  /// Null if absent.
  const nlohmann::json* find(std::string_view key) const;

  /// From `least` to `most`; `otherwise` if absent, an error without that.
  uint32_t count(std::string_view key, uint32_t most,
                 std::optional<uint32_t> otherwise = {}, uint32_t least = 1);

  /// Finite and positive.
  float positive(std::string_view key, std::optional<float> otherwise = {});

  bool flag(std::string_view key, bool otherwise);

  std::string text(std::string_view key, std::string_view otherwise);

  /// The fields of an object in this one; empty if absent. An error there is
  /// not one here until it is handed to take_failure.
  std::optional<json_fields> object(std::string_view key);
  void take_failure(const json_fields& of);

  /// Stops unless the field is absent or equals `neutral`, a number or a bool.
  void refuse_unless(std::string_view key, double neutral);

  /// "rope_scaling.factor is 0.5", with the value cut.
  std::string describe(std::string_view key) const;

  std::string full(std::string_view key) const {
    return within_ + std::string{key};
  }

private:
  void missing(std::string_view key);
  void wrong(std::string_view key, const std::string& wanted);

  const nlohmann::json* object_;
  std::string path_;
  std::string within_;
  error error_;
};

} // namespace troupe
