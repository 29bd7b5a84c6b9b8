#pragma once

#include <memory>
#include <mutex>
#include <vector>

#include "runtime/http/connection.hpp"
#include "runtime/http/plan.hpp"

namespace troupe::http {

class answer;

/// Events on their way from the runtime's threads to the server's. What piles
/// up is taken at once.
class inbox {
public:
  struct item {
    uint32_t choice = 0;
    generation::event event;
  };

  inbox(boost::asio::io_context& io, std::weak_ptr<answer> owner)
      : io_(&io), owner_(std::move(owner)) {}

  /// From any thread.
  void push(uint32_t choice, generation::event e);
  void take(std::vector<item>& to);
  /// Nothing comes any more, and nothing is posted.
  void close();

private:
  std::mutex mutex_;
  boost::asio::io_context* io_; ///< null once closed
  std::weak_ptr<answer> owner_;
  std::vector<item> items_;
  bool woken_ = false;
};

/// One request being answered by the runtime; dropping it cancels that.
class answer : public job, public std::enable_shared_from_this<answer> {
public:
  /// Starts all choices, or answers why not.
  static void start(server_state& server, const std::shared_ptr<connection>& to,
                    const request& r, answer_plan p);

  answer(server_state& server, const std::shared_ptr<connection>& to,
         const request& r, const answer_plan& p);
  ~answer() override;

  void expire(connection& to) override;

  /// Looks into the inbox.
  void drain();

private:
  struct choice {
    api::answer_choice whole; ///< if it does not stream
    std::vector<sampled> details;
    api::logprob_writer logprobs;
    bool begun = false;
    uint32_t tokens = 0;
    time_point first{}; ///< token
  };

  void on_tokens(uint32_t i, const token_event& e);
  void on_finish(uint32_t i, const finish_event& e);
  void note(cache_use u);
  void fail(connection& to, const error& why);
  void add_headers(connection& to);
  void finish(connection& to);

  server_state& server_;
  std::weak_ptr<connection> to_;
  api::answer_head head_;
  api::stream_writer writer_;
  tenant who_;
  std::string_view param_;
  time_point started_;
  uint32_t per_prompt_;
  bool streams_;
  bool include_usage_;
  bool wants_logprobs_;

  std::shared_ptr<inbox> inbox_;
  std::vector<subscription> requests_;
  std::vector<choice> choices_;
  std::vector<inbox::item> items_;
  std::string events_; ///< of this turn
  api::token_usage usage_;
  /// Of all choices the one that took most.
  std::optional<cache_use> cache_;
  size_t left_ = 0; ///< choices without an end
  size_t held_ = 0; ///< of the server's answers
  bool has_token_ = false;
  bool streaming_ = false; ///< the head is out
  error failure_;
  duration retry_after_ = {}; ///< of the failure
};

} // namespace troupe::http
