#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "core/schema/json_tape.hpp"

namespace troupe {

/// A key as a JSON Pointer (RFC 6901) has it, with its slash.
void add_pointer_token(std::string& to, std::string_view key);

/// The first token of a pointer that is not empty, unescaped; the pointer is
/// then the rest. False if it is none.
bool take_pointer_token(std::string_view& pointer, std::string& token);

/// What a token means in an array; `json_tape::nowhere` if it is no index.
uint32_t array_index(std::string_view token);

/// Finds values by JSON Pointers in one tape, each in little more than the
/// pointer's own length, however many members and items are passed by.
class pointer_index {
public:
  /// As `json_tape::find`. REQUIRES: the tape is always the same.
  uint32_t find(const json_tape& tape, std::string_view pointer, uint32_t from);

private:
  /// Of containers that were passed: their items, or keys by their order.
  const std::vector<uint32_t>& children(const json_tape& tape, uint32_t at);
  uint32_t child(const json_tape& tape, uint32_t at, std::string_view token);

  std::map<uint32_t, std::vector<uint32_t>> children_;
};

} // namespace troupe
