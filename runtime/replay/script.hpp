#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/bytes.hpp"
#include "core/base/result.hpp"
#include "core/trace/trace_model.hpp"

namespace troupe {

/// A message of a recording, as a replay needs it.
struct replay_message {
  static constexpr uint32_t none = ~uint32_t{0};

  uint32_t sender = none;   ///< in `replay_script::actors`
  uint32_t receiver = none; ///< the same
  std::string_view type;
  uint64_t mid = 0;
  uint64_t request = 0;
  uint32_t cause = none; ///< message in whose handling it was sent
  const_bytes payload;
  bool has_payload = false; ///< in full
};

struct replay_actor {
  std::string node; ///< the name of its actor system
  uint64_t id = 0;
  std::string name;     ///< of its kind; empty: not one of Troupe's
  uint32_t process = 0; ///< in `replay_script::processes`
};

/// One handling of a recording, as a replay repeats it.
struct replay_step {
  enum class kind : uint8_t { init, message, cleanup };
  kind what = kind::message;
  uint32_t message = 0; ///< in `replay_script::messages`
  uint32_t actor = 0;
  int64_t begun_ns = 0;
  // What the handler got that was in no message, in order.
  std::vector<int64_t> clock;
  std::vector<uint64_t> spawned;
  std::vector<const_bytes> values;
  /// Messages that were sent in it, in order.
  std::vector<uint32_t> sent;
};

/// What a recording holds, in the order in which it happened. Refers to the
/// bytes of its files.
struct replay_script {
  std::vector<std::map<std::string, std::string>> processes; ///< what they say
  std::vector<replay_actor> actors;
  std::vector<replay_message> messages;
  std::vector<replay_step> steps;
  bool full_kv = false;
  uint64_t dropped = 0; ///< records that were lost
};

/// Errors: unsupported, if the recording is without contents.
result<replay_script> make_script(const trace_model& m);

} // namespace troupe
