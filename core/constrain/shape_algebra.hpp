#pragma once

#include <functional>
#include <optional>

#include "core/constrain/schema_shape.hpp"

namespace troupe::constrain {

/// Unions, intersections and differences of shapes. Members and items are
/// terms that are looked into only so far as is needed.
class shape_algebra {
public:
  /// Whether nothing satisfies all terms, as far as that is seen.
  using emptiness = std::function<bool(const schema_terms&)>;

  /// `never` is a schema that nothing satisfies.
  shape_algebra(work_meter& meter, schema_term never, emptiness is_empty)
      : meter_(meter), never_(never), terms_empty_(std::move(is_empty)) {}

  static schema_shapes all();
  schema_shapes intersect(const schema_shapes& a, const schema_shapes& b) const;
  /// What is in `a` but not in `b`. Never more than that; where it is less,
  /// it is not exact. REQUIRES: `b` is exact.
  schema_shapes subtract(const schema_shapes& a, const schema_shapes& b) const;
  /// Whether it is sure that nothing has that shape.
  bool is_empty(const schema_shape& s) const;

  /// Texts of a string; nothing if only lengths limit it.
  std::optional<text_dfa> texts(const string_shape& s) const;

private:
  /// Adds what is of both, unless that is surely nothing.
  void meet(const schema_shape& a, const schema_shape& b,
            std::vector<schema_shape>& to) const;
  void limit(schema_shape& a, const schema_shape& by) const;
  schema_shapes minus(const schema_shape& a, const schema_shape& b) const;
  void minus(const boolean_shape& a, const boolean_shape& b,
             schema_shapes& to) const;
  void minus(const number_shape& a, const number_shape& b,
             schema_shapes& to) const;
  void minus(const string_shape& a, const string_shape& b,
             schema_shapes& to) const;
  void minus(const array_shape& a, const array_shape& b,
             schema_shapes& to) const;
  void minus(const object_shape& a, const object_shape& b,
             schema_shapes& to) const;

  work_meter& meter_;
  schema_term never_;
  emptiness terms_empty_;
};

} // namespace troupe::constrain
