// Keywords about a value itself: constants, numbers, strings, arrays.

#include <algorithm>

#include "core/schema/compile_state.hpp"
#include "core/schema/tape_compare.hpp"

namespace troupe::schema {

namespace {

// An `enum` with fewer values is searched from end to end.
constexpr auto many_choices = uint32_t{9};

// What a pattern counts for at least: its automaton may grow to 256 KiB.
constexpr auto least_pattern = uint32_t{200};

} // namespace

bool compile_state::values() {
  if (auto n = at(keyword::const_))
    add(of_all, {keyword::const_, here_.document, n});
  auto n = at(keyword::enum_);
  if (n == 0)
    return true;
  if (node(n).kind != json_kind::array)
    return refuse(n, "must be an array");
  auto rule = choice_rule{here_.document, n, {}};
  if (node(n).size >= many_choices) {
    for (auto i = n + 1; i < node(n).end; i = tape_->behind(i))
      rule.by_hash.emplace_back(hash_value({tape_->data(), i}), i);
    std::sort(rule.by_hash.begin(), rule.by_hash.end());
    // Of equal values one is enough.
    auto same = [&](auto& a, auto& b) {
      return a.first == b.first
             && equal_values({tape_->data(), a.second},
                             {tape_->data(), b.second});
    };
    rule.by_hash.erase(
        std::unique(rule.by_hash.begin(), rule.by_hash.end(), same),
        rule.by_hash.end());
  }
  add(of_all, {keyword::enum_, static_cast<uint32_t>(out_.choices.size())});
  out_.choices.push_back(std::move(rule));
  return true;
}

// -- numbers ------------------------------------------------------------------

bool compile_state::bound(keyword word) {
  auto n = at(word);
  if (n == 0)
    return true;
  if (!node(n).is_number())
    return refuse(n, "must be a number");
  add(of_numbers, {word, static_cast<uint32_t>(out_.bounds.size())});
  if (node(n).kind == json_kind::integer)
    out_.bounds.push_back({decimal{node(n).integer}, node(n).integer});
  else
    out_.bounds.push_back({decimal{node(n).view()}, {}});
  return true;
}

bool compile_state::numbers() {
  for (auto word : {keyword::minimum, keyword::exclusive_minimum,
                    keyword::maximum, keyword::exclusive_maximum})
    if (!bound(word))
      return false;
  auto n = at(keyword::multiple_of);
  if (n == 0)
    return true;
  if (!node(n).is_number())
    return refuse(n, "must be a number");
  auto exact = node(n).kind == json_kind::integer ? decimal{node(n).integer}
                                                  : decimal{node(n).view()};
  if (exact.zero() || exact.negative())
    return refuse(n, "must be greater than 0");
  auto d = decimal_divisor::of(exact);
  if (!d)
    return refuse(n, "must have 19 digits at most, zeros at its ends aside",
                  errc::unsupported);
  add(of_numbers,
      {keyword::multiple_of, static_cast<uint32_t>(out_.divisors.size())});
  out_.divisors.push_back(*d);
  return true;
}

// -- strings ------------------------------------------------------------------

bool compile_state::add_pattern(uint32_t n, std::string_view text,
                                uint32_t& to) {
  if (auto known = known_patterns_.find(text); known != known_patterns_.end()) {
    to = known->second;
    return true;
  }
  auto p = pattern::compile(text);
  if (!p)
    return refuse(n, p.failure().message, p.failure().code);
  pattern_steps_ += std::max(p->size(), least_pattern);
  if (pattern_steps_ > options_.pattern_steps)
    return refuse(n, "all patterns together are larger than allowed",
                  errc::unsupported);
  to = static_cast<uint32_t>(out_.patterns.size());
  known_patterns_.emplace(text, to);
  out_.patterns.push_back(std::move(*p));
  return true;
}

bool compile_state::format() {
  auto n = at(keyword::format);
  if (n == 0)
    return true;
  if (node(n).kind != json_kind::string)
    return refuse(n, "must be a string");
  if (!options_.assert_formats && !(words_.words & format_assertions))
    return true;
  auto kind = format_named(node(n).view());
  if (kind)
    add(of_strings, {keyword::format, static_cast<uint32_t>(*kind)});
  else if (options_.refuse_unknown)
    return refuse(n, "this format is not known", errc::unsupported);
  return true;
}

bool compile_state::strings() {
  if (!limit(keyword::min_length, of_strings)
      || !limit(keyword::max_length, of_strings))
    return false;
  if (auto n = at(keyword::pattern)) {
    if (node(n).kind != json_kind::string)
      return refuse(n, "must be a regular expression in a string");
    auto index = uint32_t{0};
    if (!add_pattern(n, node(n).view(), index))
      return false;
    add(of_strings, {keyword::pattern, index});
  }
  return format();
}

// -- arrays -------------------------------------------------------------------

bool compile_state::items(items_rule& rule, bool& some) {
  auto n = at(keyword::items);
  if (words_.version == draft::draft7) {
    if (n == 0)
      return true;
    some = true;
    if (node(n).kind != json_kind::array) {
      rule.rest = want({here_.document, n});
      return !why_;
    }
    // An empty one was allowed then.
    if (node(n).size > 0 && !schema_list(keyword::items, rule.prefix))
      return false;
    if (auto more = at(keyword::additional_items))
      rule.rest = want({here_.document, more});
    return !why_;
  }
  if (at(keyword::prefix_items) != 0) {
    some = true;
    if (!schema_list(keyword::prefix_items, rule.prefix))
      return false;
  }
  if (n != 0) {
    some = true;
    rule.rest = want({here_.document, n});
  }
  return !why_;
}

bool compile_state::contains() {
  auto least = std::optional<uint64_t>{};
  auto most = std::optional<uint64_t>{};
  if (!count(keyword::min_contains, least)
      || !count(keyword::max_contains, most))
    return false;
  auto n = at(keyword::contains);
  if (n == 0)
    return true;
  auto rule = contains_rule{want({here_.document, n}), least.value_or(1),
                            most.value_or(~uint64_t{0})};
  add(of_arrays,
      {keyword::contains, static_cast<uint32_t>(out_.contains.size())});
  out_.contains.push_back(rule);
  return !why_;
}

bool compile_state::arrays() {
  if (!limit(keyword::min_items, of_arrays)
      || !limit(keyword::max_items, of_arrays))
    return false;
  auto rule = items_rule{};
  auto some = false;
  if (!items(rule, some))
    return false;
  if (some) {
    add(of_arrays, {keyword::items, static_cast<uint32_t>(out_.items.size())});
    out_.items.push_back(rule);
  }
  if (!contains())
    return false;
  auto n = at(keyword::unique_items);
  if (n == 0 || node(n).kind == json_kind::no)
    return true;
  if (node(n).kind != json_kind::yes)
    return refuse(n, "must be true or false");
  add(of_arrays, {keyword::unique_items});
  return true;
}

} // namespace troupe::schema
