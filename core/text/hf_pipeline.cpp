#include "core/text/hf_pipeline.hpp"

#include <utility>

#include "core/text/bounded_json.hpp"
#include "core/text/pre_tokenizer.hpp"
#include "core/text/spaces.hpp"
#include "core/text/utf8.hpp"

namespace troupe {

namespace {

using nlohmann::json;

// A pattern in which every character is itself.
std::string escaped(std::string_view text) {
  auto out = std::string{};
  for (auto c : text) {
    if (std::string_view{"\\^$.[]|()?*+{}-"}.find(c) != std::string_view::npos)
      out += '\\';
    out += c;
  }
  return out;
}

// Reads trees; after the first error the rest is skipped.
class pipeline_reader {
public:
  result<hf_pipeline> run(const json& tokenizer) {
    each(member(tokenizer, "normalizer"), "normalizers",
         [this](auto& node) { normalizer(node); });
    each(member(tokenizer, "pre_tokenizer"), "pretokenizers",
         [this](auto& node) { cutter(node); });
    each(member(tokenizer, "post_processor"), "processors",
         [this](auto& node) { post_processor(node); });
    each(member(tokenizer, "decoder"), "decoders",
         [this](auto& node) { decoder(node); });
    if (p_.byte_level && p_.marks_spaces)
      stop("the pre-tokenizer ByteLevel after spaces were replaced");
    if (error_)
      return error_;
    return p_;
  }

private:
  void stop(std::string what) {
    if (!error_)
      error_ = fail(errc::unsupported, std::move(what));
  }

  void unknown(const char* what, const json& node) {
    stop(std::string{"the "} + what + " "
         + troupe::quoted(string_of(node, "type")));
  }

  // Calls `f` for a node, or for all that a Sequence holds.
  template <class F>
  void each(const json& node, const char* parts, F f) {
    if (node.is_null())
      return;
    if (string_of(node, "type") != "Sequence")
      return f(node);
    // The depth of JSON is bounded.
    for (auto& part : member(node, parts))
      each(part, parts, f);
  }

  void normalizer(const json& node) {
    auto type = string_of(node, "type");
    if (type == "NFC") {
      p_.nfc = true;
    } else if (type == "Prepend" && string_of(node, "prepend") == space_mark) {
      p_.prefix = true;
    } else if (type == "Replace"
               && string_of(member(node, "pattern"), "String") == " "
               && string_of(node, "content") == space_mark) {
      p_.marks_spaces = true;
    } else {
      unknown("normalizer", node);
    }
  }

  void cutter(const json& node) {
    auto type = string_of(node, "type");
    if (p_.byte_level)
      return stop("the pre-tokenizer " + troupe::quoted(type)
                  + " after ByteLevel");
    if (type == "ByteLevel")
      return byte_level(node);
    if (type == "Metaspace")
      return metaspace(node);
    if (type == "Split")
      return split(node);
    if (type == "Digits") {
      auto single = flag_of(node, "individual_digits", false);
      p_.patterns.emplace_back(single ? R"(\p{N})" : R"(\p{N}+)");
      return;
    }
    if (type == "Punctuation") {
      auto behavior = string_of(node, "behavior", "Isolated");
      auto marks = std::string{R"([\p{P}!-/:-@\[-`{-~])"};
      if (behavior == "Contiguous")
        marks += '+';
      else if (behavior != "Isolated")
        return stop("the pre-tokenizer Punctuation that is "
                    + troupe::quoted(behavior));
      p_.patterns.push_back(std::move(marks));
      return;
    }
    unknown("pre-tokenizer", node);
  }

  void byte_level(const json& node) {
    if (flag_of(node, "add_prefix_space", true))
      return stop("the pre-tokenizer ByteLevel with add_prefix_space");
    if (flag_of(node, "use_regex", true))
      p_.patterns.emplace_back(gpt2_words);
    p_.byte_level = true;
  }

  void metaspace(const json& node) {
    if (string_of(node, "replacement") != space_mark || !p_.patterns.empty())
      return stop("this use of the pre-tokenizer Metaspace");
    auto always = flag_of(node, "add_prefix_space", true);
    auto scheme =
        string_of(node, "prepend_scheme", always ? "always" : "never");
    if (scheme != "always" && scheme != "first" && scheme != "never")
      return stop("the scheme " + troupe::quoted(scheme) + " of Metaspace");
    if (!p_.prefix && scheme != "never") {
      p_.prefix = p_.prefix_unless_space = true;
      p_.prefix_first_only = scheme == "first";
    }
    p_.marks_spaces = true;
    if (flag_of(node, "split", true))
      p_.patterns.push_back(std::string{space_mark} + "[^"
                            + std::string{space_mark} + "]*");
  }

  void split(const json& node) {
    auto& pattern = member(node, "pattern");
    auto behavior = string_of(node, "behavior");
    auto text = string_of(pattern, "String");
    if (text == " " && p_.marks_spaces)
      return; // there is none left
    auto regex = text.empty() ? string_of(pattern, "Regex") : escaped(text);
    // What is between matches goes where nothing is.
    auto covers_all =
        regex.size() > 4 && regex.substr(regex.size() - 4) == R"(|\s+)";
    auto keeps = behavior == "Isolated"
                 || (behavior == "Removed" && flag_of(node, "invert", false)
                     && covers_all);
    if (!keeps)
      return stop("the pre-tokenizer Split that is "
                  + troupe::quoted(behavior));
    p_.patterns.push_back(std::move(regex));
  }

  void post_processor(const json& node) {
    auto type = string_of(node, "type");
    if (type == "ByteLevel")
      return; // moves offsets, not ids
    if (type != "TemplateProcessing")
      return unknown("post-processor", node);
    auto seen_text = false;
    for (auto& part : member(node, "single")) {
      if (!member(part, "Sequence").is_null()) {
        if (std::exchange(seen_text, true))
          return stop("a template that says a text twice");
        continue;
      }
      auto name = string_of(member(part, "SpecialToken"), "id");
      auto& ids =
          member(member(member(node, "special_tokens"), name.c_str()), "ids");
      auto& place = seen_text ? p_.end : p_.begin;
      if (name.empty() || !ids.is_array() || ids.size() != 1 || place >= 0)
        return stop("a template with more than one token at an end");
      place = integer_of(ids[0], INT32_MAX);
      if (place < 0)
        return stop("a template with a token that is none");
    }
    if (!seen_text)
      stop("a template without its text");
  }

  void decoder(const json& node) {
    auto type = string_of(node, "type");
    for (auto known :
         {"ByteLevel", "Replace", "ByteFallback", "Fuse", "Strip", "Metaspace"})
      if (type == known)
        return;
    unknown("decoder", node);
  }

  hf_pipeline p_;
  error error_;
};

} // namespace

result<hf_pipeline> parse_pipeline(const json& tokenizer) {
  return pipeline_reader{}.run(tokenizer);
}

} // namespace troupe
