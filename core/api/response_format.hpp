#pragma once

#include <string_view>

#include "core/api/object_reader.hpp"
#include "core/api/openai_request.hpp"

namespace troupe::api {

/// Reads "response_format" of `body`, which `r` reads: OpenAI's three types,
/// and "regex" and "grammar". Complains, too, of what cannot go with a form.
void read_form(object_reader& r, std::string_view body, common_request& to);

} // namespace troupe::api
