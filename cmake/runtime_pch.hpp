#pragma once

#include <nlohmann/json.hpp>

#include "cmake/actors_pch.hpp"
