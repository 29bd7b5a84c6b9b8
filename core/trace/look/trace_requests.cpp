#include "core/trace/look/trace_requests.hpp"

#include <algorithm>
#include <unordered_map>

namespace troupe {

namespace {

// When it came, or left if nobody knows more.
int64_t came_ns(const trace_message& x) {
  return x.arrived_ns != trace_never ? x.arrived_ns : x.left_ns;
}

int64_t sent_ns(const trace_message& x) {
  return x.left_ns != trace_never ? x.left_ns : x.begun_ns;
}

// What a request comes with.
bool is_begin(std::string_view type) {
  return type == "submit" || type == "submit_embed"
         || type == "generate_request" || type == "embed_request";
}

} // namespace

std::vector<traced_request> recent_requests(const trace_model& m, size_t most) {
  auto all = std::unordered_map<uint64_t, traced_request>{};
  for (auto& x : m.messages) {
    if (x.request == 0 || x.is_pseudo())
      continue;
    auto& r = all[x.request];
    if (r.messages++ == 0) {
      r.request = x.request;
      r.begin_ns = sent_ns(x);
      r.has_begin = is_begin(m.type_name(x));
    }
    r.last_ns = std::max(r.last_ns, x.last_ns());
    auto type = m.type_name(x);
    if (type == "token_event") {
      if (r.token_messages++ == 0)
        r.first_token_ns = came_ns(x);
    } else if (type == "finish_event") {
      r.end_ns = came_ns(x);
    }
  }
  auto list = std::vector<traced_request>{};
  list.reserve(all.size());
  for (auto& [id, r] : all)
    list.push_back(r);
  auto later = [](const traced_request& a, const traced_request& b) {
    return a.begin_ns != b.begin_ns ? a.begin_ns > b.begin_ns
                                    : a.request > b.request;
  };
  auto n = std::min(most, list.size());
  std::partial_sort(list.begin(), list.begin() + static_cast<long>(n),
                    list.end(), later);
  list.resize(n);
  return list;
}

} // namespace troupe
