#include "core/schema/describe.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <concepts>

#include "core/schema/tape_compare.hpp"
#include "core/schema/utf8_scan.hpp"

namespace troupe::schema {

namespace {

constexpr auto longest_quote = size_t{40}; // bytes

constexpr auto kind_names = std::array<std::string_view, 8>{
    "null",     "false",    "true",     "an integer",
    "a number", "a string", "an array", "an object"};

void add_number(std::string& out, std::integral auto n) {
  auto digits = std::array<char, 20>{};
  auto* end = std::to_chars(digits.data(), digits.data() + 20, n).ptr;
  out.append(digits.data(), end);
}

// A text in quotes, cut where it is long; control characters become spaces.
void add_quoted(std::string& out, std::string_view text) {
  auto cut = text.size() > longest_quote;
  auto size = std::min(text.size(), longest_quote);
  while (cut && size > 0 && (text[size] & 0xc0) == 0x80)
    --size;
  out += '"';
  auto begin = out.size();
  out += text.substr(0, size);
  for (auto i = begin; i < out.size(); ++i)
    if (static_cast<unsigned char>(out[i]) < 0x20)
      out[i] = ' ';
  out += cut ? "...\"" : "\"";
}

void add_value(std::string& out, const json_node& n) {
  switch (n.kind) {
  case json_kind::integer:
    add_number(out, n.integer);
    break;
  case json_kind::string:
    add_quoted(out, n.view());
    break;
  case json_kind::decimal:
    out += n.view().substr(0, longest_quote);
    break;
  case json_kind::array:
    out += "an array of ";
    add_number(out, n.size);
    out += n.size == 1 ? " item" : " items";
    break;
  case json_kind::object:
    out += "an object of ";
    add_number(out, n.size);
    out += n.size == 1 ? " member" : " members";
    break;
  default:
    out += kind_names[static_cast<size_t>(n.kind)];
  }
}

void add_types(std::string& out, kind_set kinds) {
  constexpr auto number = 1u << static_cast<unsigned>(json_kind::integer)
                          | 1u << static_cast<unsigned>(json_kind::decimal);
  if ((kinds & number) == number) // an integer is a number
    kinds &= ~(1u << static_cast<unsigned>(json_kind::integer));
  kinds &= ~(1u << static_cast<unsigned>(json_kind::no)); // with its other
  auto left = static_cast<unsigned>(kinds);
  while (left != 0) {
    auto k = static_cast<unsigned>(std::countr_zero(left));
    out += k == static_cast<unsigned>(json_kind::yes) ? "a boolean"
                                                      : kind_names[k];
    left &= left - 1;
    if (left != 0)
      out += (left & (left - 1)) == 0 ? " or " : ", ";
  }
}

// Writes one finding. Errors are written often enough where clients send them
// that all of a report go into one text, whose memory is used again.
class describer {
public:
  describer(const program& p, const json_tape& tape, const finding& f,
            std::string& out)
      : p_(p), tape_(tape), f_(f), schema_(p.schemas[f.schema]), n_(tape[f.at]),
        source_(p.documents[schema_.from.document].tape), out_(out) {}

  schema_error::parts describe() {
    auto at = schema_error::parts{};
    at.instance = out_.size();
    tape_.add_pointer(out_, f_.at);
    at.schema = out_.size();
    if (f_.schema < p_.pointers.size())
      out_ += p_.pointers[f_.schema];
    else
      source_.add_pointer(out_, schema_.from.node);
    auto* s = f_.step == no_step ? nullptr : &p_.steps[f_.step];
    if (s || !schema_.never) {
      out_ += '/';
      out_ += s ? name_of(*s) : "type";
    }
    at.url = out_.size();
    out_ += p_.documents[schema_.from.document].url;
    at.message = out_.size();
    if (s)
      message(*s);
    else
      type();
    at.end = out_.size();
    return at;
  }

private:
  // Several keywords may share a step.
  std::string_view name_of(const step& s) const {
    if (s.word == keyword::properties)
      return "required";
    if (s.word == keyword::dependent_required
        && source_.member(schema_.from.node, "dependentRequired") == 0)
      return "dependencies";
    return spelled(s.word);
  }

  void type() {
    if (schema_.never) {
      out_ += "must not be here";
      return;
    }
    out_ += "must be ";
    add_types(out_, schema_.kinds);
    and_is();
  }

  void and_is() {
    out_ += ", and is ";
    add_value(out_, n_);
  }

  // "must be at least", what the schema says as it is written there, and what
  // the value is.
  void against(std::string_view what, const step& s) {
    out_ += what;
    if (auto at = source_.member(schema_.from.node, spelled(s.word)))
      add_value(out_, source_[at]);
    and_is();
  }

  void counted(std::string_view what, const step& s, std::string_view unit,
               uint64_t is) {
    out_ += what;
    add_number(out_, s.b);
    out_ += unit;
    out_ += s.b == 1 ? ", and has " : "s, and has ";
    add_number(out_, is);
  }

  void message(const step& s) {
    switch (s.word) {
    case keyword::minimum:
      against("must be at least ", s);
      break;
    case keyword::exclusive_minimum:
      against("must be greater than ", s);
      break;
    case keyword::maximum:
      against("must be at most ", s);
      break;
    case keyword::exclusive_maximum:
      against("must be less than ", s);
      break;
    case keyword::multiple_of:
      against("must be a multiple of ", s);
      break;
    case keyword::pattern:
      against("must match the pattern ", s);
      break;
    case keyword::const_:
      against("must be ", s);
      break;
    case keyword::min_length:
      counted("must have at least ", s, " character",
              count_code_points(n_.view()));
      break;
    case keyword::max_length:
      counted("must have at most ", s, " character",
              count_code_points(n_.view()));
      break;
    case keyword::format:
      out_ += "must be ";
      out_ += described(static_cast<format_kind>(s.a));
      and_is();
      break;
    default:
      message_of_containers(s);
    }
  }

  void message_of_containers(const step& s) {
    switch (s.word) {
    case keyword::min_items:
      counted("must have at least ", s, " item", n_.size);
      break;
    case keyword::max_items:
      counted("must have at most ", s, " item", n_.size);
      break;
    case keyword::unique_items:
      out_ += "must have no two equal items, and item ";
      add_number(out_, f_.extra);
      out_ += " is there before";
      break;
    case keyword::contains:
      contains(p_.contains[s.a]);
      break;
    case keyword::min_properties:
      counted("must have at least ", s, " member", n_.size);
      break;
    case keyword::max_properties:
      counted("must have at most ", s, " member", n_.size);
      break;
    case keyword::properties:
      out_ += "must have the member ";
      add_quoted(out_, p_.names[f_.extra].key);
      break;
    case keyword::dependent_required:
      out_ += "must have the member ";
      add_quoted(out_, p_.dependents[s.a].names[f_.extra]);
      out_ += ", since it has ";
      add_quoted(out_, p_.dependents[s.a].key);
      break;
    default:
      message_of_choices(s);
    }
  }

  void contains(const contains_rule& rule) {
    out_ += "must have at least ";
    add_number(out_, rule.least);
    if (rule.most != ~uint64_t{0}) {
      out_ += " and at most ";
      add_number(out_, rule.most);
    }
    out_ += " of the items that `contains` describes";
  }

  void message_of_choices(const step& s) {
    switch (s.word) {
    case keyword::enum_:
      choices(p_.choices[s.a]);
      break;
    case keyword::any_of:
      out_ += "must be valid in one of the ";
      add_number(out_, s.b);
      out_ += " schemas of anyOf, and is in none";
      break;
    case keyword::one_of:
      out_ += "must be valid in exactly one of the ";
      add_number(out_, s.b);
      out_ += " schemas of oneOf, and is in none or several";
      break;
    default:
      out_ += "must not be what `not` describes";
    }
  }

  void choices(const choice_rule& rule) {
    constexpr auto most = 4;
    auto& tape = p_.documents[rule.document].tape;
    out_ += "must be one of ";
    auto end = tape[rule.array].end;
    auto n = 0;
    for (auto i = rule.array + 1; i < end; i = tape.behind(i)) {
      if (n > 0)
        out_ += ", ";
      if (n++ == most) {
        out_ += "...";
        break;
      }
      add_value(out_, tape[i]);
    }
    and_is();
  }

  const program& p_;
  const json_tape& tape_;
  const finding& f_;
  const compiled_schema& schema_;
  const json_node& n_;
  const json_tape& source_;
  std::string& out_;
};

} // namespace

schema_error::parts describe(const program& p, const json_tape& tape,
                             const finding& f, std::string& to) {
  return describer{p, tape, f, to}.describe();
}

} // namespace troupe::schema
