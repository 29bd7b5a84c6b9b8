#pragma once

#include <string>

namespace troupe::cli {

struct inspect_options {
  std::string file;
  bool json = false;
  bool all = false;
};

/// Tensors that are listed unless all are wanted.
inline constexpr auto few_tensors = size_t{24};

/// "1.23 GB" of a number and "B".
std::string human(double n, const char* unit);

/// `inspect` of a Hugging Face directory; returns an exit code.
int inspect_directory(const inspect_options& o);

} // namespace troupe::cli
