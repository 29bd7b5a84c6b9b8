#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <thread>

namespace chaos {

/// A TCP link on loopback that can be cut and delayed: connections to `port()`
/// go on to another port. Safe to use from any thread.
class forwarder {
public:
  /// nullptr: no port to be had.
  static std::unique_ptr<forwarder> start(uint16_t to);
  ~forwarder();

  uint16_t port() const { return port_; }

  /// While cut, nothing passes, ends of connections neither; it comes later.
  void cut(bool yes);
  /// Of each byte, one way.
  void delay(std::chrono::milliseconds by);

private:
  forwarder(int listener, int wake, uint16_t port, uint16_t to);
  void run();

  int listener_;
  int wake_;
  uint16_t port_;
  uint16_t to_;
  std::atomic<bool> cut_ = false;
  std::atomic<bool> stop_ = false;
  std::atomic<int64_t> delay_ms_ = 0;
  std::thread thread_;
};

} // namespace chaos
