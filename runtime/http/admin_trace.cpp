#include "runtime/http/admin_trace.hpp"

#include <charconv>

#include "runtime/http/admin_json.hpp"
#include "runtime/http/elsewhere.hpp"
#include "runtime/http/trace_json.hpp"
#include "runtime/recorded_trace.hpp"

namespace troupe::http {

namespace {

using nlohmann::json;

constexpr auto list_path = std::string_view{"/admin/trace/requests"};

void send(connection& to, const result<json>& j) {
  if (!j)
    return to.respond(to_response({404, j.failure().message, {}, "not_found"}));
  to.add_headers("cache-control: no-store\r\n");
  to.respond({200, dump(*j)});
}

} // namespace

bool dispatch_trace(server_state& server, const std::shared_ptr<connection>& to,
                    const request& r) {
  if (!r.path.starts_with(list_path))
    return false;
  auto rest = std::string_view{r.path}.substr(list_path.size());
  auto id = uint64_t{0};
  if (!rest.empty()) {
    auto end = rest.data() + rest.size();
    if (rest.front() != '/'
        || std::from_chars(rest.data() + 1, end, id).ptr != end || id == 0)
      return false;
  }
  if (r.method != "GET") {
    auto x = to_response(
        {405, "the method is not allowed here", {}, "method_not_allowed"});
    x.allow = "GET, HEAD";
    to->respond(std::move(x));
    return true;
  }
  elsewhere(
      server, server.readers, to,
      [id]() -> result<json> {
        auto file = written_trace();
        if (id == 0)
          return trace_requests_json(file);
        return trace_request_json(file, id);
      },
      [](connection& c, const result<json>& j) { send(c, j); });
  return true;
}

} // namespace troupe::http
