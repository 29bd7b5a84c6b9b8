#include <algorithm>
#include <array>
#include <memory>
#include <string>
#include <unicode/uchar.h>
#include <unicode/uidna.h>

#include "core/schema/char_kinds.hpp"
#include "core/schema/formats.hpp"
#include "core/schema/utf8_scan.hpp"

namespace troupe::schema {

namespace {

constexpr auto longest_host = size_t{253};
constexpr auto longest_label = size_t{63};

bool is_label(std::string_view s) {
  return !s.empty() && s.size() <= longest_label && s.front() != '-'
         && s.back() != '-' && std::all_of(s.begin(), s.end(), [](char c) {
              return is_letter(c) || is_digit(c) || c == '-';
            });
}

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c;
}

// Begins as an A-label of RFC 5890 does.
bool is_encoded(std::string_view label) {
  return label.size() >= 4 && lower(label[0]) == 'x' && lower(label[1]) == 'n'
         && label[2] == '-' && label[3] == '-';
}

template <class F>
bool all_labels(std::string_view s, F f) {
  for (;;) {
    auto dot = s.find('.');
    if (!f(s.substr(0, dot)))
      return false;
    if (dot == std::string_view::npos)
      return true;
    s.remove_prefix(dot + 1);
  }
}

const UIDNA* rules() {
  // Never closed: runtimes may be static.
  static const auto* all = [] {
    auto status = U_ZERO_ERROR;
    constexpr auto options = UIDNA_USE_STD3_RULES | UIDNA_CHECK_BIDI
                             | UIDNA_CHECK_CONTEXTJ | UIDNA_CHECK_CONTEXTO
                             | UIDNA_NONTRANSITIONAL_TO_ASCII
                             | UIDNA_NONTRANSITIONAL_TO_UNICODE;
    return uidna_openUTS46(options, &status);
  }();
  return all;
}

using converter = int32_t (*)(const UIDNA*, const char*, int32_t, char*,
                              int32_t, UIDNAInfo*, UErrorCode*);

// Whether ICU has nothing against a name; what it makes of it is put in `to`.
bool convert(converter f, std::string_view s, std::string& to) {
  auto info = UIDNAInfo(UIDNA_INFO_INITIALIZER);
  auto status = U_ZERO_ERROR;
  auto room = std::array<char, 2048>{};
  auto size = f(rules(), s.data(), static_cast<int32_t>(s.size()), room.data(),
                static_cast<int32_t>(room.size()), &info, &status);
  if (U_FAILURE(status) || info.errors != 0
      || size > static_cast<int32_t>(room.size()))
    return false;
  to.assign(room.data(), static_cast<size_t>(size));
  return true;
}

// RFC 5892: letters, digits and marks, and its exceptions (section 2.6) and
// characters whose neighbours ICU looks at. Unicode's own rules allow more.
bool is_name_char(char32_t c) {
  constexpr auto more = std::u32string_view{
      U"-.\u00b7\u0375\u05f3\u05f4\u06fd\u06fe\u0f0b\u200c\u200d\u3007"
      U"\u30fb"};
  constexpr auto less = std::u32string_view{
      U"\u0640\u07fa\u302e\u302f\u3031\u3032\u3033\u3034\u3035\u303b"};
  if (more.find(c) != std::u32string_view::npos)
    return true;
  constexpr auto kinds =
      U_GC_L_MASK | U_GC_ND_MASK | U_GC_MN_MASK | U_GC_MC_MASK;
  return (U_GET_GC_MASK(static_cast<UChar32>(c)) & kinds) != 0
         && less.find(c) == std::u32string_view::npos;
}

bool all_name_chars(std::string_view s) {
  auto* end = s.data() + s.size();
  for (auto* p = s.data(); p != end;)
    if (!is_name_char(take_code_point(p)))
      return false;
  return true;
}

// All the dots that RFC 3490 has.
std::string with_plain_dots(std::string_view s) {
  auto out = std::string{};
  auto* end = s.data() + s.size();
  for (auto* p = s.data(); p != end;) {
    auto* start = p;
    auto c = take_code_point(p);
    if (c == 0x3002 || c == 0xff0e || c == 0xff61)
      out += '.';
    else
      out.append(start, p);
  }
  return out;
}

// A name of IDNA 2008. Its labels are as they would be after Unicode's mapping,
// so that nothing had to be mapped, unless that is allowed.
bool is_international(std::string_view s, bool may_be_mapped) {
  if (s.size() > 4 * longest_host)
    return false;
  auto name = with_plain_dots(s);
  auto unicode = std::string{};
  auto ascii = std::string{};
  if (!convert(uidna_nameToUnicodeUTF8, name, unicode)
      || !convert(uidna_nameToASCII_UTF8, name, ascii)
      || !all_name_chars(unicode) || ascii.size() > longest_host)
    return false;
  auto rest = std::string_view{unicode};
  return all_labels(name, [&](std::string_view label) {
    auto size = std::min(rest.find('.'), rest.size());
    auto mapped = rest.substr(0, size);
    rest.remove_prefix(std::min(size + 1, rest.size()));
    return !mapped.empty()
           && (may_be_mapped || is_encoded(label)
               || std::equal(label.begin(), label.end(), mapped.begin(),
                             mapped.end(),
                             [](char a, char b) { return lower(a) == b; }));
  });
}

// -- addresses ----------------------------------------------------------------

bool is_octet(std::string_view s) {
  if (s.empty() || s.size() > 3 || !std::all_of(s.begin(), s.end(), is_digit)
      || (s.size() > 1 && s.front() == '0'))
    return false;
  auto n = 0;
  for (auto c : s)
    n = n * 10 + (c - '0');
  return n <= 255;
}

bool is_group(std::string_view s) {
  return !s.empty() && s.size() <= 4
         && std::all_of(s.begin(), s.end(),
                        [](char c) { return hex_value(c) >= 0; });
}

// Groups with colons between them; -1 if that is wrong. The last one may be
// an IPv4 address, which counts twice.
int count_groups(std::string_view s, bool last) {
  auto n = 0;
  if (s.empty())
    return 0;
  for (;;) {
    auto colon = s.find(':');
    auto part = s.substr(0, colon);
    auto at_end = colon == std::string_view::npos;
    if (at_end && last && is_ipv4(part))
      return n + 2;
    if (!is_group(part))
      return -1;
    ++n;
    if (at_end)
      return n;
    s.remove_prefix(colon + 1);
  }
}

// -- the part of an address before the @ --------------------------------------

bool is_atom_char(char c, bool international) {
  return is_letter(c) || is_digit(c) || is_one_of(c, "!#$%&'*+-/=?^_`{|}~")
         || (international && !is_ascii(c));
}

bool is_quoted(std::string_view s, bool international) {
  if (s.size() < 2 || s.front() != '"' || s.back() != '"')
    return false;
  s = s.substr(1, s.size() - 2);
  for (size_t i = 0; i < s.size(); ++i) {
    if (s[i] == '\\' && ++i == s.size())
      return false;
    auto escaped = i > 0 && s[i - 1] == '\\';
    auto visible = s[i] >= ' ' && s[i] < 0x7f;
    if (!(visible || (international && !is_ascii(s[i])))
        || (s[i] == '"' && !escaped))
      return false;
  }
  return true;
}

bool is_local(std::string_view s, bool international) {
  if (s.empty() || s.size() > 64)
    return false;
  if (s.front() == '"')
    return is_quoted(s, international);
  return all_labels(s, [&](std::string_view part) {
    return !part.empty() && std::all_of(part.begin(), part.end(), [&](char c) {
      return is_atom_char(c, international);
    });
  });
}

} // namespace

bool is_hostname(std::string_view s, bool international) {
  auto plain = std::all_of(s.begin(), s.end(), is_ascii);
  if (!plain && !international)
    return false;
  if (plain) {
    auto encoded = false;
    if (s.size() > longest_host || !all_labels(s, [&](std::string_view label) {
          encoded = encoded || is_encoded(label);
          return is_label(label);
        }))
      return false;
    if (!encoded && !international)
      return true;
  }
  return is_international(s, false);
}

bool is_ipv4(std::string_view s) {
  auto n = 0;
  return all_labels(
             s,
             [&](std::string_view part) { return ++n <= 4 && is_octet(part); })
         && n == 4;
}

bool is_ipv6(std::string_view s) {
  auto gap = s.find("::");
  if (gap == std::string_view::npos)
    return count_groups(s, true) == 8;
  auto before = count_groups(s.substr(0, gap), false);
  auto after = count_groups(s.substr(gap + 2), true);
  return before >= 0 && after >= 0 && before + after <= 7;
}

bool is_email(std::string_view s, bool international) {
  // The last @: those before it are in quotes.
  auto at = s.rfind('@');
  if (at == std::string_view::npos || !is_local(s.substr(0, at), international))
    return false;
  auto domain = s.substr(at + 1);
  // RFC 6531 asks for no normalised form.
  if (!domain.starts_with('[') || !domain.ends_with(']'))
    return is_hostname(domain, false)
           || (international && is_international(domain, true));
  domain = domain.substr(1, domain.size() - 2);
  constexpr auto prefix = std::string_view{"IPv6:"};
  return domain.starts_with(prefix) ? is_ipv6(domain.substr(prefix.size()))
                                    : is_ipv4(domain);
}

} // namespace troupe::schema
