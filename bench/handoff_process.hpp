#pragma once

// A decode node in a process of its own: this program, started again.

#include <caf/all.hpp>
#include <caf/io/all.hpp>

#include <cstdio>
#include <cstdlib>
#include <fcntl.h>
#include <string>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

#include "actors/decode_node.hpp"
#include "bench/handoff_actors.hpp"
#include "runtime/system_config.hpp"

namespace troupe::bench {

class networked_config : public system_config {
public:
  networked_config() {
    load<caf::io::middleman>();
    // Whoever reads from the socket decodes, too.
    set("middleman.workers", size_t{0});
  }
};

/// Runs a decode node until standard input ends. Says its port on standard
/// output, and that of an actor that answers status queries.
inline int run_decode_process(const node_options& options) {
  auto config = networked_config{};
  auto sys = caf::actor_system{config};
  auto decode = sys.spawn<caf::detached>(decode_node, options);
  auto pong = sys.spawn(ponger);
  auto& net = sys.middleman();
  auto port = net.publish(decode, 0, "127.0.0.1");
  auto pong_port = net.publish(pong, 0, "127.0.0.1");
  if (!port || !pong_port)
    return 1;
  std::printf("%u %u\n", unsigned{*port}, unsigned{*pong_port});
  std::fflush(stdout);
  while (std::getchar() != EOF)
    ;
  std::_Exit(0);
}

/// Such a process, ended with this object.
class decode_process {
public:
  /// `args` follow the program's name.
  explicit decode_process(std::vector<std::string> args) {
    int in[2], out[2];
    if (pipe2(in, O_CLOEXEC) != 0 || pipe2(out, O_CLOEXEC) != 0)
      std::abort();
    args.insert(args.begin(), "/proc/self/exe");
    auto argv = std::vector<char*>{};
    for (auto& a : args)
      argv.push_back(a.data());
    argv.push_back(nullptr);
    pid_ = fork();
    if (pid_ == 0) {
      dup2(in[0], 0);
      dup2(out[1], 1);
      execv(argv[0], argv.data());
      _exit(127);
    }
    close(in[0]);
    close(out[1]);
    in_ = in[1];
    auto* said = fdopen(out[0], "r");
    if (std::fscanf(said, "%u %u", &port_, &pong_port_) != 2)
      port_ = 0;
    std::fclose(said);
  }
  decode_process(const decode_process&) = delete;
  ~decode_process() {
    close(in_);
    waitpid(pid_, nullptr, 0);
  }

  bool runs() const { return port_ != 0; }
  uint16_t port() const { return static_cast<uint16_t>(port_); }

  decode_actor decode(caf::actor_system& sys) const {
    return reach<decode_actor>(sys, port_);
  }
  status_actor pong(caf::actor_system& sys) const {
    return reach<status_actor>(sys, pong_port_);
  }

private:
  template <class Handle>
  Handle reach(caf::actor_system& sys, unsigned port) const {
    auto a = sys.middleman().remote_actor<Handle>("127.0.0.1",
                                                  static_cast<uint16_t>(port));
    return a ? *a : Handle{};
  }

  pid_t pid_ = -1;
  int in_ = -1;
  unsigned port_ = 0;
  unsigned pong_port_ = 0;
};

} // namespace troupe::bench
