#include <algorithm>
#include <cmath>
#include <cstdio>
#include <memory>
#include <numeric>
#include <thread>

#include "core/engine/engine.hpp"
#include "core/kv/block_pool.hpp"
#include "core/kv/page_table.hpp"
#include "core/model/gguf_type.hpp"
#include "core/model/model.hpp"
#include "core/text/tokenizer.hpp"
#include "runtime/cli/cli.hpp"

namespace troupe::cli {

namespace {

struct logits_options {
  std::string model = default_model();
  std::string ids;
  std::string kv = "f32";
  unsigned threads = 0;
  std::string activations = "i16";
  bool json = false;
};

struct evaluation {
  std::vector<float> last_logits; ///< [vocab]
  double mean_nll = 0;            ///< 0 for a single token
};

// -log softmax(logits)[id], in double.
double negative_log_likelihood(std::span<const float> logits, token_id id) {
  auto most =
      static_cast<double>(*std::max_element(logits.begin(), logits.end()));
  auto sum = 0.0;
  for (auto x : logits)
    sum += std::exp(static_cast<double>(x) - most);
  return most + std::log(sum)
         - static_cast<double>(logits[static_cast<size_t>(id)]);
}

result<evaluation> evaluate(std::shared_ptr<const model> weights,
                            std::span<const token_id> ids, kv_dtype kv,
                            unsigned threads, activation_type activations) {
  constexpr auto chunk = size_t{256};
  auto n = static_cast<uint32_t>(ids.size());
  auto net = engine{weights, {threads, chunk, nullptr, activations}};
  auto pool =
      block_pool{make_block_arena(net.layout(kv)), kv_layout::blocks_for(n)};
  auto table = page_table{};
  if (!table.grow(pool, n))
    return fail(errc::no_free_blocks, "no memory for the KV cache");
  auto vocab = size_t{weights->params.vocab};
  auto out = evaluation{};
  auto total = 0.0;
  for (auto at = size_t{0}; at < ids.size(); at += chunk) {
    auto row = batch_row{};
    row.table = &table;
    row.tokens = ids.subspan(at, std::min(chunk, ids.size() - at));
    row.want_all_logits = true;
    auto logits = net.forward({&row, 1});
    if (!logits)
      return logits.failure();
    for (auto i = size_t{0}; i < row.tokens.size(); ++i)
      if (auto next = at + i + 1; next < ids.size())
        total += negative_log_likelihood(logits->subspan(i * vocab, vocab),
                                         ids[next]);
    auto last = logits->last(vocab);
    out.last_logits.assign(last.begin(), last.end());
  }
  if (ids.size() > 1)
    out.mean_nll = total / static_cast<double>(ids.size() - 1);
  return out;
}

std::string as_json(const evaluation& e) {
  auto s = std::string{"{\"last_logits\":["};
  for (auto x : e.last_logits)
    s += json_number(x) + ",";
  s.back() = ']';
  char nll[64];
  std::snprintf(nll, sizeof(nll), ",\"mean_nll\":%.9g}\n", e.mean_nll);
  return s + nll;
}

std::string as_text(const evaluation& e, const tokenizer* text) {
  auto order = std::vector<token_id>(e.last_logits.size());
  std::iota(order.begin(), order.end(), 0);
  auto shown = std::min<size_t>(10, order.size());
  std::partial_sort(order.begin(), order.begin() + shown, order.end(),
                    [&](token_id a, token_id b) {
                      return std::pair{-e.last_logits[a], a}
                             < std::pair{-e.last_logits[b], b};
                    });
  auto out = std::string{};
  for (auto i = size_t{0}; i < shown; ++i) {
    auto piece = std::string{};
    if (text)
      text->append_piece(order[i], piece, true);
    char line[64];
    std::snprintf(line, sizeof(line), "%d\t%.5f\t", order[i],
                  static_cast<double>(e.last_logits[order[i]]));
    out += line + ('"' + printable(piece)) + "\"\n";
  }
  char nll[64];
  std::snprintf(nll, sizeof(nll), "mean_nll\t%.6f\n", e.mean_nll);
  return out + nll;
}

int logits(const logits_options& o) {
  auto ids = parse_ids(o.ids);
  if (!ids)
    return report(ids.failure());
  if (ids->empty())
    return report(fail(errc::invalid_argument, "--ids: no token given"));
  auto weights = load_model(o.model);
  if (!weights)
    return report(weights.failure());
  auto& p = (*weights)->params;
  for (auto id : *ids)
    if (id < 0 || static_cast<uint32_t>(id) >= p.vocab)
      return report(fail(errc::invalid_argument,
                         "--ids: token id " + std::to_string(id)
                             + " is out of range; " + o.model + " has "
                             + std::to_string(p.vocab) + " tokens"));
  if (ids->size() > p.context)
    return report(
        fail(errc::context_exceeded, "--ids: " + std::to_string(ids->size())
                                         + " tokens; the context of " + o.model
                                         + " is " + std::to_string(p.context)));
  auto threads = o.threads > 0
                     ? o.threads
                     : std::max(1u, std::thread::hardware_concurrency());
  auto e = evaluate(*weights, *ids, parse_kv(o.kv), threads,
                    parse_activations(o.activations));
  if (!e)
    return report(e.failure());
  if (o.json)
    return write_all(as_json(*e));
  auto text = tokenizer::make((*weights)->vocab);
  return write_all(as_text(*e, text ? text->get() : nullptr));
}

} // namespace

void add_logits(CLI::App& app, action& chosen) {
  auto o = std::make_shared<logits_options>();
  auto* sub =
      app.add_subcommand("logits", "what a model thinks follows some tokens");
  sub->footer(R"(
Prints the likeliest next tokens, or with --json one object:
{"last_logits": [...], "mean_nll": X}, the logits after the last id, and the
mean negative log-likelihood of all ids but the first, given those before them.
)");
  sub->add_option("-m,--model", o->model, "GGUF file or directory")
      ->capture_default_str();
  sub->add_option("--ids", o->ids, "token ids: 1,2,3")->required();
  add_kv_option(sub, o->kv)->capture_default_str();
  sub->add_option("--threads", o->threads, "threads; default: all cores")
      ->check(CLI::Range(1, 256));
  add_activations_option(sub, o->activations);
  sub->add_flag("--json", o->json, "print one JSON object");
  sub->callback([o, &chosen] { chosen = [o] { return logits(*o); }; });
}

} // namespace troupe::cli
