#pragma once

// Reads message traces, and plays them again.
#include "runtime/replay/file_replay.hpp"
