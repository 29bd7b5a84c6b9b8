#pragma once

#include <boost/test/unit_test.hpp>

#include <string>
#include <utility>

#include "runtime/runtime.hpp"
#include "tests/support/core/temp_dir.hpp"
#include "tests/support/core/tiny_model.hpp"

namespace troupe::testing {

/// Opens runtimes of the tiny model.
struct tiny_runtime {
  tiny_runtime() { write_tiny_model(model()); }

  std::string model() const { return dir.file("tiny.gguf"); }

  runtime_options options() const {
    auto o = runtime_options{};
    o.model = model();
    o.threads = 1;
    return o;
  }

  static runtime open(runtime_options o) {
    auto r = runtime::open(std::move(o));
    BOOST_REQUIRE_MESSAGE(r.ok(), (r.ok() ? "" : r.failure().message));
    return std::move(*r);
  }

  runtime open() const { return open(options()); }

  temp_dir dir;
};

} // namespace troupe::testing
