#pragma once

#include <initializer_list>

#include "core/text/jinja/value.hpp"

namespace troupe::jinja {

/// What a call, filter or test was given.
struct arguments {
  std::vector<value> at;
  std::vector<std::pair<std::string, value>> named;

  /// That at a place, or of a name; null if there is none.
  const value* get(size_t place, std::string_view name) const;
};

/// Those of one call as it reads them; the first that is wrong fails.
class argument_reader {
public:
  /// Fails for more than `names`, other names, or fewer than `least` without
  /// one.
  argument_reader(context& c, const std::string& what, const arguments& args,
                  std::initializer_list<std::string_view> names,
                  size_t least = 0);

  const value* get(size_t place) const {
    return args_.get(place, names_[place]);
  }
  /// Null where it is not there, or none.
  const text* string(size_t place);
  int64_t integer(size_t place, int64_t otherwise);

private:
  context& c_;
  std::string what_;
  const arguments& args_;
  std::vector<std::string_view> names_;
};

} // namespace troupe::jinja
