#include "tests/support/process.hpp"

#include "tests/support/core/temp_dir.hpp"

#include <csignal>
#include <fcntl.h>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

namespace troupe::testing {

process_result run_process(const std::vector<std::string>& argv,
                           const process_options& options) {
  auto dir = temp_dir{};
  write_file(dir.file("in"), options.input);
  int out_pipe[2];
  if (pipe(out_pipe) != 0)
    throw std::runtime_error{"pipe"};
  auto args = std::vector<char*>{};
  for (auto& a : argv)
    args.push_back(const_cast<char*>(a.c_str()));
  args.push_back(nullptr);
  auto in_path = dir.file("in"), err_path = dir.file("err");
  auto pid = fork();
  if (pid < 0)
    throw std::runtime_error{"fork"};
  if (pid == 0) {
    auto out = options.output_file.empty()
                   ? out_pipe[1]
                   : open(options.output_file.c_str(), O_WRONLY);
    dup2(open(in_path.c_str(), O_RDONLY), 0);
    dup2(out, 1);
    dup2(open(err_path.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600), 2);
    close(out_pipe[0]);
    close(out_pipe[1]);
    execv(args[0], args.data());
    _exit(127);
  }
  close(out_pipe[1]);
  auto r = process_result{};
  auto sent = options.signal == 0;
  char part[4096];
  for (ssize_t n; (n = read(out_pipe[0], part, sizeof(part))) > 0;) {
    r.out.append(part, static_cast<size_t>(n));
    if (!sent && r.out.size() >= options.signal_after) {
      kill(pid, options.signal);
      sent = true;
    }
  }
  close(out_pipe[0]);
  auto status = 0;
  auto usage = rusage{};
  wait4(pid, &status, 0, &usage);
  r.code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  r.err = read_file(err_path);
  r.peak_kb = usage.ru_maxrss;
  return r;
}

void write_file(const std::string& path, const std::string& bytes) {
  auto out = std::ofstream{path, std::ios::binary};
  out.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  if (!out.flush())
    throw std::runtime_error{"cannot write " + path};
}

std::string read_file(const std::string& path) {
  auto in = std::ifstream{path, std::ios::binary};
  if (!in)
    throw std::runtime_error{"cannot read " + path};
  return {std::istreambuf_iterator<char>{in}, {}};
}

} // namespace troupe::testing
