#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace troupe {

/// Everything that can go wrong where a caller may want to react to it.
/// Programming mistakes are assertions, never one of these. Append only: the
/// numbers travel between nodes.
enum class errc : uint8_t {
  none,
  /// The caller's argument makes no sense: an empty prompt, a token id out of
  /// range, a negative temperature.                            -> HTTP 400
  invalid_argument,
  /// A file could not be opened, read, mapped or written.      -> HTTP 500
  io_error,
  /// A file's content contradicts its format.                  -> HTTP 500
  bad_file,
  /// Well-formed, but something this build does not implement. -> HTTP 501
  unsupported,
  /// Prompt and answer do not fit the model's context.         -> HTTP 400
  context_exceeded,
  /// The pool cannot hold the sequence now; retry later.       -> HTTP 503
  no_free_blocks,
  /// No such sequence here: finished, moved or never admitted. -> HTTP 404
  unknown_sequence,
  /// The actor that owed the answer went away.                 -> HTTP 502
  abandoned,
  /// The caller, or its client, cancelled the request.         -> HTTP 499
  cancelled,
  /// No node with the needed role is in the cluster.           -> HTTP 503
  no_node,
  /// A message of an older life of this sequence.              -> HTTP 409
  stale_epoch,
  /// KV bytes do not match their digest.                       -> HTTP 502
  digest_mismatch,
  /// Two peers disagree on model, block size or dtype.         -> HTTP 409
  layout_mismatch,
  /// The time allowed for an answer has passed.                -> HTTP 504
  timeout,
  /// A queue is full; retry later.                             -> HTTP 429
  overloaded,
};

/// Whether another node, or the same one later, may succeed where one failed.
bool may_pass(errc code);

/// A short stable name, such as "bad_file".
std::string_view to_string(errc code);

/// A code to react to and a sentence for a person.
struct error {
  errc code = errc::none;
  std::string message;

  explicit operator bool() const { return code != errc::none; }
};

/// "bad_file: x.gguf: wrong magic"
std::string to_string(const error& e);

} // namespace troupe
