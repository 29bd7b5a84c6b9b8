#include "core/observe/metrics.hpp"

#include <type_traits>
#include <utility>

namespace troupe {

namespace {

constexpr auto other = "other";

template <class T>
constexpr auto type_of =
    std::is_same_v<T, counter> ? metric_snapshot::type::counter
    : std::is_same_v<T, gauge> ? metric_snapshot::type::gauge
                               : metric_snapshot::type::histogram;

} // namespace

// -- families -----------------------------------------------------------------

template <class T>
void metric_family<T>::fit(label_values& values) {
  values.resize(seen_.size());
  for (size_t i = 0; i < values.size(); ++i) {
    auto& v = values[i];
    if (seen_[i].contains(v))
      continue;
    if (v.size() > cap_.length) {
      v = other;
      continue;
    }
    v = as_utf8(v);
    if (seen_[i].size() < cap_.values)
      seen_[i].insert(v);
    else if (!seen_[i].contains(v))
      v = other;
  }
}

template <class T>
T& metric_family<T>::with(label_values values) {
  auto lock = std::scoped_lock{mutex_};
  fit(values);
  auto i = series_.find(values);
  if (i == series_.end() && series_.size() >= cap_.series) {
    values.assign(values.size(), other);
    i = series_.find(values);
  }
  if (i == series_.end())
    i = series_.emplace(std::move(values), std::make_unique<T>()).first;
  return *i->second;
}

template <class T>
metric_snapshot metric_family<T>::snapshot() const {
  auto lock = std::scoped_lock{mutex_};
  auto s = metric_snapshot{about_, type_of<T>, {}};
  for (auto& [values, x] : series_) {
    if constexpr (std::is_same_v<T, histogram>)
      s.all.push_back({values, x->counts()});
    else
      s.all.push_back({values, x->value()});
  }
  return s;
}

template class metric_family<counter>;
template class metric_family<gauge>;
template class metric_family<histogram>;

// -- registry -----------------------------------------------------------------

template <class T>
result<metric_family<T>*> metric_registry::family(metric_description about) {
  about.help = as_utf8(about.help);
  if (auto ok = check(about); !ok)
    return ok.failure();
  auto lock = std::scoped_lock{mutex_};
  auto i = families_.find(about.name);
  if (i == families_.end()) {
    auto name = about.name;
    auto made = std::make_unique<metric_family<T>>(std::move(about), cap_);
    i = families_.emplace(std::move(name), std::move(made)).first;
  } else {
    auto* there = std::get_if<family_ptr<T>>(&i->second);
    if (!there || (*there)->about() != about)
      return fail(errc::invalid_argument,
                  about.name + ": there is another metric of that name");
  }
  return std::get<family_ptr<T>>(i->second).get();
}

result<metric_family<counter>*>
metric_registry::counters(std::string name, std::string help,
                          std::vector<std::string> labels) {
  return family<counter>({std::move(name), std::move(help), std::move(labels)});
}

result<metric_family<gauge>*>
metric_registry::gauges(std::string name, std::string help,
                        std::vector<std::string> labels) {
  return family<gauge>({std::move(name), std::move(help), std::move(labels)});
}

result<metric_family<histogram>*>
metric_registry::histograms(std::string name, std::string help,
                            std::vector<std::string> labels, double scale,
                            std::vector<double> bounds) {
  return family<histogram>({std::move(name), std::move(help), std::move(labels),
                            scale, std::move(bounds)});
}

metrics_snapshot metric_registry::snapshot() const {
  auto lock = std::scoped_lock{mutex_};
  auto all = metrics_snapshot{};
  for (auto& [name, f] : families_)
    all.push_back(std::visit([](auto& p) { return p->snapshot(); }, f));
  return all;
}

} // namespace troupe
