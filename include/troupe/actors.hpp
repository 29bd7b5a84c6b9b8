#pragma once

// For programs with an actor system of their own: needs CAF 0.17.
#include "runtime/actors.hpp"
