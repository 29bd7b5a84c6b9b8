#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <string>
#include <vector>

#include "core/serving/schedule_view.hpp"

namespace troupe::testing {

/// A request whose answer has a known length.
struct sim_request {
  int64_t arrival_ns = 0;
  uint32_t prompt = 0;
  uint32_t length = 0;
  uint32_t max_tokens = 0;
  uint8_t priority = 0;
};

/// Requests of a trace of tests/data/traces, arrivals divided by `speedup`.
std::vector<sim_request> read_trace(const std::string& path, double speedup,
                                    uint32_t max_tokens);

/// What a simulated node is made of. Speeds are those that bench/README.md has
/// for `small` on two cores: a step takes 3 ms, 0.45 ms for each row that
/// decodes, 0.4 ms for each token of a prompt; copies run beside steps.
struct sim_machine {
  uint32_t capacity = 1u << 20; ///< blocks
  uint32_t max_rows = 64;
  uint32_t chunk = 256; ///< tokens of a step
  uint32_t block_tokens = 16;
  uint64_t block_bytes = 196'608;
  double copy_ns_per_byte = 0.5;
  int64_t step_ns = 3'000'000;
  int64_t row_ns = 450'000;
  int64_t token_ns = 400'000;
  bool store = true;
  /// A plan comes in the step after its view; a view is taken every so many.
  uint32_t view_every = 1;
  /// Unless plans are made within the step.
  bool at_once = false;
  /// Blocks for the longest answer are taken at the start.
  bool reserve_whole = false;

  uint32_t blocks_for(uint64_t tokens) const {
    return static_cast<uint32_t>((tokens + block_tokens - 1) / block_tokens);
  }
  /// Of the fullest.
  int64_t longest_step_ns() const {
    return step_ns + max_rows * row_ns + (chunk + block_tokens) * token_ns;
  }
};

struct sim_outcome {
  /// One a request, in their order.
  std::vector<int64_t> end_ns;
  double mean_seconds = 0; ///< from arrival to end
  double worst_seconds = 0;
  double tokens_per_second = 0; ///< of answers, until the last ends
  uint32_t peak_blocks = 0;
  uint32_t swaps = 0;
  uint32_t recomputes = 0;
  uint32_t most_preemptions = 0; ///< of one request
  /// Preemptions by the node itself, because a row found no block.
  uint32_t emergencies = 0;
};

/// A node with virtual time, which does as a scheduler tells it.
///
/// Checks that plans fit and name only those who can do what they say; a
/// request that never ends is an exception.
class simulated_node {
public:
  using scheduler = std::function<schedule_plan(const schedule_view&)>;

  simulated_node(sim_machine machine, std::vector<sim_request> requests,
                 scheduler s);

  sim_outcome run();

private:
  struct sequence {
    sim_request request;
    schedule_phase phase = schedule_phase::waiting;
    bool arrived = false;
    bool done = false;
    bool outwards = false;
    uint32_t generated = 0;
    uint32_t to_prefill = 0;
    uint32_t blocks = 0;
    uint32_t preemptions = 0;
    int64_t copied_ns = 0; ///< while moving: when it ends
  };

  void arrive();
  void finish_copies();
  void look();
  void check(const schedule_plan& plan, const schedule_view& view) const;
  void apply(const schedule_plan& plan);
  void come_in();
  bool step();
  bool grow(sequence& s);
  void emit(sequence& s);
  void drop(sequence& s);
  void put_out(sequence& s, preempt_way way);
  int64_t copy(uint32_t blocks);
  int64_t next_event() const;
  uint32_t rows() const;
  uint32_t to_start(const sequence& s) const;

  sim_machine machine_;
  std::vector<sequence> all_; ///< seq is the index + 1
  scheduler scheduler_;
  int64_t now_ = 0;
  int64_t link_free_ns_ = 0;
  uint32_t free_ = 0;
  uint64_t steps_ = 0;
  schedule_view view_; ///< the next one
  std::vector<schedule_plan> coming_;
  std::deque<seq_id> order_;
  sim_outcome out_;
};

} // namespace troupe::testing
