#pragma once

#include "core/text/jinja/render.hpp"

namespace troupe::jinja {

/// Walks the tree of a template. Expressions are in evaluate.cpp, statements
/// in execute.cpp.
class evaluator {
public:
  evaluator(const variables& globals, const point_in_time& now,
            const bounds& b);

  result<text> run(const node& root);

private:
  /// Variables of the template, of an iteration, or of a call.
  using scope = std::vector<std::pair<std::string_view, value>>;
  enum class signal : uint8_t { none, stop, next };

  // -- expressions ------------------------------------------------------------

  value evaluate(const node& n);
  value evaluate_here(const node& n);
  value evaluate_all(const node& n); ///< list or tuple
  value evaluate_dict(const node& n);
  value evaluate_slice(const node& n);
  value evaluate_comparison(const node& n);
  value evaluate_call(const node& n);
  value negate(const node& n);
  arguments evaluate_arguments(const node& n);
  value call_macro(const node& macro, const arguments& args);
  value look_up(const std::string& name);

  // -- statements -------------------------------------------------------------

  void execute(const node& n);
  void execute_here(const node& n);
  void execute_block(const node& n);
  void execute_branch(const node& n);
  void execute_loop(const node& n);
  value filter_items(const node& n, std::vector<value> items);
  void assign(const std::vector<std::string>& names, const value& v);
  void assign_member(const std::string& name, const std::string& member,
                     value v);
  void set(std::string_view name, value v);
  void write(const value& v);
  /// What a block writes.
  text capture(const node& block);

  const variables& globals_;
  point_in_time now_;
  context c_;
  std::vector<scope> scopes_;
  size_t base_ = 0; ///< the scope of the innermost macro; it sees the first too
  signal signal_ = signal::none;
  text out_;
};

} // namespace troupe::jinja
