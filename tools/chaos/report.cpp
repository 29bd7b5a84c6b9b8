#include "tools/chaos/report.hpp"

#include <nlohmann/json.hpp>

#include <cstdio>

namespace chaos {

namespace {

double median(const std::vector<double>& sorted) {
  return sorted.empty() ? 0 : sorted[(sorted.size() - 1) / 2];
}

double most(const std::vector<double>& sorted) {
  return sorted.empty() ? 0 : sorted.back();
}

void print_json(const outcome& o) {
  auto faults = nlohmann::json::object();
  for (auto& r : o.recoveries)
    faults[r.name] = {{"faults", r.faults},
                      {"observed", r.ms.size()},
                      {"recovery_p50_ms", median(r.ms)},
                      {"recovery_max_ms", most(r.ms)}};
  auto all = nlohmann::json{{"requests", o.counts.started},
                            {"exact", o.counts.exact},
                            {"cancelled", o.counts.cancelled},
                            {"violations", o.counts.violations},
                            {"seconds", o.seconds},
                            {"faults", std::move(faults)},
                            {"rejoin_p50_ms", median(o.rejoins_ms)},
                            {"rejoin_max_ms", most(o.rejoins_ms)},
                            {"delay_left_out", o.delay_left_out}};
  std::printf("%s\n", all.dump().c_str());
}

void print_text(const outcome& o) {
  std::printf("%u requests in %.1f s: %u exact, %u cancelled by their clients, "
              "%zu violations\n",
              o.counts.started, o.seconds, o.counts.exact, o.counts.cancelled,
              o.counts.violations.size());
  std::printf("%-22s %7s %9s %9s %9s\n", "fault", "faults", "observed",
              "p50 ms", "max ms");
  for (auto& r : o.recoveries)
    std::printf("%-22s %7u %9zu %9.0f %9.0f\n", r.name.c_str(), r.faults,
                r.ms.size(), median(r.ms), most(r.ms));
  std::printf("back in the cluster after a fault's end: p50 %.0f ms, max %.0f "
              "ms\n",
              median(o.rejoins_ms), most(o.rejoins_ms));
  if (o.delay_left_out)
    std::printf("delay: left out, the kernel has no netem\n");
}

} // namespace

int report(const outcome& o, bool json) {
  if (json)
    print_json(o);
  else
    print_text(o);
  for (auto& v : o.counts.violations)
    std::fprintf(stderr, "troupe_chaos: %s\n", v.c_str());
  return o.counts.violations.empty() ? 0 : 1;
}

} // namespace chaos
