#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "actors/protocol/interfaces.hpp"

namespace troupe::testing {

// Actors with the real interfaces that note what they are told, and do what a
// test tells them.

/// What a client was told, by request.
struct client_log {
  struct answer {
    std::vector<token_id> tokens;
    std::vector<sampled> details;
    std::string text; ///< of the events and the end
    std::vector<finish_event> finishes;
    /// Every event began where the last ended, and none came after the end.
    bool in_order = true;
    size_t events = 0;
  };
  std::map<request_id, answer> answers;

  /// The one end of a request; a test that fails if there is not one.
  const finish_event& end(request_id id) const;
};

client_actor::behavior_type fake_client(client_actor::pointer self,
                                        std::shared_ptr<client_log> log);

/// A client whose session dies of the first token.
client_actor::behavior_type fake_assassin(client_actor::pointer self,
                                          std::shared_ptr<client_log> log);

/// What a client was told whose texts are embedded, by request.
struct embed_log {
  struct answer {
    std::map<uint32_t, std::vector<float>> vectors; ///< by input
    std::vector<finish_event> finishes;
    /// No vector came twice, and none after the end.
    bool in_order = true;
  };
  std::map<request_id, answer> answers;

  /// The one end of a request; a test that fails if there is not one.
  const finish_event& end(request_id id) const;
};

embed_client_actor::behavior_type
fake_embed_client(embed_client_actor::pointer self,
                  std::shared_ptr<embed_log> log);

/// What a prefill or decode node was told.
struct node_log {
  std::vector<prefill_job> jobs;
  std::vector<handoff_offer> offers;
  std::vector<cancel_sequence> cancels;
  std::vector<kv_message> others; ///< the rest of the handoff
  std::vector<kv_destination_actor> senders;
};

prefill_actor::behavior_type fake_prefill(prefill_actor::pointer self,
                                          std::shared_ptr<node_log> log);

decode_actor::behavior_type fake_decode(decode_actor::pointer self,
                                        std::shared_ptr<node_log> log);

/// Notes all that nodes say of sequences.
stream_actor::behavior_type
fake_stream(stream_actor::pointer self,
            std::shared_ptr<std::vector<sequence_output>> heard);

/// Notes the loads that nodes tell of.
load_sink::behavior_type
fake_load_sink(load_sink::pointer self,
               std::shared_ptr<std::vector<node_load>> heard);

/// What a registry was asked, and what it says.
struct registry_script {
  std::vector<place_request> asked;
  std::vector<release_placement> released;
  /// Empty: it never answers.
  std::function<caf::result<placement>(const place_request&)> place;
};

registry_actor::behavior_type
fake_registry(registry_actor::pointer self,
              std::shared_ptr<registry_script> script);

/// An output of a node for a job, as the job's stream gets it.
sequence_output output_for(const prefill_job& job, uint32_t index,
                           std::vector<token_id> tokens,
                           finish_reason reason = finish_reason::none,
                           errc code = errc::none);

/// Sends it.
void emit(const prefill_job& job, sequence_output o);

} // namespace troupe::testing
