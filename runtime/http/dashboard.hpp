#pragma once

#include <string_view>

namespace troupe::http {

// The files of runtime/dashboard, as they are.
extern const std::string_view index_html;
extern const std::string_view dashboard_js;
extern const std::string_view dashboard_css;

} // namespace troupe::http
