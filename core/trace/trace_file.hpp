#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/trace/format.hpp"

namespace troupe {

/// What is wrong with a file, and where.
struct trace_finding {
  uint64_t offset = 0; ///< in the file, bytes
  std::string what;    ///< a sentence without its end
};

/// One chunk of a file whose checksum is right. All of its records are whole
/// and lie inside of it.
struct trace_chunk {
  uint64_t offset = 0; ///< of its header, in the file
  trace_chunk_header header = {};
  const_bytes records;
};

/// Reads a trace's file (docs/trace_format.md), whatever its bytes are. What is
/// damaged is told and left out; behind it reading goes on with the next chunk
/// whose checksum is right. Time and memory are bounded by the file's size.
class trace_file_reader {
public:
  /// The next chunk of a file of which `file` is all that there is so far;
  /// those bytes are the same at each call, with more behind them. Nothing
  /// where it ends; with `whole` it ends there for ever, and what is left over
  /// is a finding.
  std::optional<trace_chunk> next(const_bytes file, bool whole = true);

  /// Nothing, until it was read, or if it is not that of a trace.
  const std::optional<trace_file_header>& header() const { return header_; }

  /// Nothing of the file can be read.
  bool refused() const { return refused_; }

  /// Up to here it was read.
  uint64_t offset() const { return at_; }

  /// At most `most_findings`, and one that says that there are more.
  const std::vector<trace_finding>& findings() const { return findings_; }

  static constexpr size_t most_findings = 100;

private:
  enum class state : uint8_t { good, incomplete, bad };

  bool read_header(const_bytes file, bool whole);
  state look_at(const_bytes file, uint64_t at) const;
  state check(const_bytes file, uint64_t at) const;
  bool skip_damage(const_bytes file, bool whole);
  trace_chunk take(const_bytes file);
  void find(uint64_t offset, std::string what);

  std::optional<trace_file_header> header_;
  std::vector<trace_finding> findings_;
  uint64_t at_ = 0;
  uint64_t next_number_ = 0; ///< of a chunk
  uint64_t hashed_ = 0;      ///< bytes, while chunks behind damage are sought
  bool refused_ = false;
  bool damaged_ = false; ///< what begins at `at_`
};

/// Why a record that begins `bytes` is none: a sentence without its end; null
/// if it is whole. `bytes` end where its chunk does.
const char* check_record(const_bytes bytes);

/// The text of a record of kind `about`, `type` or `node`, and so on. REQUIRES:
/// a record that is whole.
std::string_view trace_text_of(const_bytes record);
std::string_view trace_name_of(const trace_actor_record& r, const_bytes record);
const_bytes trace_payload_of(const trace_actor_record& r, const_bytes record);
const_bytes trace_payload_of(const trace_sent& r, const_bytes record);
const_bytes trace_notes_of(const trace_handled& r, const_bytes record);

/// Calls `f(record's kind, all of its bytes)` for each. REQUIRES: whole
/// records, as those of a `trace_chunk`.
template <class F>
void for_each_record(const_bytes records, F f) {
  while (!records.empty()) {
    auto r = load_unaligned<trace_record>(records.data());
    f(r.kind, records.first(r.bytes));
    records = records.subspan(r.bytes);
  }
}

} // namespace troupe
