#include <string>
#include <utility>

#include "runtime/c_api/handles.hpp"
#include "runtime/embedding.hpp"

namespace troupe::c_api {

namespace {

thread_local std::string last_error;

template <class Open>
int32_t open_with(const void* from, troupe_runtime** to, Open how) {
  if (!to)
    return complain(errc::invalid_argument, "no place for the runtime");
  *to = nullptr;
  if (!from)
    return complain(errc::invalid_argument, "nothing to open");
  return guarded([&] {
    auto rt = how();
    if (!rt)
      return complain(rt.failure());
    *to = new troupe_runtime{std::move(*rt)};
    return int32_t{TROUPE_OK};
  });
}

} // namespace

int32_t complain(errc code, const std::string& why) noexcept {
  try {
    last_error = why;
  } catch (...) {
    last_error.clear();
  }
  return static_cast<int32_t>(code);
}

int32_t complain(const error& why) noexcept {
  return complain(why.code, why.message);
}

// Statuses are the codes of errors.
static_assert(static_cast<int>(errc::overloaded) == TROUPE_OVERLOADED);
static_assert(static_cast<int>(errc::abandoned) == TROUPE_ABANDONED);
static_assert(static_cast<int>(finish_reason::cancelled)
              == TROUPE_FINISH_CANCELLED);

} // namespace troupe::c_api

using namespace troupe;
using namespace troupe::c_api;

const char* troupe_version(void) {
  return TROUPE_VERSION;
}

const char* troupe_last_error(void) {
  return last_error.c_str();
}

int32_t troupe_open_model(const char* path, troupe_runtime** rt) {
  return open_with(path, rt, [&] {
    auto o = runtime_options{};
    o.model = path;
    return runtime::open(std::move(o));
  });
}

int32_t troupe_open_config(const char* path, troupe_runtime** rt) {
  return open_with(path, rt, [&] { return open_config(path); });
}

int32_t troupe_open_json(const char* json, size_t size, troupe_runtime** rt) {
  return open_with(json, rt, [&] { return open_json({json, size}); });
}

void troupe_close(troupe_runtime* rt) {
  if (!rt)
    return;
  guarded([&] {
    rt->under_way.cancel();
    {
      auto guard = std::unique_lock{rt->mutex};
      rt->changed.wait(guard, [&] { return rt->calls == 0; });
    }
    delete rt;
    return int32_t{TROUPE_OK};
  });
}

troupe_cancellation* troupe_cancellation_new(void) {
  return new (std::nothrow) troupe_cancellation{};
}

void troupe_cancel(troupe_cancellation* c) {
  if (c)
    guarded([&] {
      c->of.cancel();
      return int32_t{TROUPE_OK};
    });
}

void troupe_cancellation_free(troupe_cancellation* c) {
  delete c;
}
