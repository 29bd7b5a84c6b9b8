#include "core/text/hf_vocabulary.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "tests/core/text/make_tokenizer.hpp"
#include "tests/core/text/small_vocabulary.hpp"

using namespace troupe;
using nlohmann::json;

namespace {

json added(int id, const std::string& content, bool special) {
  return {{"id", id},          {"content", content}, {"single_word", false},
          {"lstrip", false},   {"rstrip", false},    {"normalized", false},
          {"special", special}};
}

// A file of 256 bytes, "he" and "Ġhe", and <|end|> as a special token.
json byte_level() {
  auto vocab = json::object();
  for (auto b = 0; b < 256; ++b)
    vocab[test::spell_byte(b)] = b;
  vocab["he"] = 256;
  vocab["Ġhe"] = 257;
  return {
      {"added_tokens", json::array({added(258, "<|end|>", true)})},
      {"normalizer", nullptr},
      {"pre_tokenizer", {{"type", "ByteLevel"}, {"add_prefix_space", false}}},
      {"post_processor", nullptr},
      {"decoder", {{"type", "ByteLevel"}}},
      {"model",
       {{"type", "BPE"}, {"vocab", vocab}, {"merges", {"h e", "Ġ he"}}}}};
}

// A file of 256 byte tokens and a few characters.
json by_characters() {
  auto vocab = json::object();
  for (auto b = 0; b < 256; ++b) {
    char name[8];
    std::snprintf(name, sizeof name, "<0x%02X>", b);
    vocab[name] = b;
  }
  auto id = 256;
  for (auto text : {"▁", "h", "e", "he", "▁he"})
    vocab[text] = id++;
  return {{"added_tokens", json::array({added(261, "<s>", true)})},
          {"normalizer",
           {{"type", "Sequence"},
            {"normalizers",
             {{{"type", "Prepend"}, {"prepend", "▁"}},
              {{"type", "Replace"},
               {"pattern", {{"String", " "}}},
               {"content", "▁"}}}}}},
          {"model",
           {{"type", "BPE"},
            {"byte_fallback", true},
            {"vocab", vocab},
            {"merges", json::array({json::array({"h", "e"}),
                                    json::array({"▁", "he"})})}}}};
}

vocabulary parsed(const json& file, hf_files files = {}, uint32_t rows = 0) {
  files.tokenizer_json = file.dump();
  auto v = parse_hf_vocabulary(files, rows);
  BOOST_REQUIRE_MESSAGE(v.ok(), test::message(v));
  return *v;
}

void refuse(const hf_files& files, errc code, std::string_view reason,
            uint32_t rows = 0) {
  auto v = parse_hf_vocabulary(files, rows);
  BOOST_REQUIRE_MESSAGE(!v.ok(), "accepted; wanted: " << reason);
  auto& e = v.failure();
  BOOST_TEST((e.code == code));
  BOOST_TEST(e.message.find(reason) != std::string::npos,
             e.message << " is not about: " << reason);
  BOOST_TEST(e.message.find('\n') == std::string::npos);
}

void refuse(const json& file, errc code, std::string_view reason,
            uint32_t rows = 0) {
  auto files = hf_files{};
  files.tokenizer_json = file.dump();
  refuse(files, code, reason, rows);
}

json with(json file, const char* path, json value) {
  file[json::json_pointer{path}] = std::move(value);
  return file;
}

} // namespace

BOOST_AUTO_TEST_SUITE(text_hf)

BOOST_AUTO_TEST_CASE(byte_level_files_are_read) {
  auto t = test::make_tokenizer(parsed(byte_level()));
  BOOST_TEST(t->encode("he he") == (test::token_ids{256, 257}));
  BOOST_TEST(t->encode("<|end|>").size() == 7u);
  BOOST_TEST(t->encode("<|end|>", {.parse_special = true})
             == (test::token_ids{258}));
}

BOOST_AUTO_TEST_CASE(files_of_characters_are_read) {
  auto t = test::make_tokenizer(parsed(by_characters()));
  BOOST_TEST(t->encode("he he\xFF") == (test::token_ids{260, 260, 255}));
  BOOST_TEST(t->decode(t->encode(" h\xC3\xA9 \n")) == " h\xC3\xA9 \n");
  // Each section has its prefix, as the normalizer gives it.
  BOOST_TEST(t->encode("he<s>he", {.parse_special = true})
             == (test::token_ids{260, 261, 260}));
}

BOOST_AUTO_TEST_CASE(missing_rows_are_unused_tokens) {
  auto v = parsed(byte_level(), {}, 300);
  BOOST_TEST(v.tokens.size() == 300u);
  BOOST_TEST((v.kinds.back() == token_kind::unused));
  auto t = test::make_tokenizer(v);
  BOOST_TEST(t->decode(test::token_ids{256, 299}) == "he");
}

BOOST_AUTO_TEST_CASE(added_tokens_beyond_the_rows_are_left_out) {
  BOOST_TEST(parsed(byte_level(), {}, 258).tokens.size() == 258u);
  refuse(byte_level(), errc::bad_file, "token 257", 257);
}

BOOST_AUTO_TEST_CASE(configurations_name_special_tokens) {
  auto files = hf_files{};
  files.tokenizer_config =
      R"({"bos_token": "<|end|>", "eos_token": {"content": "<|end|>"},
          "add_bos_token": true, "pad_token": null,
          "chat_template": [{"name": "tools", "template": "a"},
                            {"name": "default", "template": "b"}]})";
  files.generation_config = R"({"eos_token_id": [258, 257, 9999]})";
  auto v = parsed(byte_level(), files);
  BOOST_TEST(v.bos == 258);
  BOOST_TEST(v.eos == 258);
  BOOST_TEST(v.pad == -1);
  BOOST_TEST(v.add_bos);
  BOOST_TEST(v.chat_template == "b");
  auto t = test::make_tokenizer(v);
  BOOST_TEST(t->end_tokens() == (test::token_ids{257, 258}));
  files.chat_template = "c";
  BOOST_TEST(parsed(byte_level(), files).chat_template == "c");
}

BOOST_AUTO_TEST_CASE(a_template_of_the_post_processor_adds_tokens) {
  auto file = with(byte_level(), "/post_processor",
                   {{"type", "TemplateProcessing"},
                    {"single",
                     {{{"SpecialToken", {{"id", "<|end|>"}}}},
                      {{"Sequence", {{"id", "A"}}}}}},
                    {"special_tokens", {{"<|end|>", {{"ids", {258}}}}}}});
  auto t = test::make_tokenizer(parsed(file));
  BOOST_TEST(t->encode("he", {.add_special = true})
             == (test::token_ids{258, 256}));
}

BOOST_AUTO_TEST_CASE(tokens_that_swallow_white_space) {
  auto file = byte_level();
  file["added_tokens"][0]["rstrip"] = true;
  file["added_tokens"][0]["lstrip"] = true;
  auto t = test::make_tokenizer(parsed(file));
  BOOST_TEST(t->encode("he \u3000<|end|>\n\nhe", {.parse_special = true})
             == (test::token_ids{256, 258, 256}));
}

BOOST_AUTO_TEST_CASE(what_looks_like_a_control_token_is_one) {
  auto file = byte_level();
  file["added_tokens"].push_back(added(259, "<｜User｜>", false));
  file["added_tokens"].push_back(added(260, "<tool>", false));
  auto t = test::make_tokenizer(parsed(file));
  BOOST_TEST(t->is_control(259));
  BOOST_TEST(t->encode("<tool>") == (test::token_ids{260}));
}

BOOST_AUTO_TEST_CASE(merges_of_control_tokens_are_left_out) {
  auto file = byte_level();
  file["model"]["vocab"]["hehe"] = 258;
  file["model"]["merges"].push_back("he he");
  file["added_tokens"] = json::array({added(258, "hehe", true)});
  auto t = test::make_tokenizer(parsed(file));
  BOOST_TEST(t->encode("hehe") == (test::token_ids{256, 256}));
}

BOOST_AUTO_TEST_CASE(what_is_not_known_is_refused_by_name) {
  auto no = errc::unsupported;
  auto file = byte_level();
  refuse(with(file, "/model/type", "Unigram"), no, "Unigram");
  refuse(with(file, "/model/dropout", 0.1), no, "dropout");
  refuse(with(file, "/model/end_of_word_suffix", "</w>"), no, "suffix");
  refuse(with(file, "/normalizer", {{"type", "Lowercase"}}), no, "Lowercase");
  refuse(with(file, "/pre_tokenizer/type", "Whitespace"), no, "Whitespace");
  refuse(with(file, "/pre_tokenizer/add_prefix_space", true), no, "prefix");
  refuse(with(file, "/pre_tokenizer", nullptr), no, "ByteLevel");
  refuse(with(file, "/post_processor", {{"type", "BertProcessing"}}), no,
         "BertProcessing");
  refuse(with(file, "/decoder", {{"type", "WordPiece"}}), no, "WordPiece");
  refuse(with(file, "/added_tokens/0/single_word", true), no, "<|end|>");
  refuse(with(file, "/pre_tokenizer",
              {{"type", "Sequence"},
               {"pretokenizers",
                {{{"type", "Split"},
                  {"pattern", {{"Regex", "a(?=b)"}}},
                  {"behavior", "Removed"}}}}}),
         no, "Removed");
}

BOOST_AUTO_TEST_CASE(what_contradicts_itself_is_refused) {
  auto bad = errc::bad_file;
  auto file = byte_level();
  refuse(with(file, "/model/vocab/x1", 3), bad, "both have the id 3");
  refuse(with(file, "/model/vocab/x1", -3), bad, "no sensible id");
  refuse(with(file, "/model/vocab/x1", 1u << 30), bad, "no sensible id");
  refuse(with(file, "/model/merges", {"he"}), bad, "merge 0");
  refuse(with(file, "/model/merges", 7), bad, "without merges");
  refuse(with(file, "/model/vocab", json::array()), bad, "without a vocab");
  refuse(with(file, "/model", 7), bad, "no model");
  refuse(with(file, "/added_tokens/0/id", 3), bad, "has the id 3");
  auto files = hf_files{};
  refuse(files, bad, "tokenizer.json: is missing");
  for (auto text : {"", "{", "{\"a\": 1e999}", "\xFF", "{\"a\":\"\xFF\"}"}) {
    files.tokenizer_json = text;
    refuse(files, bad, "tokenizer.json: is not JSON, at byte ");
  }
  files.tokenizer_json = "[]";
  refuse(files, bad, "tokenizer.json: is not a JSON object");
  files.tokenizer_json = std::string(100'000, '[');
  refuse(files, errc::unsupported, "is nested more than 64 deep");
  files.tokenizer_json = file.dump();
  files.tokenizer_config = "nonsense";
  refuse(files, bad, "tokenizer_config.json: ");
}

BOOST_AUTO_TEST_CASE(broken_sentencepiece_models_are_refused) {
  auto files = hf_files{};
  for (auto bytes :
       {std::string{}, std::string{"\x0A"}, std::string{"\x0A\x7F"},
        std::string{"\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF"},
        std::string{"\x0F\x00", 2}, std::string{"\x0A\x02\x18\x09", 4}}) {
    files.tokenizer_model = bytes;
    refuse(files, errc::bad_file, "tokenizer.model: is no SentencePiece model");
  }
}

BOOST_AUTO_TEST_CASE(a_directory_without_files_is_refused) {
  auto v = read_hf_vocabulary("/no/such/folder", 0);
  BOOST_REQUIRE(!v.ok());
  BOOST_TEST(v.failure().message.find("/no/such/folder/") == 0u);
}

BOOST_AUTO_TEST_SUITE_END()
