#pragma once

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>

#include <memory>
#include <utility>

#include "runtime/http/connection.hpp"

namespace troupe::http {

/// Has `work` done by a thread of `pool`, and `then` on the server's thread
/// with what came of it. Only there does `to` end.
template <class Work, class Then>
void elsewhere(server_state& server, boost::asio::thread_pool& pool,
               std::shared_ptr<connection> to, Work work, Then then) {
  auto guard = boost::asio::make_work_guard(server.io);
  boost::asio::post(pool, [&server, to = std::move(to), work = std::move(work),
                           then = std::move(then),
                           guard = std::move(guard)]() mutable {
    boost::asio::post(server.io, [to = std::move(to), done = work(),
                                  then = std::move(then)]() mutable {
      if (!to->closed())
        then(*to, std::move(done));
    });
  });
}

} // namespace troupe::http
