#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <nlohmann/json.hpp>

#include "core/base/random.hpp"
#include "core/schema/json_pointer.hpp"
#include "core/schema/tape_compare.hpp"

using namespace troupe;
using json = nlohmann::json;

namespace {

// Small values that are often equal.
class value_source {
public:
  explicit value_source(uint64_t seed) : seed_(seed) {}

  json next(int depth = 3) {
    switch (draw(depth > 0 ? 8 : 5)) {
    case 0:
      return nullptr;
    case 1:
      return draw(2) == 0;
    case 2:
      return static_cast<int>(draw(3)) - 1;
    case 3:
      return static_cast<double>(draw(4)) / 2;
    case 4:
      return std::string(draw(3), static_cast<char>('a' + draw(2)));
    case 5:
    case 6: {
      auto out = json::object();
      for (auto n = draw(4); n > 0; --n)
        out[std::string(1 + draw(2), static_cast<char>('a' + draw(3)))] =
            next(depth - 1);
      return out;
    }
    default: {
      auto out = json::array();
      for (auto n = draw(4); n > 0; --n)
        out.push_back(next(depth - 1));
      return out;
    }
    }
  }

  uint64_t draw(uint64_t below) {
    return static_cast<uint64_t>(random_unit(seed_, n_++, 0)
                                 * static_cast<double>(below));
  }

private:
  uint64_t seed_;
  uint64_t n_ = 0;
};

// The text of a value, with the members of objects in any order.
std::string shuffled(const json& v, value_source& random) {
  auto join = [](const std::vector<std::string>& parts) {
    auto out = std::string{};
    for (auto& p : parts)
      out += (out.empty() ? "" : " , ") + p;
    return out;
  };
  auto parts = std::vector<std::string>{};
  if (v.is_object()) {
    for (auto& [key, x] : v.items())
      parts.push_back(json(key).dump() + ":" + shuffled(x, random));
    for (size_t i = parts.size(); i > 1; --i)
      std::swap(parts[i - 1], parts[random.draw(i)]);
    return "{" + join(parts) + "}";
  }
  if (v.is_array()) {
    for (auto& x : v)
      parts.push_back(shuffled(x, random));
    return "[" + join(parts) + "]";
  }
  return v.dump();
}

json_tape tape_of(std::string_view text) {
  auto t = json_tape{};
  auto ok = t.parse(text);
  BOOST_REQUIRE_MESSAGE(ok.ok(), text);
  return t;
}

json_tape tape_of(std::string&&) = delete; // the text must outlive it

int sign(int x) {
  return (x > 0) - (x < 0);
}

} // namespace

BOOST_AUTO_TEST_SUITE(schema_tape)

BOOST_AUTO_TEST_CASE(comparisons_agree_with_nlohmanns_equality) {
  auto random = value_source{1};
  auto equal = 0;
  for (auto i = 0; i < 20'000; ++i) {
    auto x = random.next(2);
    auto y = random.draw(3) == 0 ? x : random.next(2);
    auto text_x = shuffled(x, random);
    auto text_y = shuffled(y, random);
    auto a = tape_of(text_x);
    auto b = tape_of(text_y);
    auto va = tape_value{a.data(), 0};
    auto vb = tape_value{b.data(), 0};
    BOOST_TEST(equal_values(va, vb) == (x == y), text_x << " " << text_y);
    auto c = compare_values(va, vb);
    BOOST_TEST((c == 0) == (x == y), text_x << " " << text_y);
    BOOST_TEST(sign(c) == -sign(compare_values(vb, va)));
    if (x == y)
      BOOST_TEST(hash_value(va) == hash_value(vb), text_x << " " << text_y);
    equal += x == y;
  }
  BOOST_TEST(equal > 2000);
}

BOOST_AUTO_TEST_CASE(values_are_read_as_texts_are) {
  auto random = value_source{2};
  for (auto i = 0; i < 5000; ++i) {
    auto x = random.next();
    auto text = shuffled(x, random);
    auto a = tape_of(text);
    auto b = json_tape{};
    BOOST_REQUIRE(b.import(x).ok());
    BOOST_TEST(equal_values({a.data(), 0}, {b.data(), 0}), text);
    BOOST_TEST(a.size() == b.size());
  }
}

BOOST_AUTO_TEST_CASE(repeated_items_are_those_that_pairs_find) {
  auto random = value_source{3};
  auto with = 0;
  for (auto i = 0; i < 3000; ++i) {
    auto x = json::array();
    for (auto n = random.draw(40); n > 0; --n)
      x.push_back(random.draw(4) ? json(random.draw(300)) : random.next(2));
    auto text = x.dump();
    auto t = tape_of(text);
    auto repeated = false;
    for (size_t k = 0; k < x.size(); ++k)
      for (size_t j = 0; j < k; ++j)
        repeated = repeated || x[j] == x[k];
    auto found = find_repeated({t.data(), 0});
    BOOST_TEST((found != not_repeated) == repeated, x.dump());
    if (found != not_repeated)
      BOOST_TEST(std::count(x.begin(), x.begin() + found, x[found]) > 0);
    with += repeated;
  }
  BOOST_TEST(with > 300);
  BOOST_TEST(with < 2900);
}

BOOST_AUTO_TEST_CASE(pointers_lead_to_where_they_are_from) {
  auto random = value_source{4};
  for (auto i = 0; i < 2000; ++i) {
    auto x = json{{"a/b", random.next()}, {"m~n", random.next()}, {"", 1}};
    auto text = x.dump();
    auto t = tape_of(text);
    auto index = pointer_index{};
    for (auto at = uint32_t{0}; at < t.size(); ++at) {
      auto p = t.pointer_to(at);
      auto found = t.find(p);
      BOOST_TEST(index.find(t, p, 0) == found, p);
      BOOST_TEST((found == at || found == at + 1), p); // a key, or a value
      BOOST_TEST(x.contains(json::json_pointer{p}), p);
    }
  }
  auto t = tape_of(std::string_view{R"({"a": [1, {"b": 2}]})"});
  for (auto p : {"a", "/b", "/a/2", "/a/01", "/a/-", "/a/1/b/c", "/a~2"}) {
    BOOST_TEST(t.find(p) == json_tape::nowhere, p);
    BOOST_TEST(pointer_index{}.find(t, p, 0) == json_tape::nowhere, p);
  }
  BOOST_TEST(t.find("/1/b", t.find("/a")) == t.find("/a/1/b"));
}

BOOST_AUTO_TEST_CASE(escapes_become_what_they_stand_for) {
  auto t = tape_of(std::string_view{
      R"(["\"\\\/\b\f\n\r\t", "\u00e9\ud83d\ude00", "\u0000"])"});
  BOOST_TEST(t[1].view() == "\"\\/\b\f\n\r\t");
  BOOST_TEST(t[2].view() == "\xc3\xa9\xf0\x9f\x98\x80");
  BOOST_TEST(t[3].size == 1u);
  BOOST_TEST(t[3].view()[0] == '\0');
}

BOOST_AUTO_TEST_CASE(keys_twice_are_refused_in_small_and_large_objects) {
  for (auto n : {2, 12, 13, 1000}) {
    auto text = std::string{"{"};
    for (auto i = 0; i < n; ++i)
      text += "\"key-" + std::to_string(i) + "\":0,";
    auto t = json_tape{};
    BOOST_TEST(t.parse(text + "\"other\":0}").ok());
    auto bad = t.parse(text + R"("ke\u0079-1":0})");
    BOOST_REQUIRE(!bad.ok());
    BOOST_TEST(bad.failure().message.find("a key twice") != std::string::npos);
  }
}

BOOST_AUTO_TEST_SUITE_END()
