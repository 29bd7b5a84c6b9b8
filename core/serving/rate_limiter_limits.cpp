#include "core/serving/rate_limiter_limits.hpp"

namespace troupe {

namespace {

result<void> check(const tenant_limits& limits, const std::string& whose) {
  auto check_one = [&](limited what, const std::optional<rate_limit>& limit) {
    auto wrong = [&](std::string_view why) {
      return fail(errc::invalid_argument, whose + ": "
                                              + std::string{to_string(what)}
                                              + ": " + std::string{why});
    };
    if (!limit)
      return result<void>{};
    if (limit->per <= duration{0})
      return result<void>{wrong("the period must be above 0")};
    if (limit->amount > largest_amount)
      return result<void>{wrong("the amount is too large")};
    if (limit->burst > largest_amount)
      return result<void>{wrong("the burst is too large")};
    return result<void>{};
  };
  if (auto ok = check_one(limited::requests, limits.requests); !ok)
    return ok;
  if (auto ok = check_one(limited::input_tokens, limits.input_tokens); !ok)
    return ok;
  return check_one(limited::output_tokens, limits.output_tokens);
}

} // namespace

result<void> check(const limits_table& table) {
  if (auto ok = check(table.unknown_limits, "unknown tenants"); !ok)
    return ok;
  for (auto& [name, organisation] : table.organisations) {
    if (auto ok = check(organisation.limits, name); !ok)
      return ok;
    for (auto& [id, key] : organisation.keys) {
      auto whose = name + " > " + id;
      if (auto ok = check(key.limits, whose); !ok)
        return ok;
      for (auto& [model, limits] : key.models)
        if (auto ok = check(limits, whose + " > " + model); !ok)
          return ok;
    }
  }
  return {};
}

std::string_view to_string(limited what) {
  switch (what) {
  case limited::requests:
    return "requests";
  case limited::input_tokens:
    return "input_tokens";
  case limited::output_tokens:
    return "output_tokens";
  case limited::concurrency:
    return "concurrency";
  }
  return "?";
}

std::string_view to_string(limit_level level) {
  switch (level) {
  case limit_level::organisation:
    return "organisation";
  case limit_level::key:
    return "key";
  case limit_level::model:
    return "model";
  }
  return "?";
}

} // namespace troupe
