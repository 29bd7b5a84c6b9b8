#include "actors/registry.hpp"

#include <caf/all.hpp>

#include <algorithm>

#include "actors/births.hpp"
#include "actors/owed_reply.hpp"
#include "actors/remote_nodes.hpp"
#include "actors/watched.hpp"

namespace troupe {

namespace {

// A status query to all nodes, until the last has answered or died.
struct survey {
  explicit survey(owed_reply<cluster_status> r) : reply(std::move(r)) {}
  ~survey() {
    std::sort(answer.nodes.begin(), answer.nodes.end(),
              [](auto& a, auto& b) { return a.node < b.node; });
    reply.deliver(std::move(answer));
  }
  owed_reply<cluster_status> reply;
  cluster_status answer;
};

} // namespace

namespace {

using pointer = actor_pointer<registry_actor, registry_state>;

caf::result<cluster_status> ask_all(pointer self, const status_query& q,
                                    std::chrono::milliseconds patience) {
  auto promise = self->make_response_promise<cluster_status>();
  auto all = std::make_shared<survey>(owed_reply<cluster_status>{promise});
  auto& book = self->state.book();
  all->answer.requests = static_cast<uint32_t>(book.requests());
  for (auto& m : book.members()) {
    auto silent = [all, node = m.node] { all->answer.silent.push_back(node); };
    // Asked apart from the request's own timeout, so that the death of a
    // node is noticed when it happens.
    auto ticket = self->state.outstanding.expect(
        m.handle, [silent](const error&) { silent(); });
    self->request(m.handle, patience, q)
        .then(
            [=](node_status s) {
              if (self->state.outstanding.settle(m.handle, ticket)) {
                s.node = m.node;
                s.name = m.name;
                s.version = m.version;
                all->answer.nodes.push_back(std::move(s));
              }
            },
            [=](const caf::error&) {
              if (self->state.outstanding.settle(m.handle, ticket))
                silent();
            });
  }
  return promise;
}

} // namespace

registry_actor::behavior_type registry(pointer self, registry_options opts) {
  self->born_with([&] { return birth_of(opts); });
  auto patience = opts.patience;
  self->state.init(std::move(opts.book));
  auto* book = &self->state.book();
  auto nodes = std::make_shared<watched>();
  auto others = std::make_shared<remote_nodes>(self, std::move(opts.cluster));
  self->set_down_handler([=](const caf::down_msg& m) {
    nodes->down(m.source);
    others->down(m.source);
    self->state.outstanding.down(m.source);
    book->down(m.source);
  });
  auto join = [=](auto& m) {
    nodes->add(self, m.handle);
    book->add(m);
    if (m.handle)
      self->send(m.handle, watch_load{load_sink{self}});
  };
  return {
      [=](const node_load& m) {
        book->on(m, caf::actor_cast<caf::actor_addr>(self->current_sender()));
      },
      [=](const add_prefill& m) { join(m); },
      [=](const add_decode& m) { join(m); },
      [=](const add_mixed& m) { join(m); },
      [=](const place_request& m) -> caf::result<placement> {
        auto p = book->place(m);
        if (!p)
          return to_caf(p.failure());
        return *p;
      },
      [=](const release_placement& m) { book->release(m); },
      [=](const placement_moved& m) { book->move(m); },
      [=](const migrate_request& m) -> caf::result<migrated> {
        auto what = book->find(m);
        if (!what)
          return to_caf(what.failure());
        return self->delegate(what->first, std::move(what->second));
      },
      [=](const drain_request& m) -> caf::result<drained> {
        if (others->knows(m))
          return others->drain(m);
        auto what = book->retire(m);
        if (!what)
          return to_caf(what.failure());
        return self->delegate(what->first, std::move(what->second));
      },
      [=](const status_query& q) { return ask_all(self, q, patience); },
      [=](const join_node& m) { others->on(m); },
      [=](const node_ready& m) {
        if (others->on(m)) {
          nodes->add(self, m.prefill);
          nodes->add(self, m.decode);
        }
      },
      [=](const heartbeat& m) { others->on(m); },
      [=](const leave& m) { others->on(m); },
      [=](const watch_nodes& m) { others->watch(m.to); },
      [=](const admit_version& m) { others->on(m); },
      [=](const dismiss_version& m) { others->on(m); },
      [=](const deadline_tick& m) { others->tick(m); },
  };
}

} // namespace troupe
