#include "runtime/replay/actors.hpp"

#include <algorithm>
#include <filesystem>

#include "actors/batch_controller.hpp"
#include "actors/births.hpp"
#include "actors/decode_node.hpp"
#include "actors/preempt_scheduler.hpp"
#include "actors/prefill_node.hpp"
#include "actors/registry.hpp"
#include "actors/session.hpp"
#include "core/kv/swap_file.hpp"
#include "core/model/model_file.hpp"
#include "runtime/node_setup.hpp"

namespace troupe {

// -- props --------------------------------------------------------------------

result<std::shared_ptr<const model>>
replay_props::load(const std::string& file) {
  if (auto i = loaded_.find(file); i != loaded_.end())
    return i->second;
  auto m = load_model(file);
  if (!m)
    return m.failure();
  loaded_.emplace(file, *m);
  return std::shared_ptr<const model>{*m};
}

result<std::shared_ptr<const model>>
replay_props::weights(const std::string& digest) {
  auto files = files_;
  if (files.empty())
    for (auto& p : script_.processes)
      if (auto i = p.find("model"); i != p.end())
        files.push_back(i->second);
  auto why = std::string{};
  for (auto& f : files) {
    auto m = load(f);
    if (m && (*m)->digest == digest)
      return m;
    why += m ? "; " + f + " is another one" : "; " + m.failure().message;
  }
  return fail(errc::bad_file,
              "the recording is of the model with digest " + digest
                  + ", which is not here: name its file with --model" + why);
}

result<std::shared_ptr<const tokenizer>> replay_props::text(uint32_t process) {
  auto& about = script_.processes[process];
  auto i = about.find("model_digest");
  auto m = weights(i == about.end() ? std::string{} : i->second);
  if (!m)
    return m.failure();
  auto& known = texts_[(*m)->digest];
  if (known)
    return known;
  auto t = tokenizer::make((*m)->vocab);
  if (!t)
    return t.failure();
  known = std::move(*t);
  return known;
}

std::shared_ptr<block_arena>
replay_props::arena(uint32_t process, const model& m, kv_dtype dtype) {
  auto& a = arenas_[{process, m.digest, dtype}];
  if (!a)
    a = make_block_arena(kv_layout_of(m.params, dtype));
  return a;
}

// -- actors -------------------------------------------------------------------

namespace {

template <class Birth, class Begin>
replay_factory factory(Begin begin) {
  return
      [begin](replay_stage& stage, replay_props& props, const actor_name& who,
              uint32_t process, const_bytes bytes) -> result<void> {
        auto b = stage.read_birth<Birth>(bytes);
        if (!b)
          return b.failure();
        return begin(stage, props, who, process, *b);
      };
}

result<void> begin_session(replay_stage& stage, replay_props& props,
                           const actor_name& who, uint32_t process,
                           const session_birth& b) {
  auto text = std::shared_ptr<const tokenizer>{};
  if (b.text) {
    auto t = props.text(process);
    if (!t)
      return t.failure();
    text = std::move(*t);
  }
  stage.begin(who, session, task_of(b, std::move(text)));
  return {};
}

result<void> begin_embedder(replay_stage& stage, replay_props&,
                            const actor_name& who, uint32_t,
                            const embedder_birth& b) {
  stage.begin(who, embedder, b.gateway, b.client, b.request, b.first,
              options_of(b.settings));
  return {};
}

result<void> begin_gateway(replay_stage& stage, replay_props& props,
                           const actor_name& who, uint32_t process,
                           const gateway_birth& b) {
  auto o = options_of(b);
  if (b.text) {
    auto t = props.text(process);
    if (!t)
      return t.failure();
    o.text = std::move(*t);
  }
  stage.begin(who, gateway, std::move(o));
  return {};
}

result<void> begin_registry(replay_stage& stage, replay_props&,
                            const actor_name& who, uint32_t,
                            const registry_birth& b) {
  stage.begin(who, registry, options_of(b));
  return {};
}

// A node is as fast as this machine lets it; its tokens are the same.
constexpr auto most_threads = 2u;

result<node_options> node_of(replay_props& props, uint32_t process,
                             const node_birth& b) {
  if (b.ranks)
    return fail(errc::unsupported,
                "node " + std::to_string(b.id)
                    + " computed together with other ranks, which replays "
                      "do not do");
  auto m = props.weights(b.model);
  if (!m)
    return m.failure();
  auto o = options_of(b);
  o.threads = std::min(b.threads, most_threads);
  o.weights = std::move(*m);
  o.arena = props.arena(process, *o.weights, b.dtype);
  return o;
}

template <class Node>
replay_factory node_factory(Node node) {
  return factory<node_birth>([node](replay_stage& stage, replay_props& props,
                                    const actor_name& who, uint32_t process,
                                    const node_birth& b) -> result<void> {
    auto o = node_of(props, process, b);
    if (!o)
      return o.failure();
    stage.begin(who, node, std::move(*o));
    return {};
  });
}

result<void> begin_store(replay_stage& stage, replay_props& props,
                         const actor_name& who, uint32_t process,
                         const kv_store_birth& b) {
  auto m = props.weights(b.model);
  if (!m)
    return m.failure();
  auto o = options_of(b);
  o.weights = std::move(*m);
  o.arena = props.arena(process, *o.weights, b.dtype);
  if (b.file) {
    auto f = open_nameless_file(std::filesystem::temp_directory_path());
    if (!f)
      return f.failure();
    o.file = std::move(*f);
  }
  stage.begin(who, kv_store, std::move(o));
  return {};
}

result<void> begin_scheduler(replay_stage& stage, replay_props&,
                             const actor_name& who, uint32_t,
                             const scheduler_birth& b) {
  stage.begin(who, preempt_scheduler, b.node, policy_of(b));
  return {};
}

result<void> begin_controller(replay_stage& stage, replay_props&,
                              const actor_name& who, uint32_t,
                              const controller_birth& b) {
  stage.begin(who, batch_control, options_of(b));
  return {};
}

result<void> begin_profiler(replay_stage& stage, replay_props&,
                            const actor_name& who, uint32_t,
                            const profiler_birth& b) {
  stage.begin(who, profiler, options_of(b));
  return {};
}

} // namespace

replay_factories all_replay_factories() {
  auto f = replay_factories{};
  f["session"] = factory<session_birth>(begin_session);
  f["embedder"] = factory<embedder_birth>(begin_embedder);
  f["gateway"] = factory<gateway_birth>(begin_gateway);
  f["registry"] = factory<registry_birth>(begin_registry);
  f["prefill_node"] = node_factory(prefill_node);
  f["decode_node"] = node_factory(decode_node);
  f["kv_store"] = factory<kv_store_birth>(begin_store);
  f["preempt_scheduler"] = factory<scheduler_birth>(begin_scheduler);
  f["batch_controller"] = factory<controller_birth>(begin_controller);
  f["profiler"] = factory<profiler_birth>(begin_profiler);
  return f;
}

} // namespace troupe
