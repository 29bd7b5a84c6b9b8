// Runtimes that end after main has: a static one, which records its messages,
// and one that atexit closes.

#include <cstdio>
#include <cstdlib>
#include <optional>

#include <troupe/runtime.hpp>
#include <troupe/troupe.h>

namespace {

std::optional<troupe::runtime> of_the_program;
troupe_runtime* of_c = nullptr;

} // namespace

int main(int argc, char** argv) {
  if (argc != 3)
    return 2;
  auto options = troupe::runtime_options{};
  options.model = argv[1];
  auto rt = troupe::runtime::open(std::move(options));
  if (!rt || troupe_open_model(argv[1], &of_c) != TROUPE_OK) {
    std::fputs("the model does not load\n", stderr);
    return 1;
  }
  auto trace = troupe::trace_options{};
  trace.file = argv[2];
  if (!rt->start_trace(trace)) {
    std::fputs("nothing is recorded\n", stderr);
    return 1;
  }
  of_the_program.emplace(std::move(*rt));
  return std::atexit([] { troupe_close(of_c); });
}
