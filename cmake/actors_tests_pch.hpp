#pragma once

#include <caf/all.hpp>

#include "cmake/core_tests_pch.hpp"
