#include "runtime/cli/json_text.hpp"

namespace troupe::cli {

std::string dump(const nlohmann::ordered_json& j) {
  return j.dump(-1, ' ', false,
                nlohmann::ordered_json::error_handler_t::replace);
}

} // namespace troupe::cli
