#include "core/text/jinja/parser.hpp"

#include <algorithm>

#include "core/text/jinja/token_stream.hpp"
#include "core/text/utf8.hpp"

namespace troupe::jinja {

namespace {

using words = std::initializer_list<std::string_view>;

class statement_parser {
public:
  explicit statement_parser(token_stream& in) : in_(in) {}

  // Up to a block that begins with one of the words, which is left to read
  // from the word on; or to the end of the template if there are none.
  node_ptr block(words ends) {
    auto n = in_.make(node_type::block, in_.peek().line);
    if (!in_.enter())
      return n;
    while (in_.ok()) {
      auto t = in_.next();
      if (t.type == token_type::data) {
        auto data = in_.make(node_type::literal, t.line);
        data->constant = text{t.text, true};
        in_.add(*n, std::move(data));
      } else if (t.type == token_type::print_begin) {
        auto output = in_.make(node_type::output, t.line);
        in_.add(*output, parse_expression(in_, true));
        in_.expect(token_type::print_end, "the end of the tag");
        in_.add(*n, std::move(output));
      } else if (t.type == token_type::block_begin) {
        if (std::any_of(ends.begin(), ends.end(),
                        [&](auto word) { return in_.is_name(word); }))
          break;
        if (auto s = statement())
          in_.add(*n, std::move(s));
      } else {
        if (ends.size() > 0)
          in_.unexpected(quoted(*std::prev(ends.end())));
        break;
      }
    }
    in_.leave();
    return n;
  }

private:
  void end_tag() { in_.expect(token_type::block_end, "the end of the tag"); }

  node_ptr statement() {
    auto t = in_.peek();
    auto word = in_.expect_name();
    if (word == "if")
      return branch(t.line);
    if (word == "for")
      return loop(t.line);
    if (word == "set")
      return assignment(t.line);
    if (word == "macro")
      return macro(t.line);
    if (word == "generation") {
      // Marks what an assistant wrote, for training.
      end_tag();
      auto n = block({"endgeneration"});
      n->text = word;
      in_.next();
      end_tag();
      return n;
    }
    if (word == "break" || word == "continue") {
      if (loops_ == 0)
        in_.fail(errc::bad_file, quoted(word) + " outside of a loop");
      end_tag();
      return in_.make(word == "break" ? node_type::stop : node_type::next,
                      t.line);
    }
    if (word == "else" || word == "elif" || word.starts_with("end"))
      in_.fail(errc::bad_file, quoted(word) + " ends nothing");
    in_.fail(errc::unsupported,
             "the statement " + quoted(word) + " is not supported");
    return nullptr;
  }

  node_ptr branch(uint32_t line) {
    auto n = in_.make(node_type::branch, line);
    auto more = true;
    while (more && in_.ok()) {
      in_.add(*n, parse_expression(in_, true));
      end_tag();
      in_.add(*n, block({"elif", "else", "endif"}));
      more = in_.skip_name("elif");
    }
    if (in_.skip_name("else")) {
      end_tag();
      in_.add(*n, block({"endif"}));
    }
    in_.next();
    end_tag();
    return n;
  }

  std::vector<std::string> targets() {
    auto closing = in_.skip_op("(");
    auto names = std::vector<std::string>{in_.expect_name()};
    while (in_.skip_op(","))
      names.push_back(in_.expect_name());
    if (closing)
      in_.expect_op(")");
    return names;
  }

  node_ptr loop(uint32_t line) {
    auto n = in_.make(node_type::loop, line);
    n->names = targets();
    if (!in_.skip_name("in"))
      in_.unexpected("\"in\"");
    in_.add(*n, parse_or(in_));
    in_.add(*n, in_.skip_name("if") ? parse_expression(in_) : nullptr);
    if (in_.is_name("recursive"))
      in_.fail(errc::unsupported, "a recursive loop is not supported");
    end_tag();
    ++loops_;
    in_.add(*n, block({"else", "endfor"}));
    --loops_;
    if (in_.skip_name("else")) {
      end_tag();
      in_.add(*n, block({"endfor"}));
    } else {
      in_.add(*n, nullptr);
    }
    in_.next();
    end_tag();
    return n;
  }

  node_ptr assignment(uint32_t line) {
    auto names = targets();
    auto member = std::string{};
    if (names.size() == 1 && in_.skip_op("."))
      member = in_.expect_name();
    auto n = node_ptr{};
    if (in_.skip_op("=")) {
      n = in_.make(
          member.empty() ? node_type::assign : node_type::assign_member, line);
      in_.add(*n, parse_expression(in_, true));
      end_tag();
    } else {
      if (in_.is_op("|"))
        in_.fail(errc::unsupported, "a block set with a filter is not "
                                    "supported");
      end_tag();
      n = in_.make(node_type::assign_block, line);
      in_.add(*n, block({"endset"}));
      in_.next();
      end_tag();
    }
    if (member.empty() && n->type == node_type::assign) {
      n->names = std::move(names);
    } else {
      n->text = names[0];
      if (!member.empty())
        n->names.push_back(member);
    }
    return n;
  }

  node_ptr macro(uint32_t line) {
    auto n = in_.make(node_type::macro, line, in_.expect_name());
    auto defaults = std::vector<node_ptr>{};
    in_.expect_op("(");
    while (in_.ok() && !in_.is_op(")")) {
      n->names.push_back(in_.expect_name());
      defaults.push_back(in_.skip_op("=") ? parse_expression(in_) : nullptr);
      if (!in_.skip_op(","))
        break;
    }
    in_.expect_op(")");
    end_tag();
    auto outer = std::exchange(loops_, 0);
    in_.add(*n, block({"endmacro"}));
    loops_ = outer;
    for (auto& d : defaults)
      in_.add(*n, std::move(d));
    in_.next();
    end_tag();
    return n;
  }

  token_stream& in_;
  int loops_ = 0; ///< around here
};

} // namespace

result<std::shared_ptr<const node>> parse(std::string_view source) {
  auto tokens = tokenize(source);
  if (!tokens)
    return tokens.failure();
  auto in = token_stream{std::move(*tokens)};
  auto root = statement_parser{in}.block({});
  if (!in.ok())
    return in.failure();
  return std::shared_ptr<const node>{std::move(root)};
}

} // namespace troupe::jinja
