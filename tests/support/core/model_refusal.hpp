#pragma once

#include <string>
#include <string_view>

#include "core/base/error.hpp"
#include "tests/support/core/gguf_writer.hpp"

namespace troupe::testing {

/// What keeps the bytes from being a model; errc::none if nothing does. The
/// bytes are copied to a place of just their size, so that sanitizers see
/// every read beyond it.
error model_refusal(std::span<const std::byte> bytes,
                    const std::string& name = "bad.gguf");
error model_refusal(const gguf_writer& file);

/// What keeps them from being a GGUF file.
error file_refusal(const gguf_writer& file);

/// Whether the message is one line of the form "NAME: reason".
bool one_line_about(const error& e, std::string_view name = "bad.gguf");

} // namespace troupe::testing
