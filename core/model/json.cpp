#include "core/model/json.hpp"

#include <cmath>
#include <nlohmann/json.hpp>

#include "core/model/gguf_type.hpp"

namespace troupe {

namespace {

using json = nlohmann::json;

std::string render(const json& value) {
  return printable(value.dump(-1, ' ', true, json::error_handler_t::replace));
}

} // namespace

json_fields::json_fields(const json& object, std::string path,
                         std::string within)
    : object_(&object), path_(std::move(path)), within_(std::move(within)) {}

void json_fields::stop(errc code, const std::string& reason) {
  if (!failed())
    error_ = fail(code, path_ + ": " + reason);
}

void json_fields::missing(std::string_view key) {
  stop(errc::bad_file, full(key) + " is missing");
}

void json_fields::wrong(std::string_view key, const std::string& wanted) {
  stop(errc::bad_file, describe(key) + ", not " + wanted);
}

bool json_fields::is_null(std::string_view key) const {
  auto found = object_->find(key);
  return found != object_->end() && found->is_null();
}

const json* json_fields::find(std::string_view key) const {
  auto found = object_->find(key);
  return found == object_->end() || found->is_null() ? nullptr : &*found;
}

uint32_t json_fields::count(std::string_view key, uint32_t most,
                            std::optional<uint32_t> otherwise, uint32_t least) {
  auto* value = find(key);
  if (!value) {
    if (!otherwise)
      missing(key);
    return otherwise.value_or(least);
  }
  if (!value->is_number_unsigned() || value->get<uint64_t>() < least
      || value->get<uint64_t>() > most) {
    wrong(key, "from " + std::to_string(least) + " to " + std::to_string(most));
    return least;
  }
  return value->get<uint32_t>();
}

float json_fields::positive(std::string_view key,
                            std::optional<float> otherwise) {
  auto* value = find(key);
  if (!value) {
    if (!otherwise)
      missing(key);
    return otherwise.value_or(1.f);
  }
  auto x = value->is_number() ? value->get<float>() : 0.f;
  if (!(x > 0.f) || !std::isfinite(x)) {
    wrong(key, "a positive number");
    return 1.f;
  }
  return x;
}

bool json_fields::flag(std::string_view key, bool otherwise) {
  auto* value = find(key);
  if (!value)
    return otherwise;
  if (!value->is_boolean()) {
    wrong(key, "true or false");
    return otherwise;
  }
  return value->get<bool>();
}

std::string json_fields::text(std::string_view key,
                              std::string_view otherwise) {
  auto* value = find(key);
  if (!value)
    return std::string{otherwise};
  if (!value->is_string()) {
    wrong(key, "a string");
    return std::string{otherwise};
  }
  return value->get<std::string>();
}

std::optional<json_fields> json_fields::object(std::string_view key) {
  auto* value = find(key);
  if (!value)
    return std::nullopt;
  if (!value->is_object()) {
    wrong(key, "an object");
    return std::nullopt;
  }
  return json_fields{*value, path_, full(key) + "."};
}

void json_fields::take_failure(const json_fields& of) {
  if (!failed())
    error_ = of.error_;
}

void json_fields::refuse_unless(std::string_view key, double neutral) {
  auto* value = find(key);
  if (!value)
    return;
  auto same = value->is_boolean()
                  ? (value->get<bool>() ? 1. : 0.) == neutral
                  : value->is_number() && value->get<double>() == neutral;
  if (!same)
    stop(errc::unsupported,
         describe(key) + ", which this build does not implement");
}

std::string json_fields::describe(std::string_view key) const {
  auto* value = find(key);
  return full(key) + " is " + (value ? render(*value) : "missing");
}

} // namespace troupe
