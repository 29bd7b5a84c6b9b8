#include "core/model/model.hpp"

#include <filesystem>

#include "core/base/float_mode.hpp"
#include "core/model/digest.hpp"
#include "core/model/gguf.hpp"
#include "core/model/hf_model.hpp"
#include "core/model/read_parts.hpp"

namespace troupe {

namespace {

// Of the header, the file's size and samples of the tensors.
std::string digest_of(const gguf_file& file) {
  auto digest = model_digest{};
  digest.add(uint64_t{file.bytes().size()});
  digest.add(file.header());
  for (auto& tensor : file.tensors())
    digest.add_samples(tensor.data);
  return digest.hex();
}

} // namespace

result<std::shared_ptr<const model>>
read_model(std::shared_ptr<const gguf_file> file) {
  auto arch = read_architecture(*file);
  if (!arch)
    return arch.failure();
  auto vocab = read_vocabulary(*file);
  if (!vocab)
    return vocab.failure();
  auto size = static_cast<uint32_t>(vocab->tokens.size());
  auto params = read_hparams(*file, **arch, size);
  if (!params)
    return params.failure();
  auto weights = read_weights(*file, **arch, *params);
  if (!weights)
    return weights.failure();
  auto m = std::make_shared<model>();
  m->params = *std::move(params);
  m->w = *std::move(weights);
  m->vocab = *std::move(vocab);
  m->digest = digest_of(*file);
  m->file = std::move(file);
  return std::shared_ptr<const model>{std::move(m)};
}

result<std::shared_ptr<const model>> load_model(const std::string& path) {
  auto floats = float_mode{};
  auto ignored = std::error_code{};
  if (std::filesystem::is_directory(path, ignored))
    return load_hf_model(path);
  auto file = gguf_file::open(path);
  if (!file)
    return file.failure();
  return read_model(std::make_shared<const gguf_file>(*std::move(file)));
}

} // namespace troupe
