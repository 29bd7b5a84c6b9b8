#include <filesystem>

#include "core/model/gguf.hpp"
#include "core/model/hf_model.hpp"
#include "core/model/model.hpp"

namespace troupe {

namespace {

// What files leave out, each kind of tokenizer in its way.
struct tokenizer_defaults {
  std::string_view model;
  std::string_view pre; // any, if empty
  bool add_bos;
  token_id bos;
  token_id eos;
  token_id unk;
};

constexpr auto defaults = std::to_array<tokenizer_defaults>({
    {"llama", "", true, 1, 2, 0},
    {"gpt2", "llama-bpe", true, -1, -1, -1},
    {"gpt2", "llama3", true, -1, -1, -1},
    {"gpt2", "", false, -1, -1, -1},
});

// Reads keys one by one; after the first error the rest is skipped.
class vocabulary_reader {
public:
  explicit vocabulary_reader(const gguf_file& file) : file_(file) {}

  result<vocabulary> run() {
    read_tokens();
    auto usual = tokenizer_defaults{"", "", false, -1, -1, -1};
    for (auto& d : defaults)
      if (d.model == v_.model && (d.pre.empty() || d.pre == v_.pre)) {
        usual = d;
        break;
      }
    v_.bos = id("bos_token_id", usual.bos);
    v_.eos = id("eos_token_id", usual.eos);
    v_.eot = id("eot_token_id", -1);
    v_.unk = id("unknown_token_id", usual.unk);
    v_.pad = id("padding_token_id", -1);
    v_.add_bos = flag("add_bos_token", usual.add_bos);
    v_.add_eos = flag("add_eos_token", false);
    v_.add_space_prefix = flag("add_space_prefix", true);
    v_.chat_template =
        take(file_.get_string("tokenizer.chat_template")).value_or("");
    if (error_)
      return error_;
    return std::move(v_);
  }

private:
  void stop(const std::string& reason) {
    if (!error_)
      error_ = file_.complain(errc::bad_file, reason);
  }

  template <class T>
  std::optional<T> take(result<std::optional<T>> x) {
    if (error_)
      return std::nullopt;
    if (!x) {
      error_ = x.failure();
      return std::nullopt;
    }
    return *std::move(x);
  }

  static std::string full(std::string_view key) {
    return "tokenizer.ggml." + std::string{key};
  }

  void read_tokens() {
    auto model = take(file_.get_string(full("model")));
    auto tokens = take(file_.get_strings(full("tokens")));
    if (!model)
      return stop("metadata key " + full("model") + " is missing");
    if (!tokens)
      return stop("metadata key " + full("tokens") + " is missing");
    if (tokens->empty() || tokens->size() > most_tokens)
      return stop(full("tokens") + " has " + std::to_string(tokens->size())
                  + " tokens, not from 1 to " + std::to_string(most_tokens));
    v_.model = *model;
    v_.pre = take(file_.get_string(full("pre"))).value_or("");
    v_.tokens.assign(tokens->begin(), tokens->end());
    if (auto x = take(file_.get_floats(full("scores")))) {
      same_size("scores", x->size());
      v_.scores = *std::move(x);
    }
    if (auto x = take(file_.get_ints(full("token_type")))) {
      same_size("token_type", x->size());
      read_kinds(*x);
    }
    if (auto x = take(file_.get_strings(full("merges"))))
      v_.merges.assign(x->begin(), x->end());
  }

  void same_size(std::string_view key, size_t n) {
    if (n != v_.tokens.size())
      stop(full(key) + " has " + std::to_string(n) + " entries, expected "
           + std::to_string(v_.tokens.size()) + " as " + full("tokens"));
  }

  void read_kinds(const std::vector<int32_t>& numbers) {
    v_.kinds.reserve(numbers.size());
    for (auto x : numbers) {
      if (x < 1 || x > 6)
        return stop(full("token_type") + " has " + std::to_string(x) + " at "
                    + std::to_string(v_.kinds.size()) + ", not from 1 to 6");
      v_.kinds.push_back(static_cast<token_kind>(x));
    }
  }

  // -1, or that in 32 bits, says "none".
  token_id id(std::string_view key, token_id otherwise) {
    auto size = static_cast<int64_t>(v_.tokens.size());
    auto x = take(file_.get_int(full(key)));
    if (!x)
      return otherwise < size ? otherwise : -1;
    if (*x == -1 || *x == int64_t{UINT32_MAX})
      return -1;
    if (*x < 0 || *x >= size) {
      stop(full(key) + " is " + std::to_string(*x) + ", but there are "
           + std::to_string(size) + " tokens");
      return -1;
    }
    return static_cast<token_id>(*x);
  }

  bool flag(std::string_view key, bool otherwise) {
    return take(file_.get_bool(full(key))).value_or(otherwise);
  }

  static constexpr auto most_tokens = size_t{1} << 24;

  const gguf_file& file_;
  vocabulary v_;
  error error_;
};

} // namespace

result<vocabulary> read_vocabulary(const gguf_file& file) {
  return vocabulary_reader{file}.run();
}

result<vocabulary> load_vocabulary(const std::string& path) {
  auto ignored = std::error_code{};
  if (std::filesystem::is_directory(path, ignored))
    return load_hf_vocabulary(path);
  auto file = gguf_file::open(path);
  if (!file)
    return file.failure();
  return read_vocabulary(*file);
}

} // namespace troupe
