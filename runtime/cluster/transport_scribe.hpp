#pragma once

#include <caf/io/network/default_multiplexer.hpp>
#include <caf/io/network/stream_impl.hpp>
#include <caf/io/scribe.hpp>

#include <memory>
#include <optional>
#include <vector>

#include "runtime/cluster/tls.hpp"
#include "runtime/cluster/transport_frames.hpp"
#include "runtime/cluster/transport_guard.hpp"

namespace troupe {

class guarded_scribe;

/// How CAF's stream reads and writes: through its scribe.
struct guarded_policy {
  using rw_state = caf::io::network::rw_state;
  using native_socket = caf::io::network::native_socket;

  explicit guarded_policy(guarded_scribe* s) : scribe(s) {}

  rw_state read_some(size_t& n, native_socket, void* to, size_t most);
  rw_state write_some(size_t& n, native_socket, const void* from, size_t most);
  bool must_read_more(native_socket, size_t threshold);

  guarded_scribe* scribe;
};

/// A connection of CAF's broker that checks every header before the broker
/// sees it, keeps to a guard's limits, and speaks TLS if it has a session. All
/// but the destructor runs in the network's thread.
class guarded_scribe : public caf::io::scribe, public guarded_link {
public:
  /// Owns `socket`. `address` is whom the guard counts it for.
  guarded_scribe(caf::io::network::default_multiplexer& mx, int socket,
                 link_side side, std::string peer, const std::string& address,
                 std::shared_ptr<transport_guard> guard,
                 const std::optional<tls_context>& tls);
  ~guarded_scribe() override;

  // -- guarded_link -----------------------------------------------------------

  void refuse(const std::string& why) override;

  // -- caf::io::scribe --------------------------------------------------------

  void configure_read(caf::io::receive_policy::config config) override;
  void ack_writes(bool enable) override { stream_.ack_writes(enable); }
  std::vector<char>& wr_buf() override;
  std::vector<char>& rd_buf() override { return stream_.rd_buf(); }
  void flush() override;
  bool consume(caf::execution_unit* ctx, const void* data, size_t n) override;
  void graceful_shutdown() override;
  std::string addr() const override;
  uint16_t port() const override;
  void add_to_loop() override { stream_.activate(this); }
  void remove_from_loop() override { stream_.passivate(); }

private:
  friend struct guarded_policy;
  using rw_state = caf::io::network::rw_state;

  // One step of TLS's handshake; `ready_` afterwards if that was the last.
  io_step advance();
  rw_state lost(io_step how, const std::string& why);
  rw_state read_some(size_t& n, void* to, size_t most);
  rw_state write_some(size_t& n, const void* from, size_t most);
  void watch_frames();

  std::string peer_;
  std::shared_ptr<transport_guard> guard_;
  frame_check frames_;
  std::optional<tls_session> tls_;
  // What the broker writes before TLS is ready. A stream that has something to
  // write and can't would spin.
  std::vector<char> held_;
  size_t largest_ = 0; // frame so far: the stream keeps the room for it
  bool ready_;         // bytes may flow
  bool launched_ = false;
  bool refused_ = false;
  transport_guard::link_id id_ = 0;
  caf::io::network::stream_impl<guarded_policy> stream_;
};

} // namespace troupe
