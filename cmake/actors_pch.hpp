#pragma once

// What nearly every file of `actors` and `runtime` parses.
#include <caf/all.hpp>

#include <map>
#include <memory>
#include <string>
#include <vector>
