#include "tests/support/core/simulated_node.hpp"

#include <algorithm>
#include <fstream>
#include <limits>
#include <set>
#include <sstream>
#include <stdexcept>
#include <utility>

namespace troupe::testing {

namespace {

constexpr auto most_steps = uint64_t{200'000};

} // namespace

std::vector<sim_request> read_trace(const std::string& path, double speedup,
                                    uint32_t max_tokens) {
  auto in = std::ifstream{path};
  auto all = std::vector<sim_request>{};
  for (auto line = std::string{}; std::getline(in, line);) {
    if (line.empty() || line.front() == '#')
      continue;
    std::replace(line.begin(), line.end(), ',', ' ');
    auto us = int64_t{0};
    auto r = sim_request{};
    std::istringstream{line} >> us >> r.prompt >> r.length;
    r.arrival_ns =
        static_cast<int64_t>(static_cast<double>(us) * 1000 / speedup);
    r.max_tokens = max_tokens;
    all.push_back(r);
  }
  if (all.empty())
    throw std::runtime_error(path + ": no requests");
  return all;
}

simulated_node::simulated_node(sim_machine machine,
                               std::vector<sim_request> requests, scheduler s)
    : machine_(machine), scheduler_(std::move(s)), free_(machine.capacity) {
  for (auto& r : requests)
    all_.push_back({r});
}

sim_outcome simulated_node::run() {
  out_.end_ns.assign(all_.size(), 0);
  auto idle = 0;
  while (true) {
    arrive();
    finish_copies();
    for (auto& p : std::exchange(coming_, {}))
      apply(p);
    come_in();
    if (idle > 0 || steps_ % machine_.view_every == 0)
      look();
    if (step()) {
      if (steps_ > most_steps)
        throw std::runtime_error("no end in sight");
      idle = 0;
      continue;
    }
    if (++idle <= 3)
      continue; // a plan may have something to run
    auto next = next_event();
    if (next == std::numeric_limits<int64_t>::max())
      break;
    now_ = std::max(now_, next);
    idle = 1;
  }
  auto tokens = uint64_t{0};
  for (size_t i = 0; i < all_.size(); ++i) {
    auto& s = all_[i];
    if (!s.done)
      throw std::runtime_error("request " + std::to_string(i) + " never ends");
    auto took =
        static_cast<double>(out_.end_ns[i] - s.request.arrival_ns) / 1e9;
    out_.mean_seconds += took / static_cast<double>(all_.size());
    out_.worst_seconds = std::max(out_.worst_seconds, took);
    out_.most_preemptions = std::max(out_.most_preemptions, s.preemptions);
    tokens += s.generated;
  }
  out_.tokens_per_second =
      static_cast<double>(tokens) / (static_cast<double>(now_) / 1e9);
  if (free_ != machine_.capacity)
    throw std::runtime_error("blocks are lost");
  return out_;
}

void simulated_node::arrive() {
  for (auto& s : all_)
    s.arrived = s.request.arrival_ns <= now_;
}

void simulated_node::finish_copies() {
  for (auto& s : all_)
    if (s.phase == schedule_phase::moving && s.copied_ns <= now_) {
      s.phase = s.outwards ? schedule_phase::swapped : schedule_phase::running;
      if (s.outwards)
        drop(s);
    }
}

uint32_t simulated_node::to_start(const sequence& s) const {
  auto tokens = s.request.prompt
                + (machine_.reserve_whole ? s.request.max_tokens : s.generated);
  return machine_.blocks_for(tokens);
}

uint32_t simulated_node::rows() const {
  return static_cast<uint32_t>(
      std::count_if(all_.begin(), all_.end(), [](auto& s) {
        return s.phase == schedule_phase::running
               || s.phase == schedule_phase::moving;
      }));
}

// The view goes out; its plan comes in before the next step.
void simulated_node::look() {
  auto v = std::exchange(view_, {});
  view_.number = v.number + 1;
  v.now_ns = now_;
  v.capacity = machine_.capacity;
  v.free_blocks = free_;
  v.max_rows = machine_.max_rows;
  v.block_bytes = machine_.block_bytes;
  v.store = machine_.store;
  for (size_t i = 0; i < all_.size(); ++i) {
    auto& s = all_[i];
    if (!s.arrived || s.done)
      continue;
    auto e = schedule_entry{};
    e.seq = i + 1;
    e.priority = s.request.priority;
    e.phase = s.phase;
    e.arrival_ns = s.request.arrival_ns;
    e.prompt = s.request.prompt;
    e.generated = s.generated;
    e.max_tokens = s.request.max_tokens;
    e.blocks = s.blocks;
    e.blocks_to_start = s.blocks > 0 ? 0 : to_start(s);
    e.tokens_to_compute = s.request.prompt + s.generated;
    e.prefilling = s.phase == schedule_phase::running && s.to_prefill > 0;
    v.entries.push_back(e);
  }
  auto plan = scheduler_(v);
  check(plan, v);
  if (machine_.at_once) {
    apply(plan);
    come_in();
  } else {
    coming_.push_back(std::move(plan));
  }
}

void simulated_node::check(const schedule_plan& plan,
                           const schedule_view& view) const {
  auto wrong = [&](const char* what) {
    throw std::runtime_error("plan " + std::to_string(plan.number) + ": "
                             + what);
  };
  auto seen = std::set<seq_id>{};
  auto room = int64_t{view.free_blocks};
  auto places = int64_t{view.max_rows} - rows();
  for (auto& s : all_)
    if (s.phase == schedule_phase::moving && s.outwards) {
      room += s.blocks;
      ++places;
    }
  if (plan.number != view.number)
    wrong("of another view");
  for (auto& p : plan.preempt) {
    auto& s = all_.at(p.seq - 1);
    if (s.phase != schedule_phase::running || !seen.insert(p.seq).second)
      wrong("preempts who does not run");
    room += s.blocks;
    ++places;
  }
  for (auto seq : plan.order) {
    auto& s = all_.at(seq - 1);
    if (s.done || !s.arrived || !seen.insert(seq).second
        || (s.phase != schedule_phase::waiting
            && s.phase != schedule_phase::swapped))
      wrong("brings in who is there");
    room -= to_start(s);
    if (room < 0 || --places < 0)
      wrong("does not fit");
  }
}

void simulated_node::apply(const schedule_plan& plan) {
  for (auto& p : plan.preempt)
    if (auto& s = all_[p.seq - 1];
        !s.done && s.phase == schedule_phase::running)
      put_out(s, p.way);
  order_.assign(plan.order.begin(), plan.order.end());
}

void simulated_node::put_out(sequence& s, preempt_way way) {
  ++s.preemptions;
  // A prompt that is not computed is nothing to keep.
  if (way == preempt_way::swap && s.to_prefill == 0) {
    ++out_.swaps;
    s.phase = schedule_phase::moving;
    s.outwards = true;
    s.copied_ns = copy(s.blocks);
  } else {
    ++out_.recomputes;
    s.phase = schedule_phase::waiting;
    drop(s);
  }
}

int64_t simulated_node::copy(uint32_t blocks) {
  auto bytes = blocks * machine_.block_bytes;
  auto ns = static_cast<int64_t>(static_cast<double>(bytes)
                                 * machine_.copy_ns_per_byte);
  view_.swapped_bytes += bytes;
  view_.swap_ns += ns;
  link_free_ns_ = std::max(link_free_ns_, now_) + ns;
  return link_free_ns_;
}

void simulated_node::drop(sequence& s) {
  free_ += s.blocks;
  s.blocks = 0;
}

void simulated_node::come_in() {
  auto held = rows();
  for (; !order_.empty(); order_.pop_front()) {
    auto& s = all_[order_.front() - 1];
    auto stored = s.phase == schedule_phase::swapped;
    if (s.done || (!stored && s.phase != schedule_phase::waiting))
      continue;
    auto need = to_start(s);
    if (need > free_ || held >= machine_.max_rows)
      break;
    ++held;
    free_ -= need;
    s.blocks = need;
    out_.peak_blocks = std::max(out_.peak_blocks, machine_.capacity - free_);
    s.phase = stored ? schedule_phase::moving : schedule_phase::running;
    s.outwards = false;
    if (stored)
      s.copied_ns = copy(need);
    else
      s.to_prefill = s.request.prompt + s.generated;
  }
}

// Takes a block for the next token if it needs one; false if it cannot go on.
// If no block is free or coming free, the youngest makes room and is computed
// again.
bool simulated_node::grow(sequence& s) {
  if (machine_.blocks_for(s.request.prompt + s.generated + 1) <= s.blocks)
    return true;
  while (free_ == 0) {
    if (std::any_of(all_.begin(), all_.end(), [](auto& x) {
          return x.phase == schedule_phase::moving && x.outwards;
        }))
      return false; // it sits out this step
    auto* youngest = static_cast<sequence*>(nullptr);
    for (auto& x : all_)
      if (x.phase == schedule_phase::running && !x.done
          && (!youngest
              || x.request.arrival_ns >= youngest->request.arrival_ns))
        youngest = &x;
    ++out_.emergencies;
    put_out(*youngest, preempt_way::recompute);
    if (youngest == &s)
      return false;
  }
  --free_;
  ++s.blocks;
  out_.peak_blocks = std::max(out_.peak_blocks, machine_.capacity - free_);
  return true;
}

// One token for each that decodes, a chunk of the oldest prompts beside them.
bool simulated_node::step() {
  auto decoding = std::vector<sequence*>{};
  auto prompts = std::vector<sequence*>{};
  for (auto& s : all_)
    if (s.phase == schedule_phase::running && !s.done)
      (s.to_prefill == 0 ? decoding : prompts).push_back(&s);
  std::erase_if(decoding, [&](auto* s) {
    return s->phase != schedule_phase::running || !grow(*s);
  });
  // Growth may have put out some that were looked at before.
  auto gone = [](auto* s) { return s->phase != schedule_phase::running; };
  std::erase_if(decoding, gone);
  std::erase_if(prompts, gone);
  if (decoding.empty() && prompts.empty())
    return false;
  auto rows = static_cast<uint32_t>(decoding.size());
  auto budget = std::max(machine_.chunk - std::min(rows, machine_.chunk),
                         machine_.block_tokens);
  auto computed = uint32_t{0};
  std::stable_sort(prompts.begin(), prompts.end(), [](auto* a, auto* b) {
    return a->request.arrival_ns < b->request.arrival_ns;
  });
  for (auto* s : prompts) {
    auto n = std::min(s->to_prefill, budget - computed);
    s->to_prefill -= n;
    computed += n;
    if (n > 0 && s->to_prefill == 0)
      decoding.push_back(s); // the last token of the prompt gives the next
  }
  auto took =
      machine_.step_ns + machine_.row_ns * rows + machine_.token_ns * computed;
  now_ += took;
  auto shape = step_shape{};
  shape.prefill_tokens = computed;
  shape.rows = rows;
  if (view_.steps.size() < schedule_view::max_steps)
    view_.steps.push_back({shape, took});
  ++steps_;
  for (auto* s : decoding)
    emit(*s);
  return true;
}

void simulated_node::emit(sequence& s) {
  if (++s.generated < s.request.length)
    return;
  s.done = true;
  s.phase = schedule_phase::waiting;
  drop(s);
  out_.end_ns[static_cast<size_t>(&s - all_.data())] = now_;
  view_.finished.push_back({s.request.prompt, s.generated});
}

int64_t simulated_node::next_event() const {
  auto next = std::numeric_limits<int64_t>::max();
  for (auto& s : all_) {
    if (!s.arrived)
      next = std::min(next, s.request.arrival_ns);
    if (s.phase == schedule_phase::moving)
      next = std::min(next, s.copied_ns);
  }
  return next;
}

} // namespace troupe::testing
