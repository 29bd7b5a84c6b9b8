#pragma once

#include <cstdint>
#include <string>
#include <tuple>

namespace troupe {

/// What all of an answer has to be (docs/constrained.md). Nodes keep to it
/// token by token; which tokens may come next is a function of those before.
struct answer_form {
  enum class kind : uint8_t {
    free,        ///< anything
    json_object, ///< any JSON object
    json_schema, ///< JSON that is valid by `text`
    regex,       ///< what matches `text`, as a whole
    grammar,     ///< what the EBNF in `text` derives
  };
  kind what = kind::free;
  std::string text;

  bool is_free() const { return what == kind::free; }
  bool is_json() const {
    return what == kind::json_object || what == kind::json_schema;
  }
  bool operator==(const answer_form&) const = default;
  auto fields() { return std::tie(what, text); }

  static constexpr size_t max_bytes = size_t{1} << 20;
};

} // namespace troupe
