#include "core/text/char_class.hpp"

#include <algorithm>
#include <array>
#include <unicode/uchar.h>

namespace troupe {

namespace {

struct category {
  std::string_view name;
  uint32_t mask;
};

constexpr auto categories = std::to_array<category>({
    {"L", U_GC_L_MASK},   {"M", U_GC_M_MASK},   {"N", U_GC_N_MASK},
    {"P", U_GC_P_MASK},   {"S", U_GC_S_MASK},   {"Z", U_GC_Z_MASK},
    {"C", U_GC_C_MASK},   {"Lu", U_GC_LU_MASK}, {"Ll", U_GC_LL_MASK},
    {"Lt", U_GC_LT_MASK}, {"Lm", U_GC_LM_MASK}, {"Lo", U_GC_LO_MASK},
    {"Mn", U_GC_MN_MASK}, {"Mc", U_GC_MC_MASK}, {"Me", U_GC_ME_MASK},
    {"Nd", U_GC_ND_MASK}, {"Nl", U_GC_NL_MASK}, {"No", U_GC_NO_MASK},
    {"Pc", U_GC_PC_MASK}, {"Pd", U_GC_PD_MASK}, {"Ps", U_GC_PS_MASK},
    {"Pe", U_GC_PE_MASK}, {"Pi", U_GC_PI_MASK}, {"Pf", U_GC_PF_MASK},
    {"Po", U_GC_PO_MASK}, {"Sm", U_GC_SM_MASK}, {"Sc", U_GC_SC_MASK},
    {"Sk", U_GC_SK_MASK}, {"So", U_GC_SO_MASK}, {"Zs", U_GC_ZS_MASK},
    {"Zl", U_GC_ZL_MASK}, {"Zp", U_GC_ZP_MASK}, {"Cc", U_GC_CC_MASK},
    {"Cf", U_GC_CF_MASK}, {"Co", U_GC_CO_MASK}, {"Cn", U_GC_CN_MASK},
});

char32_t fold(char32_t code) {
  return static_cast<char32_t>(
      u_foldCase(static_cast<UChar32>(code), U_FOLD_CASE_DEFAULT));
}

} // namespace

void char_class::add_folded(char32_t code) {
  folded_.push_back(fold(code));
}

void char_class::add_space(bool negated) {
  (negated ? no_space_ : space_) = true;
}

bool char_class::add_category(std::string_view name, bool negated) {
  auto at = std::find_if(categories.begin(), categories.end(),
                         [&](auto& c) { return c.name == name; });
  if (at == categories.end())
    return false;
  if (negated)
    none_of_.push_back(at->mask);
  else
    categories_ |= at->mask;
  return true;
}

bool char_class::contains(char32_t code) const {
  auto valid = code < not_utf8;
  auto c = static_cast<UChar32>(code);
  auto mask = valid ? U_GET_GC_MASK(c) : 0u;
  auto in = (mask & categories_) != 0
            || std::any_of(none_of_.begin(), none_of_.end(),
                           [&](auto none) { return (mask & none) == 0; })
            || std::any_of(ranges_.begin(), ranges_.end(), [&](auto& r) {
                 return code >= r.first && code <= r.last;
               });
  if (!in && (space_ || no_space_)) {
    auto is_space = valid && u_isUWhiteSpace(c);
    in = is_space ? space_ : no_space_;
  }
  if (!in && valid && !folded_.empty())
    in = std::find(folded_.begin(), folded_.end(), fold(code)) != folded_.end();
  return in != negated_;
}

} // namespace troupe
