#pragma once

#include <memory>

#include "core/base/result.hpp"
#include "core/constrain/compiled_grammar.hpp"
#include "core/sampling/answer_form.hpp"
#include "core/schema/json_schema.hpp"

namespace troupe {

/// The grammar of what a form allows. Errors: invalid_argument, for what is
/// malformed, allows nothing, or cannot be enforced; it names the place.
/// REQUIRES: it is not free.
result<std::shared_ptr<const constrain::compiled_grammar>>
grammar_of(const answer_form& f);

/// Tells of a whole answer whether it has its form, in another way than the
/// grammar does: forms that are JSON are validated.
class form_check {
public:
  form_check() = default;

  /// Errors: as `grammar_of`, which it tries.
  static result<form_check> make(const answer_form& f);

  /// Errors: unsupported, with what is wrong with the text.
  result<void> check(const std::string& text) const;

  explicit operator bool() const { return schema_ != nullptr; }

private:
  std::shared_ptr<const json_schema> schema_; ///< null: there is nothing to ask
};

} // namespace troupe
