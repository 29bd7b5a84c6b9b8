#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <tuple>
#include <vector>

#include "core/trace/look/trace_show.hpp"
#include "core/trace/trace_file.hpp"

namespace troupe {

/// Shows messages of a process as it writes them, each when it was handled.
/// Keeps names, and what was not handled yet, but no more than `most_open`.
class trace_follower {
public:
  /// `file`: all that there is of it so far; with `whole` there will be no
  /// more. False: the sink wanted no more.
  bool read(const_bytes file, const trace_filter& f, const trace_sink& sink,
            bool whole = false);

  /// The process goes on in another file, which says all names again.
  void begin_file();

  const trace_file_reader& reader() const { return reader_; }

  static constexpr size_t most_open = 100'000;

private:
  using place =
      std::tuple<uint32_t, uint64_t, uint64_t>; // node, actor, address
  struct arrival {
    raw_bytes record;
    uint64_t ticks = 0;
  };

  std::vector<std::byte> together(const std::vector<trace_chunk>& chunks) const;
  void keep(const std::vector<trace_chunk>& chunks);
  void forget(const_bytes handled);

  trace_file_reader reader_;
  std::optional<trace_moment> first_;
  std::optional<int64_t> origin_ns_;
  raw_bytes names_;
  std::multimap<place, arrival> arrivals_;
  std::map<uint64_t, raw_bytes> departures_;
};

} // namespace troupe
