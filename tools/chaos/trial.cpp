#include "tools/chaos/trial.hpp"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <optional>

#include "tools/chaos/faults.hpp"
#include "tools/chaos/fleet.hpp"
#include "tools/chaos/network.hpp"
#include "tools/chaos/report.hpp"
#include "tools/chaos/workload.hpp"

namespace chaos {

namespace {

using namespace std::chrono_literals;

constexpr auto look_every = 20ms;
constexpr auto return_patience = 30s; // for a node to be back
constexpr auto rest_patience = 30s;
constexpr auto request_patience = 60s;
constexpr auto end_patience = 15s; // for what was cancelled

int failed(const troupe::error& e) {
  std::fprintf(stderr, "troupe_chaos: %s\n", e.message.c_str());
  return 1;
}

class trial {
public:
  trial(const options& o, const std::atomic<bool>& interrupted,
        std::vector<sample> samples, std::unique_ptr<network> net, fleet nodes,
        troupe::runtime front)
      : options_(o), interrupted_(interrupted), samples_(std::move(samples)),
        net_(std::move(net)), front_(std::move(front)),
        nodes_(std::move(nodes)) {}

  int run() {
    for (auto i = size_t{0}; i < nodes_.size(); ++i)
      if (auto ok = nodes_.start(i, *net_); !ok)
        return failed(ok.failure());
    for (auto i = size_t{0}; i < nodes_.size(); ++i)
      await(i, "did not join");
    if (!ok())
      return end();
    began_ = clock::now();
    load_.emplace(front_, samples_, options_);
    auto kinds =
        std::vector{fault_kind::kill, fault_kind::stop, fault_kind::cut};
    if (net_->can_delay())
      kinds.push_back(fault_kind::delay);
    if (!options_.only.empty())
      std::erase_if(kinds,
                    [this](auto k) { return options_.only != to_string(k); });
    if (kinds.empty())
      return failed({troupe::errc::unsupported, "this network cannot delay"});
    auto plan = fault_plan{options_.seed, nodes_.size(), kinds, options_.brief};
    pass(500ms);
    while (ok() && !load_->ended()) {
      strike(plan.next());
      if (faults_.size() >= options_.faults)
        load_->may_end();
      pass(options_.brief ? 300ms : 1000ms);
    }
    if (!ok())
      load_->abort();
    // What hangs is cancelled.
    auto until = clock::now() + request_patience + end_patience;
    if (!ok())
      until = clock::now() + end_patience;
    while (!load_->ended() && clock::now() < until)
      pass(look_every);
    if (!load_->ended())
      give_up();
    seconds_ = std::chrono::duration<double>{clock::now() - began_}.count();
    say("at the end");
    if (ok())
      rest();
    say("at rest");
    return end();
  }

private:
  // The clients' threads cannot be waited for: this process ends as it is.
  [[noreturn]] void give_up() {
    violations_.push_back("requests do not end");
    end();
    std::fflush(nullptr);
    ::_exit(1);
  }

  bool ok() const { return !interrupted_ && violations_.empty(); }

  // Lets time go by, and watches.
  void pass(clock::duration by) {
    auto until = clock::now() + by;
    do {
      std::this_thread::sleep_for(
          std::min<clock::duration>(look_every, until - clock::now()));
      for (auto i = size_t{0}; i < nodes_.size(); ++i)
        if (auto how = nodes_.end_of(i); !how.empty())
          violations_.push_back("node " + nodes_.name(i) + " ended by itself, "
                                + how + ": " + last_words(i));
      if (load_)
        load_->look_for_hangs(request_patience);
      progress();
    } while (!interrupted_ && clock::now() < until);
  }

  void progress() {
    if (!::isatty(STDERR_FILENO) || options_.verbose || !load_)
      return;
    auto c = load_->so_far();
    std::fprintf(stderr,
                 "\r%u requests, %u exact, %u cancelled, %zu violations; %zu "
                 "faults, now %-24s",
                 c.started, c.exact, c.cancelled, c.violations.size(),
                 faults_.size(), now_.c_str());
  }

  void strike(fault f) {
    auto i = f.node;
    f.prefill = nodes_.prefills(i);
    now_ = std::string{to_string(f.kind)} + " " + nodes_.name(i);
    say(now_);
    f.at = clock::now();
    switch (f.kind) {
    case fault_kind::kill:
      nodes_.kill(i);
      break;
    case fault_kind::stop:
      nodes_.stop(i);
      break;
    case fault_kind::cut:
      net_->cut(i, true);
      break;
    case fault_kind::delay:
      net_->delay(i, true);
      break;
    }
    f.struck = clock::now();
    pass(f.lasts);
    auto healed = clock::now();
    switch (f.kind) {
    case fault_kind::kill:
      if (auto started = nodes_.start(i, *net_); !started)
        violations_.push_back(started.failure().message);
      break;
    case fault_kind::stop:
      nodes_.go_on(i);
      break;
    case fault_kind::cut:
      net_->cut(i, false);
      break;
    case fault_kind::delay:
      net_->delay(i, false);
      break;
    }
    if (await(i, "did not come back after a " + std::string{to_string(f.kind)}))
      rejoins_ms_.push_back(
          std::chrono::duration<double, std::milli>{clock::now() - healed}
              .count());
    faults_.push_back(f);
    say("back: " + nodes_.name(i));
    now_ = "none";
  }

  // Until the node answers as a member of the cluster.
  bool await(size_t i, const std::string& otherwise) {
    auto until = clock::now() + return_patience;
    while (ok()) {
      auto s = front_.status();
      if (s && std::any_of(s->nodes.begin(), s->nodes.end(), [&](auto& n) {
            return n.name == nodes_.name(i);
          }))
        return true;
      if (clock::now() > until)
        violations_.push_back("node " + nodes_.name(i) + " " + otherwise + ": "
                              + last_words(i));
      pass(look_every);
    }
    return false;
  }

  // Nothing may be left of any request.
  void rest() {
    auto until = clock::now() + rest_patience;
    auto left = std::string{};
    while (!interrupted_) {
      left = what_is_left();
      if (left.empty())
        return;
      if (clock::now() > until)
        break;
      pass(look_every);
    }
    if (!interrupted_)
      violations_.push_back("not at rest at the end: " + left);
  }

  std::string what_is_left() {
    auto s = front_.status();
    if (!s)
      return s.failure().message;
    if (s->nodes.size() != nodes_.size())
      return std::to_string(s->nodes.size()) + " nodes answer";
    if (s->requests != 0)
      return std::to_string(s->requests) + " requests";
    for (auto& n : s->nodes)
      if (n.blocks_in_use + n.sequences + n.waiting != 0)
        return "node " + n.name + " has " + std::to_string(n.blocks_in_use)
               + " blocks in use, " + std::to_string(n.sequences)
               + " sequences, " + std::to_string(n.waiting) + " waiting";
    return {};
  }

  std::string last_words(size_t i) const {
    auto file = std::ifstream{nodes_.log(i)};
    auto last = std::string{"no word from it"};
    for (auto line = std::string{}; std::getline(file, line);)
      last = line;
    return last;
  }

  void say(const std::string& what) const {
    if (options_.verbose)
      std::fprintf(stderr, "%8.3f %s\n",
                   std::chrono::duration<double>{clock::now() - began_}.count(),
                   what.c_str());
  }

  int end() {
    if (::isatty(STDERR_FILENO) && !options_.verbose)
      std::fputc('\n', stderr);
    if (options_.verbose)
      for (auto i = size_t{0}; i < nodes_.size(); ++i) {
        auto file = std::ifstream{nodes_.log(i)};
        for (auto line = std::string{}; std::getline(file, line);)
          std::fprintf(stderr, "%s: %s\n", nodes_.name(i).c_str(),
                       line.c_str());
      }
    if (interrupted_)
      return 130;
    auto o = outcome{};
    if (load_) {
      o.counts = load_->so_far();
      if (load_->ended())
        o.recoveries = recoveries(faults_, load_->times());
    }
    o.counts.violations.insert(o.counts.violations.end(), violations_.begin(),
                               violations_.end());
    std::sort(rejoins_ms_.begin(), rejoins_ms_.end());
    o.rejoins_ms = rejoins_ms_;
    o.delay_left_out = !net_->can_delay();
    o.seconds = seconds_;
    return report(o, options_.json);
  }

  options options_;
  const std::atomic<bool>& interrupted_;
  std::vector<sample> samples_;
  std::unique_ptr<network> net_;
  troupe::runtime front_;
  fleet nodes_;
  std::optional<workload> load_; // goes first
  std::vector<fault> faults_;
  std::vector<double> rejoins_ms_;
  std::vector<std::string> violations_;
  std::string now_ = "none";
  clock::time_point began_ = clock::now();
  double seconds_ = 0;
};

} // namespace

int run_trial(const options& o, const std::atomic<bool>& interrupted) {
  auto samples = make_samples(o);
  if (!samples)
    return failed(samples.failure());
  auto net = make_network(o, fleet_size);
  if (!net)
    return failed(net.failure());
  auto nodes = fleet::make(o);
  if (!nodes)
    return failed(nodes.failure());
  auto front = troupe::runtime_options{};
  front.model = o.model;
  front.threads = 1;
  front.cluster.emplace();
  front.cluster->listen = {(*net)->front_host(), 0};
  front.cluster->tls = nodes->front_tls();
  if (!o.trace.empty()) {
    front.trace.emplace();
    front.trace->file = o.trace + "/front.trace";
    front.trace->payloads = true;
  }
  auto rt = troupe::runtime::open(std::move(front));
  if (!rt)
    return failed(rt.failure());
  if (auto ok = (*net)->opened(rt->cluster_port()); !ok)
    return failed(ok.failure());
  return trial{o,
               interrupted,
               std::move(*samples),
               std::move(*net),
               std::move(*nodes),
               std::move(*rt)}
      .run();
}

} // namespace chaos
