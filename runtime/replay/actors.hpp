#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <tuple>
#include <vector>

#include "core/kv/block_arena.hpp"
#include "core/model/model.hpp"
#include "core/text/tokenizer.hpp"
#include "runtime/replay/stage.hpp"

namespace troupe {

/// What actors of a recording need that is not in it.
class replay_props {
public:
  /// `files`: models; with none, those that the recording names.
  replay_props(const replay_script& script, std::vector<std::string> files)
      : script_(script), files_(std::move(files)) {}

  /// The model with that digest. Errors: bad_file, if none of the files is it.
  result<std::shared_ptr<const model>> weights(const std::string& digest);

  /// The tokenizer of the model that a process serves.
  result<std::shared_ptr<const tokenizer>> text(uint32_t process);

  /// Where nodes of a process keep their KV, as then.
  std::shared_ptr<block_arena> arena(uint32_t process, const model& m,
                                     kv_dtype dtype);

private:
  result<std::shared_ptr<const model>> load(const std::string& file);

  const replay_script& script_;
  std::vector<std::string> files_;
  std::map<std::string, std::shared_ptr<const model>> loaded_;    ///< by file
  std::map<std::string, std::shared_ptr<const tokenizer>> texts_; ///< by digest
  std::map<std::tuple<uint32_t, std::string, kv_dtype>,
           std::shared_ptr<block_arena>>
      arenas_;
};

/// Begins an actor of one kind, from what it was spawned with.
using replay_factory =
    std::function<result<void>(replay_stage&, replay_props&, const actor_name&,
                               uint32_t process, const_bytes birth)>;

/// By the kinds' names. Others take part only as those who send and are sent
/// to.
using replay_factories = std::map<std::string, replay_factory, std::less<>>;

/// All kinds that can be replayed.
replay_factories all_replay_factories();

} // namespace troupe
