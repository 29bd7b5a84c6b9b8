#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/model/model.hpp"
#include "tests/support/core/tiny_model.hpp"

namespace troupe::testing {

/// Writes safetensors files, broken ones too. Tensors are written in the order
/// in which they were added, one behind the other.
class safetensors_writer {
public:
  struct tensor {
    std::string name;
    std::string type;
    std::vector<uint64_t> shape; ///< outermost first
    byte_vector data;
  };

  std::vector<tensor> tensors;
  /// Instead of what follows from `tensors`.
  std::optional<std::string> header;
  std::optional<uint64_t> header_size;

  void add(std::string_view name, std::vector<uint64_t> shape, dtype type,
           std::span<const float> values);
  void remove(std::string_view name);
  /// Throws std::out_of_range if there is none.
  tensor& at(std::string_view name);

  std::string usual_header() const;
  byte_vector bytes() const;
};

/// A Hugging Face model in memory, to be tampered with.
struct hf_model_files {
  std::string config; ///< of one object, without the last brace
  safetensors_writer weights;

  /// "KEY": VALUE in config.json; the last one of a key counts.
  void put(std::string_view key, std::string_view value);
  std::string config_text() const { return config + "}"; }

  /// Throws std::runtime_error if that fails.
  void write(const std::string& dir) const;
};

/// The model of tiny_model_file as transformers would save it. Of llama the
/// rows of Q and K are put in that library's order.
hf_model_files tiny_hf_model(const tiny_model_options& options = {});

/// The files that describe a tokenizer as transformers would save them, of a
/// byte-level vocabulary that splits text as GPT-2 does.
void write_hf_tokenizer(const std::string& dir, const vocabulary& v);

/// As many tokens as there are, each "<N>".
vocabulary numbered_tokens(uint32_t n);

/// Loads a directory, whatever its tokenizer, with the numbered tokens that
/// its config.json asks for.
result<std::shared_ptr<const model>>
load_with_numbered_tokens(const std::string& dir);

} // namespace troupe::testing
