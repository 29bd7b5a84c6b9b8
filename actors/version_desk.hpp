#pragma once

#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "core/base/result.hpp"
#include "core/serving/model_versions.hpp"

namespace troupe {

/// The versions of a model, and whose request is on which. The model manager
/// decides about them; sessions of its process may take one beside it, from any
/// thread, since to ask takes longer than to choose.
class version_desk {
public:
  using ticket = model_versions::ticket;

  explicit version_desk(model_versions versions = model_versions{})
      : versions_(std::move(versions)) {}

  /// See `model_versions::route`; `key` returns what a route_version says, and
  /// is called where that makes a difference. Errors: no_node.
  template <class Key>
  result<ticket> route(Key key) {
    auto versions = open();
    auto t = versions->route(versions->compares() ? key() : std::string{});
    if (!t)
      return fail(errc::no_node, "no version of the model is ready");
    return *t;
  }

  /// Whoever had it is gone, and has not told how it went: the manager ends it.
  void abandon(const ticket& t) {
    auto guard = std::lock_guard{mutex_};
    abandoned_.push_back(t);
  }
  std::vector<ticket> take_abandoned() {
    auto guard = std::lock_guard{mutex_};
    return std::exchange(abandoned_, {});
  }

  /// The versions, for as long as it lives.
  class access {
  public:
    explicit access(version_desk& of)
        : guard_(of.mutex_), versions_(&of.versions_) {}
    model_versions* operator->() const { return versions_; }

  private:
    std::unique_lock<std::mutex> guard_;
    model_versions* versions_;
  };
  access open() { return access{*this}; }

private:
  std::mutex mutex_; ///< of all that follows
  model_versions versions_;
  std::vector<ticket> abandoned_;
};

} // namespace troupe
