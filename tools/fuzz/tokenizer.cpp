// Fuzzes the tokenizers: encoding of any bytes with small vocabularies, and
// the checks of `tokenizer::make` with vocabularies that the input spoils.
//
// Input: a byte that chooses the vocabulary, a byte of options, a byte that
// says how many changes of three bytes follow, those, and then the text.

#include <algorithm>
#include <array>
#include <cstdlib>
#include <iostream>

#include "core/text/chat_template.hpp"
#include "core/text/stop_matcher.hpp"
#include "core/text/stream_decoder.hpp"
#include "core/text/utf8.hpp"
#include "tests/core/text/small_vocabulary.hpp"

using namespace troupe;

namespace {

void require(bool holds, const char* what) {
  if (!holds) {
    std::cerr << "violated: " << what << "\n";
    std::abort();
  }
}

constexpr auto chatml = std::string_view{
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}"
    "<|im_end|>\n{% endfor %}<|im_start|>assistant\n"};

class reader {
public:
  explicit reader(std::string_view bytes) : bytes_(bytes) {}

  uint8_t byte() {
    if (bytes_.empty())
      return 0;
    auto b = static_cast<uint8_t>(bytes_.front());
    bytes_.remove_prefix(1);
    return b;
  }

  std::string_view rest() const { return bytes_; }

private:
  std::string_view bytes_;
};

vocabulary choose(uint8_t which) {
  switch (which % 5) {
  case 0:
    return test::small_bpe("gpt-2");
  case 1:
    return test::small_bpe("llama-bpe");
  case 2:
    return test::small_bpe("qwen2");
  case 3:
    return test::small_spm(true);
  default:
    return test::small_spm(false);
  }
}

// One change to a vocabulary, which need not make sense afterwards.
void spoil(vocabulary& v, uint8_t what, uint8_t a, uint8_t b) {
  auto n = v.tokens.size();
  auto at = (size_t{a} << 8 | b) % std::max<size_t>(n, 1);
  auto id = static_cast<token_id>(static_cast<int8_t>(a)) * 4 + b;
  switch (what % 18) {
  case 0:
    if (n > 0)
      v.tokens[at] += static_cast<char>(b);
    break;
  case 1:
    if (n > 0)
      v.tokens[at].clear();
    break;
  case 2:
    if (at < v.kinds.size())
      v.kinds[at] = static_cast<token_kind>(b % 9);
    break;
  case 3:
    if (at < v.scores.size())
      v.scores[at] = static_cast<float>(a) - b;
    break;
  case 4:
    v.bos = id;
    break;
  case 5:
    v.eos = id;
    break;
  case 6:
    v.eot = id;
    break;
  case 7:
    v.unk = id;
    break;
  case 8:
    v.kinds.clear();
    break;
  case 9:
    v.scores.resize(a);
    break;
  case 10:
    v.tokens.resize(std::min(n, at));
    break;
  case 11: // a merge of two tokens that are there, and what it makes
    if (n > 0) {
      auto left = v.tokens[a % n], right = v.tokens[(n - 1 - b % n)];
      v.merges.push_back(left + " " + right);
      test::add_token(v, left + right, token_kind::normal, -a);
    }
    break;
  case 12:
    if (!v.merges.empty())
      v.merges[a % v.merges.size()] += static_cast<char>(b);
    break;
  case 13:
    v.add_bos = a & 1;
    v.add_eos = b & 1;
    break;
  case 14:
    v.add_space_prefix = a & 1;
    break;
  case 15:
    test::add_token(v, std::string(b % 9, static_cast<char>(a)),
                    static_cast<token_kind>(b % 7), b);
    break;
  case 16:
    v.model = a & 1 ? "llama" : "gpt2";
    break;
  case 17:
    v.chat_template += a & 1 ? chatml : "[INST]";
    break;
  }
}

bool is_utf8(std::string_view text) {
  for (auto at = size_t{0}; at < text.size();) {
    auto step = step_utf8(text, at);
    if (step.state != utf8_state::whole)
      return false;
    at += step.size;
  }
  return true;
}

// Whether what is decoded must be what was encoded.
bool is_exact(const tokenizer& t, std::string_view text) {
  auto& v = t.vocab();
  auto is_normal = [&](std::string_view token) {
    auto id = t.find(token);
    return id && v.kinds[static_cast<size_t>(*id)] == token_kind::normal;
  };
  if (v.model == "gpt2") {
    // Bytes that are never UTF-8 may lack a token.
    static const auto spelled = [] {
      auto all = std::array<std::string, 256>{};
      for (auto b = 0; b < 256; ++b)
        all[static_cast<size_t>(b)] = test::spell_byte(b);
      return all;
    }();
    return std::all_of(text.begin(), text.end(), [&](char c) {
      return is_normal(spelled[static_cast<uint8_t>(c)]);
    });
  }
  // SPM: the unknown token stands for lost text, and U+2581 for a space, if
  // there is such a token at all.
  if (!is_normal("\u2581"))
    return false;
  for (auto kind : v.kinds)
    if (kind == token_kind::byte)
      return text.find("\u2581") == text.npos;
  return false;
}

void check(std::shared_ptr<const tokenizer> t, std::string_view text,
           uint8_t options) {
  auto ids = t->encode(text);
  for (auto id : ids) {
    require(id >= 0 && static_cast<uint32_t>(id) < t->size(), "ids in range");
    require(!t->is_control(id), "text never becomes a control token");
  }
  if (is_exact(*t, text))
    require(t->decode(ids) == text, "round trip");

  ids = t->encode(text, {.add_special = bool(options & 1),
                         .parse_special = bool(options & 2)});
  auto stream = stream_decoder{t};
  auto stops = stop_matcher{{std::string{text.substr(0, options >> 4)}, "aa"}};
  auto shown = std::string{};
  for (auto id : ids) {
    auto more = stream.push(id);
    require(is_utf8(more), "streamed text is UTF-8");
    shown += stops.push(more);
  }
  shown += stops.push(stream.finish());
  shown += stops.finish();
  require(shown.find("aa") == shown.npos, "stop strings do not come out");

  auto turns = std::array<chat_message, 2>{
      chat_message{"system", std::string{text.substr(0, text.size() / 2)}},
      chat_message{"user", std::string{text.substr(text.size() / 2)}}};
  auto chat = encode_chat(*t, turns);
  auto start = t->find("<|im_start|>");
  if (chat && t->vocab().chat_template == chatml && start
      && t->is_control(*start))
    require(std::count(chat->begin(), chat->end(), *start)
                == 3
                       + (t->vocab().add_bos && t->vocab().bos == *start
                          && (*chat)[1] == *start),
            "nobody forges a turn");
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  auto input = reader{{reinterpret_cast<const char*>(data), size}};
  auto vocab = choose(input.byte());
  auto options = input.byte();
  for (auto n = input.byte() % 8; n > 0; --n) {
    auto what = input.byte(), a = input.byte(), b = input.byte();
    spoil(vocab, what, a, b);
  }
  auto made = tokenizer::make(std::move(vocab));
  if (made)
    check(*made, input.rest(), options);
  else
    require(made.failure().message.find('\n') == std::string::npos,
            "errors are one line");
  return 0;
}
