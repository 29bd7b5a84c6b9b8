// Reads any bytes as the saved state of model versions; whatever they are, the
// answer is an error of one line, or a state that is saved as it was read and
// goes on.

#include <cstdlib>

#include "core/base/bytes.hpp"
#include "core/serving/model_versions.hpp"

using namespace troupe;
using namespace std::chrono_literals;

namespace {

void require(bool x) {
  if (!x)
    std::abort();
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  auto text = text_of({reinterpret_cast<const std::byte*>(data), size});
  auto now = time_point{} + 1h;
  auto m = model_versions::restore(text, {}, now);
  if (!m) {
    auto& why = m.failure().message;
    require(why.starts_with("versions: "));
    require(why.find('\n') == std::string::npos);
    require(why.size() < 1000);
    return 0;
  }
  auto saved = m->save(now);
  auto again = model_versions::restore(saved, {}, now);
  require(again.ok() && again->save(now) == saved);
  for (auto& v : m->versions()) {
    m->loaded(v.id, now);
    m->warmed(v.id, now);
  }
  for (auto i = 0; i < 20; ++i)
    if (auto t = m->route({reinterpret_cast<const char*>(&i), sizeof i}))
      require(
          m->complete(*t, request_outcome{i % 3 == 0, 1ms, 1ms, false}, now));
  m->tick(now + 1h);
  return 0;
}
