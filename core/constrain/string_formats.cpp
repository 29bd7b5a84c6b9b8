#include "core/constrain/string_formats.hpp"

#include <algorithm>

namespace troupe::constrain {

namespace {

// Years from 1000 on, of the Gregorian calendar; RFC 3339, section 5.6.
#define TROUPE_DATE                                                            \
  "([1-9][0-9]{3}-((0[13578]|1[02])-(0[1-9]|[12][0-9]|3[01])"                  \
  "|(0[469]|11)-(0[1-9]|[12][0-9]|30)|02-(0[1-9]|1[0-9]|2[0-8]))"              \
  "|([1-9][0-9](0[48]|[2468][048]|[13579][26])"                                \
  "|([2468][048]|[13579][26])00)-02-29)"
// Without leap seconds.
#define TROUPE_TIME                                                            \
  "([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\\.[0-9]{1,6})?"                   \
  "(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9])"
// RFC 1123: a label neither begins nor ends with a hyphen. Short enough that
// four of them are no more than a name may have. The last begins with a
// letter, which tells it from an address.
#define TROUPE_HOST                                                            \
  "([A-Za-z0-9]([A-Za-z0-9]{0,30}[A-Za-z0-9])?(-[A-Za-z0-9]{1,30})?\\.){0,2}"  \
  "[A-Za-z]([A-Za-z0-9]{0,30}[A-Za-z0-9])?"
#define TROUPE_BYTE "(25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
#define TROUPE_HEX "[0-9A-Fa-f]{1,4}"
// RFC 3986: pchar.
#define TROUPE_PCHAR "([A-Za-z0-9._~!$&'()*+,;=:@-]|%[0-9A-Fa-f]{2})"
#define TROUPE_TAIL                                                            \
  "(/" TROUPE_PCHAR "*)*(\\?(" TROUPE_PCHAR "|[/?])*)?"                        \
  "(#(" TROUPE_PCHAR "|[/?])*)?"
#define TROUPE_URI                                                             \
  "[a-z][a-z0-9+.-]{1,15}://" TROUPE_HOST "(:[1-9][0-9]{0,3})?" TROUPE_TAIL
#define TROUPE_POINTER "(/([^/~]|~[01])*)*"

struct named_format {
  std::string_view name;
  string_format format;
};

constexpr auto regular = format_kind::regular;
constexpr auto beyond = format_kind::beyond;

constexpr named_format formats[] = {
    {"date", {regular, TROUPE_DATE}},
    {"time", {regular, TROUPE_TIME}},
    {"date-time", {regular, TROUPE_DATE "T" TROUPE_TIME}},
    {"duration",
     {regular, "P([0-9]{1,6}W|[0-9]{1,6}D|[0-9]{1,6}Y([0-9]{1,6}M"
               "([0-9]{1,6}D)?)?|[0-9]{1,6}M([0-9]{1,6}D)?"
               "|([0-9]{1,6}D)?T([0-9]{1,6}H([0-9]{1,6}M([0-9]{1,6}S)?)?"
               "|[0-9]{1,6}M([0-9]{1,6}S)?|[0-9]{1,6}S))"}},
    {"uuid", {regular, "[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"}},
    {"ipv4", {regular, "(" TROUPE_BYTE "\\.){3}" TROUPE_BYTE}},
    {"ipv6",
     {regular,
      "(" TROUPE_HEX ":){7}" TROUPE_HEX "|::|::" TROUPE_HEX "(:" TROUPE_HEX
      "){0,5}|" TROUPE_HEX "::(" TROUPE_HEX "(:" TROUPE_HEX
      "){0,4})?|(" TROUPE_HEX ":){1,2}:" TROUPE_HEX "(:" TROUPE_HEX "){0,3}"}},
    {"hostname", {regular, TROUPE_HOST}},
    {"idn-hostname", {regular, TROUPE_HOST}},
    // RFC 5321, section 4.1.2: a dot-string of at most 64 characters.
    {"email",
     {regular,
      "[A-Za-z0-9_+-]{1,20}(\\.[A-Za-z0-9_+-]{1,20}){0,2}@"
      "([A-Za-z0-9]{1,30}(-[A-Za-z0-9]{1,30})?\\.){1,2}[A-Za-z]{2,20}"}},
    {"idn-email",
     {regular,
      "[A-Za-z0-9_+-]{1,20}(\\.[A-Za-z0-9_+-]{1,20}){0,2}@"
      "([A-Za-z0-9]{1,30}(-[A-Za-z0-9]{1,30})?\\.){1,2}[A-Za-z]{2,20}"}},
    {"uri", {regular, TROUPE_URI}},
    {"iri", {regular, TROUPE_URI}},
    {"uri-reference", {regular, TROUPE_URI "|/?[A-Za-z0-9._~-]+" TROUPE_TAIL}},
    {"iri-reference", {regular, TROUPE_URI "|/?[A-Za-z0-9._~-]+" TROUPE_TAIL}},
    {"json-pointer", {regular, TROUPE_POINTER}},
    {"relative-json-pointer",
     {regular, "(0|[1-9][0-9]{0,5})(#|" TROUPE_POINTER ")"}},
    {"uri-template", {beyond, {}}},
    {"regex", {beyond, {}}},
};

} // namespace

string_format find_format(std::string_view name) {
  auto at = std::find_if(std::begin(formats), std::end(formats),
                         [&](auto& f) { return f.name == name; });
  return at == std::end(formats) ? string_format{} : at->format;
}

} // namespace troupe::constrain
