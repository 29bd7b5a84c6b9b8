#pragma once

#include <memory>

#include "core/base/result.hpp"
#include "core/constrain/compiled_grammar.hpp"
#include "core/constrain/token_vocabulary.hpp"
#include "core/model/model.hpp"
#include "core/sampling/answer_form.hpp"
#include "core/schema/json_schema.hpp"

namespace troupe {

/// The grammar of what a form allows; the same one as long as anybody has it,
/// so that a front and the nodes of its process compile a form once. Errors:
/// invalid_argument, for what is malformed, allows nothing, or cannot be
/// enforced; it names the place. REQUIRES: it is not free.
result<std::shared_ptr<const constrain::compiled_grammar>>
grammar_of(const answer_form& f);

/// The tokens of a model, as grammars see them; shared in the same way. Errors:
/// as `tokenizer::make` and `token_vocabulary::make`.
result<std::shared_ptr<const constrain::token_vocabulary>>
vocabulary_of(const std::shared_ptr<const model>& of);

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
  /// For the nodes that will want it.
  std::shared_ptr<const constrain::compiled_grammar> grammar_;
  std::shared_ptr<const json_schema> schema_; ///< null: there is nothing to ask
};

} // namespace troupe
