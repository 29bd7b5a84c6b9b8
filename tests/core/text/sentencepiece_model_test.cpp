#include "core/text/sentencepiece_model.hpp"

#include <bit>
#include <boost/test/unit_test.hpp>

#include "tests/core/text/make_tokenizer.hpp"

using namespace troupe;

namespace {

std::string varint(uint64_t n) {
  auto out = std::string{};
  for (; n >= 0x80; n >>= 7)
    out += static_cast<char>(n | 0x80);
  return out + static_cast<char>(n);
}

std::string number(uint32_t field, uint64_t value) {
  return varint(field << 3) + varint(value);
}

std::string bytes(uint32_t field, const std::string& value) {
  return varint(field << 3 | 2) + varint(value.size()) + value;
}

std::string score(float x) {
  auto bits = std::bit_cast<uint32_t>(x);
  auto out = varint(2 << 3 | 5);
  for (auto i = 0; i < 4; ++i)
    out += static_cast<char>(bits >> 8 * i);
  return out;
}

std::string piece(const std::string& text, float s, uint64_t kind) {
  return bytes(1, bytes(1, text) + score(s) + number(3, kind));
}

const auto pieces = piece("<unk>", 0, 2) + piece("<s>", 0, 3)
                    + piece("</s>", 0, 3) + piece("a", -1.5f, 1);
const auto bpe = bytes(2, number(3, 2));
const auto keeps_spaces = bytes(3, number(4, 0));

vocabulary parsed(const std::string& model) {
  auto v = parse_sentencepiece(model);
  BOOST_REQUIRE_MESSAGE(v.ok(), test::message(v));
  return *v;
}

void refuse(const std::string& model, errc code, std::string_view message) {
  auto v = parse_sentencepiece(model);
  BOOST_TEST_CONTEXT(message) {
    BOOST_REQUIRE(!v.ok());
    BOOST_TEST((v.failure().code == code));
    BOOST_TEST(v.failure().message == message);
  }
}

} // namespace

BOOST_AUTO_TEST_SUITE(text_sentencepiece_model)

BOOST_AUTO_TEST_CASE(pieces_and_their_defaults) {
  auto v = parsed(pieces + bytes(1, bytes(1, "b")) + bpe + keeps_spaces);
  BOOST_TEST(v.model == "llama");
  BOOST_TEST(v.tokens == (test::strings{"<unk>", "<s>", "</s>", "a", "b"}));
  BOOST_TEST(v.scores[3] == -1.5f);
  BOOST_TEST(v.scores[4] == 0.f);
  BOOST_TEST((v.kinds[1] == token_kind::control));
  BOOST_TEST((v.kinds[4] == token_kind::normal));
  BOOST_TEST((v.unk == 0 && v.bos == 1 && v.eos == 2 && v.pad == -1));
  BOOST_TEST(v.add_space_prefix);
}

BOOST_AUTO_TEST_CASE(ids_of_special_tokens) {
  auto minus_1 = ~uint64_t{0};
  auto v =
      parsed(pieces + keeps_spaces
             + bytes(2, number(3, 2) + number(40, 3) + number(41, minus_1)
                            + number(42, 4) + number(43, uint64_t{1} << 40)));
  BOOST_TEST(v.unk == 3);
  BOOST_TEST((v.bos == -1 && v.eos == -1 && v.pad == -1));
}

BOOST_AUTO_TEST_CASE(fields_that_are_not_known_are_skipped) {
  auto unknown = varint(99 << 3 | 1) + std::string(8, 'x') + varint(98 << 3 | 5)
                 + std::string(4, 'x') + number(97, 1) + bytes(96, "\xFF");
  BOOST_TEST(parsed(unknown + pieces + bpe
                    + bytes(3, number(3, 0) + unknown + number(4, 0)))
                 .add_space_prefix
             == false);
}

BOOST_AUTO_TEST_CASE(what_is_no_such_message_is_refused) {
  auto rest = bpe + keeps_spaces;
  for (auto& model : {
           std::string{},
           rest,                                  // no pieces
           pieces + "\x0A\x7F",                   // cut
           pieces + "\x0A",                       // no size
           pieces + std::string(11, '\xFF'),      // no varint
           pieces + "\x0B" + rest,                // a group
           pieces + bytes(1, "\x0A\x05x") + rest, // a piece that is cut
           pieces + piece("x", 0, 7) + rest,      // no such kind
           pieces + piece("x", 0, 0) + rest,      //
           pieces + bytes(2, "\x18") + rest,      // a trainer that is cut
           pieces + rest + bytes(3, "\x12\x7F"),  // a normalizer, too
           pieces + rest + varint(2 << 3 | 2) + varint(~uint64_t{0}),
       })
    refuse(model, errc::bad_file, "is no SentencePiece model");
}

BOOST_AUTO_TEST_CASE(other_models_are_refused_by_name) {
  auto no = errc::unsupported;
  auto type = [](uint64_t n) {
    return pieces + keeps_spaces + bytes(2, number(3, n));
  };
  auto tail = std::string{"; this build has BPE"};
  refuse(pieces, no, "a SentencePiece model of type unigram" + tail);
  refuse(type(3), no, "a SentencePiece model of type word" + tail);
  refuse(type(4), no, "a SentencePiece model of type char" + tail);
  refuse(type(~uint64_t{0}), no, "a SentencePiece model of type -1" + tail);
  refuse(pieces + bytes(2, number(3, 2) + number(24, 1)) + keeps_spaces, no,
         "a SentencePiece model that has white space as a suffix");
  auto normalizer = [](const std::string& spec) {
    return pieces + bpe + bytes(3, spec);
  };
  refuse(normalizer(bytes(2, "map") + number(4, 0)), no,
         "a SentencePiece model that normalizes characters");
  refuse(normalizer(""), no, "a SentencePiece model that removes white space");
  refuse(normalizer(number(4, 0) + number(5, 0)), no,
         "a SentencePiece model that leaves spaces as they are");
}

BOOST_AUTO_TEST_SUITE_END()
