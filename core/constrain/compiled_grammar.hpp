#pragma once

#include <memory>
#include <string>

#include "core/base/result.hpp"
#include "core/constrain/grammar.hpp"
#include "core/constrain/schema_options.hpp"
#include "core/constrain/work_meter.hpp"

namespace troupe::constrain {

enum class grammar_kind : uint8_t {
  json_schema, ///< the schema as JSON
  json_object, ///< any JSON object; no text
  regex,       ///< all of the output matches
  ebnf,
};

/// What an output must be.
struct grammar_spec {
  grammar_kind kind = grammar_kind::json_object;
  std::string text;
  schema_options schema; ///< of json_schema and json_object
};

/// A grammar and what may be known of it without a vocabulary; immutable and
/// thread-safe. One may serve several models.
class compiled_grammar {
public:
  explicit compiled_grammar(grammar g);

  const grammar& rules() const { return grammar_; }
  /// How a string may go on at a position.
  enum class plainness : uint8_t {
    none,
    all,     ///< with any plain character, to the same position
    counted, ///< the same, and each counts one
  };
  plainness plain(uint32_t position) const { return plain_[position]; }
  /// Whether some texts may not stand twice.
  bool has_unique() const { return has_unique_; }
  size_t memory_bytes() const;

private:
  plainness find_plain(uint32_t position) const;

  grammar grammar_;
  std::vector<plainness> plain_;
  bool has_unique_ = false;
};

/// invalid_argument for what is not of that kind or allows nothing;
/// unsupported for what can't be enforced or takes more than the limits. The
/// message names the place: a JSON Pointer, a byte or a line.
result<std::shared_ptr<const compiled_grammar>>
compile_grammar(const grammar_spec& spec, const compile_limits& limits = {});

} // namespace troupe::constrain
