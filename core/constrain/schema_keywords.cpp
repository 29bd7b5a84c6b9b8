#include <algorithm>

#include "core/constrain/regex.hpp"
#include "core/constrain/schema_reader.hpp"
#include "core/constrain/string_formats.hpp"
#include "core/text/utf8.hpp"

namespace troupe::constrain {

namespace {

// As a step of a JSON Pointer (RFC 6901).
std::string escaped(const std::string& name) {
  auto out = std::string{};
  for (auto c : name)
    out += c == '~' ? "~0" : c == '/' ? "~1" : std::string{c};
  return out;
}

} // namespace

// What changes what is valid but is not enforced.
void schema_reader::check_unsupported(const json& node) {
  for (auto key :
       {"contains", "minContains", "maxContains", "$dynamicRef",
        "$recursiveRef", "unevaluatedItems", "unevaluatedProperties"}) {
    auto* value = member(node, key);
    // Whatever is not evaluated otherwise may be; but `contains` wants an item.
    auto idle = std::string_view{key}.starts_with("unevaluated") && value
                && value->is_boolean() && value->get<bool>();
    // Counts mean nothing where there is nothing to count.
    idle = idle
           || (std::string_view{key}.ends_with("Contains")
               && !member(node, "contains"));
    if (!value || idle)
      continue;
    refuse(errc::unsupported, node,
           std::string{key} + " cannot be enforced while a text is written");
  }
}

// -- numbers
// --------------------------------------------------------------------

std::optional<number_bound>
schema_reader::bound(const json& node, const char* key, const char* open_key) {
  auto read = [&](const char* name,
                  const json& value) -> std::optional<number_bound> {
    auto d = value.is_number_float() ? decimal::of(value.get<double>())
             : value.is_number() ? std::optional{decimal::parse(value.dump())}
                                 : std::nullopt;
    if (!value.is_number())
      refuse(errc::invalid_argument, node,
             std::string{name} + " must be a number");
    else if (!d)
      refuse(errc::unsupported, node,
             std::string{name} + " has more than 40 digits");
    return d ? std::optional{number_bound{*d, false}} : std::nullopt;
  };
  auto all = std::optional<number_bound>{};
  if (auto* value = member(node, key))
    all = read(key, *value);
  auto* open = member(node, open_key);
  if (!open || failed_)
    return all;
  if (open->is_boolean()) { // draft 4: says what the other one is
    if (all)
      all->open = open->get<bool>();
    return all;
  }
  auto other = read(open_key, *open);
  if (!other)
    return all;
  other->open = true;
  auto is_low = std::string_view{key} == "minimum";
  if (!all
      || (is_low ? other->value >= all->value : other->value <= all->value))
    return other;
  return all;
}

void schema_reader::read_numbers(const json& node, number_shape& to) {
  to.low = bound(node, "minimum", "exclusiveMinimum");
  to.high = bound(node, "maximum", "exclusiveMaximum");
  auto* divisor = member(node, "multipleOf");
  if (!divisor || failed_)
    return;
  auto d = divisor->is_number_float() ? decimal::of(divisor->get<double>())
           : divisor->is_number()
               ? std::optional{decimal::parse(divisor->dump())}
               : std::nullopt;
  if (!divisor->is_number() || (d && (d->negative || d->is_zero())))
    refuse(errc::invalid_argument, node, "multipleOf must be a number above 0");
  else if (!d || d->digits() > 9)
    refuse(errc::unsupported, node, "multipleOf has more than 9 digits");
  else
    to.divisors.push_back(*d);
}

uint64_t schema_reader::count(const json& node, const char* key,
                              uint64_t otherwise) {
  auto* value = member(node, key);
  if (!value)
    return otherwise;
  // 2.0 is an integer, too.
  auto n = value->is_number() ? value->get<double>() : -1.0;
  if (n < 0
      || n != static_cast<double>(static_cast<int64_t>(std::min(n, 1e15))))
    refuse(errc::invalid_argument, node,
           std::string{key} + " must be an integer from 0 to 10^15");
  return failed_ ? otherwise : static_cast<uint64_t>(n);
}

// -- strings
// --------------------------------------------------------------------

std::shared_ptr<const text_dfa>
schema_reader::pattern(const json& node, const std::string& expression,
                       const char* keyword) {
  auto& known = patterns_[expression];
  if (known)
    return known;
  auto made = compile_regex(expression, regex_extent::part, meter_);
  if (!made) {
    refuse(made.failure().code, node,
           std::string{keyword} + ": " + made.failure().message);
    return std::make_shared<const text_dfa>(any_text());
  }
  known = std::make_shared<const text_dfa>(std::move(*made));
  return known;
}

void schema_reader::read_strings(const json& node, string_shape& to) {
  to.least = count(node, "minLength", 0);
  to.most = count(node, "maxLength", no_limit);
  if (auto* p = member(node, "pattern")) {
    if (!p->is_string())
      refuse(errc::invalid_argument, node, "pattern must be a string");
    else
      to.language = pattern(node, p->get<std::string>(), "pattern");
  }
  auto* f = member(node, "format");
  if (!f || formats_ == format_policy::ignore || failed_)
    return;
  if (!f->is_string())
    return refuse(errc::invalid_argument, node, "format must be a string");
  auto name = f->get<std::string>();
  auto format = find_format(name);
  if (format.what == format_kind::beyond)
    return refuse(errc::unsupported, node,
                  "format: " + troupe::quoted(name)
                      + " cannot be enforced while a text is written");
  if (format.what == format_kind::unknown)
    return;
  auto& known = patterns_["\n" + name]; // no expression begins like this
  if (!known) {
    auto made = compile_regex(format.pattern, regex_extent::whole, meter_);
    if (!made)
      return refuse(made.failure().code, node, made.failure().message);
    known = std::make_shared<const text_dfa>(std::move(*made));
  }
  to.formats.push_back(known);
}

// -- arrays
// ---------------------------------------------------------------------

void schema_reader::read_arrays(const json& node, array_shape& to) {
  to.least = count(node, "minItems", 0);
  to.most = count(node, "maxItems", no_limit);
  if (auto* unique = member(node, "uniqueItems"))
    to.unique = unique->is_boolean() && unique->get<bool>();
  auto* first = member(node, "prefixItems");
  auto* rest = member(node, "items");
  auto first_key = std::string{"prefixItems/"}, rest_key = std::string{"items"};
  if (!first && rest && rest->is_array()) { // up to draft 2019-09
    first = rest;
    first_key = "items/";
    rest_key = "additionalItems";
    rest = member(node, "additionalItems");
  }
  if (first && !first->is_array())
    return refuse(errc::invalid_argument, node, "prefixItems must be a list");
  for (auto i = size_t{0}; first && i < first->size(); ++i)
    to.first.push_back(
        {child(node, first_key + std::to_string(i), (*first)[i])});
  if (rest && !(rest->is_boolean() && rest->get<bool>()))
    to.rest = {child(node, rest_key, *rest)};
}

// -- objects
// --------------------------------------------------------------------

void schema_reader::read_members(const json& node, object_shape& to) {
  to.least = count(node, "minProperties", 0);
  to.most = count(node, "maxProperties", no_limit);
  if (auto* list = member(node, "required")) {
    if (!list->is_array())
      refuse(errc::invalid_argument, node, "required must be a list of names");
    else
      for (auto& name : *list)
        if (name.is_string())
          to.required.insert(name.get<std::string>());
        else
          refuse(errc::invalid_argument, node,
                 "required must be a list of names");
  }
  auto part = object_part{};
  if (auto* all = member(node, "properties")) {
    if (!all->is_object())
      return refuse(errc::invalid_argument, node,
                    "properties must be an object");
    for (auto& [name, value] : all->items())
      part.named.push_back(
          {name, {child(node, "properties/" + escaped(name), value)}});
  }
  if (auto* all = member(node, "patternProperties")) {
    if (!all->is_object())
      return refuse(errc::invalid_argument, node,
                    "patternProperties must be an object");
    for (auto& [name, value] : all->items())
      part.patterns.push_back(
          {pattern(node, name, "patternProperties"),
           {child(node, "patternProperties/" + escaped(name), value)}});
  }
  if (auto* others = member(node, "additionalProperties")) {
    part.says_others = true;
    if (!(others->is_boolean() && others->get<bool>()))
      part.others = {child(node, "additionalProperties", *others)};
  }
  if (!part.named.empty() || !part.patterns.empty() || part.says_others)
    to.parts.push_back(std::move(part));
  read_names(node, to);
}

// propertyNames: all that it says of strings.
void schema_reader::read_names(const json& node, object_shape& to) {
  auto* names = member(node, "propertyNames");
  if (!names || failed_)
    return;
  auto all = one(child(node, "propertyNames", *names));
  auto texts = text_dfa{};
  auto found = 0;
  for (auto& shape : all->any)
    if (auto* s = std::get_if<string_shape>(&shape)) {
      auto one_language = *s;
      for (auto& f : s->formats)
        one_language.language = std::make_shared<const text_dfa>(
            one_language.language ? both(*one_language.language, *f, meter_)
                                  : *f);
      if (!one_language.language)
        one_language.language = std::make_shared<const text_dfa>(any_text());
      texts = *algebra_.texts(one_language);
      ++found;
    }
  if (found > 1)
    return refuse(errc::unsupported, node,
                  "propertyNames: several alternatives cannot be enforced");
  to.names.push_back(std::make_shared<const text_dfa>(std::move(texts)));
}

} // namespace troupe::constrain
