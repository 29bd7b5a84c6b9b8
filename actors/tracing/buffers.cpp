#include "actors/tracing/buffers.hpp"

#include <algorithm>
#include <random>

namespace troupe::tracing {

buffers& buffers::all() {
  // Threads write to it until they end, whenever that is.
  static auto* b = new buffers;
  return *b;
}

buffers::buffers() {
  auto random = std::random_device{};
  process_ = (uint64_t{random()} << 32) | random() | 1;
}

result<void> buffers::start(uint32_t how, size_t ring_bytes) {
  auto guard = std::lock_guard{mutex_};
  if (mode_now() != 0)
    return fail(errc::unsupported,
                "messages of this process are recorded or replayed already");
  // What threads were about to write when an earlier recording ended.
  auto late = raw_bytes{};
  for (auto& r : rings_)
    r->drain(late);
  before_ = lost();
  ring_bytes_ = ring_bytes;
  generation_.fetch_add(1);
  modes.store(how | recording);
  return {};
}

void buffers::stop() {
  modes.store(0);
}

std::pair<std::shared_ptr<ring>, uint64_t> buffers::add_thread() {
  auto guard = std::lock_guard{mutex_};
  auto r = std::make_shared<ring>(ring_bytes_);
  rings_.push_back(r);
  return {r, ++threads_};
}

uint32_t buffers::index_of(const caf::node_id& node) {
  auto guard = std::lock_guard{mutex_};
  auto i = std::find(nodes_.begin(), nodes_.end(), node);
  if (i == nodes_.end())
    i = nodes_.insert(i, node);
  return static_cast<uint32_t>(i - nodes_.begin());
}

void buffers::drain(raw_bytes& to) {
  auto guard = std::lock_guard{mutex_};
  for (auto& r : rings_)
    r->drain(to);
  // Those of threads that ended are empty now.
  std::erase_if(rings_, [this](auto& r) {
    if (r.use_count() > 1)
      return false;
    dropped_ += r->dropped();
    return true;
  });
}

uint64_t buffers::dropped() {
  auto guard = std::lock_guard{mutex_};
  return lost() - before_;
}

uint64_t buffers::lost() const {
  auto n = dropped_;
  for (auto& r : rings_)
    n += r->dropped();
  return n;
}

std::vector<std::string> buffers::nodes() {
  auto guard = std::lock_guard{mutex_};
  auto names = std::vector<std::string>{};
  for (auto& n : nodes_)
    names.push_back(to_string(n));
  return names;
}

} // namespace troupe::tracing
