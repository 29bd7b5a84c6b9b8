#pragma once

#include <caf/all.hpp>
#include <nlohmann/json.hpp>

#include "cmake/core_tests_pch.hpp"
