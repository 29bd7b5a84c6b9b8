#pragma once

#include <memory>

#include "core/base/result.hpp"
#include "runtime/http/options.hpp"

namespace boost::asio::ssl {
class context;
}

namespace troupe::http {

/// What all connections over TLS share. Only HTTP/1.1 is agreed on (ALPN).
/// bad_file, as `PATH: reason; remedy`.
result<std::shared_ptr<boost::asio::ssl::context>> load_tls(const http_tls& t);

} // namespace troupe::http
