#pragma once

// What nearly every file of `actors` parses; parsed once instead.
#include <caf/all.hpp>

#include <map>
#include <memory>
#include <string>
#include <vector>
