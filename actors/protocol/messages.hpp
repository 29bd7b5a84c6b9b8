#pragma once

// Plain data that travels between actors; each names its fields for the one
// generic `inspect`. Handles travel in the messages of `interfaces.hpp`.

#include "actors/protocol/audit_messages.hpp"
#include "actors/protocol/cache_messages.hpp"
#include "actors/protocol/cluster_messages.hpp"
#include "actors/protocol/node_messages.hpp"
#include "actors/protocol/profiler_messages.hpp"
#include "actors/protocol/request_messages.hpp"
#include "actors/protocol/trace_messages.hpp"
#include "actors/protocol/version_messages.hpp"
#include "core/cluster/rank_seats.hpp"
#include "core/engine/rank_command.hpp"
#include "core/parallel/part_inbox.hpp"
