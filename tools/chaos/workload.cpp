#include "tools/chaos/workload.hpp"

#include <algorithm>
#include <utility>

#include "core/base/random.hpp"

namespace chaos {

namespace {

using troupe::finish_event;
using troupe::finish_reason;
using troupe::generate_request;
using troupe::random_bits;
using troupe::result;
using troupe::token_event;
using troupe::token_id;

// What the draws of a run are for.
enum stream : uint32_t { prompt, length, cancels, cancel_after };

const char* const subjects[] = {"a brave fox",     "a shy dragon",
                                "the last train",  "two old friends",
                                "a broken clock",  "a boat on the lake",
                                "a lost red ball", "the moon and a cat"};

std::string text_for(uint64_t bits) {
  auto text = std::string{};
  // From a line to about a page.
  auto lines = 1 + bits / 8 % 12;
  for (auto i = uint64_t{0}; i < lines; ++i) {
    auto about = std::string{subjects[(bits + i * 3) % std::size(subjects)]};
    text += i + 1 < lines
                ? "There was " + about + ", and that is how it began. "
                : "Tell me a story about " + about + ".";
  }
  return text;
}

std::string describe(const finish_event& e) {
  return e.reason == finish_reason::error
             ? "ended in an error: " + e.message
             : "ended for another reason than it should have";
}

} // namespace

result<std::vector<sample>> make_samples(const options& o) {
  auto local = troupe::runtime_options{};
  local.model = o.model;
  auto rt = troupe::runtime::open(std::move(local));
  if (!rt)
    return rt.failure();
  auto all = std::vector<sample>(std::min(o.distinct, o.requests));
  auto flights = std::vector<troupe::generation>{};
  for (auto i = size_t{0}; i < all.size(); ++i) {
    auto& r = all[i].request;
    r.prompt = rt->text().encode(text_for(random_bits(o.seed, i, prompt)));
    r.max_tokens = o.min_tokens
                   + static_cast<uint32_t>(random_bits(o.seed, i, length)
                                           % (o.max_tokens - o.min_tokens + 1));
    r.sampling.temperature = 0.8f;
    r.sampling.seed = o.seed * 1000 + i;
    r.ignore_end = true;
    auto g = rt->submit(r);
    if (!g)
      return g.failure();
    flights.push_back(std::move(*g));
  }
  for (auto i = size_t{0}; i < all.size(); ++i) {
    auto answer = collect(flights[i]);
    if (answer.end.reason == finish_reason::error)
      return troupe::fail(answer.end.code, answer.end.message);
    all[i].tokens = std::move(answer.tokens);
  }
  return all;
}

workload::workload(troupe::runtime& front, const std::vector<sample>& samples,
                   const options& o)
    : front_(front), samples_(samples), options_(o), running_(o.in_flight) {
  for (auto i = uint32_t{0}; i < o.in_flight; ++i)
    threads_.emplace_back([this] { run(); });
}

workload::~workload() {
  abort();
  for (auto& t : threads_)
    t.join();
}

void workload::abort() {
  abort_ = true;
  auto guard = std::lock_guard{mutex_};
  for (auto& [number, f] : flights_)
    f.generation->cancel();
}

void workload::run() {
  while (!abort_) {
    auto number = next_++;
    if (number >= options_.requests && may_end_)
      break;
    serve(number);
  }
  --running_;
}

void workload::violate(std::string what) {
  auto guard = std::lock_guard{mutex_};
  counts_.violations.push_back(std::move(what));
}

void workload::serve(uint32_t number) {
  auto& s = samples_[number % samples_.size()];
  auto name = "request " + std::to_string(number);
  auto times = request_times{};
  // One in ten is cancelled by its client, somewhere.
  auto cancel_at =
      random_bits(options_.seed, number, cancels) % 10 == 0
          ? random_bits(options_.seed, number, cancel_after) % s.tokens.size()
          : s.tokens.size() + 1;
  times.submitted = clock::now();
  auto g = front_.submit(s.request);
  if (!g)
    return violate(name + " was refused: " + g.failure().message);
  {
    auto guard = std::lock_guard{mutex_};
    ++counts_.started;
    flights_.emplace(number, flight{&*g, times.submitted});
  }
  auto tokens = std::vector<token_id>{};
  auto end = finish_event{};
  auto cancelled = false;
  while (auto event = g->next()) {
    auto* t = std::get_if<token_event>(&*event);
    if (t == nullptr) {
      end = std::get<finish_event>(*event);
      continue;
    }
    times.tokens.push_back(clock::now());
    tokens.insert(tokens.end(), t->tokens.begin(), t->tokens.end());
    if (tokens.size() > cancel_at && !std::exchange(cancelled, true))
      g->cancel();
  }
  times.ended = clock::now();
  auto guard = std::lock_guard{mutex_};
  auto hung = flights_.at(number).hung;
  flights_.erase(number);
  times_.push_back(std::move(times));
  auto fits = tokens.size() <= s.tokens.size()
              && std::equal(tokens.begin(), tokens.end(), s.tokens.begin());
  if (!fits)
    counts_.violations.push_back(name + " is not exact");
  else if (end.reason == finish_reason::cancelled && (cancelled || abort_)
           && !hung)
    ++counts_.cancelled;
  else if (end.reason == finish_reason::length
           && tokens.size() == s.tokens.size())
    ++counts_.exact;
  else if (!hung)
    counts_.violations.push_back(name + " " + describe(end));
}

workload::counts workload::so_far() const {
  auto guard = std::lock_guard{mutex_};
  return counts_;
}

void workload::look_for_hangs(std::chrono::seconds most) {
  auto guard = std::lock_guard{mutex_};
  for (auto& [number, f] : flights_)
    if (!f.hung && clock::now() - f.since > most) {
      f.hung = true;
      counts_.violations.push_back("request " + std::to_string(number)
                                   + " hangs");
      f.generation->cancel();
    }
}

} // namespace chaos
