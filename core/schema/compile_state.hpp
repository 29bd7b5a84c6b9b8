#pragma once

#include <algorithm>
#include <optional>
#include <unordered_map>

#include "core/schema/compiler.hpp"

namespace troupe::schema {

/// One compilation. Each schema gets an index when it is first wanted and is
/// compiled when its turn comes, so nesting costs no stack. Functions that
/// return false have said why.
class compile_state {
public:
  explicit compile_state(const schema_options& options)
      : options_(options),
        documents_(options.documents, limited(options.schema_bounds),
                   options.draft7 ? draft::draft7 : draft::draft2020) {}

  result<program> compile(std::string text);

private:
  // Values of `enum` and `const` are compared as deep as they are nested.
  static tape_bounds limited(tape_bounds b) {
    b.depth = std::min<size_t>(b.depth, 1024);
    return b;
  }

  void one(uint32_t index);
  bool find_keywords();
  bool keywords();

  // -- keywords, by what they are about ---------------------------------------

  bool types();
  bool definitions();
  bool values();
  bool numbers();
  bool strings();
  bool arrays();
  bool objects();
  bool references();
  bool combinations();
  bool unevaluated();
  bool annotations();

  bool bound(keyword word);
  bool add_pattern(uint32_t node, std::string_view text, uint32_t& to);
  bool format();
  bool items(items_rule& rule, bool& some);
  bool contains();
  bool names(members_rule& rule);
  bool name_patterns(members_rule& rule);
  bool dependencies(keyword word);
  bool reference(keyword word);
  bool add_dynamic(uint32_t node, place target, std::string_view fragment);

  // -- helpers ----------------------------------------------------------------

  uint32_t want(place p);
  bool refuse(uint32_t node, std::string reason,
              errc code = errc::invalid_argument);
  const json_node& node(uint32_t i) const { return (*tape_)[i]; }
  /// The keyword's value, or 0.
  uint32_t at(keyword word) const { return found_[static_cast<size_t>(word)]; }
  void add(section part, step s) { parts_[part].push_back(s); }
  bool count(keyword word, std::optional<uint64_t>& to);
  bool limit(keyword word, section part);
  bool schema_list(keyword word, list_of& to);
  bool text_list(uint32_t node, std::vector<std::string_view>& to);
  bool must_be_object(uint32_t node);

  void find_targets();
  void shorten_references();

  const schema_options& options_;
  documents documents_;
  program out_;
  std::unordered_map<uint64_t, uint32_t> known_; ///< places to schemas
  std::map<std::string_view, uint32_t> known_patterns_;
  std::map<std::string_view, uint32_t> known_dynamics_; ///< by their anchors
  size_t anchors_done_ = 0;
  size_t pattern_steps_ = 0;
  std::optional<error> why_;

  // Of the schema that is being compiled.
  place here_;
  uint32_t resource_ = 0;
  const json_tape* tape_ = nullptr;
  dialect words_;
  kind_set kinds_ = all_kinds;
  std::array<uint32_t, static_cast<size_t>(keyword::count)> found_{};
  std::array<std::vector<step>, sections> parts_;
};

} // namespace troupe::schema
