#pragma once

#include <memory>
#include <mutex>
#include <vector>

#include "runtime/http/connection.hpp"
#include "runtime/http/plan.hpp"

namespace troupe::http {

/// One request to embed being answered by the runtime; dropping it cancels
/// that. Of the server's thread.
class embedding : public job, public std::enable_shared_from_this<embedding> {
public:
  /// Starts it, or answers why not.
  static void start(server_state& server, const std::shared_ptr<connection>& to,
                    embed_plan p);

  embedding(server_state& server, const std::shared_ptr<connection>& to,
            const embed_plan& p, uint64_t bytes);
  ~embedding() override;

  void expire(connection& to) override;

private:
  /// What comes from the runtime's threads.
  class inbox {
  public:
    inbox(boost::asio::io_context& io, size_t inputs)
        : vectors(inputs), io_(&io) {}

    /// From any thread; with the end, `owner` is told.
    void push(embed_event e, std::weak_ptr<embedding> owner);
    /// Nothing comes any more, and nothing is posted.
    void close();

    // To be read once the end is there.
    std::vector<std::vector<float>> vectors; ///< [inputs]
    finish_event end;

  private:
    std::mutex mutex_;
    boost::asio::io_context* io_; ///< null once closed
  };

  void finish();
  void fail(connection& to, const finish_event& end);

  server_state& server_;
  std::weak_ptr<connection> to_;
  tenant who_;
  bool base64_;
  bool over_ = false;
  uint64_t held_ = 0; ///< of the server's body_bytes
  std::shared_ptr<inbox> inbox_;
  std::optional<subscription> request_;
};

} // namespace troupe::http
