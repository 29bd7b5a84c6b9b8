#pragma once

// The same, and what most programs do with it, in a call.
#include "runtime/embedding.hpp"
