#include "core/schema/pattern_properties.hpp"

#include <algorithm>
#include <array>

namespace troupe::schema {

namespace {

struct category {
  std::string_view name;
  std::string_view shorter;
};

// Unicode's general categories, by the long names ECMA-262 has for them.
constexpr auto categories = std::array{
    category{"Letter", "L"},
    category{"Uppercase_Letter", "Lu"},
    category{"Lowercase_Letter", "Ll"},
    category{"Titlecase_Letter", "Lt"},
    category{"Modifier_Letter", "Lm"},
    category{"Other_Letter", "Lo"},
    category{"Mark", "M"},
    category{"Combining_Mark", "M"},
    category{"Nonspacing_Mark", "Mn"},
    category{"Spacing_Mark", "Mc"},
    category{"Enclosing_Mark", "Me"},
    category{"Number", "N"},
    category{"Decimal_Number", "Nd"},
    category{"digit", "Nd"},
    category{"Letter_Number", "Nl"},
    category{"Other_Number", "No"},
    category{"Punctuation", "P"},
    category{"punct", "P"},
    category{"Connector_Punctuation", "Pc"},
    category{"Dash_Punctuation", "Pd"},
    category{"Open_Punctuation", "Ps"},
    category{"Close_Punctuation", "Pe"},
    category{"Initial_Punctuation", "Pi"},
    category{"Final_Punctuation", "Pf"},
    category{"Other_Punctuation", "Po"},
    category{"Symbol", "S"},
    category{"Math_Symbol", "Sm"},
    category{"Currency_Symbol", "Sc"},
    category{"Modifier_Symbol", "Sk"},
    category{"Other_Symbol", "So"},
    category{"Separator", "Z"},
    category{"Space_Separator", "Zs"},
    category{"Line_Separator", "Zl"},
    category{"Paragraph_Separator", "Zp"},
    category{"Control", "Cc"},
    category{"cntrl", "Cc"},
    category{"Format", "Cf"},
    category{"Surrogate", "Cs"},
    category{"Private_Use", "Co"},
};

} // namespace

std::string property_name(std::string_view ecma) {
  for (auto prefix : {"General_Category=", "gc=", "Script=", "sc="})
    if (ecma.starts_with(prefix)) {
      ecma.remove_prefix(std::string_view{prefix}.size());
      break;
    }
  auto is_name =
      !ecma.empty() && std::all_of(ecma.begin(), ecma.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')
               || (c >= '0' && c <= '9') || c == '_';
      });
  if (!is_name)
    return {};
  auto known = std::find_if(categories.begin(), categories.end(),
                            [&](auto& c) { return c.name == ecma; });
  return std::string{known == categories.end() ? ecma : known->shorter};
}

} // namespace troupe::schema
