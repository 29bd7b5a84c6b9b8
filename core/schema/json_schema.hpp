#pragma once

#include <concepts>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.hpp"
#include "core/schema/schema_options.hpp"

namespace troupe {

/// A `nlohmann::json`, and not what can be made one, as texts can.
template <class T>
concept json_value = std::same_as<T, nlohmann::json>;

namespace schema {
struct program;
struct check_memory;
} // namespace schema

/// One thing that a document has against it. Those of one report share a text,
/// so that an error costs no allocation of its own.
class schema_error {
public:
  /// Where its parts begin in the text of the report, and where it ends.
  struct parts {
    size_t instance, schema, url, message, end;
  };

  schema_error(std::shared_ptr<const char[]> text, const parts& at)
      : text_(std::move(text)), at_(at) {}

  /// JSON Pointer (RFC 6901) to the value.
  std::string_view instance() const { return part(at_.instance, at_.schema); }
  /// JSON Pointer to the keyword.
  std::string_view schema() const { return part(at_.schema, at_.url); }
  /// Of the document that the keyword is in; may be empty.
  std::string_view url() const { return part(at_.url, at_.message); }
  /// "must be at least 0, and is -5"
  std::string_view message() const { return part(at_.message, at_.end); }

  /// "/age: must be at least 0, and is -5 (schema #/properties/age/minimum)"
  std::string text() const;

private:
  std::string_view part(size_t begin, size_t end) const {
    return {text_.get() + begin, end - begin};
  }

  std::shared_ptr<const char[]> text_;
  parts at_;
};

/// What a check has found.
struct schema_report {
  bool valid = false;
  bool more = false; ///< there are more errors than the options allow
  std::vector<schema_error> errors; ///< empty if it is valid
};

/// A JSON Schema of draft 2020-12 or draft-07, compiled once to check many
/// documents. Cheap to copy; copies share what was compiled. Threads may check
/// at the same time. What is supported, and how, is in docs/schema.md.
class json_schema {
public:
  /// "schema URL#/pointer: reason" with errc::invalid_argument for what is no
  /// schema, and errc::unsupported for one that is beyond the options' bounds
  /// or needs what is not done here.
  static result<json_schema> compile(std::string_view text,
                                     const schema_options& options = {});
  template <json_value T>
  static result<json_schema> compile(const T& schema,
                                     const schema_options& options = {}) {
    return compile_value(schema, options);
  }

  /// Whether the document is valid. False as well for text that is no JSON,
  /// and where `check` returns an error.
  bool valid(std::string_view text) const;
  template <json_value T>
  bool valid(const T& document) const {
    return valid_value(document);
  }

  /// Whether it is valid, and all that is wrong up to the options' limit.
  /// errc::invalid_argument for text that is no JSON; errc::unsupported where
  /// no answer was found within the bounds.
  result<schema_report> check(std::string_view text) const;
  template <json_value T>
  result<schema_report> check(const T& document) const {
    return check_value(document);
  }

private:
  friend class schema_checker;

  json_schema(std::shared_ptr<const schema::program> p,
              const schema_options& options);
  static result<json_schema> compile_value(const nlohmann::json& schema,
                                           const schema_options& options);
  bool valid_value(const nlohmann::json& document) const;
  result<schema_report> check_value(const nlohmann::json& document) const;

  std::shared_ptr<const schema::program> program_;
  tape_bounds bounds_;
  uint64_t steps_;
  uint64_t steps_per_value_;
  size_t errors_;
};

/// Checks documents of one schema, and takes the memory of the last check for
/// the next. One thread at a time.
class schema_checker {
public:
  explicit schema_checker(json_schema schema);
  schema_checker(schema_checker&&) noexcept;
  schema_checker& operator=(schema_checker&&) noexcept;
  ~schema_checker();

  bool valid(std::string_view text);
  template <json_value T>
  bool valid(const T& document) {
    return valid_value(document);
  }
  /// Of a document that was read before.
  bool valid(const json_tape& document);

  result<schema_report> check(std::string_view text);
  template <json_value T>
  result<schema_report> check(const T& document) {
    return check_value(document);
  }
  result<schema_report> check(const json_tape& document);

private:
  bool valid_value(const nlohmann::json& document);
  result<schema_report> check_value(const nlohmann::json& document);
  uint64_t steps_for(const json_tape& document) const;

  json_schema schema_;
  json_tape tape_;
  std::unique_ptr<schema::check_memory> memory_;
};

} // namespace troupe
