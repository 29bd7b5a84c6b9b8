#pragma once

#include <nlohmann/json.hpp>

#include "core/text/jinja/value.hpp"

namespace troupe::test {

/// All strings are untrusted, as those of messages are.
inline jinja::value from_json(jinja::context& c,
                              const nlohmann::ordered_json& j) {
  if (j.is_null())
    return jinja::none{};
  if (j.is_boolean())
    return j.get<bool>();
  if (j.is_number_integer())
    return j.get<int64_t>();
  if (j.is_number_float())
    return j.get<double>();
  if (j.is_string())
    return jinja::text{j.get<std::string>(), false};
  if (j.is_array()) {
    auto all = std::vector<jinja::value>{};
    for (auto& x : j)
      all.push_back(from_json(c, x));
    return make_list(c, std::move(all));
  }
  auto all = std::vector<std::pair<jinja::value, jinja::value>>{};
  for (auto& [key, x] : j.items())
    all.emplace_back(jinja::text{key, false}, from_json(c, x));
  return make_dict(c, std::move(all));
}

} // namespace troupe::test
