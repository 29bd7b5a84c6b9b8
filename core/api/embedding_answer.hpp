#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace troupe::api {

/// Appends bytes in base64 (RFC 4648, section 4), with padding.
void append_base64(std::string& out, std::string_view bytes);

/// The answer to POST /v1/embeddings as JSON: {"object":"list", "data":[…],
/// "model":…, "usage":…}. `vectors`: one for each input, in their order, of
/// finite numbers. With `base64` each is written as the bytes of its float32,
/// the lowest first, else as an array of numbers.
std::string embedding_answer(std::span<const std::vector<float>> vectors,
                             bool base64, std::string_view model,
                             uint32_t prompt_tokens);

} // namespace troupe::api
