#include "core/text/bounded_json.hpp"

namespace troupe {

namespace {

using nlohmann::json;

// The largest tokenizers have 35 MB and 2 million values.
constexpr auto most_bytes = size_t{96} << 20;
constexpr auto most_values = size_t{12} << 20;
constexpr auto most_depth = size_t{64};

// Counts what a text would become, before any of it is made.
class counter : public nlohmann::json_sax<json> {
public:
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
    reason = "is no JSON at byte " + std::to_string(at);
    return false;
  }

  std::string reason = "has more values, or deeper ones, than is reasonable";

private:
  bool count() { return ++values_ <= most_values; }
  bool begin() { return ++depth_ <= most_depth && count(); }
  bool end() {
    --depth_;
    return true;
  }

  size_t values_ = 0;
  size_t depth_ = 0;
};

} // namespace

result<json> parse_object(std::string_view text, const std::string& name) {
  auto bad = [&](const std::string& reason) {
    return fail(errc::bad_file, name + ": " + reason);
  };
  if (text.size() > most_bytes)
    return bad("is larger than " + std::to_string(most_bytes) + " bytes");
  auto count = counter{};
  if (!json::sax_parse(text.begin(), text.end(), &count))
    return bad(count.reason);
  auto parsed = json::parse(text.begin(), text.end(), nullptr, false);
  if (!parsed.is_object())
    return bad("is no JSON object");
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
