#include "core/text/bounded_json.hpp"

namespace troupe {

namespace {

using nlohmann::json;

// Counts what a text would become, before any of it is made.
class counter : public nlohmann::json_sax<json> {
public:
  explicit counter(const json_bounds& most) : most_(most) {}

  size_t failed_at() const { return failed_at_; }

  /// Why there is too much of it, or nothing.
  std::string too_much() const {
    if (depth_ > most_.depth)
      return "is nested more than " + std::to_string(most_.depth) + " deep";
    if (values_ > most_.values)
      return "has more than " + std::to_string(most_.values) + " values";
    return {};
  }

  bool null() override { return count(); }
  bool boolean(bool) override { return count(); }
  bool number_integer(number_integer_t) override { return count(); }
  bool number_unsigned(number_unsigned_t) override { return count(); }
  bool number_float(number_float_t, const string_t&) override {
    return count();
  }
  bool string(string_t&) override { return count(); }
  bool binary(binary_t&) override { return false; }
  bool key(string_t&) override { return count(); }
  bool start_object(size_t) override { return begin(); }
  bool end_object() override { return end(); }
  bool start_array(size_t) override { return begin(); }
  bool end_array() override { return end(); }
  bool parse_error(size_t at, const std::string&,
                   const nlohmann::detail::exception&) override {
    failed_at_ = at;
    return false;
  }

private:
  bool count() { return ++values_ <= most_.values; }
  bool begin() { return ++depth_ <= most_.depth && count(); }
  bool end() {
    --depth_;
    return true;
  }

  const json_bounds& most_;
  size_t values_ = 0;
  size_t depth_ = 0;
  size_t failed_at_ = 0;
};

} // namespace

result<json> parse_object(std::string_view text, const std::string& name,
                          const json_bounds& bounds) {
  auto refuse = [&](errc code, const std::string& reason) {
    return fail(code, name + ": " + reason);
  };
  if (text.size() > bounds.bytes)
    return refuse(errc::unsupported, "has " + std::to_string(text.size())
                                         + " bytes, more than "
                                         + std::to_string(bounds.bytes));
  auto count = counter{bounds};
  if (!json::sax_parse(text.begin(), text.end(), &count)) {
    if (auto reason = count.too_much(); !reason.empty())
      return refuse(errc::unsupported, reason);
    return refuse(errc::bad_file,
                  "is not JSON, at byte " + std::to_string(count.failed_at()));
  }
  auto parsed = json::parse(text.begin(), text.end(), nullptr, false);
  if (!parsed.is_object())
    return refuse(errc::bad_file, "is not a JSON object");
  return parsed;
}

const json& member(const json& object, const char* key) {
  static const auto null = json{};
  if (!object.is_object())
    return null;
  auto at = object.find(key);
  return at == object.end() ? null : *at;
}

std::string string_of(const json& object, const char* key,
                      std::string otherwise) {
  auto& value = member(object, key);
  return value.is_string() ? value.get<std::string>() : otherwise;
}

bool flag_of(const json& object, const char* key, bool otherwise) {
  auto& value = member(object, key);
  return value.is_boolean() ? value.get<bool>() : otherwise;
}

int64_t integer_of(const json& value, int64_t most) {
  if (value.is_number_unsigned()) {
    auto n = value.get<uint64_t>();
    return n <= static_cast<uint64_t>(most) ? static_cast<int64_t>(n) : -1;
  }
  return -1;
}

} // namespace troupe
