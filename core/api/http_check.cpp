#include "core/api/http_check.hpp"

#include <algorithm>
#include <array>

namespace troupe::api {

namespace {

constexpr auto crlf = std::string_view{"\r\n"};

// RFC 9110, section 5.6.2.
bool is_token_char(unsigned char c) {
  constexpr auto marks = std::string_view{"!#$%&'*+-.^_`|~"};
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z')
         || (c >= 'A' && c <= 'Z')
         || marks.find(static_cast<char>(c)) != std::string_view::npos;
}

bool is_token(std::string_view s) {
  return !s.empty() && std::all_of(s.begin(), s.end(), [](char c) {
    return is_token_char(static_cast<unsigned char>(c));
  });
}

bool is_visible(unsigned char c) {
  return c > 0x20 && c < 0x7f;
}

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

// Of a line: HTAB and obs-text (bytes from 0x80) are allowed in values.
bool is_control(unsigned char c) {
  return (c < 0x20 && c != '\t') || c == 0x7f;
}

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

bool same(std::string_view a, std::string_view lowered) {
  return std::equal(a.begin(), a.end(), lowered.begin(), lowered.end(),
                    [](char x, char y) { return lower(x) == y; });
}

std::string_view trim(std::string_view s) {
  auto blank = [](char c) { return c == ' ' || c == '\t'; };
  while (!s.empty() && blank(s.front()))
    s.remove_prefix(1);
  while (!s.empty() && blank(s.back()))
    s.remove_suffix(1);
  return s;
}

// A name, an IPv4 or bracketed IPv6 address, and a port.
bool is_host(std::string_view s) {
  return !s.empty() && s.size() <= 261
         && std::all_of(s.begin(), s.end(), [](char c) {
              constexpr auto marks = std::string_view{"-._~:[]%"};
              return is_digit(c) || (lower(c) >= 'a' && lower(c) <= 'z')
                     || marks.find(c) != std::string_view::npos;
            });
}

class checker {
public:
  explicit checker(const head_limits& limits) : limits_(limits) {}

  std::optional<rejection> check(std::string_view head) {
    if (head.size() > limits_.bytes)
      return rejection{431, "the head of the request is too large"};
    if (!head.ends_with("\r\n\r\n"))
      return rejection{400, "the head of the request has no end"};
    head.remove_suffix(crlf.size());
    if (auto bad = check_request_line(take_line(head)))
      return bad;
    auto fields = size_t{0};
    while (!head.empty()) {
      if (++fields > limits_.fields)
        return rejection{431, "too many header fields"};
      if (auto bad = check_field(take_line(head)))
        return bad;
    }
    return check_all();
  }

private:
  // REQUIRES: the rest ends with a CR LF.
  static std::string_view take_line(std::string_view& rest) {
    auto end = rest.find(crlf);
    auto line = rest.substr(0, end);
    rest.remove_prefix(end + crlf.size());
    return line;
  }

  std::optional<rejection> check_request_line(std::string_view line) {
    auto space = line.find(' ');
    auto last = line.rfind(' ');
    if (space == std::string_view::npos || space == last)
      return rejection{400, "a request line has three parts"};
    auto method = line.substr(0, space);
    auto target = line.substr(space + 1, last - space - 1);
    auto version = line.substr(last + 1);
    if (!is_token(method))
      return rejection{400, "the method is not a token"};
    if (version.size() != 8 || !version.starts_with("HTTP/")
        || !is_digit(version[5]) || version[6] != '.' || !is_digit(version[7]))
      return rejection{400, "the request line names no HTTP version"};
    if (version != "HTTP/1.1" && version != "HTTP/1.0")
      return rejection{505, "only HTTP/1.1 and HTTP/1.0 are spoken here"};
    old_ = version == "HTTP/1.0";
    if (!std::all_of(target.begin(), target.end(), is_visible))
      return rejection{400, "the target is not visible ASCII"};
    if (target.size() > limits_.bytes / 2)
      return rejection{414, "the target is too long"};
    constexpr auto known = std::array<std::string_view, 7>{
        "GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"};
    if (std::find(known.begin(), known.end(), method) == known.end())
      return rejection{501, "the method is not known here"};
    if (!target.starts_with('/') && !(target == "*" && method == "OPTIONS"))
      return rejection{400, "the target must be a path"};
    return {};
  }

  std::optional<rejection> check_field(std::string_view line) {
    if (line.starts_with(' ') || line.starts_with('\t'))
      return rejection{400, "a header field is folded"};
    if (std::any_of(line.begin(), line.end(), is_control))
      return rejection{400, "a header field holds a control character"};
    auto colon = line.find(':');
    if (colon == std::string_view::npos)
      return rejection{400, "a header field has no colon"};
    auto name = line.substr(0, colon);
    if (!is_token(name))
      return rejection{400, "the name of a header field is not a token"};
    auto value = trim(line.substr(colon + 1));
    if (same(name, "host"))
      return check_host(value);
    if (same(name, "content-length"))
      return check_length(value);
    if (same(name, "transfer-encoding"))
      return check_encoding(value);
    return {};
  }

  std::optional<rejection> check_host(std::string_view value) {
    if (++hosts_ > 1)
      return rejection{400, "there is more than one host"};
    if (!is_host(value))
      return rejection{400, "the host is none"};
    return {};
  }

  std::optional<rejection> check_length(std::string_view value) {
    if (++lengths_ > 1)
      return rejection{400, "there is more than one content-length"};
    if (value.empty() || !std::all_of(value.begin(), value.end(), is_digit))
      return rejection{400, "the content-length is not a number"};
    if (value.size() > 19)
      return rejection{413, "the body is too large"};
    for (auto c : value)
      length_ = length_ * 10 + static_cast<uint64_t>(c - '0');
    return {};
  }

  std::optional<rejection> check_encoding(std::string_view value) {
    if (++encodings_ > 1)
      return rejection{400, "there is more than one transfer-encoding"};
    if (!same(value, "chunked"))
      return rejection{501, "the only transfer-encoding here is chunked"};
    return {};
  }

  std::optional<rejection> check_all() const {
    if (hosts_ == 0 && !old_)
      return rejection{400, "there is no host"};
    if (encodings_ > 0 && lengths_ > 0)
      return rejection{400, "there is a transfer-encoding and a "
                            "content-length"};
    if (encodings_ > 0 && old_)
      return rejection{400, "HTTP/1.0 has no transfer-encoding"};
    if (length_ > limits_.body)
      return rejection{413, "the body is too large"};
    return {};
  }

  const head_limits& limits_;
  bool old_ = false; ///< HTTP/1.0
  unsigned hosts_ = 0;
  unsigned lengths_ = 0;
  unsigned encodings_ = 0;
  uint64_t length_ = 0;
};

} // namespace

head_scanner::verdict head_scanner::scan(std::string_view bytes) {
  for (; at_ < bytes.size() && newline_ < 4; ++at_) {
    auto c = static_cast<unsigned char>(bytes[at_]);
    auto want_lf = newline_ % 2 == 1;
    if (want_lf != (c == '\n') || (c != '\r' && c != '\n' && is_control(c)))
      return verdict::broken;
    newline_ = c == '\r' || c == '\n' ? newline_ + 1 : 0;
  }
  return newline_ == 4 ? verdict::whole : verdict::incomplete;
}

std::optional<rejection> check_head(std::string_view head,
                                    const head_limits& limits) {
  return checker{limits}.check(head);
}

} // namespace troupe::api
