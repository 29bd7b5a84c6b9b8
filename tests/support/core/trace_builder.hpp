#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "core/trace/encode.hpp"
#include "core/trace/trace_model.hpp"

namespace troupe::testing {

/// An actor of a trace that is being made.
struct traced {
  uint32_t node = 0;
  uint64_t number = 0; ///< 0: nobody
};

/// A message of it.
struct traced_message {
  traced from;
  traced to;
  uint16_t type = 0;
  uint64_t request = 0;
  uint64_t mid = uint64_t{1} << 60; ///< no request, no answer
  uint32_t bytes = 64;
};

/// Makes a trace's file as a recorder would, of what the test says happened
/// when. Times are ns since the process began.
class trace_builder {
public:
  /// `skew_ns`: by how much its wall clock is late or early. Its ticks are
  /// thirds of ns, and begin somewhere.
  explicit trace_builder(uint64_t process, int64_t skew_ns = 0,
                         uint32_t file = 0, uint32_t flags = 0);

  void about(std::string_view text);
  void type(uint16_t number, std::string_view name);
  void node(uint32_t number, std::string_view name);
  void actor(traced who, std::string_view name, int64_t at,
             const_bytes payload = {});
  void gone(traced who, int64_t at);

  /// Into a mailbox, from the handling under way. Returns its address.
  uint64_t arrive(const traced_message& m, int64_t at, const_bytes payload = {},
                  uint64_t address = 0);
  /// With the mark of what left another process, or this one for later.
  uint64_t arrive_marked(const traced_message& m, int64_t at, uint64_t process,
                         uint64_t departure);
  /// Returns its number.
  uint64_t leave(const traced_message& m, int64_t at, int64_t delay_ns = 0);

  /// Returns the handling's number. Handlings may be nested.
  uint64_t begin(traced who, uint64_t address, int64_t at, uint8_t flags = 0);
  void end(int64_t at, const_bytes notes = {});
  /// All of one, in which nothing is sent.
  void handle(traced who, uint64_t address, int64_t from, int64_t to);

  /// Ends a chunk at that moment; without records too.
  void chunk(int64_t at, uint64_t dropped = 0);
  /// All that was written; the last chunk is ended at the latest time known.
  std::vector<std::byte> bytes();

  uint64_t ticks(int64_t at) const;

private:
  struct running {
    traced who;
    uint64_t address;
    int64_t begun;
    uint64_t number;
    uint8_t flags;
  };

  void append_sent(trace_sent r, const traced_message& m, int64_t at,
                   const_bytes payload);
  template <class T>
  void append(const T& record, const_bytes more);

  raw_bytes file_;
  raw_bytes records_;
  std::vector<running> running_;
  int64_t skew_ns_;
  int64_t last_ = 0;
  uint64_t chunks_ = 0;
  uint64_t addresses_ = 0x1000;
  uint64_t numbers_ = 0;
};

/// The model of files, which it refers to; their names are "0", "1" ….
trace_model model_of(const std::vector<std::vector<std::byte>>& files);
trace_model model_of(const std::vector<std::byte>& file);
trace_model model_of(std::vector<std::vector<std::byte>>&&) = delete;
trace_model model_of(std::vector<std::byte>&&) = delete;

/// The only message of that type. REQUIRES: there is one.
const trace_message& only(const trace_model& m, std::string_view type);
/// Its number.
uint32_t index_of(const trace_model& m, std::string_view type);

} // namespace troupe::testing
