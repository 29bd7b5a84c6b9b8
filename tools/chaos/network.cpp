#include "tools/chaos/network.hpp"

#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <fcntl.h>

#include "tools/chaos/forwarder.hpp"

namespace chaos {

namespace {

using troupe::errc;
using troupe::fail;
using troupe::result;

constexpr auto slow = std::chrono::milliseconds{200};

// -- loopback ----------------------------------------------------------------

// Each node reaches the front through a forwarder; nodes reach each other
// directly.
class loopback_network : public network {
public:
  explicit loopback_network(size_t nodes) : nodes_(nodes) {}

  std::string front_host() const override { return "127.0.0.1"; }

  result<void> opened(uint16_t port) override {
    for (auto i = size_t{0}; i < nodes_; ++i) {
      links_.push_back(forwarder::start(port));
      if (!links_.back())
        return fail(errc::io_error, "no port for a forwarder");
    }
    return {};
  }

  std::string join(size_t i) const override {
    return "127.0.0.1:" + std::to_string(links_[i]->port());
  }
  std::string host(size_t) const override { return "127.0.0.1"; }
  void cut(size_t i, bool yes) override { links_[i]->cut(yes); }
  bool can_delay() const override { return true; }
  void delay(size_t i, bool yes) override {
    links_[i]->delay(yes ? slow : std::chrono::milliseconds{0});
  }

private:
  size_t nodes_;
  std::vector<std::unique_ptr<forwarder>> links_;
};

// -- namespaces --------------------------------------------------------------

// Runs a program, quietly. True: it succeeded.
bool call(const std::vector<std::string>& words) {
  auto args = std::vector<char*>{};
  for (auto& w : words)
    args.push_back(const_cast<char*>(w.c_str()));
  args.push_back(nullptr);
  auto pid = ::fork();
  if (pid == 0) {
    auto null = ::open("/dev/null", O_RDWR);
    ::dup2(null, 0);
    ::dup2(null, 1);
    ::dup2(null, 2);
    ::execvp(args[0], args.data());
    ::_exit(127);
  }
  auto status = 0;
  return pid > 0 && ::waitpid(pid, &status, 0) == pid && status == 0;
}

// A bridge with the front's address, and a pair of devices to each node.
struct names {
  std::string bridge;
  std::string subnet; // "10.X.Y."

  explicit names(uint32_t id)
      : bridge("chaos" + std::to_string(id)),
        subnet("10." + std::to_string(64 + id / 250 % 128) + "."
               + std::to_string(id % 250) + ".") {}

  std::string space(size_t i) const { return bridge + "n" + std::to_string(i); }
  std::string outer(size_t i) const { return bridge + "o" + std::to_string(i); }
  std::string inner(size_t i) const { return bridge + "i" + std::to_string(i); }
  std::string host(size_t i) const { return subnet + std::to_string(i + 2); }
};

class namespace_network : public network {
public:
  explicit namespace_network(uint32_t id) : names_(id) {}

  result<void> make(size_t nodes) {
    auto& n = names_;
    if (::geteuid() != 0)
      return fail(errc::unsupported, "--net namespaces needs root");
    if (!call({"ip", "link", "add", n.bridge, "type", "bridge"})
        || !call({"ip", "addr", "add", n.subnet + "1/24", "dev", n.bridge})
        || !call({"ip", "link", "set", n.bridge, "up"}))
      return fail(errc::unsupported,
                  "cannot make a bridge: needs iproute2, and a kernel that "
                  "lets this process configure its network");
    for (auto i = size_t{0}; i < nodes; ++i)
      if (!add(i))
        return fail(errc::unsupported,
                    "cannot make network namespace " + n.space(i));
    // Tried out on a device that carries nothing yet.
    netem_ = set_delay(0, true);
    set_delay(0, false);
    return {};
  }

  std::string front_host() const override { return names_.subnet + "1"; }
  result<void> opened(uint16_t port) override {
    port_ = port;
    return {};
  }
  std::string join(size_t) const override {
    return front_host() + ":" + std::to_string(port_);
  }
  std::string host(size_t i) const override { return names_.host(i); }
  std::string space(size_t i) const override { return names_.space(i); }

  void cut(size_t i, bool yes) override {
    call({"ip", "link", "set", names_.outer(i), yes ? "down" : "up"});
  }
  bool can_delay() const override { return netem_; }
  void delay(size_t i, bool yes) override { set_delay(i, yes); }

private:
  bool add(size_t i) {
    auto& n = names_;
    auto within = [&](std::vector<std::string> words) {
      words.insert(words.begin(), {"ip", "-n", n.space(i)});
      return call(words);
    };
    return call({"ip", "netns", "add", n.space(i)})
           && call({"ip", "link", "add", n.outer(i), "type", "veth", "peer",
                    "name", n.inner(i), "netns", n.space(i)})
           && call({"ip", "link", "set", n.outer(i), "master", n.bridge})
           && within({"addr", "add", n.host(i) + "/24", "dev", n.inner(i)})
           && within({"link", "set", n.inner(i), "up"})
           && within({"link", "set", "lo", "up"})
           && call({"ip", "link", "set", n.outer(i), "up"});
  }

  // Both ways, half on each device of the pair.
  bool set_delay(size_t i, bool yes) {
    auto& n = names_;
    auto verb = std::string{yes ? "add" : "del"};
    auto outer = std::vector<std::string>{"tc",  "qdisc",    verb,
                                          "dev", n.outer(i), "root"};
    auto inner = std::vector<std::string>{"tc", "-n",  n.space(i), "qdisc",
                                          verb, "dev", n.inner(i), "root"};
    if (yes)
      for (auto* words : {&outer, &inner})
        words->insert(words->end(), {"netem", "delay", "200ms"});
    return call(outer) && call(inner);
  }

  names names_;
  uint16_t port_ = 0;
  bool netem_ = false;
};

} // namespace

result<std::unique_ptr<network>> make_network(const options& o, size_t nodes) {
  if (o.net == network_kind::loopback)
    return std::unique_ptr<network>{new loopback_network{nodes}};
  auto made = std::make_unique<namespace_network>(o.id);
  if (auto ok = made->make(nodes); !ok)
    return ok.failure();
  return std::unique_ptr<network>{std::move(made)};
}

void clean_network(const options& o, size_t nodes) {
  if (o.net == network_kind::loopback)
    return;
  auto n = names{o.id};
  for (auto i = size_t{0}; i < nodes; ++i) {
    call({"ip", "link", "del", n.outer(i)});
    call({"ip", "netns", "del", n.space(i)});
  }
  call({"ip", "link", "del", n.bridge});
}

} // namespace chaos
