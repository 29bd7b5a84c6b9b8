#include "core/model/hf_model.hpp"

#include <filesystem>

#include "core/model/digest.hpp"
#include "core/model/hf_config.hpp"
#include "core/model/hf_weights.hpp"
#include "core/text/hf_vocabulary.hpp"

namespace troupe {

namespace {

// Of the configuration, the headers, samples of the tensors, and the tokens,
// which with GGUF are in the header.
std::string digest_of(const hf_directory& dir, const vocabulary& vocab) {
  auto digest = model_digest{};
  digest.add(dir.config());
  for (auto& file : dir.files()) {
    digest.add(uint64_t{file.bytes().size()});
    digest.add(file.header());
    for (auto& tensor : file.tensors())
      digest.add_samples(tensor.data);
  }
  auto add = [&](const std::vector<std::string>& texts) {
    digest.add(uint64_t{texts.size()});
    for (auto& text : texts) {
      digest.add(uint64_t{text.size()});
      digest.add(std::as_bytes(std::span{text}));
    }
  };
  add({vocab.model, vocab.pre, vocab.chat_template});
  add(vocab.tokens);
  add(vocab.merges);
  return digest.hex();
}

} // namespace

result<std::shared_ptr<const model>>
read_hf_model(std::shared_ptr<const hf_directory> dir, vocabulary vocab) {
  auto config = read_hf_config(dir->config(), dir->config_path());
  if (!config)
    return config.failure();
  if (vocab.tokens.size() != config->params.vocab)
    return fail(errc::bad_file,
                dir->config_path() + ": vocab_size is "
                    + std::to_string(config->params.vocab) + ", but there are "
                    + std::to_string(vocab.tokens.size()) + " tokens");
  auto weights = read_hf_weights(*dir, *config);
  if (!weights)
    return weights.failure();
  auto m = std::make_shared<model>();
  m->params = std::move(config->params);
  m->params.name = std::filesystem::path{dir->path()}.filename();
  m->w = *std::move(weights);
  m->digest = digest_of(*dir, vocab);
  m->vocab = std::move(vocab);
  m->file = std::move(dir);
  return std::shared_ptr<const model>{std::move(m)};
}

result<std::shared_ptr<const model>> load_hf_model(const std::string& path) {
  auto dir = hf_directory::open(path);
  if (!dir)
    return dir.failure();
  auto config = read_hf_config(dir->config(), dir->config_path());
  if (!config)
    return config.failure();
  auto vocab = read_hf_vocabulary(path, config->params.vocab);
  if (!vocab)
    return vocab.failure();
  return read_hf_model(std::make_shared<const hf_directory>(*std::move(dir)),
                       *std::move(vocab));
}

result<vocabulary> load_hf_vocabulary(const std::string& path) {
  return read_hf_vocabulary(path, 0);
}

} // namespace troupe
