#include "core/model/safetensors_header.hpp"

#include <nlohmann/json.hpp>

#include "core/model/gguf_type.hpp"

namespace troupe {

namespace {

using json = nlohmann::json;

constexpr auto most_dims = size_t{8};
constexpr auto most_name_bytes = size_t{1024};

// {"__metadata__": {"KEY": "TEXT", …},
//  "NAME": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}, …}
// Each event is taken only where this has a place for it.
class header_reader : public nlohmann::json_sax<json> {
public:
  safetensors_header take() { return std::move(header_); }
  const std::string& reason() const { return reason_; }

  bool null() override { return misplaced(); }
  bool boolean(bool) override { return misplaced(); }
  bool number_integer(number_integer_t) override { return misplaced(); }
  bool number_float(number_float_t, const string_t&) override {
    return misplaced();
  }
  bool binary(binary_t&) override { return misplaced(); }

  bool number_unsigned(number_unsigned_t x) override {
    if (at_ == place::shape && entry().shape.size() < most_dims) {
      entry().shape.push_back(x);
      return true;
    }
    if (at_ == place::offsets && offsets_ < 2) {
      (offsets_ == 0 ? entry().begin : entry().end) = x;
      ++offsets_;
      return true;
    }
    return misplaced();
  }

  bool string(string_t& text) override {
    if (at_ == place::metadata) {
      header_.metadata.emplace_back(key_, std::move(text));
      return true;
    }
    if (at_ != place::entry || key_ != "dtype")
      return misplaced();
    entry().type = std::move(text);
    return true;
  }

  bool start_object(size_t) override {
    if (at_ == place::outside) {
      at_ = place::top;
      return true;
    }
    if (at_ != place::top)
      return misplaced();
    seen_ = 0;
    if (key_ == "__metadata__") {
      at_ = place::metadata;
      return true;
    }
    at_ = place::entry;
    header_.entries.emplace_back().name = key_;
    return true;
  }

  bool end_object() override {
    if (at_ == place::entry && seen_ != 7)
      return stop("tensor " + printable(entry().name)
                  + " lacks one of dtype, shape and data_offsets");
    at_ = at_ == place::top ? place::outside : place::top;
    return true;
  }

  bool start_array(size_t) override {
    if (at_ != place::entry || (key_ != "shape" && key_ != "data_offsets"))
      return misplaced();
    at_ = key_ == "shape" ? place::shape : place::offsets;
    offsets_ = 0;
    return true;
  }

  bool end_array() override {
    if (at_ == place::offsets && offsets_ != 2)
      return stop("tensor " + printable(entry().name)
                  + " has data_offsets that are not two numbers");
    at_ = place::entry;
    return true;
  }

  bool key(string_t& text) override {
    if (at_ == place::entry) {
      auto bit = text == "dtype"          ? 1u
                 : text == "shape"        ? 2u
                 : text == "data_offsets" ? 4u
                                          : 0u;
      if (bit == 0 || (seen_ & bit) != 0)
        return stop("tensor " + printable(entry().name) + " has "
                    + (bit == 0 ? "an unknown field " : "two fields ")
                    + printable(text));
      seen_ |= bit;
    } else if (text.size() > most_name_bytes) {
      return stop("a name of " + std::to_string(text.size()) + " bytes");
    }
    key_ = std::move(text);
    return true;
  }

  bool parse_error(size_t at, const std::string&,
                   const nlohmann::detail::exception&) override {
    return stop("the header is not JSON, at byte " + std::to_string(at));
  }

private:
  enum class place { outside, top, metadata, entry, shape, offsets };

  safetensors_entry& entry() { return header_.entries.back(); }

  bool stop(std::string reason) {
    reason_ = std::move(reason);
    return false;
  }

  bool misplaced() {
    switch (at_) {
    case place::outside:
      return stop("the header is not a JSON object");
    case place::top:
      return stop("header field " + printable(key_) + " is not an object");
    case place::metadata:
      return stop("metadata " + printable(key_) + " is not a text");
    default:
      return stop("tensor " + printable(entry().name)
                  + " has an unexpected value for " + printable(key_));
    }
  }

  safetensors_header header_;
  place at_ = place::outside;
  std::string key_;
  unsigned seen_ = 0; // of the entry's fields, a bit each
  unsigned offsets_ = 0;
  std::string reason_;
};

} // namespace

result<safetensors_header> parse_safetensors_header(const_bytes text) {
  auto* first = reinterpret_cast<const char*>(text.data());
  auto reader = header_reader{};
  if (!json::sax_parse(first, first + text.size(), &reader))
    return fail(errc::bad_file, reader.reason());
  return reader.take();
}

} // namespace troupe
