#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>

#include "core/base/result.hpp"
#include "runtime/cluster/transport_frames.hpp"

namespace troupe {

/// What the connections of a cluster port may cost, all of them together and
/// each. docs/cluster.md adds it up.
struct transport_limits {
  /// Connections at a time. Beyond, new ones are closed when accepted.
  size_t max_connections = 256;
  /// Those whose handshakes aren't complete. Beyond, the oldest gives way.
  size_t max_pending = 64;
  /// From one address. Beyond, its oldest incomplete one gives way, or, if it
  /// has none, the new one.
  size_t max_per_address = 64;
  /// Bytes of one message on the wire, in either direction.
  size_t max_frame = size_t{8} << 20;
  /// Bytes that wait for a peer to read them.
  size_t max_unsent = size_t{64} << 20;
  /// Bytes of buffers, of all connections together.
  size_t max_buffered = size_t{512} << 20;
  /// From a connection's start to the end of its handshakes (TCP, TLS, BASP),
  /// and from a close to the peer's.
  std::chrono::milliseconds handshake_deadline{5000};
  /// From a message's header to its last byte.
  std::chrono::milliseconds frame_deadline{30000};
  /// From a peer's last byte. Heartbeats come more often than that.
  std::chrono::milliseconds silence_deadline{30000};
  /// From sent bytes to their acknowledgement by the peer's system, and for as
  /// long as that has no room for more: the link is cut, or the peer doesn't
  /// read. 0: as long as this system tries, minutes.
  std::chrono::milliseconds ack_deadline{5000};
};

/// Counts since the start but `open` and `pending`, which are now.
struct transport_stats {
  uint64_t open = 0;     ///< connections
  uint64_t pending = 0;  ///< accepted ones, with incomplete handshakes
  uint64_t accepted = 0; ///< incl. those that were closed at once
  uint64_t refused = 0;  ///< closed by us, or by a peer before its handshake
};

/// Takes one line without its end. Called from any thread and under locks: must
/// be quick and must not call the transport. Not called once that is destroyed.
using transport_log = std::function<void(const std::string&)>;

/// A connection, as far as the guard is concerned.
class guarded_link {
public:
  virtual ~guarded_link() = default;

  /// Closes the connection without waiting for the peer. Called under the
  /// guard's lock: calls nothing of the guard but `refused`, nor that if `why`
  /// is empty.
  virtual void refuse(const std::string& why) = 0;
};

/// Who may be connected and for how long. Knows all connections of a transport
/// and decides on them; they do the reading and writing.
class transport_guard {
public:
  using time_point = std::chrono::steady_clock::time_point;
  using link_id = uint64_t;

  transport_guard(const transport_limits& limits, transport_log log)
      : limits_(limits), log_(std::move(log)) {}

  const transport_limits& limits() const { return limits_; }

  /// Whether one more from `address` may be accepted; makes room if incomplete
  /// ones can give way. The reason if not.
  std::optional<std::string> admit(const std::string& address);

  /// From here on the guard may call `link.refuse`, until `remove`.
  /// Limits on incomplete ones and on addresses are for accepted links only:
  /// whom we dial must not give way to whoever knocks.
  link_id add(guarded_link& link, const std::string& address, link_side side,
              time_point now);
  void remove(link_id id);

  /// The connection's handshakes are complete.
  void established(link_id id);

  /// A message has to be complete until then; none: it may idle.
  void due(link_id id, std::optional<time_point> when);

  /// The peer has sent something.
  void heard(link_id id, time_point now);

  /// One side has closed it; the other has to do the same in time, whatever it
  /// still sends or has to read.
  void closing(link_id id, time_point now);

  /// The connection's buffers hold that many bytes. False if all together
  /// would hold too many.
  bool buffers(link_id id, size_t bytes);

  /// Refuses those that had to do something before `now`.
  void expire(time_point now);

  /// Refuses all, without a word, admits nobody and logs nothing from then on.
  void end();

  /// Counts a refusal and logs it as "PEER: WHY". Of a flood, a few lines a
  /// second are written, and how many were not.
  void refused(const std::string& peer, const std::string& why,
               time_point now = std::chrono::steady_clock::now());

  transport_stats stats() const;

private:
  struct entry {
    guarded_link* link;
    std::string address;
    link_side side;
    std::optional<time_point> deadline;
    time_point heard;
    bool pending = true;
    bool closing = false;
    bool leaving = false; ///< refused, but not gone yet
    size_t bytes = 0;
  };

  size_t accepted_from(const std::string& address) const;
  size_t incomplete() const;
  size_t staying() const;
  bool evict(const std::string* address);

  transport_limits limits_;
  transport_log log_;
  // A connection can end in another thread when the system shuts down.
  mutable std::mutex lock_;
  std::map<link_id, entry> links_; // by age
  link_id next_ = 1;
  size_t bytes_ = 0;
  bool ended_ = false;
  std::mutex log_lock_;
  time_point log_second_{};
  uint32_t lines_ = 0;
  uint64_t unwritten_ = 0;
  std::atomic<uint64_t> accepted_{0};
  std::atomic<uint64_t> refused_{0};
};

} // namespace troupe
