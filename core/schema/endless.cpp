// Finds schemas that lead to themselves without going into the value.

#include "core/schema/compiler.hpp"

namespace troupe::schema {

namespace {

class endless_search {
public:
  explicit endless_search(const program& p)
      : p_(p), colours_(p.schemas.size(), colour::fresh) {}

  // A schema of a circle, or none. Depth first, with a stack of its own.
  uint32_t search() {
    for (uint32_t i = 0; i < p_.schemas.size(); ++i)
      if (colours_[i] == colour::fresh)
        if (auto found = search_from(i); found != no_schema)
          return found;
    return no_schema;
  }

private:
  enum class colour : uint8_t { fresh, open, done };
  struct visit {
    uint32_t schema;
    size_t left; ///< of `pending_`, when it was opened
  };

  uint32_t search_from(uint32_t root) {
    open(root);
    while (!open_.empty()) {
      auto top = open_.back();
      if (pending_.size() == top.left) {
        colours_[top.schema] = colour::done;
        open_.pop_back();
        continue;
      }
      auto next = pending_.back();
      pending_.pop_back();
      if (colours_[next] == colour::open)
        return next;
      if (colours_[next] == colour::fresh)
        open(next);
    }
    return no_schema;
  }

  void open(uint32_t schema) {
    colours_[schema] = colour::open;
    open_.push_back({schema, pending_.size()});
    auto& s = p_.schemas[schema];
    for (auto i = s.steps[0]; i < s.steps[sections]; ++i)
      push_targets(p_.steps[i]);
  }

  void push(uint32_t schema) {
    if (schema != no_schema)
      pending_.push_back(schema);
  }

  void push_targets(const step& s) {
    switch (s.word) {
    case keyword::ref:
    case keyword::not_:
      push(s.a);
      break;
    case keyword::if_:
      push(s.a);
      push(p_.lists[s.b]);
      push(p_.lists[s.b + 1]);
      break;
    case keyword::all_of:
    case keyword::any_of:
    case keyword::one_of:
      for (uint64_t i = 0; i < s.b; ++i)
        push(p_.lists[s.a + i]);
      break;
    case keyword::dependent_schemas:
      push(static_cast<uint32_t>(s.b));
      break;
    default:
      break; // into the value, or to no schema
    }
  }

  const program& p_;
  std::vector<colour> colours_;
  std::vector<visit> open_;
  std::vector<uint32_t> pending_;
};

} // namespace

result<void> refuse_endless(const program& p) {
  auto found = endless_search{p}.search();
  if (found == no_schema)
    return {};
  auto& from = p.schemas[found].from;
  auto& d = p.documents[from.document];
  return fail(errc::invalid_argument,
              "schema " + d.url + "#" + d.tape.pointer_to(from.node)
                  + ": refers to itself without going into the value, so no "
                    "check of it would end");
}

} // namespace troupe::schema
