#include "tests/support/core/model_refusal.hpp"

#include <algorithm>

#include "core/model/gguf.hpp"
#include "core/model/model.hpp"

namespace troupe::testing {

error model_refusal(std::span<const std::byte> bytes, const std::string& name) {
  auto own = byte_vector(bytes.begin(), bytes.end());
  auto file = gguf_file::parse(own, name);
  if (!file)
    return file.failure();
  auto m = read_model(std::make_shared<const gguf_file>(*std::move(file)));
  return m ? error{} : m.failure();
}

error model_refusal(const gguf_writer& file) {
  return model_refusal(file.bytes());
}

error file_refusal(const gguf_writer& file) {
  auto own = file.bytes();
  auto read = gguf_file::parse(own, "bad.gguf");
  return read ? error{} : read.failure();
}

bool one_line_about(const error& e, std::string_view name) {
  auto text = std::string_view{e.message};
  return text.starts_with(std::string{name} + ": ")
         && text.size() > name.size() + 2
         && std::none_of(text.begin(), text.end(), [](char c) {
              return static_cast<unsigned char>(c) < 0x20;
            });
}

} // namespace troupe::testing
