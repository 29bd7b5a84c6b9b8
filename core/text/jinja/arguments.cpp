#include "core/text/jinja/arguments.hpp"

#include <algorithm>

namespace troupe::jinja {

const value* arguments::get(size_t place, std::string_view name) const {
  if (place < at.size())
    return &at[place];
  for (auto& [n, v] : named)
    if (n == name)
      return &v;
  return nullptr;
}

argument_reader::argument_reader(context& c, const std::string& what,
                                 const arguments& args,
                                 std::initializer_list<std::string_view> names,
                                 size_t least)
    : c_(c), what_(what), args_(args), names_(names) {
  if (args.at.size() > names.size())
    c.wrong(what + " takes at most " + std::to_string(names.size())
            + " arguments");
  for (auto& [name, unused] : args.named)
    if (std::find(names.begin(), names.end(), name) == names.end())
      c.unsupported("the argument \"" + name + "\" of " + what);
  for (auto i = size_t{0}; i < least; ++i)
    if (!get(i))
      c.wrong(what + " takes at least " + std::to_string(least) + " arguments");
}

const text* argument_reader::string(size_t place) {
  auto* v = get(place);
  if (!v || v->is_none())
    return nullptr;
  if (!v->str())
    c_.wrong(what_ + " takes a string and not " + name_of(*v));
  return v->str();
}

int64_t argument_reader::integer(size_t place, int64_t otherwise) {
  auto* v = get(place);
  if (!v || v->is_none())
    return otherwise;
  auto i = as_int(*v);
  if (!i)
    c_.wrong(what_ + " takes an integer and not " + name_of(*v));
  return i.value_or(otherwise);
}

} // namespace troupe::jinja
