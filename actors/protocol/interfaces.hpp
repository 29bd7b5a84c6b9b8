#pragma once

#include <caf/message.hpp>
#include <caf/replies_to.hpp>
#include <caf/typed_actor.hpp>

#include "actors/protocol/inspect.hpp"
#include "actors/protocol/messages.hpp"
#include "actors/protocol/type_ids.hpp"
#include "core/serving/schedule_view.hpp"

namespace troupe {

// -- inference plane ----------------------------------------------------------

/// Whoever asked for tokens: host code, an HTTP connection, a test.
using client_actor = caf::typed_actor<
    // New tokens, in order, without repeats.
    caf::reacts_to<token_event>,
    // Exactly once per request, last.
    caf::reacts_to<finish_event>>;

/// Whoever asked for vectors of texts.
using embed_client_actor = caf::typed_actor<
    // Once for each input, in any order.
    caf::reacts_to<embedding_event>,
    // Exactly once per request, last.
    caf::reacts_to<finish_event>>;

/// Whoever may hold a sequence.
using sequence_holder = caf::typed_actor<
    // Forgets the sequence and frees its blocks.
    caf::reacts_to<cancel_sequence>>;

/// A node has taken a sequence over from another one.
struct sequence_moved {
  request_id request = 0;
  seq_id seq = 0;
  epoch_t epoch = 0;
  node_id node = 0;
  sequence_holder holder;
  auto fields() { return std::tie(request, seq, epoch, node, holder); }
};

/// Takes the tokens that nodes produce and brings them to their sessions.
using stream_actor = caf::typed_actor<
    // One message a step.
    caf::reacts_to<step_output>,
    // From the new node, before its first token.
    caf::reacts_to<sequence_moved>>;

/// What can be asked about itself.
using status_actor =
    caf::typed_actor<caf::replies_to<status_query>::with<node_status>>;

// -- kv plane -----------------------------------------------------------------

/// The side of a handoff that holds the KV (see docs/handoff.md).
using kv_source_actor = caf::typed_actor<
    // Blocks are reserved: chunks may flow.
    caf::reacts_to<kv_grant>,
    // A chunk is in place.
    caf::reacts_to<kv_credit>,
    // The sequence has moved: free it.
    caf::reacts_to<kv_accepted>,
    // Refused, or given up.
    caf::reacts_to<kv_abort>>;

/// An offer, and what the destination needs to go on by itself.
struct handoff_offer {
  kv_offer offer;
  sequence_spec spec;
  kv_source_actor source;
  stream_actor stream;
  auto fields() { return std::tie(offer, spec, source, stream); }
};

/// The side of a handoff that takes the KV over.
using kv_destination_actor = caf::typed_actor<
    // Answered by grant or abort, maybe after a wait for free blocks.
    caf::reacts_to<handoff_offer>,
    // Answered by credit.
    caf::reacts_to<kv_chunk>,
    // Answered by accepted or abort.
    caf::reacts_to<kv_commit>,
    // The source gave up.
    caf::reacts_to<kv_abort>>;

/// Send a stored sequence on. Answered by an ordinary offer to `to` in a later
/// epoch of the same placement (the next one, at the first attempt), or by an
/// abort to it in this one.
struct fetch_sequence {
  seq_id seq = 0;
  /// The one under which it was stored.
  epoch_t epoch = 0;
  kv_destination_actor to;
  auto fields() { return std::tie(seq, epoch, to); }
};

/// Keeps the KV of sequences that were preempted (see docs/handoff.md).
using kv_store_actor = kv_destination_actor::extend<
    // Of sequences that it sends on.
    caf::reacts_to<kv_grant>, caf::reacts_to<kv_credit>,
    caf::reacts_to<kv_accepted>, caf::reacts_to<fetch_sequence>,
    caf::reacts_to<cancel_sequence>,
    // To itself.
    caf::reacts_to<deadline_tick>>::extend_with<status_actor>;

// -- nodes --------------------------------------------------------------------

/// Takes what nodes say they have to do.
using load_sink = caf::typed_actor<
    // The sender is the node.
    caf::reacts_to<node_load>>;

/// Tell `to` of the load, now and whenever it has changed for some time.
struct watch_load {
  load_sink to;
  auto fields() { return std::tie(to); }
};

/// What tells of its load.
using load_source = caf::typed_actor<caf::reacts_to<watch_load>>;

/// One sequence to prefill, and to hand to `decode`; a mixed node keeps it, and
/// needs none.
struct prefill_job {
  sequence_spec spec;
  kv_destination_actor decode;
  stream_actor stream;
  auto fields() { return std::tie(spec, decode, stream); }
};

/// Where a sequence starts.
using job_actor = caf::typed_actor<
    // Prefills, samples one token, and goes on or hands the KV over.
    caf::reacts_to<prefill_job>,
    // Forgets the sequence and frees its blocks.
    caf::reacts_to<cancel_sequence>>;

/// Move a request that generates here to `to`.
struct migrate_sequence {
  request_id request = 0;
  kv_destination_actor to;
  auto fields() { return std::tie(request, to); }
};

/// Give up all sequences, to `peers` where there are some.
struct drain_node {
  std::vector<kv_destination_actor> peers;
  auto fields() { return std::tie(peers); }
};

/// What can be taken out of service.
using drainable_actor = caf::typed_actor<
    // Answered once nothing is left here.
    caf::replies_to<drain_node>::with<drained>>;

/// Computes prompts. Drained, it finishes those that it has.
using prefill_actor = kv_source_actor::extend_with<job_actor>::extend<
    // To itself.
    caf::reacts_to<step_tick>,
    caf::reacts_to<deadline_tick>>::extend_with<drainable_actor>::
    extend_with<load_source>::extend_with<status_actor>;

/// Takes the limits of its steps from a batch controller.
using batch_limits_sink = caf::typed_actor<
    // For the steps to come.
    caf::reacts_to<batch_limits>>;

/// Whoever waits for plans.
using schedule_sink = caf::typed_actor<caf::reacts_to<schedule_plan>>;

/// Decides who runs on a node.
using preempt_scheduler_actor = caf::typed_actor<
    // Answered by a schedule_plan to the node. Of several that wait only the
    // newest is.
    caf::reacts_to<schedule_view>,
    // To itself.
    caf::reacts_to<step_tick>>;

/// Computes prompts and generates tokens, both in one step; takes sequences
/// over from others, and hands them to others. As a decode node it prefills
/// only what cannot come from elsewhere.
using decode_actor = kv_destination_actor::extend_with<job_actor>::extend<
    // Of sequences that it hands over.
    caf::reacts_to<kv_grant>, caf::reacts_to<kv_credit>,
    caf::reacts_to<kv_accepted>,
    // Answered once the sequence is there, or goes on here.
    caf::replies_to<migrate_sequence>::with<migrated>,
    // By hand, whatever the scheduler thinks.
    caf::reacts_to<preempt_sequence>,
    // To itself.
    caf::reacts_to<step_tick>, caf::reacts_to<deadline_tick>>::
    extend_with<drainable_actor>::extend_with<schedule_sink>::extend_with<
        batch_limits_sink>::extend_with<load_source>::extend_with<status_actor>;

/// Chooses what a node's steps may hold; one for each node.
using batch_controller_actor = caf::typed_actor<
    // After a step. If the limits have changed, the sender is sent them: it has
    // to be a batch_limits_sink.
    caf::reacts_to<step_report>>;

// -- ranks of one node --------------------------------------------------------

/// A rank other than 0 (see docs/parallel.md).
using rank_actor = caf::typed_actor<
    // In the order of their numbers.
    caf::reacts_to<rank_command>>;

/// A rank's side of the connection between its process and that of rank 0.
using rank_link_actor = rank_actor::extend<
    // A new group: begins anew, without KV.
    caf::reacts_to<rank_renew>,
    // Of another rank.
    caf::reacts_to<rank_part>,
    // Answered in kind.
    caf::reacts_to<rank_alive>,
    // To itself.
    caf::reacts_to<deadline_tick>>;

/// A process wants to be a rank.
struct join_ranks {
  uint32_t version = rank_protocol_version;
  std::string model;
  std::string isa;
  rank_link_actor link;
  auto fields() { return std::tie(version, model, isa, link); }
};

/// Rank 0's side of the connections to its ranks.
using rank_hub_actor = caf::typed_actor<
    // A free rank; or unsupported, layout_mismatch, overloaded.
    caf::replies_to<join_ranks>::with<rank_seat>,
    // For rank 0, or passed on to another one.
    caf::reacts_to<rank_part>,
    // From a rank that cannot go on.
    caf::reacts_to<rank_lost>,
    // From one that can.
    caf::reacts_to<rank_alive>,
    // More KV may be sent.
    caf::reacts_to<rank_taken>,
    // To itself.
    caf::reacts_to<deadline_tick>>;

// -- control plane ------------------------------------------------------------

/// Nodes for one sequence. A mixed node does all by itself: then it is
/// `prefill`, and there is no `decode`.
struct placement {
  node_id prefill_id = 0;
  job_actor prefill;
  node_id decode_id = 0;
  decode_actor decode;
  auto fields() { return std::tie(prefill_id, prefill, decode_id, decode); }
};

struct add_prefill {
  node_id node = 0;
  prefill_actor handle;
  version_id version = 1; ///< that it serves
  auto fields() { return std::tie(node, handle, version); }
};

struct add_decode {
  node_id node = 0;
  decode_actor handle;
  version_id version = 1; ///< that it serves
  auto fields() { return std::tie(node, handle, version); }
};

struct add_mixed {
  node_id node = 0;
  decode_actor handle;
  version_id version = 1; ///< that it serves
  auto fields() { return std::tie(node, handle, version); }
};

/// A node of the cluster is gone, or is to be taken for it.
struct node_gone {
  node_id node = 0;
  status_actor handle;
  auto fields() { return std::tie(node, handle); }
};

/// Hears of nodes that the registry gave up, before their connections break.
using node_watcher = caf::typed_actor<caf::reacts_to<node_gone>>;

/// Tell `to` of nodes that are gone.
struct watch_nodes {
  node_watcher to;
  auto fields() { return std::tie(to); }
};

/// Keeps a node of another process in the cluster (see docs/cluster.md): joins,
/// starts the node, shows that it lives, and ends it when its stay is over.
using node_agent_actor = caf::typed_actor<
    // From the registry.
    caf::reacts_to<join_reply>, caf::reacts_to<name_taken>,
    caf::reacts_to<heartbeat_ack>, caf::reacts_to<drain_order>,
    caf::reacts_to<epoch_over>, caf::reacts_to<node_peers>,
    caf::reacts_to<node_emptied>,
    // From its host.
    caf::reacts_to<leave_cluster>,
    // To itself.
    caf::reacts_to<deadline_tick>>::extend_with<load_sink>;

/// A node that another process asked for, with remote_spawn.
using hosted_node_actor = caf::typed_actor<
    // Errors: what it cannot be started or join for, timeout.
    caf::replies_to<await_node>::with<node_joined>,
    // It ends when it has left.
    caf::reacts_to<leave_cluster>,
    // From the node's agent.
    caf::reacts_to<agent_news>,
    // To itself.
    caf::reacts_to<deadline_tick>>;

/// A node wants to join; answered by a join_reply and, if it may, node_peers.
struct join_node {
  join_request request;
  node_address address;
  node_agent_actor agent;
  auto fields() { return std::tie(request, address, agent); }
};

/// A node that joined can be given work; the handle of its role is set.
struct node_ready {
  node_id node = 0;
  membership_epoch epoch = 0;
  prefill_actor prefill;
  decode_actor decode;
  auto fields() { return std::tie(node, epoch, prefill, decode); }
};

/// Knows the nodes, their roles and loads.
using registry_actor = caf::typed_actor<
    // A node joins; the registry monitors it.
    caf::reacts_to<add_prefill>, caf::reacts_to<add_decode>,
    caf::reacts_to<add_mixed>,
    // The mixed node, or the node of each role, where it is predicted to take
    // least and to hold least up; or no_node. A request has one placement at a
    // time: the next one replaces it.
    caf::replies_to<place_request>::with<placement>,
    // A request left its nodes, or went to another one.
    caf::reacts_to<release_placement>, caf::reacts_to<placement_moved>,
    // Passed on to the node that has it.
    caf::replies_to<migrate_request>::with<migrated>,
    // No more placements for the node; its sequences go to its like.
    caf::replies_to<drain_request>::with<drained>,
    // Asks every node.
    caf::replies_to<status_query>::with<cluster_status>,
    // Of nodes of other processes, answered to their agents.
    caf::reacts_to<join_node>, caf::reacts_to<node_ready>,
    caf::reacts_to<heartbeat>, caf::reacts_to<leave>,
    caf::reacts_to<watch_nodes>,
    // Which models nodes of other processes may have.
    caf::reacts_to<admit_version>, caf::reacts_to<dismiss_version>,
    // To itself.
    caf::reacts_to<deadline_tick>>::extend_with<load_sink>;

/// Which versions of the model there are, and who gets which.
using model_manager_actor = caf::typed_actor<
    // Errors: no_node, if none is ready.
    caf::replies_to<route_version>::with<routed_version>,
    // How a request ended. Idempotent.
    caf::reacts_to<version_done>,
    // From whoever operates it. Errors: as `model_versions`.
    caf::replies_to<load_version>::with<version_started>,
    caf::replies_to<version_command>::with<versions_status>,
    caf::replies_to<versions_query>::with<versions_status>,
    // From the host.
    caf::reacts_to<version_report>,
    // To itself.
    caf::reacts_to<deadline_tick>>;

/// Loads, warms and unloads what the model manager says, and keeps its state;
/// detached, since that may take as long as it takes.
using version_host_actor = caf::typed_actor<caf::reacts_to<version_order>,
                                            caf::reacts_to<keep_versions>>;

/// Keeps answers for those who ask the same.
using response_cache_actor = caf::typed_actor<
    // Answered at once, or when another session has the answer or has failed.
    caf::replies_to<cache_lookup>::with<cache_reply>,
    caf::reacts_to<cache_fill>,
    // What that version has said is of no use any more.
    caf::reacts_to<dismiss_version>,
    caf::replies_to<cache_query>::with<cache_status>,
    // Where texts are embedded; before that, none is.
    caf::reacts_to<embed_through>,
    // From whoever embeds a text for it.
    caf::reacts_to<text_vector>,
    // To itself.
    caf::reacts_to<deadline_tick>>;

/// Collects what sessions say of their requests' stages.
using profiler_actor = caf::typed_actor<
    // From a session, once.
    caf::reacts_to<request_profile>,
    caf::replies_to<profile_query>::with<profile_report>,
    caf::replies_to<latency_query>::with<stage_latencies>>;

/// Keeps the audit log.
using auditor_actor = caf::typed_actor<
    // Answered once they are durable. Errors: io_error, if the disk refuses
    // them and requests are to be refused then; invalid_argument, if one is too
    // large: the others are kept.
    caf::replies_to<audit_batch>::with<audit_receipt>,
    caf::reacts_to<audit_note>,
    // Errors: io_error, as above.
    caf::replies_to<audit_await>::with<audit_receipt>,
    caf::replies_to<audit_query>::with<audit_status>,
    // To itself.
    caf::reacts_to<audit_commit>, caf::reacts_to<deadline_tick>>;

/// One request, from admission to its end.
using session_actor = caf::typed_actor<
    // Tokens from a node, by way of the gateway.
    caf::reacts_to<sequence_output>, caf::reacts_to<sequence_moved>,
    // The client lost interest.
    caf::reacts_to<cancel_request>,
    // To itself.
    caf::reacts_to<deadline_tick>>::extend_with<node_watcher>;

/// A request with the one who wants its tokens.
struct submit {
  generate_request request;
  client_actor client;
  auto fields() { return std::tie(request, client); }
};

/// A request to embed with the one who wants its vectors.
struct submit_embed {
  embed_request request;
  embed_client_actor client;
  auto fields() { return std::tie(request, client); }
};

/// One request to embed, from admission to its end: the client of the sessions
/// of its inputs.
using embedder_actor = client_actor::extend<
    // The client lost interest.
    caf::reacts_to<cancel_request>>;

/// The front door.
using gateway_actor = stream_actor::extend<
    // Checks the request and starts a session for it.
    caf::replies_to<submit>::with<admitted>,
    // The same, and an embedder.
    caf::replies_to<submit_embed>::with<admitted>,
    // Idempotent; the request still ends in one finish_event.
    caf::reacts_to<cancel_request>,
    // From a session, or an embedder.
    caf::reacts_to<session_done>,
    // Passed on to the model manager. Errors: unsupported, without one.
    caf::replies_to<load_version>::with<version_started>,
    caf::replies_to<version_command>::with<versions_status>,
    caf::replies_to<versions_query>::with<versions_status>,
    // Passed on to the response cache. Errors: unsupported, without one.
    caf::replies_to<cache_query>::with<cache_status>,
    // Passed on to the profiler. Errors: unsupported, without one.
    caf::replies_to<profile_query>::with<profile_report>,
    caf::replies_to<latency_query>::with<stage_latencies>,
    // Passed on to the registry.
    caf::replies_to<migrate_request>::with<migrated>,
    caf::replies_to<drain_request>::with<drained>,
    caf::replies_to<status_query>::with<cluster_status>>::
    extend_with<node_watcher>;

struct embed_through {
  gateway_actor gateway;
  auto fields() { return std::tie(gateway); }
};

/// A cluster's front.
struct registry_found {
  registry_actor registry;
  gateway_actor gateway;
  auto fields() { return std::tie(registry, gateway); }
};

/// What a cluster's front shows to whoever connects.
using door_actor =
    caf::typed_actor<caf::replies_to<dial_registry>::with<registry_found>>;

/// What a node shows to whoever connects.
using beacon_actor =
    caf::typed_actor<caf::replies_to<dial_peer>::with<peer_reached>>;

/// Connects processes; detached, since that may take as long as it takes.
using connector_actor = door_actor::extend_with<beacon_actor>;

/// Writes what the actors of its process do to a file (docs/trace.md);
/// detached, since it waits for the disk.
using trace_recorder_actor = caf::typed_actor<
    // Answered once it is done.
    caf::replies_to<trace_command>::with<trace_status>,
    // To itself.
    caf::reacts_to<deadline_tick>>;

/// A message on its way to another process, or to later, while messages are
/// recorded: what it holds is what its receiver sees.
struct trace_envelope {
  uint64_t process = 0;
  uint64_t departure = 0; ///< its number there
  caf::message content;
};

template <class Inspector>
typename Inspector::result_type inspect(Inspector& f, trace_envelope& x) {
  if constexpr (std::is_base_of_v<caf::deserializer, Inspector>) {
    // One in another would be a stack that a peer chooses the depth of.
    thread_local auto inside = false;
    if (inside)
      return caf::sec::invalid_argument;
    inside = true;
    auto failed = f(x.process, x.departure, x.content);
    inside = false;
    return failed;
  } else {
    return f(x.process, x.departure, x.content);
  }
}

} // namespace troupe
