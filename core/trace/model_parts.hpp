#pragma once

#include <cstdint>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/trace/paged_index.hpp"
#include "core/trace/trace_model.hpp"

namespace troupe::trace_building {

// How a model is made of files, step by step; only read_trace() uses it.

/// CAF's message IDs, as its message_id.hpp has them.
inline constexpr uint64_t response_bit = uint64_t{1} << 63;
inline constexpr uint64_t number_bits = (uint64_t{1} << 60) - 1;

/// What is read of one file.
struct read_file {
  uint32_t input = 0;
  trace_file_header header = {};
  std::vector<trace_chunk> chunks;
};

/// What a message says of its origin, until that is found.
struct link {
  /// The handling that sent it; of a marked arrival, its departure.
  uint64_t number = 0;
  /// In whose numbers that is, and whose clock `left_ns` is by.
  uint32_t process = trace_none;
  enum : uint32_t {
    none,
    handling,
    departure,
    merged, ///< into message `number`
  } what = none;
};

/// An arrival, or a handling, at an actor.
struct event {
  uint64_t address = 0;
  uint64_t ticks = 0;
  uint32_t actor = 0;
  uint32_t slot : 31 = 0; ///< of a handling: its place in `handled`
  uint32_t is_handling : 1 = 0;
};

/// What a handling was told by its record.
struct handled_record {
  const std::byte* at = nullptr;
};

/// A handling that is not the only one of its message.
struct alias {
  uint32_t process = 0;
  uint32_t slot = 0;
  uint64_t number = 0;
};

struct parts {
  trace_model m;
  std::vector<std::vector<read_file>> files; ///< by process, oldest first
  std::vector<link> links;                   ///< by message
  std::vector<alias> aliases;
  std::vector<paged_index> handlings;  ///< by process
  std::vector<paged_index> departures; ///< by process
  std::vector<paged_index> actors;     ///< by node: their numbers
  std::vector<std::pair<uint32_t, uint64_t>> spawned; ///< actor, handling
  std::unordered_map<std::string_view, uint32_t> nodes;
  std::unordered_map<std::string_view, uint32_t> types;
  std::unordered_map<uint64_t, uint32_t> processes; ///< by their IDs

  uint32_t actor(uint32_t node, uint64_t number);
  uint32_t add(const trace_message& m, const link& l);
};

/// Reads chunks, and puts files of one process together.
void read_files(parts& p, std::span<const trace_input> inputs,
                const trace_progress& progress);

/// The clock of a process, by the moments of its chunks.
trace_clock clock_of(const std::vector<read_file>& files);

/// Makes room for all messages, which growing step by step would cost more
/// time than all else, and twice the memory.
void make_room(parts& p);

/// Makes names, actors and messages of the records of one process.
void collect(parts& p, uint32_t process);

/// Gives arrivals their handlings; uses up `events`.
void match(parts& p, uint32_t process, std::vector<event>& events,
           const std::vector<handled_record>& handled);

/// Makes one of a departure and its arrival, then finds all causes that are
/// written down.
void connect(parts& p);

/// Corrects the clocks of processes by what messages between them say.
void correct_clocks(parts& p);

/// Finds the causes that follow from message IDs, and those of ends.
void infer(parts& p);

/// Puts messages in order, and drops what was merged.
void put_in_order(parts& p);

} // namespace troupe::trace_building
