#pragma once

// Embeds Troupe in a program; no header of CAF is included.
#include "runtime/runtime.hpp"
