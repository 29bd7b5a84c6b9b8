#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "core/text/jinja/context.hpp"
#include "core/text/jinja/text.hpp"

namespace troupe::jinja {

struct node;
class value;

struct list;
struct dict;
struct space;
struct loop_state;

/// A name or member that is not there. Prints as nothing.
struct undefined {
  std::string name;
};
struct none {};
/// A function of the language, such as `range`.
struct function {
  std::string_view name;
};

/// What an expression yields. Strings, lists and dicts never change, so copies
/// share them; only `space` does.
class value : public std::variant<
                  undefined, none, bool, int64_t, double,
                  std::shared_ptr<const text>, std::shared_ptr<const list>,
                  std::shared_ptr<const dict>, std::shared_ptr<space>,
                  std::shared_ptr<const loop_state>, const node*, function> {
public:
  using variant::variant;
  value(text t) : variant(std::make_shared<const text>(std::move(t))) {}
  // A pointer would become a bool.
  value(const char*) = delete;

  template <class T>
  const T* as() const {
    return std::get_if<T>(static_cast<const variant*>(this));
  }
  /// Null if it is something else.
  const text* str() const { return get<text>(); }
  const list* items() const { return get<list>(); }
  const dict* map() const { return get<dict>(); }

  bool is_undefined() const { return as<undefined>(); }
  bool is_none() const { return as<none>(); }

private:
  template <class T>
  const T* get() const {
    auto* p = as<std::shared_ptr<const T>>();
    return p ? p->get() : nullptr;
  }
};

/// A list or tuple. `depth` counts the containers within each other, which is
/// bounded since they are printed, compared and freed by recursion.
struct list {
  std::vector<value> items;
  bool tuple = false;
  int depth = 1;
};
/// In order of insertion.
struct dict {
  std::vector<std::pair<value, value>> items;
  int depth = 1;
};
/// `namespace()`. It may hold no other one, so that there are no cycles.
struct space {
  std::vector<std::pair<std::string, value>> members;
};
struct loop_state {
  std::shared_ptr<const list> items;
  size_t at = 0;
};

/// These charge, and fail where values are nested too deeply or hold what may
/// not be held.
value make_list(context& c, std::vector<value> items, bool tuple = false);
value make_dict(context& c, std::vector<std::pair<value, value>> items);

/// "a string", for messages.
std::string name_of(const value& v);

bool truth(const value& v);
/// As Python's ==; strings are equal whatever their origin.
bool equal(context& c, const value& a, const value& b);
/// As Python's <.
bool less(context& c, const value& a, const value& b);
/// The value of `key`, or null.
const value* find(context& c, const dict& d, const value& key);
const value* find(const dict& d, std::string_view key);

/// true and false count as 1 and 0.
std::optional<int64_t> as_int(const value& v);
std::optional<double> as_real(const value& v);

/// What {{ }} prints. A number has no origin, and so is not trusted.
text to_text(context& c, const value& v);
/// As Python's json.dumps with ensure_ascii=False; a negative `indent` is none.
text to_json(context& c, const value& v, int64_t indent);

/// The elements of whatever can be iterated over.
std::vector<value> elements(context& c, const value& v);
/// Negative if it has none.
int64_t length(const value& v);

} // namespace troupe::jinja
