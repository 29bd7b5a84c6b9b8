#include <algorithm>
#include <string>
#include <utility>

#include "core/trace/model_parts.hpp"

namespace troupe::trace_building {

namespace {

constexpr auto most_processes = size_t{65535};

// False: nothing of it can be used.
bool read_one(const_bytes bytes, read_file& f,
              std::vector<trace_finding>& findings) {
  auto reader = trace_file_reader{};
  while (auto c = reader.next(bytes))
    f.chunks.push_back(std::move(*c));
  findings = reader.findings();
  if (!reader.header() || reader.refused())
    return false;
  f.header = *reader.header();
  return true;
}

std::vector<read_file>* process_of(parts& p, const trace_file_header& h) {
  auto i = p.processes.find(h.process);
  if (i != p.processes.end())
    return &p.files[i->second];
  if (p.files.size() == most_processes)
    return nullptr;
  p.processes.emplace(h.process, static_cast<uint32_t>(p.files.size()));
  p.m.processes.emplace_back().id = h.process;
  return &p.files.emplace_back();
}

void note_missing(parts& p, const std::vector<read_file>& files) {
  for (size_t i = 1; i < files.size(); ++i) {
    auto before = files[i - 1].header.file;
    auto n = files[i].header.file - before - 1;
    if (n > 0)
      p.m.findings[files[i].input].push_back(
          {0, "the file before this one is missing: it has number "
                  + std::to_string(files[i].header.file)
                  + " of its process, and the one before it number "
                  + std::to_string(before)});
  }
}

bool is_moment(const trace_moment& m) {
  return m.ticks != 0 || m.steady_ns != 0;
}

} // namespace

void read_files(parts& p, std::span<const trace_input> inputs,
                const trace_progress& progress) {
  p.m.findings.resize(inputs.size());
  auto all = uint64_t{0};
  for (auto& in : inputs)
    all += in.bytes.size();
  auto done = uint64_t{0};
  for (uint32_t i = 0; i < inputs.size(); ++i) {
    auto f = read_file{};
    f.input = i;
    if (read_one(inputs[i].bytes, f, p.m.findings[i])) {
      auto* process = process_of(p, f.header);
      if (process == nullptr)
        p.m.findings[i].push_back({0, "there are too many processes"});
      else
        process->push_back(std::move(f));
    }
    done += inputs[i].bytes.size();
    if (progress)
      progress(done, all);
  }
  for (size_t i = 0; i < p.files.size(); ++i) {
    auto& files = p.files[i];
    auto by_number = [](auto& a, auto& b) {
      return a.header.file < b.header.file;
    };
    std::stable_sort(files.begin(), files.end(), by_number);
    auto same = [&p](auto& a, auto& b) {
      if (a.header.file != b.header.file)
        return false;
      p.m.findings[b.input].push_back(
          {0, "it is one of the others again, and left out"});
      return true;
    };
    files.erase(std::unique(files.begin(), files.end(), same), files.end());
    note_missing(p, files);
    for (auto& f : files) {
      p.m.processes[i].files.push_back(f.input);
      p.m.processes[i].flags |= f.header.flags;
      for (auto& c : f.chunks)
        p.m.processes[i].dropped =
            std::max(p.m.processes[i].dropped, c.header.dropped);
    }
  }
}

// Ticks go by at one pace, between the first moment and the last.
trace_clock clock_of(const std::vector<read_file>& files) {
  auto first = trace_moment{};
  auto last = trace_moment{};
  for (auto& f : files)
    for (auto& c : f.chunks) {
      if (!is_moment(c.header.moment))
        continue;
      if (!is_moment(first))
        first = c.header.moment;
      last = c.header.moment;
    }
  auto clock = trace_clock{};
  clock.ticks = first.ticks;
  clock.unix_ns = first.unix_ns;
  __builtin_sub_overflow(first.unix_ns, first.steady_ns,
                         &clock.unix_minus_steady_ns);
  auto ticks =
      static_cast<double>(last.ticks) - static_cast<double>(first.ticks);
  auto ns = static_cast<double>(last.steady_ns)
            - static_cast<double>(first.steady_ns);
  // Faster than 1000 GHz or slower than 1 kHz is no clock.
  if (ticks > 0 && ns / ticks > 1e-3 && ns / ticks < 1e6)
    clock.ns_per_tick = ns / ticks;
  return clock;
}

} // namespace troupe::trace_building
