#include "core/schema/compiler.hpp"

#include <algorithm>

#include "core/schema/compile_state.hpp"

namespace troupe::schema {

namespace {

constexpr auto kinds_of_type = std::array{
    std::pair{std::string_view{"null"}, 1u << int(json_kind::null)},
    std::pair{std::string_view{"boolean"},
              1u << int(json_kind::no) | 1u << int(json_kind::yes)},
    std::pair{std::string_view{"integer"}, 1u << int(json_kind::integer)},
    std::pair{std::string_view{"number"},
              1u << int(json_kind::integer) | 1u << int(json_kind::decimal)},
    std::pair{std::string_view{"string"}, 1u << int(json_kind::string)},
    std::pair{std::string_view{"array"}, 1u << int(json_kind::array)},
    std::pair{std::string_view{"object"}, 1u << int(json_kind::object)},
};

} // namespace

bool compile_state::refuse(uint32_t node, std::string reason, errc code) {
  if (!why_)
    why_ = documents_.refuse({here_.document, node}, std::move(reason), code);
  return false;
}

result<program> compile_state::compile(std::string text) {
  auto root = documents_.add(options_.url, std::move(text));
  if (!root)
    return root.failure();
  want(documents_.at(*root).root);
  // `want` appends; what is appended is compiled in turn. Documents that come
  // with it may hold more anchors that dynamic references lead to.
  auto next = uint32_t{0};
  do {
    for (; next < out_.schemas.size() && !why_; ++next)
      one(next);
    find_targets();
  } while (next < out_.schemas.size() && !why_);
  if (why_)
    return *why_;
  out_.documents = documents_.take();
  if (auto ok = refuse_endless(out_); !ok)
    return ok.failure();
  shorten_references();
  return std::move(out_);
}

uint32_t compile_state::want(place p) {
  auto key = uint64_t{p.document} << 32 | p.node;
  auto [at, added] =
      known_.emplace(key, static_cast<uint32_t>(out_.schemas.size()));
  if (added) {
    if (out_.schemas.size() >= options_.schemas) {
      refuse(p.node, "there are more schemas than allowed", errc::unsupported);
      return at->second;
    }
    auto& s = out_.schemas.emplace_back();
    s.from = p;
    s.resource = documents_.resource_of(p);
  }
  return at->second;
}

void compile_state::one(uint32_t index) {
  here_ = out_.schemas[index].from;
  resource_ = out_.schemas[index].resource;
  tape_ = &documents_.tape(here_.document);
  kinds_ = all_kinds;
  for (auto& part : parts_)
    part.clear();
  auto kind = node(here_.node).kind;
  if (kind == json_kind::object) {
    if (!find_keywords() || !keywords())
      return;
  } else if (kind == json_kind::no) {
    kinds_ = 0;
    out_.schemas[index].never = true;
  } else if (kind != json_kind::yes) {
    refuse(here_.node, "a schema must be an object, true or false");
    return;
  }
  auto& s = out_.schemas[index];
  s.kinds = kinds_;
  for (size_t i = 0; i < sections; ++i) {
    s.steps[i] = static_cast<uint32_t>(out_.steps.size());
    out_.steps.insert(out_.steps.end(), parts_[i].begin(), parts_[i].end());
  }
  s.steps[sections] = static_cast<uint32_t>(out_.steps.size());
}

bool compile_state::find_keywords() {
  words_ = documents_.at(resource_).words;
  found_.fill(0);
  for (auto key = here_.node + 1; key < node(here_.node).end;
       key = tape_->behind(key + 1)) {
    auto name = node(key).view();
    if (auto* info = find_keyword(name, words_))
      found_[static_cast<size_t>(info->word)] = key + 1;
    else if (options_.refuse_unknown && !name.starts_with("x-"))
      return refuse(key, "the keyword " + std::string{name}
                             + " is not known; remove it, or let its name "
                               "begin with x-");
  }
  // In draft-07 a reference is all that counts.
  if (words_.version == draft::draft7 && at(keyword::ref) != 0) {
    auto ref = at(keyword::ref);
    auto definitions = at(keyword::definitions);
    found_.fill(0);
    found_[static_cast<size_t>(keyword::ref)] = ref;
    found_[static_cast<size_t>(keyword::definitions)] = definitions;
  }
  return true;
}

bool compile_state::keywords() {
  return types() && definitions() && values() && numbers() && strings()
         && arrays() && objects() && references() && combinations()
         && unevaluated() && annotations();
}

// -- helpers ------------------------------------------------------------------

bool compile_state::count(keyword word, std::optional<uint64_t>& to) {
  auto n = at(word);
  if (n == 0)
    return true;
  if (node(n).kind == json_kind::integer && node(n).integer >= 0) {
    to = static_cast<uint64_t>(node(n).integer);
    return true;
  }
  if (node(n).kind == json_kind::decimal) {
    auto d = decimal{node(n).view()};
    if (d.is_integer() && !d.negative()) {
      to = ~uint64_t{0}; // more than there can be
      return true;
    }
  }
  return refuse(n, "must be an integer that is not negative");
}

bool compile_state::limit(keyword word, section part) {
  auto n = std::optional<uint64_t>{};
  if (!count(word, n))
    return false;
  if (n)
    add(part, {word, 0, *n});
  return true;
}

bool compile_state::schema_list(keyword word, list_of& to) {
  auto n = at(word);
  if (node(n).kind != json_kind::array || node(n).size == 0)
    return refuse(n, "must be an array of one schema or more");
  to = {static_cast<uint32_t>(out_.lists.size()), node(n).size};
  for (auto i = n + 1; i < node(n).end; i = tape_->behind(i))
    out_.lists.push_back(want({here_.document, i}));
  return !why_;
}

bool compile_state::text_list(uint32_t n, std::vector<std::string_view>& to) {
  if (node(n).kind != json_kind::array)
    return refuse(n, "must be an array of strings");
  for (auto i = n + 1; i < node(n).end; i = tape_->behind(i)) {
    if (node(i).kind != json_kind::string)
      return refuse(i, "must be a string, as each item of the array it is in");
    to.push_back(node(i).view());
  }
  return true;
}

bool compile_state::must_be_object(uint32_t n) {
  return node(n).kind == json_kind::object || refuse(n, "must be an object");
}

bool compile_state::types() {
  auto n = at(keyword::type);
  if (n == 0)
    return true;
  auto set = 0u;
  auto take = [&](uint32_t i) {
    auto name =
        node(i).kind == json_kind::string ? node(i).view() : std::string_view{};
    auto known = std::find_if(kinds_of_type.begin(), kinds_of_type.end(),
                              [&](auto& k) { return k.first == name; });
    if (known == kinds_of_type.end())
      return refuse(i, "must be one of null, boolean, integer, number, string, "
                       "array and object");
    set |= known->second;
    return true;
  };
  if (node(n).kind != json_kind::array) {
    if (!take(n))
      return false;
  } else {
    if (node(n).size == 0)
      return refuse(n, "must name one type or more");
    for (auto i = n + 1; i < node(n).end; i = tape_->behind(i))
      if (!take(i))
        return false;
  }
  kinds_ = static_cast<kind_set>(set);
  return true;
}

// Compiled, too, if nothing refers to them: mistakes must not hide there.
bool compile_state::definitions() {
  for (auto word : {keyword::defs, keyword::definitions}) {
    auto n = at(word);
    if (n == 0)
      continue;
    if (!must_be_object(n))
      return false;
    for (auto key = n + 1; key < node(n).end; key = tape_->behind(key + 1))
      want({here_.document, key + 1});
  }
  return !why_;
}

bool compile_state::annotations() {
  if (auto n = at(keyword::content_schema))
    want({here_.document, n});
  return !why_;
}

namespace {

// Of small schemas, which are what clients get most of their errors from.
void keep_pointers(program& p) {
  constexpr auto most = size_t{256};
  constexpr auto most_bytes = size_t{64} << 10;
  constexpr auto most_nodes = uint32_t{4096}; // that are passed on the way
  auto bytes = size_t{0};
  for (auto& s : p.schemas) {
    auto& tape = p.documents[s.from.document].tape;
    if (p.pointers.size() == most || bytes > most_bytes
        || tape.size() > most_nodes)
      return;
    p.pointers.push_back(tape.pointer_to(s.from.node));
    bytes += p.pointers.back().size();
  }
}

} // namespace

result<program> compile_schema(std::string text,
                               const schema_options& options) {
  auto made = compile_state{options}.compile(std::move(text));
  if (made)
    keep_pointers(*made);
  return made;
}

} // namespace troupe::schema
