#include "core/schema/pattern.hpp"

#include <array>
#include <re2/re2.h>

namespace troupe::schema {

namespace {

// Of its automaton, in bytes; beyond it, states are forgotten and found again.
// Large programs need more to be written at all.
constexpr auto memories = std::array{int64_t{256} << 10, int64_t{1} << 20};
constexpr auto most_steps = uint32_t{10'000};

} // namespace

pattern::pattern() = default;
pattern::pattern(pattern&&) noexcept = default;
pattern& pattern::operator=(pattern&&) noexcept = default;
pattern::~pattern() = default;

result<pattern> pattern::compile(std::string_view ecma) {
  auto text = translate_pattern(ecma);
  if (!text)
    return text.failure();
  auto options = re2::RE2::Options{};
  options.set_log_errors(false);
  options.set_never_capture(true);
  auto p = pattern{};
  for (auto memory : memories) {
    options.set_max_mem(memory);
    p.program_ = std::make_unique<re2::RE2>(*text, options);
    if (p.program_->error_code() != re2::RE2::ErrorPatternTooLarge)
      break;
  }
  if (!p.program_->ok())
    return fail(errc::unsupported,
                "this pattern cannot be run in linear time here: "
                    + p.program_->error());
  p.size_ = static_cast<uint32_t>(p.program_->ProgramSize());
  if (p.size_ > most_steps)
    return fail(errc::unsupported,
                "this pattern is too large; repeat less in it");
  return p;
}

bool pattern::matches(std::string_view text) const {
  return program_->Match(re2::StringPiece{text.data(), text.size()}, 0,
                         text.size(), re2::RE2::UNANCHORED, nullptr, 0);
}

} // namespace troupe::schema
