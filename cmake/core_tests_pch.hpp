#pragma once

// What nearly every test parses; parsed once instead.
#include <boost/test/unit_test.hpp>

#include <map>
#include <memory>
#include <string>
#include <vector>
