#include "core/text/jinja/token_stream.hpp"

#include <algorithm>

#include "core/text/utf8.hpp"

namespace troupe::jinja {

namespace {

constexpr auto most_depth = 100;

std::string name_of(const token& t) {
  switch (t.type) {
  case token_type::print_begin:
  case token_type::block_begin:
    return "the beginning of a tag";
  case token_type::print_end:
  case token_type::block_end:
    return "the end of the tag";
  case token_type::end:
    return "the end of the template";
  default:
    return quoted(t.text);
  }
}

} // namespace

void token_stream::expect(token_type type, std::string_view what) {
  if (!is(type))
    return unexpected(what);
  next();
}

void token_stream::expect_op(std::string_view op) {
  if (!skip_op(op))
    unexpected(quoted(op));
}

std::string token_stream::expect_name() {
  if (!is(token_type::name)) {
    unexpected("a name");
    return {};
  }
  return next().text;
}

void token_stream::fail(errc code, const std::string& what) {
  if (error_)
    return;
  error_ = troupe::fail(code, "chat template, line "
                                  + std::to_string(peek().line) + ": " + what);
  at_ = tokens_.size() - 1;
}

void token_stream::unexpected(std::string_view instead_of) {
  fail(errc::bad_file,
       name_of(peek()) + " instead of " + std::string{instead_of});
}

bool token_stream::enter() {
  if (++depth_ > most_depth)
    fail(errc::unsupported, "is nested too deeply");
  return ok();
}

node_ptr token_stream::make(node_type type, uint32_t line, std::string text) {
  auto n = std::make_unique<node>();
  n->type = type;
  n->line = line;
  n->text = std::move(text);
  return n;
}

void token_stream::add(node& to, node_ptr kid) {
  if (kid) {
    to.depth = std::max(to.depth, kid->depth + 1);
    if (to.depth > most_depth)
      fail(errc::unsupported, "is nested too deeply");
  }
  to.kids.push_back(std::move(kid));
}

} // namespace troupe::jinja
