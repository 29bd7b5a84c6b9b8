#include <algorithm>
#include <array>

#include "core/text/pre_tokenizer.hpp"

namespace troupe {

const std::string_view gpt2_words =
    R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+)"
    R"(| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";

const std::string_view llama3_words =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3})"
    R"(| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";

const std::string_view qwen2_words =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N})"
    R"(| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";

namespace {

constexpr auto digit = std::string_view{R"(\p{N})"};

constexpr auto qwen35_words = std::string_view{
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N})"
    R"(| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)"};

constexpr auto tekken_words = std::string_view{
    R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*)"
    R"([\p{Ll}\p{Lm}\p{Lo}\p{M}]+)"
    R"(|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+)"
    R"([\p{Ll}\p{Lm}\p{Lo}\p{M}]*)"
    R"(|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)"};

constexpr auto gpt4o_words = std::string_view{
    R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*)"
    R"([\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?)"
    R"(|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+)"
    R"([\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?)"
    R"(|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)"};

constexpr auto seed_words = std::string_view{
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1})"
    R"(| ?[^\s\p{L}\p{N}\r\n]+|\s*[\r\n]+|\s+(?!\S)|\s+)"};

constexpr auto bloom_words = std::string_view{R"( ?[^(\s|.,!?…。，、।۔،)]+)"};

constexpr auto falcon_symbols = std::string_view{R"([\p{P}\$\+<=>\^~\|`]+)"};

// Chinese characters, and kana.
constexpr auto cjk = std::string_view{"[一-龥\u3040-ゟ゠-ヿ]+"};
// Chinese characters, and what a slip in the original made of Hangul.
constexpr auto cjk_slip = std::string_view{"[一-龥\u0800-一가-\uD7FF]+"};

constexpr auto deepseek_v3_words =
    std::string_view{R"([!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+)"
                     R"(|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+)"
                     R"(| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)"};

// Letters with case, as of Unicode 11.
constexpr auto deepseek_llm_letters = std::string_view{
    R"(\s?[)"
    R"(A-Za-z\u00B5\u00C0-\u00D6\u00D8-\u00F6\u00F8-\u01BA\u01BC-\u01BF)"
    R"(\u01C4-\u0293\u0295-\u02AF\u0370-\u0373\u0376\u0377\u037B-\u037D)"
    R"(\u037F\u0386\u0388-\u038A\u038C\u038E-\u03A1\u03A3-\u03F5)"
    R"(\u03F7-\u0481\u048A-\u052F\u0531-\u0556\u10A0-\u10C5\u13A0-\u13F5)"
    R"(\u13F8-\u13FD\u1C90-\u1CBA\u1CBD-\u1CBF\u1D00-\u1D2B\u1D6B-\u1D77)"
    R"(\u1D79-\u1D9A\u1E00-\u1F15\u1F18-\u1F1D\u1F20-\u1F45\u1F48-\u1F4D)"
    R"(\u1F50-\u1F57\u1F59\u1F5B\u1F5D\u1F5F-\u1F7D\u1F80-\u1FB4)"
    R"(\u1FB6-\u1FBC\u1FBE\u1FC2-\u1FC4\u1FC6-\u1FCC\u1FD0-\u1FD3)"
    R"(\u1FD6-\u1FDB\u1FE0-\u1FEC\u1FF2-\u1FF4\u1FF6-\u1FFC\u2102\u2107)"
    R"(\u210A-\u2113\u2115\u2119-\u211D\u2124\u2126\u2128\u212A-\u212D)"
    R"(\u212F-\u2134\u2139\u213C-\u213F\u2145-\u2149\u214E\u2183\u2184)"
    R"(\u2C00-\u2C7B\u2C7E-\u2CE4\u2CEB-\u2CEE\u2CF2\u2CF3\uA640-\uA66D)"
    R"(\uA680-\uA69B\uA722-\uA76F\uA771-\uA787\uA78B-\uA78E\uAB70-\uABBF)"
    R"(\uFB00-\uFB06\uFB13-\uFB17\uFF21-\uFF3A\uFF41-\uFF5A)"
    R"(\x{10400}-\x{1044F}\x{104B0}-\x{104D3}\x{104D8}-\x{104FB})"
    R"(\x{10C80}-\x{10CB2}\x{10CC0}-\x{10CF2}\x{118A0}-\x{118DF})"
    R"(\x{1E900}-\x{1E943})"
    R"(]+)"};

constexpr auto deepseek_llm_symbols = std::string_view{
    R"(\s?[!-/:-~\uFF01-\uFF0F\uFF1A-\uFF5E\u2018-\u201F\u3000-\u3002]+)"};

struct family {
  bool ignore_merges;
  std::vector<std::string_view> names;
  std::vector<std::string_view> patterns;
};

const std::vector<family>& families() {
  static const auto all = std::vector<family>{
      {false,
       {"gpt-2", "default", "", "phi-2", "gigachat", "a.x-4.0", "mellum", "mpt",
        "olmo", "jais", "trillion", "granite-docling"},
       {gpt2_words}},
      {true,
       {"llama-bpe", "llama3", "llama-v3", "falcon3", "falcon-h1", "pixtral",
        "midm-2.0", "lfm2"},
       {llama3_words}},
      {false, {"dbrx", "smaug-bpe", "chatglm-bpe", "glm4"}, {llama3_words}},
      {false,
       {"qwen2", "deepseek-r1-qwen", "kormo", "megrez", "stablelm2", "hunyuan",
        "grok-2"},
       {qwen2_words}},
      {false, {"qwen35"}, {qwen35_words}},
      {false,
       {"starcoder", "refact", "command-r", "smollm", "codeshell", "exaone",
        "minerva-7b"},
       {digit, gpt2_words}},
      {true, {"tekken"}, {tekken_words}},
      {false, {"gpt-4o", "llama4", "minimax-m2"}, {gpt4o_words}},
      {false, {"seed-coder"}, {seed_words}},
      {false, {"bloom", "poro-chat", "gpt3-finnish"}, {bloom_words}},
      {false, {"viking"}, {bloom_words, digit}},
      {false, {"falcon"}, {falcon_symbols, gpt2_words, "[0-9][0-9][0-9]"}},
      {false,
       {"deepseek-coder"},
       {R"([\r\n])", R"(\s?\p{L}+)", R"(\s?\p{P}+)", cjk_slip, digit}},
      {false,
       {"deepseek-llm"},
       {R"([\r\n])", deepseek_llm_letters, deepseek_llm_symbols, R"(\s+$)",
        cjk_slip, digit}},
      {false,
       {"deepseek-v3", "hunyuan-dense"},
       {R"(\p{N}{1,3})", cjk, deepseek_v3_words}},
  };
  return all;
}

} // namespace

std::optional<word_rules> find_pre_tokenizer(std::string_view name) {
  for (auto& f : families())
    if (std::find(f.names.begin(), f.names.end(), name) != f.names.end())
      return word_rules{{f.patterns.begin(), f.patterns.end()},
                        f.ignore_merges};
  return {};
}

} // namespace troupe
