#include "core/text/sentencepiece_model.hpp"

#include <bit>
#include <cstring>
#include <optional>

#include "core/text/utf8.hpp"

namespace troupe {

namespace {

constexpr auto most_bytes = size_t{64} << 20;
constexpr auto most_tokens = size_t{1} << 22;

// One field of a message of protocol buffers.
struct field {
  uint64_t number = 0;
  uint64_t value = 0;     // varint, or the bits of a fixed one
  std::string_view bytes; // length-delimited

  bool flag() const { return value != 0; }
  // Enumerations and ids; negative ones are of 64 bits.
  int64_t integer() const { return static_cast<int64_t>(value); }
  float number32() const {
    return std::bit_cast<float>(static_cast<uint32_t>(value));
  }
};

class message_reader {
public:
  explicit message_reader(std::string_view bytes) : rest_(bytes) {}

  /// False at the end and after an error.
  bool next(field& f) {
    if (rest_.empty() || broken_)
      return false;
    auto tag = varint();
    f = {tag >> 3, 0, {}};
    switch (tag & 7) {
    case 0:
      f.value = varint();
      break;
    case 1:
      f.value = fixed(8);
      break;
    case 2:
      f.bytes = take(varint());
      break;
    case 5:
      f.value = fixed(4);
      break;
    default:
      broken_ = true;
    }
    return !broken_;
  }

  bool broken() const { return broken_; }

private:
  std::string_view take(uint64_t n) {
    if (n > rest_.size()) {
      broken_ = true;
      return {};
    }
    auto bytes = rest_.substr(0, n);
    rest_.remove_prefix(n);
    return bytes;
  }

  uint64_t varint() {
    auto value = uint64_t{0};
    for (auto shift = 0; shift < 64; shift += 7) {
      auto byte = take(1);
      if (byte.empty())
        return 0;
      auto b = static_cast<uint8_t>(byte[0]);
      value |= uint64_t{b & 0x7Fu} << shift;
      if (b < 0x80)
        return value;
    }
    broken_ = true;
    return 0;
  }

  uint64_t fixed(size_t size) {
    auto value = uint64_t{0};
    auto bytes = take(size);
    for (auto i = bytes.size(); i > 0; --i)
      value = value << 8 | static_cast<uint8_t>(bytes[i - 1]);
    return value;
  }

  std::string_view rest_;
  bool broken_ = false;
};

// Numbers of fields as in sentencepiece_model.proto; what a file leaves out
// has the value that is said there.
class sentencepiece_reader {
public:
  result<vocabulary> run(std::string_view bytes) {
    v_.model = "llama";
    v_.unk = 0;
    v_.bos = 1;
    v_.eos = 2;
    auto reader = message_reader{bytes};
    for (auto f = field{}; ok_ && reader.next(f);)
      switch (f.number) {
      case 1:
        piece(f.bytes);
        break;
      case 2:
        trainer(f.bytes);
        break;
      case 3:
        normalizer(f.bytes);
        break;
      default:
        break;
      }
    if (!ok_ || reader.broken() || v_.tokens.empty())
      return fail(errc::bad_file, "is no SentencePiece model");
    if (model_type_ != 2)
      return fail(errc::unsupported, "a SentencePiece model of type "
                                         + type_name()
                                         + "; this build has BPE");
    if (!unsupported_.empty())
      return fail(errc::unsupported,
                  "a SentencePiece model that " + unsupported_);
    auto n = static_cast<int64_t>(v_.tokens.size());
    for (auto* id : {&v_.unk, &v_.bos, &v_.eos, &v_.pad})
      if (*id >= n)
        *id = -1;
    return std::move(v_);
  }

private:
  std::string type_name() const {
    switch (model_type_) {
    case 1:
      return "unigram";
    case 3:
      return "word";
    case 4:
      return "char";
    default:
      return std::to_string(model_type_);
    }
  }

  void piece(std::string_view bytes) {
    auto text = std::string_view{};
    auto score = 0.f;
    auto kind = int64_t{1};
    auto reader = message_reader{bytes};
    for (auto f = field{}; reader.next(f);)
      if (f.number == 1)
        text = f.bytes;
      else if (f.number == 2)
        score = f.number32();
      else if (f.number == 3)
        kind = f.integer();
    ok_ = !reader.broken() && kind >= 1 && kind <= 6
          && v_.tokens.size() < most_tokens;
    v_.tokens.emplace_back(text);
    v_.scores.push_back(score);
    v_.kinds.push_back(static_cast<token_kind>(kind));
  }

  void trainer(std::string_view bytes) {
    auto reader = message_reader{bytes};
    auto id = [](const field& f) {
      return f.integer() >= 0 && f.integer() < INT32_MAX
                 ? static_cast<token_id>(f.integer())
                 : -1;
    };
    for (auto f = field{}; reader.next(f);)
      switch (f.number) {
      case 3:
        model_type_ = f.integer();
        break;
      case 24:
        if (f.flag())
          unsupported_ = "has white space as a suffix";
        break;
      case 40:
        v_.unk = id(f);
        break;
      case 41:
        v_.bos = id(f);
        break;
      case 42:
        v_.eos = id(f);
        break;
      case 43:
        v_.pad = id(f);
        break;
      default:
        break;
      }
    ok_ = ok_ && !reader.broken();
  }

  void normalizer(std::string_view bytes) {
    auto reader = message_reader{bytes};
    auto removes = true, escapes = true, maps = false;
    for (auto f = field{}; reader.next(f);)
      switch (f.number) {
      case 2:
        maps = !f.bytes.empty();
        break;
      case 3:
        v_.add_space_prefix = f.flag();
        break;
      case 4:
        removes = f.flag();
        break;
      case 5:
        escapes = f.flag();
        break;
      default:
        break;
      }
    ok_ = ok_ && !reader.broken();
    if (maps)
      unsupported_ = "normalizes characters";
    else if (removes)
      unsupported_ = "removes white space";
    else if (!escapes)
      unsupported_ = "leaves spaces as they are";
  }

  vocabulary v_;
  int64_t model_type_ = 1;
  std::string unsupported_;
  bool ok_ = true;
};

} // namespace

result<vocabulary> parse_sentencepiece(std::string_view bytes) {
  if (bytes.size() > most_bytes)
    return fail(errc::bad_file,
                "is larger than " + std::to_string(most_bytes) + " bytes");
  return sentencepiece_reader{}.run(bytes);
}

} // namespace troupe
