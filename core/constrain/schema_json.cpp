#include "core/constrain/schema_json.hpp"

#include <set>
#include <vector>

#include "core/text/utf8.hpp"

namespace troupe::constrain {

namespace {

using json = nlohmann::ordered_json;

constexpr auto most_bytes = size_t{1} << 20;
constexpr auto most_depth = size_t{64};
constexpr auto most_values = size_t{50'000};
constexpr auto most_members = size_t{1000};

// Looks whether a text is JSON within the bounds, and keeps nothing.
class checker : public nlohmann::json_sax<json> {
public:
  std::string why;
  bool too_much = false;

  bool null() override { return value(); }
  bool boolean(bool) override { return value(); }
  bool number_integer(number_integer_t) override { return value(); }
  bool number_unsigned(number_unsigned_t) override { return value(); }
  bool number_float(number_float_t, const string_t&) override {
    return value();
  }
  bool string(string_t&) override { return value(); }
  bool binary(binary_t&) override { return value(); }
  bool start_object(size_t) override { return open(); }
  bool start_array(size_t) override { return open(); }
  bool end_object() override { return close(); }
  bool end_array() override { return close(); }
  bool key(string_t& name) override {
    auto& names = open_.back();
    if (!names.insert(name).second) {
      why = "the name " + troupe::quoted(name) + " stands twice in one object";
      return false;
    }
    return names.size() <= most_members || beyond("1000 members of one object");
  }
  bool parse_error(size_t at, const std::string&,
                   const nlohmann::detail::exception&) override {
    why = "it is no JSON at byte " + std::to_string(at);
    return false;
  }

private:
  bool value() { return ++values_ <= most_values || beyond("50000 values"); }
  bool open() {
    open_.emplace_back();
    return value() && (open_.size() <= most_depth || beyond("64 levels"));
  }
  bool close() {
    open_.pop_back();
    return true;
  }
  bool beyond(const char* what) {
    why = std::string{"it has more than "} + what;
    too_much = true;
    return false;
  }

  std::vector<std::set<std::string>> open_;
  size_t values_ = 0;
};

} // namespace

result<json> parse_schema(std::string_view text) {
  if (text.size() > most_bytes)
    return fail(errc::unsupported, "#: the schema has more than 1 MiB");
  auto check = checker{};
  if (!json::sax_parse(text, &check))
    return fail(check.too_much ? errc::unsupported : errc::invalid_argument,
                "#: the schema cannot be read: " + check.why);
  return json::parse(text, nullptr, false);
}

} // namespace troupe::constrain
