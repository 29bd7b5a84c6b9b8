#pragma once

// Nodes of a cluster in a program: needs CAF 0.17.
#include "runtime/cluster/node_host.hpp"
