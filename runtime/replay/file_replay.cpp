#include "runtime/replay/file_replay.hpp"

#include <vector>

#include "core/model/mapped_file.hpp"
#include "core/trace/trace_model.hpp"
#include "core/trace/trace_part.hpp"
#include "runtime/replay/replayer.hpp"

namespace troupe {

namespace {

result<std::vector<mapped_file>> map_all(const std::string& path,
                                         std::vector<trace_input>& inputs) {
  auto files = std::vector<mapped_file>{};
  for (auto& name : names_of_trace(path)) {
    auto f = mapped_file::open(name);
    if (!f)
      return f.failure();
    inputs.push_back({name, f->bytes()});
    files.push_back(std::move(*f));
  }
  return files;
}

} // namespace

result<file_replay> replay_file(const std::string& path) {
  auto inputs = std::vector<trace_input>{};
  auto files = map_all(path, inputs);
  if (!files)
    return files.failure();
  auto model = read_trace(inputs, {});
  if (model.damaged())
    return fail(errc::bad_file, path + ": damaged");
  auto script = make_script(model);
  if (!script)
    return fail(script.failure().code, path + ": " + script.failure().message);
  auto r = replay(*script, {});
  if (!r)
    return fail(r.failure().code, path + ": " + r.failure().message);
  auto all = file_replay{r->actors, r->steps, r->compared, r->tokens, {}};
  if (auto& d = r->difference)
    all.difference = d->actor + ", in message " + std::to_string(d->message)
                     + ": " + d->what;
  return all;
}

} // namespace troupe
