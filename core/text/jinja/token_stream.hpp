#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/text/jinja/ast.hpp"
#include "core/text/jinja/lexer.hpp"

namespace troupe::jinja {

using node_ptr = std::unique_ptr<node>;

/// The tokens that a parser has yet to read, and its first error: after that
/// only `end` is seen, so that every loop ends.
class token_stream {
public:
  explicit token_stream(std::vector<token> tokens)
      : tokens_(std::move(tokens)) {}

  const token& peek(size_t ahead = 0) const {
    return tokens_[std::min(at_ + ahead, tokens_.size() - 1)];
  }
  token next() {
    auto t = peek();
    at_ = std::min(at_ + 1, tokens_.size() - 1);
    return t;
  }

  bool is(token_type type) const { return peek().type == type; }
  bool is_op(std::string_view op) const {
    return is(token_type::op) && peek().text == op;
  }
  bool is_name(std::string_view name) const {
    return is(token_type::name) && peek().text == name;
  }
  /// Reads it if it is there.
  bool skip_op(std::string_view op) { return is_op(op) && (next(), true); }
  bool skip_name(std::string_view name) {
    return is_name(name) && (next(), true);
  }
  /// Reads it, or fails.
  void expect(token_type type, std::string_view what);
  void expect_op(std::string_view op);
  std::string expect_name();

  void fail(errc code, const std::string& what);
  void unexpected(std::string_view instead_of);
  bool ok() const { return !error_; }
  const error& failure() const { return *error_; }

  /// Around what a parser recurses for.
  bool enter();
  void leave() { --depth_; }

  node_ptr make(node_type type, uint32_t line, std::string text = {});
  /// Appends a child; null stays null.
  void add(node& to, node_ptr kid);

private:
  std::vector<token> tokens_;
  size_t at_ = 0;
  int depth_ = 0;
  std::optional<error> error_;
};

/// `x if c else y` and all below. With `tuple`, commas make a tuple.
node_ptr parse_expression(token_stream& in, bool tuple = false);
/// The same without the inline if.
node_ptr parse_or(token_stream& in);

} // namespace troupe::jinja
