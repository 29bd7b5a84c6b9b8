#include "core/schema/uri_reference.hpp"

#include <algorithm>

#include "core/schema/char_kinds.hpp"

namespace troupe::schema {

namespace {

bool is_scheme(std::string_view s) {
  return !s.empty() && is_letter(s.front())
         && std::all_of(s.begin(), s.end(), [](char c) {
              return is_letter(c) || is_digit(c) || c == '+' || c == '-'
                     || c == '.';
            });
}

void drop_last_segment(std::string& path) {
  auto slash = path.rfind('/');
  path.resize(slash == std::string::npos ? 0 : slash);
}

// Section 5.2.4.
std::string remove_dot_segments(std::string_view in) {
  auto out = std::string{};
  while (!in.empty()) {
    if (in.starts_with("../")) {
      in.remove_prefix(3);
    } else if (in.starts_with("./") || in.starts_with("/./")) {
      in.remove_prefix(2);
    } else if (in == "/." || in == "/..") {
      if (in == "/..")
        drop_last_segment(out);
      out += '/';
      break;
    } else if (in.starts_with("/../")) {
      in.remove_prefix(3);
      drop_last_segment(out);
    } else if (in == "." || in == "..") {
      break;
    } else {
      auto end = std::min(in.find('/', 1), in.size());
      out += in.substr(0, end);
      in.remove_prefix(end);
    }
  }
  return out;
}

// Section 5.2.3.
std::string merge(const uri_parts& base, std::string_view path) {
  if (base.authority && base.path.empty())
    return "/" + std::string{path};
  auto slash = base.path.rfind('/');
  auto kept = slash == std::string_view::npos ? 0 : slash + 1;
  return std::string{base.path.substr(0, kept)} + std::string{path};
}

} // namespace

uri_parts split_uri(std::string_view text) {
  auto p = uri_parts{};
  if (auto at = text.find('#'); at != std::string_view::npos) {
    p.fragment = text.substr(at + 1);
    text = text.substr(0, at);
  }
  if (auto at = text.find('?'); at != std::string_view::npos) {
    p.query = text.substr(at + 1);
    text = text.substr(0, at);
  }
  if (auto at = text.find(':');
      at != std::string_view::npos && is_scheme(text.substr(0, at))) {
    p.scheme = text.substr(0, at);
    text.remove_prefix(at + 1);
  }
  if (text.starts_with("//")) {
    auto end = std::min(text.find('/', 2), text.size());
    p.authority = text.substr(2, end - 2);
    text.remove_prefix(end);
  }
  p.path = text;
  return p;
}

std::string resolve_uri(std::string_view base_text, std::string_view text) {
  auto r = split_uri(text);
  auto base = split_uri(base_text);
  auto to = r;
  auto path = std::string{};
  if (r.scheme || r.authority) {
    path = remove_dot_segments(r.path);
  } else if (r.path.empty()) {
    path = base.path;
    if (!r.query)
      to.query = base.query;
  } else {
    path = remove_dot_segments(r.path.front() == '/' ? std::string{r.path}
                                                     : merge(base, r.path));
  }
  if (!r.scheme) {
    to.scheme = base.scheme;
    if (!r.authority)
      to.authority = base.authority;
  }
  auto out = std::string{};
  if (to.scheme)
    out.append(*to.scheme).append(":");
  if (to.authority)
    out.append("//").append(*to.authority);
  out += path;
  if (to.query)
    out.append("?").append(*to.query);
  if (to.fragment)
    out.append("#").append(*to.fragment);
  return out;
}

std::string percent_decode(std::string_view text) {
  auto out = std::string{};
  for (size_t i = 0; i < text.size(); ++i) {
    if (!is_percent_encoded(text, i)) {
      out += text[i];
      continue;
    }
    out +=
        static_cast<char>(hex_value(text[i + 1]) * 16 + hex_value(text[i + 2]));
    i += 2;
  }
  return out;
}

} // namespace troupe::schema
