#include "actors/form_grammar.hpp"

#include <algorithm>
#include <mutex>
#include <unordered_map>

#include "core/text/tokenizer.hpp"

namespace troupe {

namespace {

using grammar_ptr = std::shared_ptr<const constrain::compiled_grammar>;
using vocabulary_ptr = std::shared_ptr<const constrain::token_vocabulary>;

// What somebody in this process has, and others may share. Neither changes, and
// both follow from what they are looked up by.
class known_forms {
public:
  static known_forms& all() {
    static auto* k = new known_forms; // actors may outlive statics
    return *k;
  }

  grammar_ptr find(const std::string& key) {
    auto guard = std::lock_guard{mutex_};
    auto i = grammars_.find(key);
    return i == grammars_.end() ? nullptr : i->second.lock();
  }

  void add(std::string key, const grammar_ptr& g) {
    auto guard = std::lock_guard{mutex_};
    if (grammars_.size() >= forget_at_) {
      std::erase_if(grammars_, [](auto& x) { return x.second.expired(); });
      forget_at_ = std::max(least, 2 * grammars_.size());
    }
    grammars_.insert_or_assign(std::move(key), g);
  }

  vocabulary_ptr find(const std::shared_ptr<const model>& of) {
    auto guard = std::lock_guard{mutex_};
    for (auto& v : vocabularies_)
      if (!v.of.owner_before(of) && !of.owner_before(v.of))
        return v.tokens.lock();
    return nullptr;
  }

  void add(const std::shared_ptr<const model>& of, const vocabulary_ptr& v) {
    auto guard = std::lock_guard{mutex_};
    std::erase_if(vocabularies_, [](auto& x) { return x.tokens.expired(); });
    vocabularies_.push_back({of, v});
  }

private:
  struct vocabulary {
    std::weak_ptr<const model> of;
    std::weak_ptr<const constrain::token_vocabulary> tokens;
  };
  static constexpr auto least = size_t{64};

  std::mutex mutex_;
  std::unordered_map<std::string,
                     std::weak_ptr<const constrain::compiled_grammar>>
      grammars_;
  size_t forget_at_ = least;
  std::vector<vocabulary> vocabularies_;
};

constrain::grammar_kind kind_of(answer_form::kind k) {
  using enum answer_form::kind;
  switch (k) {
  case json_schema:
    return constrain::grammar_kind::json_schema;
  case regex:
    return constrain::grammar_kind::regex;
  case grammar:
    return constrain::grammar_kind::ebnf;
  case free:
  case json_object:
    break;
  }
  return constrain::grammar_kind::json_object;
}

} // namespace

result<std::shared_ptr<const constrain::compiled_grammar>>
grammar_of(const answer_form& f) {
  if (f.text.size() > answer_form::max_bytes)
    return fail(errc::invalid_argument,
                "the form of the answer has " + std::to_string(f.text.size())
                    + " bytes; at most "
                    + std::to_string(answer_form::max_bytes) + " are allowed");
  auto key = static_cast<char>('0' + static_cast<int>(f.what)) + f.text;
  if (auto g = known_forms::all().find(key))
    return g;
  auto spec = constrain::grammar_spec{};
  spec.kind = kind_of(f.what);
  spec.text = f.text;
  auto g = constrain::compile_grammar(spec);
  if (!g)
    return fail(errc::invalid_argument,
                "the form of the answer: " + g.failure().message);
  known_forms::all().add(std::move(key), *g);
  return g;
}

result<vocabulary_ptr> vocabulary_of(const std::shared_ptr<const model>& of) {
  if (auto v = known_forms::all().find(of))
    return v;
  auto text = tokenizer::make(of->vocab);
  if (!text)
    return text.failure();
  auto v = constrain::token_vocabulary::make(**text);
  if (v)
    known_forms::all().add(of, *v);
  return v;
}

result<form_check> form_check::make(const answer_form& f) {
  auto c = form_check{};
  if (f.is_free())
    return c;
  auto g = grammar_of(f);
  if (!g)
    return g.failure();
  c.grammar_ = std::move(*g);
  if (!f.is_json())
    return c;
  auto o = schema_options{};
  o.assert_formats = true;
  // Read as draft-07, which has all that these have but flags of bounds.
  for (auto draft : {"04", "06"})
    o.documents[std::string{"http://json-schema.org/draft-"} + draft
                + "/schema"] =
        R"({"$schema":"http://json-schema.org/draft-07/schema#"})";
  auto text = f.what == answer_form::kind::json_schema
                  ? std::string_view{f.text}
                  : std::string_view{R"({"type":"object"})"};
  auto s = json_schema::compile(text, o);
  if (!s)
    return fail(errc::invalid_argument,
                "the form of the answer: " + s.failure().message);
  c.schema_ = std::make_shared<const json_schema>(std::move(*s));
  return c;
}

result<void> form_check::check(const std::string& text) const {
  if (!schema_)
    return {};
  auto r = schema_->check(text);
  if (!r)
    return fail(errc::unsupported,
                "the answer is not of its form: " + r.failure().message);
  if (!r->valid)
    return fail(errc::unsupported,
                "the answer is not of its form: "
                    + (r->errors.empty() ? "" : r->errors.front().text()));
  return {};
}

} // namespace troupe
