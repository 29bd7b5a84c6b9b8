#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <type_traits>

#include "core/base/bytes.hpp"

namespace troupe {

// The file of a message trace, as docs/trace_format.md has it: a header, then
// chunks, each with a checksum, each of whole records. All numbers are
// little-endian; a record begins at a multiple of 8 bytes of its chunk.

inline constexpr char trace_magic[8] = {'T', 'R', 'P', 'T', 'R', 'A', 'C', 'E'};
inline constexpr uint32_t trace_version = 1;
inline constexpr uint32_t trace_chunk_magic = 0x4b4e4843; // "CHNK"

/// Bytes of a chunk's records at most, as writers make them and readers take
/// them: one record with a payload may fill it.
inline constexpr uint32_t trace_chunk_most = uint32_t{64} << 20;

/// Bytes of one record at most; larger payloads are replaced by their digest.
inline constexpr uint32_t trace_record_most = uint32_t{32} << 20;

struct trace_file_header {
  char magic[8];
  uint32_t version;
  uint32_t header_bytes; ///< of this struct
  /// Drawn for each life of a process: marks of messages from elsewhere name
  /// it.
  uint64_t process;
  /// Of this process, from 0: rotation numbers them.
  uint32_t file;
  uint32_t flags;    ///< trace_flag
  uint64_t checksum; ///< XXH3 of what stands before it
};

/// What a file holds.
enum trace_flag : uint32_t {
  trace_payloads = 1, ///< contents of messages, and what else replays need
  trace_full_kv = 2,  ///< KV too, not only its digest
};

/// When a chunk was written, by the three clocks.
struct trace_moment {
  uint64_t ticks = 0;    ///< of records
  int64_t steady_ns = 0; ///< of actors
  int64_t unix_ns = 0;
};

struct trace_chunk_header {
  uint32_t magic;
  uint32_t bytes;  ///< of the records that follow
  uint64_t number; ///< in its file, from 0
  trace_moment moment;
  uint64_t dropped;  ///< records lost so far, in the whole process
  uint64_t checksum; ///< XXH3 of this header before it, then of the records
};

enum class trace_kind : uint8_t {
  about = 1, ///< text: what the process is
  type,      ///< text: the name of a type of messages
  node,      ///< text: the name of an actor system
  actor,     ///< an actor began
  gone,      ///< an actor ended
  sent,      ///< a message was put into a mailbox, or left for one elsewhere
  handled,   ///< an actor was done with one
};

/// Begins every record. `type` is the number of a type, of this process.
struct trace_record {
  uint32_t bytes; ///< of the whole record, a multiple of 8
  trace_kind kind;
  uint8_t flags;
  uint16_t type;
  uint64_t ticks;
};

/// kind `about`: text "key=value"; `type`: the name of `type`; `node`: that of
/// node `number`.
struct trace_text {
  trace_record head;
  uint32_t number;
  uint32_t text_bytes; ///< that follow, padded with zeros
};

/// kind `actor`: its name follows, and with payloads then what it was spawned
/// with; `gone`.
struct trace_actor_record {
  trace_record head;
  uint64_t actor; ///< CAF's number of it in its node
  uint64_t cause; ///< the handling that spawned it; 0: unknown
  uint32_t node;
  uint32_t name_bytes;    ///< that follow
  uint32_t payload_bytes; ///< that follow those; nothing lies between
  uint32_t reserved;
};

/// kind `sent`. What follows is its payload.
struct trace_sent {
  trace_record head;
  /// Of one that arrived: names it until it is handled, and may then name
  /// another one. Of one that left: its number, for ever.
  uint64_t message;
  /// The handling in which it was sent, or with `trace_marked` the number of
  /// the one that left; 0: unknown.
  uint64_t cause;
  uint64_t process; ///< with `trace_marked`: the sender's
  uint64_t sender;  ///< 0: nobody
  uint64_t receiver;
  uint64_t mid; ///< CAF's message ID, which pairs a response with its request
  uint64_t request; ///< that it belongs to; 0: to none, or to several
  /// With `trace_left` and `trace_delayed`: for how long, in ns.
  uint64_t delay_ns;
  uint32_t sender_node;
  uint32_t receiver_node;
  uint32_t content_bytes; ///< of the message, in memory, about
  uint32_t payload_bytes; ///< that follow
};

enum trace_sent_flag : uint8_t {
  trace_left = 1,    ///< for another process, or for later: not in a mailbox
  trace_delayed = 2, ///< by the sender's wish
  trace_marked = 4,  ///< it left somewhere: `cause` and `process` say where
  trace_digest = 8,  ///< the payload is the XXH3 of what was too large
  trace_has_payload = 16,
};

/// kind `handled`; `head.ticks` is when it began. What else the handler asked
/// for follows: notes, with payloads.
struct trace_handled {
  trace_record head;
  uint64_t message;  ///< as of the last `sent` to that actor that names it
  uint64_t handling; ///< never 0, unique in its process
  uint64_t end_ticks;
  uint64_t actor;
  uint32_t node;
  uint32_t notes_bytes; ///< that follow
};

enum trace_handled_flag : uint8_t {
  trace_init = 1,    ///< no message: the actor set itself up
  trace_cleanup = 2, ///< no message: the actor ended
};

/// In the notes of a handling: what it got that was in no message, in order.
enum class trace_note : uint32_t {
  clock = 1, ///< the time that it read, 8 bytes: ns
  spawned,   ///< an actor that it began, 8 bytes: its number in its node
  value,     ///< what another object said: bytes
};

struct trace_note_header {
  trace_note kind;
  uint32_t bytes; ///< that follow, without padding
};

template <class T>
concept trace_struct =
    std::is_trivially_copyable_v<T> && std::is_standard_layout_v<T>;

static_assert(sizeof(trace_file_header) == 40);
static_assert(sizeof(trace_chunk_header) == 56);
static_assert(sizeof(trace_record) == 16);
static_assert(sizeof(trace_text) == 24);
static_assert(sizeof(trace_actor_record) == 48);
static_assert(sizeof(trace_sent) == 96);
static_assert(sizeof(trace_handled) == 56);

} // namespace troupe
