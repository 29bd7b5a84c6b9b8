#pragma once

#include <cstdint>
#include <string>
#include <tuple>
#include <vector>

#include "core/base/error.hpp"
#include "core/base/ids.hpp"
#include "core/cluster/messages.hpp"
#include "core/cluster/rank_seats.hpp"
#include "core/engine/rank_command.hpp"
#include "core/parallel/part_inbox.hpp"
#include "core/parallel/rank_kind.hpp"
#include "core/sampling/fused_sampler.hpp"
#include "core/sampling/params.hpp"
#include "core/serving/model_versions.hpp"
#include "core/serving/node_load.hpp"
#include "core/serving/node_role.hpp"
#include "core/serving/schedule_view.hpp"

namespace troupe {

// Plain data that travels between actors; each names its fields for the one
// generic `inspect`. Handles travel in the messages of `interfaces.hpp`.

/// Why a sequence ended.
enum class finish_reason : uint8_t {
  none,
  /// An end token or a stop string.
  stop,
  /// max_tokens, or the context is full.
  length,
  /// The client cancelled.
  cancelled,
  /// See the error beside it.
  error,
};

/// Bytes of a request's cache salt at most.
inline constexpr size_t max_salt_bytes = 256;

/// Bytes of the name of an organisation, a key or a model at most.
inline constexpr size_t max_name_bytes = 256;

/// What a client asks for.
struct generate_request {
  /// 0: the gateway picks one.
  request_id request = 0;
  std::vector<token_id> prompt;
  sampling_params sampling;
  /// Tokens to generate at most; 0: as many as the context holds.
  uint32_t max_tokens = 0;
  /// Generation ends before any of these would appear in the text.
  std::vector<std::string> stop;
  /// Go on past end tokens (for tests and benchmarks).
  bool ignore_end = false;
  /// Classes for the preempt scheduler: 0 is the most urgent.
  uint8_t priority = 1;
  /// Prompts share KV with those of the same salt alone: hosts that serve
  /// several tenants give each its own, so that none learns from response
  /// times what others have asked.
  std::string cache_salt;
  /// Whose limits the request counts against: names that the host, or whoever
  /// has checked the client's key, vouches for.
  std::string organisation;
  std::string key;
  /// As the client calls it; for limits alone.
  std::string model;
  /// Requests of one session stay on one version of the model; empty: of none.
  std::string session;
  /// That it has to run on; 0: what the session gets. Such requests are no part
  /// of a comparison.
  version_id version = 0;
  /// Counts against nobody's limits: the operator's own.
  bool unlimited = false;
  /// In place of an answer: the mean of the states of the prompt's tokens
  /// (finish_event::state). The prompt may fill the context.
  bool embed = false;
  auto fields() {
    return std::tie(request, prompt, sampling, max_tokens, stop, ignore_end,
                    priority, cache_salt, organisation, key, model, session,
                    version, unlimited, embed);
  }
};

/// What a client asks for who wants vectors of texts.
struct embed_request {
  /// 0: the gateway picks one.
  request_id request = 0;
  /// At least one, and none of them empty.
  std::vector<std::vector<token_id>> inputs;
  /// Values of each vector: so many of the first ones; 0: as many as the model
  /// has.
  uint32_t dimensions = 0;
  // As of a generate_request. It counts as one request, with all its tokens.
  uint8_t priority = 1;
  std::string organisation;
  std::string key;
  std::string model;
  std::string session;
  version_id version = 0; ///< of all inputs
  bool unlimited = false;

  static constexpr size_t max_inputs = 2048;
  /// Tokens of all inputs at most.
  static constexpr size_t max_tokens = 300'000;

  size_t tokens() const {
    auto n = size_t{0};
    for (auto& input : inputs)
      n += input.size();
    return n;
  }
  auto fields() {
    return std::tie(request, inputs, dimensions, priority, organisation, key,
                    model, session, version, unlimited);
  }
};

/// The vector of one input. They come in any order, each once, before the
/// finish_event, whose reason is `stop` if all have come.
struct embedding_event {
  request_id request = 0;
  uint32_t index = 0; ///< of the input
  /// [dimensions]: of length 1.
  std::vector<float> vector;
  auto fields() { return std::tie(request, index, vector); }
};

/// Tokens as a client sees them.
struct token_event {
  request_id request = 0;
  /// Position of tokens[0] in the answer.
  uint32_t index = 0;
  std::vector<token_id> tokens;
  /// Whole UTF-8; may lag behind the tokens by an unfinished character or a
  /// possible stop string.
  std::string text;
  /// One a token if log-probabilities were asked for.
  std::vector<sampled> details;
  auto fields() { return std::tie(request, index, tokens, text, details); }
};

/// The one end of every request.
struct finish_event {
  request_id request = 0;
  finish_reason reason = finish_reason::none;
  /// For finish_reason::error.
  errc code = errc::none;
  std::string message;
  /// Text held back until now.
  std::string text;
  uint32_t prompt_tokens = 0;
  uint32_t completion_tokens = 0;
  /// Tokens of the prompt whose KV an earlier request left behind.
  uint32_t cached_tokens = 0;
  /// With errc::overloaded: nanoseconds until it is worth another try; 0 if
  /// that is not known.
  int64_t retry_after_ns = 0;
  version_id version = 0; ///< of the model; 0: it came to none
  /// [n_embd]: what generate_request::embed asked for, with reason `stop`.
  std::vector<float> state = {};
  auto fields() {
    return std::tie(request, reason, code, message, text, prompt_tokens,
                    completion_tokens, cached_tokens, retry_after_ns, version,
                    state);
  }
};

/// The gateway took the request; its events follow.
struct admitted {
  request_id request = 0;
  auto fields() { return std::tie(request); }
};

struct cancel_request {
  request_id request = 0;
  auto fields() { return std::tie(request); }
};

/// Everything a node needs to run one sequence, from nothing but tokens: the
/// sampler's state is a function of (seed, position, tokens).
struct sequence_spec {
  request_id request = 0;
  seq_id seq = 0;
  epoch_t epoch = 0;
  std::vector<token_id> prompt;
  /// Tokens that an earlier placement already generated.
  std::vector<token_id> emitted;
  sampling_params sampling;
  /// Over the whole answer, `emitted` included.
  uint32_t max_tokens = 0;
  std::vector<token_id> end_tokens;
  /// See generate_request.
  uint8_t priority = 1;
  std::string cache_salt;
  /// See generate_request; then max_tokens is 0.
  bool embed = false;

  /// Tokens that the sequence can ever hold KV for.
  uint32_t max_length() const {
    return static_cast<uint32_t>(prompt.size()) + max_tokens;
  }
  auto fields() {
    return std::tie(request, seq, epoch, prompt, emitted, sampling, max_tokens,
                    end_tokens, priority, cache_salt, embed);
  }
};

/// New tokens of one sequence, from whichever node made them.
struct sequence_output {
  request_id request = 0;
  seq_id seq = 0;
  epoch_t epoch = 0;
  /// Position of tokens[0] in the answer: lets the receiver drop repeats.
  uint32_t index = 0;
  std::vector<token_id> tokens;
  std::vector<sampled> details;
  /// Other than none: nothing follows in this epoch.
  finish_reason reason = finish_reason::none;
  errc code = errc::none;
  std::string message;
  /// Beside the first token of an epoch: how many of the tokens before it were
  /// not computed, but found.
  uint32_t cached_tokens = 0;
  /// [n_embd]: what a sequence with `embed` is for, with reason `stop`.
  std::vector<float> state = {};
  auto fields() {
    return std::tie(request, seq, epoch, index, tokens, details, reason, code,
                    message, cached_tokens, state);
  }
};

/// All that one step of a node has for one destination.
struct step_output {
  std::vector<sequence_output> sequences;
  auto fields() { return std::tie(sequences); }
};

/// Forget a sequence, whatever it is doing. Idempotent, no answer.
struct cancel_sequence {
  seq_id seq = 0;
  /// This life of it and all before.
  epoch_t epoch = 0;
  auto fields() { return std::tie(seq, epoch); }
};

/// Move a request's sequence to another node while it generates.
struct migrate_request {
  request_id request = 0;
  node_id node = 0;
  auto fields() { return std::tie(request, node); }
};

/// The sequence generates at its destination.
struct migrated {
  request_id request = 0;
  epoch_t epoch = 0;
  /// From its last token here until the destination had taken over, in
  /// nanoseconds.
  int64_t pause_ns = 0;
  /// Tokens whose KV went over.
  uint32_t tokens = 0;
  auto fields() { return std::tie(request, epoch, pause_ns, tokens); }
};

/// Take a request's blocks away, one way or the other.
struct preempt_sequence {
  request_id request = 0;
  preempt_way way = preempt_way::swap;
  auto fields() { return std::tie(request, way); }
};

/// Take a node out of service: no new work, what it has moves away.
struct drain_request {
  node_id node = 0;
  /// Of a node that joined the cluster, in place of its number; it leaves then.
  std::string name;
  auto fields() { return std::tie(node, name); }
};

/// The node holds no sequence any more.
struct drained {
  node_id node = 0;
  /// Sequences that moved with their KV.
  uint32_t moved = 0;
  /// Sequences that go on elsewhere from their tokens alone.
  uint32_t replaced = 0;
  auto fields() { return std::tie(node, moved, replaced); }
};

/// An actor's note to itself: run the next step.
struct step_tick {
  uint64_t number = 0;
  auto fields() { return std::tie(number); }
};

/// An actor's note to itself: look at deadlines.
struct deadline_tick {
  uint64_t number = 0;
  auto fields() { return std::tie(number); }
};

struct status_query {
  uint8_t detail = 0;
  auto fields() { return std::tie(detail); }
};

struct node_status {
  node_id node = 0;
  /// Of a node that joined the cluster.
  std::string name;
  node_role role = node_role::prefill;
  version_id version = 1; ///< of the model
  uint32_t sequences = 0;
  /// Held by sequences.
  uint32_t blocks_in_use = 0;
  uint32_t blocks_total = 0;
  /// Sequences that wait for blocks or their turn.
  uint32_t waiting = 0;
  uint64_t steps = 0;
  /// Rows of the fullest step so far.
  uint32_t largest_batch = 0;
  /// Kept for prompts that begin alike, and held by no sequence.
  uint32_t cached_blocks = 0;
  /// Tokens that were not computed because their KV was kept.
  uint64_t hit_tokens = 0;
  /// Preemptions: by handing the KV to the store, and by dropping it.
  uint64_t swaps = 0;
  uint64_t recomputes = 0;
  /// Blocks that were copied to lie side by side.
  uint64_t compacted = 0;
  /// A KV store's: those of its blocks in use that are in its file, bytes that
  /// went there so far, offers refused so far.
  uint32_t file_blocks = 0;
  uint64_t spilled_bytes = 0;
  uint64_t refused = 0;
  auto fields() {
    return std::tie(node, name, role, version, sequences, blocks_in_use,
                    blocks_total, waiting, steps, largest_batch, cached_blocks,
                    hit_tokens, swaps, recomputes, compacted, file_blocks,
                    spilled_bytes, refused);
  }
};

struct cluster_status {
  std::vector<node_status> nodes;
  /// Nodes that did not answer in time.
  std::vector<node_id> silent;
  /// Requests that are on nodes, or on their way there.
  uint32_t requests = 0;
  auto fields() { return std::tie(nodes, silent, requests); }
};

/// Where shall this request run?
struct place_request {
  request_id request = 0;
  /// Nodes that died or failed under it: taken only if there is no other.
  std::vector<node_id> avoid;
  request_size size;
  version_id version = 1;
  /// Digests of the prompt's blocks; empty: it does not matter who has them.
  std::vector<uint64_t> prefix = {};
  /// Nothing follows its prompt: it needs no node that decodes.
  bool prompt_only = false;
  auto fields() {
    return std::tie(request, avoid, size, version, prefix, prompt_only);
  }
};

/// The request no longer loads the nodes it was placed on. Idempotent.
struct release_placement {
  request_id request = 0;
  auto fields() { return std::tie(request); }
};

/// The request runs on another node now.
struct placement_moved {
  request_id request = 0;
  node_id node = 0;
  auto fields() { return std::tie(request, node); }
};

// -- versions -----------------------------------------------------------------

/// Nodes of other processes may have this model.
struct admit_version {
  version_id version = 0;
  std::string model; ///< as nodes name it when they join
  kv_layout layout;
  auto fields() {
    return std::tie(version, model, layout.layers, layout.kv_heads,
                    layout.k_dim, layout.v_dim, layout.dtype);
  }
};

/// They may no longer; those that have are fenced.
struct dismiss_version {
  version_id version = 0;
  auto fields() { return std::tie(version); }
};

/// Which version is a request's? Those with the same key have the same, while
/// the shares are the same.
struct route_version {
  std::string key;
  auto fields() { return std::tie(key); }
};

struct routed_version {
  uint64_t ticket = 0;
  version_id version = 0;
  auto fields() { return std::tie(ticket, version); }
};

/// A request's end, as far as versions are compared by it.
struct version_done {
  uint64_t ticket = 0;
  version_id version = 0;
  bool counts = false; ///< not if the client cancelled it or was at fault
  bool failed = false;
  bool cut_off = false;
  int64_t ttft_ns = 0; ///< 0: not known, as below
  int64_t tpot_ns = 0;
  auto fields() {
    return std::tie(ticket, version, counts, failed, cut_off, ttft_ns, tpot_ns);
  }
};

struct load_version {
  std::string name;
  std::string path; ///< of the model
  uint64_t bytes = 0;
  auto fields() { return std::tie(name, path, bytes); }
};

/// It is being loaded.
struct version_started {
  version_id version = 0;
  auto fields() { return std::tie(version); }
};

struct version_command {
  enum class kind : uint8_t {
    activate,
    canary,
    share,
    promote,
    roll_back,
    remove
  };
  kind what = kind::canary;
  version_id version = 0; ///< of activate, canary, remove
  double share = 0;       ///< of canary, share
  std::string why;
  auto fields() { return std::tie(what, version, share, why); }
};

struct versions_query {
  uint8_t detail = 0;
  auto fields() { return std::tie(detail); }
};

/// One version, as it stands.
struct version_info {
  version_id version = 0;
  std::string name;
  std::string path;
  uint64_t bytes = 0;
  version_role role = version_role::standby;
  version_state state = version_state::loading;
  uint64_t under_way = 0; ///< requests
  auto fields() {
    return std::tie(version, name, path, bytes, role, state, under_way);
  }
};

/// Something that happened to one.
struct version_note {
  int64_t unix_ms = 0;
  version_event what = version_event::loading;
  version_id version = 0;
  std::string name;
  std::string why;
  auto fields() { return std::tie(unix_ms, what, version, name, why); }
};

struct versions_status {
  version_id active = 0;
  version_id canary = 0;
  double share = 0;     ///< of the canary
  std::string evidence; ///< a line of figures; empty without a canary
  std::vector<version_info> versions;
  std::vector<version_note> notes; ///< the last ones, oldest first
  auto fields() {
    return std::tie(active, canary, share, evidence, versions, notes);
  }
};

/// Model manager -> host: do this, and report.
struct version_order {
  version_action what = version_action::load;
  version_id version = 0;
  std::string name;
  std::string path;
  auto fields() { return std::tie(what, version, name, path); }
};

/// The order is carried out, or has failed.
struct version_report {
  version_action what = version_action::load;
  version_id version = 0;
  std::string failure; ///< empty: none
  auto fields() { return std::tie(what, version, failure); }
};

/// Model manager -> host: what has to outlive the process.
struct keep_versions {
  std::string state;
  auto fields() { return std::tie(state); }
};

/// Drain, then leave the cluster.
struct leave_cluster {
  uint8_t detail = 0;
  auto fields() { return std::tie(detail); }
};

/// What a process that takes nodes is asked to start (hosted_nodes). Model and
/// precision are those that it was set up with.
struct node_order {
  node_role role = node_role::mixed;
  std::string name;     ///< unique in the cluster; not empty
  node_address join;    ///< the cluster's front
  uint32_t threads = 0; ///< 0: as it was set up
  uint32_t blocks = 0;  ///< of KV; 0: as many as it holds by default
  auto fields() { return std::tie(role, name, join, threads, blocks); }
};

/// Answered when the node may be given work.
struct await_node {
  uint8_t detail = 0;
  auto fields() { return std::tie(detail); }
};

/// The node's number in the cluster.
struct node_joined {
  node_id node = 0;
  auto fields() { return std::tie(node); }
};

/// Connect to the registry at this address, if it takes that long.
struct dial_registry {
  node_address at;
  auto fields() { return std::tie(at); }
};

/// Connect to the process at this address.
struct dial_peer {
  node_address at;
  auto fields() { return std::tie(at); }
};

/// It is connected.
struct peer_reached {
  uint8_t detail = 0;
  auto fields() { return std::tie(detail); }
};

/// Rank 0 -> another process: you are this rank.
struct rank_seat {
  uint32_t rank = 0;
  uint32_t ranks = 0;
  rank_kind kind = rank_kind::tensor;
  /// Tokens of a step at most.
  uint32_t max_tokens = 0;
  kv_dtype kv = kv_dtype::f16;
  /// A sign of life comes once an interval, and is answered; without one for
  /// the timeout the other side is gone.
  int64_t interval_ns = 0;
  int64_t timeout_ns = 0;
  auto fields() {
    return std::tie(rank, ranks, kind, max_tokens, kv, interval_ns, timeout_ns);
  }
};

/// Rank 0 -> another process: a group begins; the one before is over.
struct rank_renew {
  uint64_t group = 0;
  auto fields() { return std::tie(group); }
};

/// Another process -> rank 0: this rank does not go on.
struct rank_lost {
  uint64_t group = 0;
  uint32_t rank = 0;
  std::string reason;
  auto fields() { return std::tie(group, rank, reason); }
};

/// Another process -> rank 0: so many bytes of KV have come.
struct rank_taken {
  uint64_t group = 0;
  uint32_t rank = 0;
  uint64_t bytes = 0;
  auto fields() { return std::tie(group, rank, bytes); }
};

/// A sign of life of a rank, or of rank 0 to it.
struct rank_alive {
  uint32_t rank = 0;
  auto fields() { return std::tie(rank); }
};

/// A session's last word to its gateway.
struct session_done {
  request_id request = 0;
  auto fields() { return std::tie(request); }
};

} // namespace troupe
