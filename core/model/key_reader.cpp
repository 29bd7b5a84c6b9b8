#include "core/model/key_reader.hpp"

#include <cmath>

namespace troupe {

uint32_t key_reader::whole(std::string_view key, uint32_t least, uint32_t most,
                           std::optional<uint32_t> otherwise) {
  auto x = take(file_.get_int(full(key)));
  if (failed())
    return least;
  if (!x && !otherwise)
    bad("metadata key " + full(key) + " is missing");
  auto given = x.value_or(otherwise.value_or(least));
  if (given < least || given > most) {
    bad(full(key) + " is " + std::to_string(given) + ", not from "
        + std::to_string(least) + " to " + std::to_string(most));
    return least;
  }
  return static_cast<uint32_t>(given);
}

float key_reader::positive(std::string_view key,
                           std::optional<float> otherwise) {
  auto x = take(file_.get_f32(full(key)));
  if (failed())
    return 1.f;
  if (!x && !otherwise)
    bad("metadata key " + full(key) + " is missing");
  auto given = x.value_or(otherwise.value_or(1.f));
  if (!(given > 0.f) || !std::isfinite(given))
    bad(full(key) + " is " + file_.find(full(key))->render()
        + ", not a positive number");
  return given;
}

float key_reader::positive_or_zero(std::string_view key, float otherwise) {
  auto x = take(file_.get_f32(full(key))).value_or(otherwise);
  return x == 0.f || failed() ? 0.f : positive(key, otherwise);
}

bool key_reader::flag(std::string_view key, bool otherwise) {
  return take(file_.get_bool(full(key))).value_or(otherwise);
}

void key_reader::refuse_unless(std::string_view key, float neutral) {
  if (auto entry = file_.find(full(key)); entry && number(*entry) != neutral)
    stop(errc::unsupported, full(key) + " is " + entry->render()
                                + ", which this build does not implement");
}

float key_reader::number(const gguf_entry& entry) const {
  auto key = entry.key;
  if (auto x = file_.get_bool(key))
    return **x ? 1.f : 0.f;
  if (auto x = file_.get_int(key))
    return static_cast<float>(**x);
  if (auto x = file_.get_f32(key))
    return **x;
  return std::nanf("");
}

} // namespace troupe
