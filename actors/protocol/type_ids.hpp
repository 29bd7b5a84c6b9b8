#pragma once

#include <caf/type_id.hpp>

#include "actors/protocol/messages.hpp"
#include "core/kv/handoff_messages.hpp"
#include "core/serving/batch_controller.hpp"
#include "core/serving/schedule_view.hpp"

namespace troupe {
struct handoff_offer;
struct prefill_job;
struct placement;
struct add_prefill;
struct add_decode;
struct add_mixed;
struct submit;
struct sequence_moved;
struct fetch_sequence;
struct migrate_sequence;
struct drain_node;
struct watch_load;
} // namespace troupe

// Append only: peers of different builds share these numbers.
CAF_BEGIN_TYPE_ID_BLOCK(troupe, caf::first_custom_type_id)
CAF_ADD_TYPE_ID(troupe, (troupe::generate_request))
CAF_ADD_TYPE_ID(troupe, (troupe::token_event))
CAF_ADD_TYPE_ID(troupe, (troupe::finish_event))
CAF_ADD_TYPE_ID(troupe, (troupe::admitted))
CAF_ADD_TYPE_ID(troupe, (troupe::cancel_request))
CAF_ADD_TYPE_ID(troupe, (troupe::sequence_spec))
CAF_ADD_TYPE_ID(troupe, (troupe::sequence_output))
CAF_ADD_TYPE_ID(troupe, (troupe::step_output))
CAF_ADD_TYPE_ID(troupe, (troupe::cancel_sequence))
CAF_ADD_TYPE_ID(troupe, (troupe::step_tick))
CAF_ADD_TYPE_ID(troupe, (troupe::deadline_tick))
CAF_ADD_TYPE_ID(troupe, (troupe::status_query))
CAF_ADD_TYPE_ID(troupe, (troupe::node_status))
CAF_ADD_TYPE_ID(troupe, (troupe::cluster_status))
CAF_ADD_TYPE_ID(troupe, (troupe::place_request))
CAF_ADD_TYPE_ID(troupe, (troupe::release_placement))
CAF_ADD_TYPE_ID(troupe, (troupe::session_done))
CAF_ADD_TYPE_ID(troupe, (troupe::kv_grant))
CAF_ADD_TYPE_ID(troupe, (troupe::kv_chunk))
CAF_ADD_TYPE_ID(troupe, (troupe::kv_credit))
CAF_ADD_TYPE_ID(troupe, (troupe::kv_commit))
CAF_ADD_TYPE_ID(troupe, (troupe::kv_accepted))
CAF_ADD_TYPE_ID(troupe, (troupe::kv_abort))
CAF_ADD_TYPE_ID(troupe, (troupe::handoff_offer))
CAF_ADD_TYPE_ID(troupe, (troupe::prefill_job))
CAF_ADD_TYPE_ID(troupe, (troupe::placement))
CAF_ADD_TYPE_ID(troupe, (troupe::add_prefill))
CAF_ADD_TYPE_ID(troupe, (troupe::add_decode))
CAF_ADD_TYPE_ID(troupe, (troupe::submit))
CAF_ADD_TYPE_ID(troupe, (troupe::add_mixed))
CAF_ADD_TYPE_ID(troupe, (troupe::migrate_request))
CAF_ADD_TYPE_ID(troupe, (troupe::migrated))
CAF_ADD_TYPE_ID(troupe, (troupe::drain_request))
CAF_ADD_TYPE_ID(troupe, (troupe::drained))
CAF_ADD_TYPE_ID(troupe, (troupe::sequence_moved))
CAF_ADD_TYPE_ID(troupe, (troupe::fetch_sequence))
CAF_ADD_TYPE_ID(troupe, (troupe::placement_moved))
CAF_ADD_TYPE_ID(troupe, (troupe::migrate_sequence))
CAF_ADD_TYPE_ID(troupe, (troupe::drain_node))
CAF_ADD_TYPE_ID(troupe, (troupe::preempt_sequence))
CAF_ADD_TYPE_ID(troupe, (troupe::schedule_view))
CAF_ADD_TYPE_ID(troupe, (troupe::schedule_plan))
CAF_ADD_TYPE_ID(troupe, (troupe::step_report))
CAF_ADD_TYPE_ID(troupe, (troupe::batch_limits))
CAF_ADD_TYPE_ID(troupe, (troupe::node_load))
CAF_ADD_TYPE_ID(troupe, (troupe::watch_load))
CAF_END_TYPE_ID_BLOCK(troupe)
