#include "tools/chaos/fleet.hpp"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "runtime/cluster/certs.hpp"

namespace chaos {

namespace {

using troupe::errc;
using troupe::fail;
using troupe::result;

// Between fork and exec; only calls that a signal handler could make.
[[noreturn]] void become(char* const* args, int log, int space) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  auto none = sigset_t{};
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  // Ctrl-C is for the driver.
  ::setpgid(0, 0);
  if (space >= 0 && ::setns(space, CLONE_NEWNET) != 0)
    ::_exit(126);
  ::dup2(log, 1);
  ::dup2(log, 2);
  ::execv(args[0], args);
  ::_exit(127);
}

} // namespace

fleet::fleet(const options& o) : options_(o) {
  if (o.mixed)
    nodes_ = {{"m1", "mixed"}, {"m2", "mixed"}, {"m3", "mixed"}};
  else
    nodes_ = {{"p1", "prefill"}, {"d1", "decode"}, {"d2", "decode"}};
}

result<fleet> fleet::make(const options& o) {
  auto f = fleet{o};
  auto certs = troupe::certs_options{};
  certs.directory = o.directory;
  certs.days = 1;
  certs.nodes = {"front"};
  for (auto& n : f.nodes_)
    certs.nodes.push_back(n.name);
  if (auto made = troupe::make_certs(certs); !made)
    return made.failure();
  return f;
}

fleet::~fleet() {
  for (auto i = size_t{0}; i < nodes_.size(); ++i)
    kill(i);
}

troupe::tls_files fleet::tls(const std::string& name) const {
  auto& d = options_.directory;
  return {d + "/" + name + ".pem", d + "/" + name + ".key", d + "/ca.pem"};
}

std::string fleet::log(size_t i) const {
  return options_.directory + "/" + nodes_[i].name + ".log";
}

result<void> fleet::start(size_t i, const network& net) {
  auto& n = nodes_[i];
  auto files = tls(n.name);
  auto words = std::vector<std::string>{
      options_.troupe, "node",      "--model",    options_.model,
      "--name",        n.name,      "--role",     n.role,
      "--join",        net.join(i), "--listen",   net.host(i) + ":0",
      "--threads",     "1",         "--tls-cert", files.certificate,
      "--tls-key",     files.key,   "--tls-ca",   files.ca};
  // Each life of a node is another process.
  if (!options_.trace.empty())
    words.insert(words.end(), {"--trace",
                               options_.trace + "/" + n.name + "-"
                                   + std::to_string(++n.lives) + ".trace",
                               "--trace-payloads"});
  auto args = std::vector<char*>{};
  for (auto& w : words)
    args.push_back(w.data());
  args.push_back(nullptr);
  auto log = ::open(this->log(i).c_str(),
                    O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  auto space = -1;
  if (!net.space(i).empty()) {
    auto path = "/run/netns/" + net.space(i);
    space = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (space < 0)
      return fail(errc::io_error, path + ": " + std::strerror(errno));
  }
  n.pid = ::fork();
  if (n.pid == 0)
    become(args.data(), log, space);
  auto why = errno;
  ::close(log);
  if (space >= 0)
    ::close(space);
  if (n.pid < 0) {
    n.pid = 0;
    return fail(errc::io_error, std::string{"fork: "} + std::strerror(why));
  }
  return {};
}

void fleet::kill(size_t i) {
  auto pid = std::exchange(nodes_[i].pid, 0);
  if (pid == 0)
    return;
  ::kill(pid, SIGKILL);
  ::waitpid(pid, nullptr, 0);
}

// Zero would mean this process and its group.
void fleet::signal(size_t i, int what) {
  if (auto pid = nodes_[i].pid; pid > 0)
    ::kill(pid, what);
}

void fleet::stop(size_t i) {
  signal(i, SIGSTOP);
}

void fleet::go_on(size_t i) {
  signal(i, SIGCONT);
}

std::string fleet::end_of(size_t i) {
  auto& pid = nodes_[i].pid;
  auto status = 0;
  if (pid == 0 || ::waitpid(pid, &status, WNOHANG) != pid)
    return {};
  pid = 0;
  if (WIFSIGNALED(status))
    return std::string{"signal "} + ::strsignal(WTERMSIG(status));
  return "status " + std::to_string(WEXITSTATUS(status));
}

} // namespace chaos
