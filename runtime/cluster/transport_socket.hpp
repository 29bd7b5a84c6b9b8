#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "core/base/result.hpp"

namespace troupe {

/// Whether only this machine can reach an address: 127.0.0.0/8 or ::1, also as
/// an IPv4 address within IPv6. False for names.
bool is_loopback(const std::string& address);

/// Connects a TCP socket, trying each address that `host` has, and gives up
/// after `deadline`, which excludes the look-up of a name. Only loopback
/// addresses if `loopback_only`. The socket doesn't block and isn't inherited;
/// the caller closes it. io_error, timeout; invalid_argument for an address
/// that isn't loopback.
result<int> dial(const std::string& host, uint16_t port, bool loopback_only,
                 std::chrono::milliseconds deadline);

/// Has the system send small messages at once and notice a cut link: by bytes
/// that nobody acknowledges for `ack_deadline`, at any time if 0, and by probes
/// if nothing is sent. What a system doesn't know is left out.
void watch_link(int socket, std::chrono::milliseconds ack_deadline);

} // namespace troupe
