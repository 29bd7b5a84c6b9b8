#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "core/base/ids.hpp"
#include "core/base/result.hpp"

namespace troupe::load {

struct options {
  std::string host, port;
  std::vector<std::string> traces;
  size_t clients = 64;
  int seconds = 120;
  uint32_t context = 2048;
  uint32_t vocabulary = 3000;
  token_id first_token = 300;
  int settle = 20;
  int pid = 0; ///< 0: none
};

struct progress {
  int seconds = 0;
  size_t under_way = 0;
  size_t whole = 0;
  size_t turned_away = 0;
  size_t failed = 0;
  double tokens_per_second = 0; ///< of streams that have ended
  double server_mib = 0;
};

struct report {
  bool good = false; ///< none failed, and some came whole
  std::string json;
};

/// Tells of its progress every second. Errors: of the traces; invalid_argument.
result<report> run(const options& o,
                   const std::function<void(const progress&)>& tell);

} // namespace troupe::load
