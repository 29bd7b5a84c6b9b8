#pragma once

#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "core/api/api_error.hpp"

namespace troupe::api {

/// Takes members of one JSON object by name and type. The first complaint
/// counts; after it the rest may be taken, for nothing. A member that is null
/// counts as left out.
class object_reader {
public:
  /// `where` stands before names in complaints, as in "messages[1].".
  /// REQUIRES: `object` is one.
  object_reader(const nlohmann::json& object,
                std::optional<api_error>& complaint, std::string where = {});

  /// The member, or null.
  const nlohmann::json* take(const char* key) const;

  void flag(const char* key, bool& to);
  void text(const char* key, std::string& to);

  /// A number from `least` to `most`.
  void number(const char* key, float least, float most, float& to);

  /// An integer from `least` to `most`; true if it is there and good.
  bool integer(const char* key, int64_t least, int64_t most, int64_t& to);

  template <class Number>
  void integer(const char* key, int64_t least, int64_t most, Number& to) {
    auto x = int64_t{0};
    if (integer(key, least, most, x))
      to = static_cast<Number>(x);
  }

  /// Blames `key`.
  void complain(const std::string& key, const std::string& why);
  /// The same, for what is well-formed but not implemented.
  void unsupported(const std::string& key, const std::string& why);

  bool failed() const { return complaint_.has_value(); }

private:
  const nlohmann::json& object_;
  std::optional<api_error>& complaint_;
  std::string where_;
};

} // namespace troupe::api
