#include "runtime/config_schema.hpp"

#include <nlohmann/json.hpp>

#include "core/schema/json_schema.hpp"

namespace troupe::config {

std::string against_schema(const nlohmann::json& document) {
  static const auto schema = json_schema::compile(schema_text);
  if (!schema)
    return schema.failure().message;
  auto report = schema->check(document);
  if (!report)
    return report.failure().message;
  return report->valid            ? std::string{}
         : report->errors.empty() ? "it is not as docs/config.schema.json says"
                                  : report->errors.front().text();
}

} // namespace troupe::config
