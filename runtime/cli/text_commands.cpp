#include <nlohmann/json.hpp>

#include "core/model/gguf_type.hpp"
#include "core/model/model.hpp"
#include "core/text/tokenizer.hpp"
#include "runtime/cli/cli.hpp"

namespace troupe::cli {

namespace {

struct tokenize_options {
  std::string model = default_model();
  std::string text;
  bool from_stdin = false;
  bool add_special = false;
  bool no_parse_special = false;
  bool json = false;
};

struct detokenize_options {
  std::string model = default_model();
  std::string ids;
  bool json = false;
};

result<std::shared_ptr<const tokenizer>> load_tokenizer(const std::string& f) {
  auto vocab = load_vocabulary(f);
  if (!vocab)
    return vocab.failure();
  auto text = tokenizer::make(std::move(*vocab));
  if (!text)
    return fail(text.failure().code, f + ": " + text.failure().message);
  return text;
}

int tokenize(const tokenize_options& o) {
  auto text = load_tokenizer(o.model);
  if (!text)
    return report(text.failure());
  auto input = o.from_stdin ? read_stdin() : result<std::string>{o.text};
  if (!input)
    return report(input.failure());
  auto how = encode_options{o.add_special, !o.no_parse_special};
  auto ids = (*text)->encode(*input, how);
  auto out = std::string{};
  if (o.json) {
    out = nlohmann::json{{"ids", ids}}.dump() + "\n";
  } else {
    for (auto id : ids) {
      auto piece = std::string{};
      (*text)->append_piece(id, piece, true);
      out += std::to_string(id) + "\t\"" + printable(piece, 1000) + "\"\n";
    }
  }
  return write_all(out);
}

int detokenize(const detokenize_options& o) {
  auto text = load_tokenizer(o.model);
  if (!text)
    return report(text.failure());
  auto ids = parse_ids(o.ids);
  if (!ids)
    return report(ids.failure());
  for (auto id : *ids)
    if (id < 0 || static_cast<uint32_t>(id) >= (*text)->size())
      return report(fail(errc::invalid_argument,
                         "--ids: token id " + std::to_string(id)
                             + " is out of range; " + o.model + " has "
                             + std::to_string((*text)->size()) + " tokens"));
  auto out = (*text)->decode(*ids, true);
  if (o.json)
    out = nlohmann::json{{"text", out}}.dump(
              -1, ' ', false, nlohmann::json::error_handler_t::replace)
          + "\n";
  return write_all(out);
}

} // namespace

void add_tokenize(CLI::App& app, action& chosen) {
  auto o = std::make_shared<tokenize_options>();
  auto* sub = app.add_subcommand("tokenize", "turn text into token ids");
  sub->footer(R"(
Without --text, the text is read from standard input. Prints a line
ID<tab>"PIECE" per token, or with --json one object: {"ids": [...]}.
)");
  sub->add_option("-m,--model", o->model, "GGUF file or directory")
      ->capture_default_str();
  auto* text = sub->add_option("-t,--text", o->text, "text to encode");
  sub->add_flag("--add-special", o->add_special,
                "add the beginning and end tokens that the model wants");
  sub->add_flag("--no-parse-special", o->no_parse_special,
                "read \"<|im_end|>\" and the like as plain text");
  sub->add_flag("--json", o->json, "print one JSON object");
  sub->callback([o, text, &chosen] {
    o->from_stdin = text->count() == 0;
    chosen = [o] { return tokenize(*o); };
  });
}

void add_detokenize(CLI::App& app, action& chosen) {
  auto o = std::make_shared<detokenize_options>();
  auto* sub = app.add_subcommand("detokenize", "turn token ids into text");
  sub->footer(R"(
Prints the text as it is, control tokens included and without a newline after
it, or with --json one object: {"text": "..."}.
)");
  sub->add_option("-m,--model", o->model, "GGUF file or directory")
      ->capture_default_str();
  sub->add_option("--ids", o->ids, "token ids: 1,2,3")->required();
  sub->add_flag("--json", o->json, "print one JSON object: {\"text\": ...}");
  sub->callback([o, &chosen] { chosen = [o] { return detokenize(*o); }; });
}

} // namespace troupe::cli
