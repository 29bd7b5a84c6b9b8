#include "core/schema/describe.hpp"

#include <algorithm>
#include <array>

#include "core/schema/tape_compare.hpp"
#include "core/schema/utf8_scan.hpp"

namespace troupe::schema {

namespace {

constexpr auto longest_quote = size_t{40}; // bytes

constexpr auto kind_names = std::array<std::string_view, 8>{
    "null",     "false",    "true",     "an integer",
    "a number", "a string", "an array", "an object"};

// A text in quotes, cut where it is long; control characters become spaces.
std::string quoted(std::string_view text) {
  auto cut = text.size() > longest_quote;
  auto size = std::min(text.size(), longest_quote);
  while (cut && size > 0 && (text[size] & 0xc0) == 0x80)
    --size;
  auto out = "\"" + std::string{text.substr(0, size)};
  std::replace_if(
      out.begin(), out.end(),
      [](char c) { return static_cast<unsigned char>(c) < 0x20; }, ' ');
  return out + (cut ? "...\"" : "\"");
}

std::string shown(const json_node& n) {
  switch (n.kind) {
  case json_kind::integer:
    return std::to_string(n.integer);
  case json_kind::string:
    return quoted(n.view());
  case json_kind::decimal:
    return std::string{n.view().substr(0, longest_quote)};
  case json_kind::array:
    return "an array of " + std::to_string(n.size) + " items";
  case json_kind::object:
    return "an object of " + std::to_string(n.size) + " members";
  default:
    return std::string{kind_names[static_cast<size_t>(n.kind)]};
  }
}

std::string type_message(const compiled_schema& s, const json_node& n) {
  if (s.never)
    return "must not be here";
  constexpr auto boolean = kind_set{1u << 1 | 1u << 2};
  auto names = std::vector<std::string_view>{};
  for (auto k = 0u; k < 8; ++k) {
    if (!(s.kinds >> k & 1))
      continue;
    auto is_boolean = (boolean >> k & 1) != 0;
    if (k == static_cast<unsigned>(json_kind::integer)
        && s.kinds >> static_cast<unsigned>(json_kind::decimal) & 1)
      continue; // it is a number
    if (!is_boolean)
      names.push_back(kind_names[k]);
    else if (names.empty() || names.back() != "a boolean")
      names.push_back("a boolean");
  }
  auto out = std::string{"must be "};
  for (size_t i = 0; i < names.size(); ++i) {
    if (i > 0)
      out += i + 1 == names.size() ? " or " : ", ";
    out += names[i];
  }
  return out + ", and is " + shown(n);
}

std::string count_message(std::string_view what, uint64_t bound,
                          std::string_view unit, uint64_t is) {
  return "must have " + std::string{what} + " " + std::to_string(bound) + " "
         + std::string{unit} + (bound == 1 ? "" : "s") + ", and has "
         + std::to_string(is);
}

class describer {
public:
  describer(const program& p, const json_tape& tape, const finding& f)
      : p_(p), tape_(tape), f_(f), schema_(p.schemas[f.schema]),
        n_(tape[f.at]) {}

  schema_error describe() {
    auto& d = p_.documents[schema_.from.document];
    auto e = schema_error{tape_.pointer_to(f_.at),
                          d.tape.pointer_to(schema_.from.node),
                          d.url,
                          {}};
    if (f_.step == no_step) {
      if (!schema_.never)
        e.schema += "/type";
      e.message = type_message(schema_, n_);
      return e;
    }
    auto& s = p_.steps[f_.step];
    e.schema += '/';
    e.schema += name_of(s);
    e.message = message(s);
    return e;
  }

private:
  // Several keywords may share a step.
  std::string_view name_of(const step& s) const {
    if (s.word == keyword::properties)
      return "required";
    auto& d = p_.documents[schema_.from.document].tape;
    if (s.word == keyword::dependent_required
        && d.member(schema_.from.node, "dependentRequired") == 0)
      return "dependencies";
    return spelled(s.word);
  }

  // What the schema says, as it is written there.
  std::string value_of(const step& s) const {
    auto& tape = p_.documents[schema_.from.document].tape;
    auto at = tape.member(schema_.from.node, spelled(s.word));
    return at == 0 ? std::string{} : shown(tape[at]);
  }

  std::string message(const step& s) const {
    switch (s.word) {
    case keyword::minimum:
      return "must be at least " + value_of(s) + ", and is " + shown(n_);
    case keyword::exclusive_minimum:
      return "must be greater than " + value_of(s) + ", and is " + shown(n_);
    case keyword::maximum:
      return "must be at most " + value_of(s) + ", and is " + shown(n_);
    case keyword::exclusive_maximum:
      return "must be less than " + value_of(s) + ", and is " + shown(n_);
    case keyword::multiple_of:
      return "must be a multiple of " + value_of(s) + ", and is " + shown(n_);
    case keyword::min_length:
      return count_message("at least", s.b, "character",
                           count_code_points(n_.view()));
    case keyword::max_length:
      return count_message("at most", s.b, "character",
                           count_code_points(n_.view()));
    case keyword::pattern:
      return "must match the pattern " + value_of(s) + ", and is " + shown(n_);
    case keyword::format:
      return "must be " + std::string{described(static_cast<format_kind>(s.a))}
             + ", and is " + shown(n_);
    case keyword::const_:
      return "must be " + value_of(s) + ", and is " + shown(n_);
    default:
      return message_of_containers(s);
    }
  }

  std::string message_of_containers(const step& s) const {
    switch (s.word) {
    case keyword::min_items:
      return count_message("at least", s.b, "item", n_.size);
    case keyword::max_items:
      return count_message("at most", s.b, "item", n_.size);
    case keyword::unique_items:
      return "must have no two equal items, and item "
             + std::to_string(f_.extra) + " is there before";
    case keyword::contains:
      return contains_message(p_.contains[s.a]);
    case keyword::min_properties:
      return count_message("at least", s.b, "member", n_.size);
    case keyword::max_properties:
      return count_message("at most", s.b, "member", n_.size);
    case keyword::properties:
      return "must have the member " + quoted(p_.names[f_.extra].key);
    case keyword::dependent_required: {
      auto& rule = p_.dependents[s.a];
      return "must have the member " + quoted(rule.names[f_.extra])
             + ", since it has " + quoted(rule.key);
    }
    default:
      return message_of_choices(s);
    }
  }

  static std::string contains_message(const contains_rule& rule) {
    auto out = "must have at least " + std::to_string(rule.least)
               + (rule.least == 1 ? " item" : " items");
    if (rule.most != ~uint64_t{0})
      out += ", and at most " + std::to_string(rule.most) + ",";
    return out + " that `contains` describes";
  }

  std::string message_of_choices(const step& s) const {
    switch (s.word) {
    case keyword::enum_:
      return enum_message(p_.choices[s.a]);
    case keyword::any_of:
      return "must be valid in one of the " + std::to_string(s.b)
             + " schemas of anyOf, and is in none";
    case keyword::one_of:
      return "must be valid in exactly one of the " + std::to_string(s.b)
             + " schemas of oneOf, and is in none or several";
    default:
      return "must not be what `not` describes";
    }
  }

  std::string enum_message(const choice_rule& rule) const {
    constexpr auto most = 4;
    auto& tape = p_.documents[rule.document].tape;
    auto out = std::string{"must be one of "};
    auto end = tape[rule.array].end;
    auto n = 0;
    for (auto i = rule.array + 1; i < end; i = tape.behind(i)) {
      if (n > 0)
        out += ", ";
      if (n++ == most) {
        out += "...";
        break;
      }
      out += shown(tape[i]);
    }
    return out + ", and is " + shown(n_);
  }

  const program& p_;
  const json_tape& tape_;
  const finding& f_;
  const compiled_schema& schema_;
  const json_node& n_;
};

} // namespace

schema_error describe(const program& p, const json_tape& tape,
                      const finding& f) {
  return describer{p, tape, f}.describe();
}

} // namespace troupe::schema
