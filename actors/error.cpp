#include "actors/error.hpp"

#include <caf/all.hpp>

namespace troupe {

namespace {
const auto category = caf::atom("troupe");
}

caf::error to_caf(const error& e) {
  return {static_cast<uint8_t>(e.code), category, caf::make_message(e.message)};
}

error from_caf(const caf::error& e) {
  if (!e)
    return {};
  if (e.category() == category) {
    auto text = std::string{};
    if (e.context().match_elements<std::string>())
      text = e.context().get_as<std::string>(0);
    return {static_cast<errc>(e.code()), std::move(text)};
  }
  if (e == caf::sec::request_timeout)
    return {errc::timeout, "no answer in time"};
  return {errc::abandoned, caf::to_string(e)};
}

} // namespace troupe
