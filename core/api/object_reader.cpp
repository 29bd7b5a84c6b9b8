#include "core/api/object_reader.hpp"

#include <cmath>

namespace troupe::api {

namespace {

std::string plain(double x) {
  auto text = nlohmann::json(x).dump();
  return text.ends_with(".0") ? text.substr(0, text.size() - 2) : text;
}

} // namespace

object_reader::object_reader(const nlohmann::json& object,
                             std::optional<api_error>& complaint,
                             std::string where)
    : object_(object), complaint_(complaint), where_(std::move(where)) {}

const nlohmann::json* object_reader::take(const char* key) const {
  auto i = object_.find(key);
  return i == object_.end() || i->is_null() ? nullptr : &*i;
}

void object_reader::flag(const char* key, bool& to) {
  auto* j = take(key);
  if (!j)
    return;
  if (j->is_boolean())
    to = j->get<bool>();
  else
    complain(key, "must be true or false");
}

void object_reader::text(const char* key, std::string& to) {
  auto* j = take(key);
  if (!j)
    return;
  if (j->is_string())
    to = j->get_ref<const std::string&>();
  else
    complain(key, "must be a string");
}

void object_reader::number(const char* key, float least, float most,
                           float& to) {
  auto* j = take(key);
  if (!j)
    return;
  auto x = j->is_number() ? j->get<double>() : std::nan("");
  if (x >= static_cast<double>(least) && x <= static_cast<double>(most))
    to = static_cast<float>(x);
  else
    complain(key, "must be a number from " + plain(static_cast<double>(least))
                      + " to " + plain(static_cast<double>(most)));
}

bool object_reader::integer(const char* key, int64_t least, int64_t most,
                            int64_t& to) {
  auto* j = take(key);
  if (!j)
    return false;
  constexpr auto largest =
      static_cast<uint64_t>(std::numeric_limits<int64_t>::max());
  if (j->is_number_integer()
      && (!j->is_number_unsigned() || j->get<uint64_t>() <= largest)) {
    auto x = j->get<int64_t>();
    if (x >= least && x <= most) {
      to = x;
      return true;
    }
  }
  complain(key, "must be an integer from " + std::to_string(least) + " to "
                    + std::to_string(most));
  return false;
}

void object_reader::complain(const std::string& key, const std::string& why) {
  if (complaint_)
    return;
  auto name = where_ + key;
  complaint_ = api_error{400, "'" + name + "' " + why, name, "invalid_value"};
}

void object_reader::unsupported(const std::string& key,
                                const std::string& why) {
  auto first = !complaint_;
  complain(key, why);
  if (first)
    complaint_->code = "unsupported_value";
}

} // namespace troupe::api
