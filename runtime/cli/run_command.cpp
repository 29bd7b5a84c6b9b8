#include <chrono>
#include <cstdio>
#include <memory>
#include <numeric>
#include <optional>
#include <unistd.h>

#include "core/text/chat_template.hpp"
#include "runtime/cli/cli.hpp"
#include "runtime/cli/cluster_flags.hpp"
#include "runtime/cli/interrupt.hpp"
#include "runtime/cli/json_text.hpp"
#include "runtime/cli/trace_flags.hpp"
#include "runtime/runtime.hpp"

namespace troupe::cli {

namespace {

struct run_options {
  std::string model = default_model();
  std::vector<std::string> prompts;
  std::vector<std::string> chats;
  std::string system;
  bool from_stdin = false;
  generate_request request;
  std::vector<std::string> bias;
  unsigned threads = 0;
  uint32_t tensor_ranks = 1;
  std::string topology = "1";
  std::string kv;
  bool no_parse_special = false;
  bool no_prefix_cache = false;
  std::string activations = "i8";
  std::string at;
  tls_flags tls;
  trace_flags trace;
  bool json = false;
  bool quiet = false;
};

const char* name_of(finish_reason r) {
  switch (r) {
  case finish_reason::none:
    return "none";
  case finish_reason::stop:
    return "stop";
  case finish_reason::length:
    return "length";
  case finish_reason::cancelled:
    return "cancelled";
  case finish_reason::error:
    return "error";
  }
  return "none";
}

// -- what to run -------------------------------------------------------------

result<std::vector<token_id>> encode_prompt(const runtime& rt,
                                            const run_options& o,
                                            const std::string& text) {
  auto special = !o.no_parse_special;
  auto ids = rt.text().encode(text, {true, special});
  if (ids.empty())
    return fail(errc::invalid_argument, "the prompt is empty");
  return ids;
}

result<std::vector<token_id>> encode_question(const runtime& rt,
                                              const run_options& o,
                                              const std::string& question) {
  if (question.empty())
    return fail(errc::invalid_argument, "the prompt is empty");
  auto turns = std::vector<chat_message>{};
  if (!o.system.empty())
    turns.push_back({"system", o.system});
  turns.push_back({"user", question});
  auto now = std::chrono::floor<std::chrono::seconds>(
      std::chrono::system_clock::now());
  auto ids = encode_chat(rt.text(), turns, now);
  if (!ids && ids.failure().code != errc::invalid_argument)
    return fail(ids.failure().code, o.model + ": " + ids.failure().message);
  return ids;
}

// "ID:BIAS", as in 42:-inf.
result<void> parse_bias(const std::vector<std::string>& texts,
                        sampling_params& p) {
  for (auto& text : texts) {
    auto colon = text.find(':');
    char* end = nullptr;
    auto ids = parse_ids(text.substr(0, colon));
    auto number = colon == std::string::npos ? "" : text.substr(colon + 1);
    auto value = std::strtof(number.c_str(), &end);
    if (!ids || ids->size() != 1 || number.empty() || *end != '\0')
      return fail(errc::invalid_argument,
                  "--logit-bias: \"" + text + "\"; write ID:BIAS");
    p.logit_bias.emplace_back(ids->front(), value);
  }
  return {};
}

// -- what comes out ----------------------------------------------------------

std::string as_json(const completion& c, const generation& g) {
  auto j = nlohmann::ordered_json{};
  j["prompt_tokens"] = c.end.prompt_tokens;
  j["tokens"] = c.tokens;
  j["text"] = c.text;
  j["finish_reason"] = name_of(c.end.reason);
  auto ttft = g.time_to_first_token();
  auto tpot = g.time_per_output_token();
  j["cached_tokens"] = c.end.cached_tokens;
  j["ttft_ms"] = ttft ? nlohmann::ordered_json(to_ms(*ttft)) : nullptr;
  j["tpot_ms"] = tpot ? nlohmann::ordered_json(to_ms(*tpot)) : nullptr;
  if (c.end.reason == finish_reason::error)
    j["error"] = {{"code", to_string(c.end.code)}, {"message", c.end.message}};
  if (!c.details.empty()) {
    auto list = nlohmann::ordered_json::array();
    for (auto& d : c.details) {
      auto top = nlohmann::ordered_json::array();
      for (auto& t : d.top)
        top.push_back({{"id", t.id}, {"logprob", t.logprob}});
      list.push_back({{"id", d.id}, {"logprob", d.logprob}, {"top", top}});
    }
    j["logprobs"] = std::move(list);
  }
  return dump(j) + "\n";
}

std::string summary(const generation& g, const finish_event& end) {
  auto ttft = g.time_to_first_token();
  auto tpot = g.time_per_output_token();
  char text[256];
  auto n = std::snprintf(text, sizeof(text), "%u prompt tokens, %u tokens (%s)",
                         end.prompt_tokens, end.completion_tokens,
                         name_of(end.reason));
  if (ttft)
    n += std::snprintf(text + n, sizeof(text) - n, ", TTFT %.1f ms",
                       to_ms(*ttft));
  if (tpot && tpot->count() > 0)
    std::snprintf(text + n, sizeof(text) - n, ", %.1f tokens/s",
                  1e3 / to_ms(*tpot));
  return text;
}

// Streams one answer as it comes, or prints it whole as JSON.
class printer {
public:
  printer(const run_options& o, bool headed) : o_(o), headed_(headed) {}

  int print(generation& g, const std::string& prompt) {
    auto end = o_.json ? print_json(g) : stream(g, prompt);
    if (!end) {
      g.cancel();
      return report(write_failure());
    }
    if (end->reason == finish_reason::error)
      return report({end->code, end->message});
    if (!o_.quiet && !o_.json)
      std::fprintf(stderr, "%s\n", summary(g, *end).c_str());
    return end->reason == finish_reason::cancelled ? exit_interrupted : exit_ok;
  }

private:
  std::optional<finish_event> print_json(generation& g) {
    auto c = collect(g);
    if (!write(as_json(c, g)))
      return {};
    return std::move(c.end);
  }

  std::optional<finish_event> stream(generation& g, const std::string& prompt) {
    auto ok = !headed_ || write("> " + prompt + "\n");
    while (ok) {
      auto event = g.next();
      if (auto* t = std::get_if<token_event>(&*event)) {
        ok = write(t->text);
      } else {
        auto& end = std::get<finish_event>(*event);
        // The prompt of a terminal starts on a line of its own.
        if (!write(end.text + "\n"))
          break;
        return std::move(end);
      }
    }
    return {};
  }

  const run_options& o_;
  bool headed_;
};

// -- the command -------------------------------------------------------------

int run(run_options& o) {
  // Before any thread starts.
  auto interrupts = interrupt_watch{};
  auto nodes = read_topology(o.topology);
  if (!nodes)
    return report(nodes.failure());
  if (auto ok = parse_bias(o.bias, o.request.sampling); !ok)
    return report(ok.failure());
  if (o.from_stdin) {
    auto text = read_stdin();
    if (!text)
      return report(text.failure());
    o.prompts.push_back(std::move(*text));
  }
  auto opts = runtime_options{};
  opts.model = o.model;
  opts.nodes = std::move(*nodes);
  opts.threads = o.threads;
  opts.tensor_ranks = o.tensor_ranks;
  opts.prefix_cache = !o.no_prefix_cache;
  opts.activations = parse_activations(o.activations);
  if (!o.kv.empty())
    opts.kv = parse_kv(o.kv);
  opts.trace = options_of(o.trace);
  if (!o.at.empty()) {
    auto at = parse_address(o.at);
    if (!at)
      return report(at.failure());
    auto tls = files_of(o.tls);
    if (!tls)
      return report(tls.failure());
    opts.client = {*at, *tls};
  }
  auto rt = runtime::open(std::move(opts));
  if (!rt)
    return report(rt.failure());
  // All run at once, and are printed in the order given.
  auto all = std::vector<std::pair<std::string, generation>>{};
  auto submit = [&](const std::string& text,
                    result<std::vector<token_id>> ids) -> result<void> {
    if (!ids)
      return ids.failure();
    auto r = o.request;
    r.prompt = std::move(*ids);
    auto g = rt->submit(std::move(r), in_between::little);
    if (!g)
      return g.failure();
    all.emplace_back(text, std::move(*g));
    return {};
  };
  for (auto& text : o.prompts)
    if (auto ok = submit(text, encode_prompt(*rt, o, text)); !ok)
      return report(ok.failure());
  for (auto& text : o.chats)
    if (auto ok = submit(text, encode_question(*rt, o, text)); !ok)
      return report(ok.failure());
  interrupts.on_interrupt([&] {
    for (auto& [text, g] : all)
      g.cancel();
  });
  auto out = printer{o, all.size() > 1};
  auto code = exit_ok;
  for (auto& [text, g] : all) {
    auto c = out.print(g, text);
    code = code == exit_ok ? c : code;
    if (!write({})) // nobody takes the others either
      break;
  }
  interrupts.on_interrupt(nullptr);
  return code;
}

} // namespace

void add_run(CLI::App& app, action& chosen) {
  auto o = std::make_shared<run_options>();
  o->request.max_tokens = 256;
  auto& s = o->request.sampling;
  s.temperature = 0.8f;
  auto* sub = app.add_subcommand("run", "generate text");
  sub->footer(R"(
Streams the answer to standard output. --prompt and --chat may be repeated: all
run at once, in one batch, and are printed in order. Without either, the prompt
is read from standard input. The same model, prompt, parameters and seed give
the same tokens, whatever runs beside them. Ctrl-C ends the answers where they
are.

Examples:
  troupe run --chat "What is 347 + 285?" --temperature 0
  troupe run --prompt "Once upon a time" --seed 7 --max-tokens 64 --json
  troupe run --topology 2x3 --chat "List four animals." --chat "Hello!"
)");
  sub->add_option("-m,--model", o->model, "GGUF file or directory")
      ->capture_default_str();
  sub->add_option("-p,--prompt", o->prompts, "text to continue")
      ->allow_extra_args(false);
  sub->add_option("-c,--chat", o->chats,
                  "a user's message, put into the model's chat template")
      ->allow_extra_args(false);
  sub->add_option("--system", o->system, "system message for --chat");
  sub->add_option("-n,--max-tokens", o->request.max_tokens,
                  "tokens to generate at most; 0: until the context is full")
      ->capture_default_str();
  sub->add_option("--stop", o->request.stop,
                  "end before this text would appear; may be repeated")
      ->allow_extra_args(false);
  sub->add_flag("--ignore-end", o->request.ignore_end,
                "go on past the model's end tokens");
  auto group = std::string{"Sampling"};
  sub->add_option("--temperature", s.temperature, "0: always the likeliest")
      ->capture_default_str()
      ->group(group);
  sub->add_option("--top-k", s.top_k, "keep the k likeliest tokens; 0: all")
      ->capture_default_str()
      ->group(group);
  sub->add_option("--top-p", s.top_p,
                  "keep the smallest set of this probability; 1: all")
      ->capture_default_str()
      ->group(group);
  sub->add_option("--min-p", s.min_p,
                  "keep tokens this fraction as likely as the likeliest")
      ->capture_default_str()
      ->group(group);
  sub->add_option("--repetition-penalty", s.repetition_penalty,
                  "above 1: less of what was said; 1: off")
      ->capture_default_str()
      ->group(group);
  sub->add_option("--repeat-last-n", s.repeat_last_n,
                  "tokens that the repetition penalty looks at; 0: all")
      ->capture_default_str()
      ->group(group);
  sub->add_option("--presence-penalty", s.presence_penalty,
                  "off the logit of tokens already generated")
      ->capture_default_str()
      ->group(group);
  sub->add_option("--frequency-penalty", s.frequency_penalty,
                  "the same, for each time")
      ->capture_default_str()
      ->group(group);
  sub->add_option("--logit-bias", o->bias,
                  "ID:BIAS, added to a token's logit; may be repeated")
      ->allow_extra_args(false)
      ->group(group);
  sub->add_option("--seed", s.seed, "picks the answer")
      ->capture_default_str()
      ->group(group);
  auto* logprobs =
      sub->add_option("--logprobs", s.logprobs,
                      "with --json: log-probabilities, and of so many "
                      "alternatives")
          ->group(group);
  group = "Machine";
  sub->add_option("--threads", o->threads,
                  "threads of each node; default: all cores")
      ->check(CLI::Range(1, 256))
      ->group(group);
  sub->add_option("--topology", o->topology,
                  "nodes of this process: how many that prefill and decode, or "
                  "PREFILLxDECODE, such as 2x3, or a JSON file")
      ->capture_default_str()
      ->group(group);
  add_tensor_ranks_option(sub, o->tensor_ranks)->group(group);
  add_kv_option(sub, o->kv)->group(group);
  sub->add_flag("--no-prefix-cache", o->no_prefix_cache,
                "compute every prompt wholly, also what others began with")
      ->group(group);
  group = "Cluster";
  sub->add_option("--at", o->at,
                  "let the cluster with this front compute; the model is here "
                  "for its text alone")
      ->type_name("HOST:PORT")
      ->group(group);
  add_tls_options(sub, o->tls);
  add_trace_options(sub, o->trace);
  sub->add_flag("--no-parse-special", o->no_parse_special,
                "read \"<|im_end|>\" and the like in --prompt as plain text");
  add_activations_option(sub, o->activations);
  sub->add_flag("--json", o->json, "print one JSON object per answer");
  sub->add_flag("-q,--quiet", o->quiet, "no summary on standard error");
  sub->callback([o, logprobs, &chosen] {
    o->request.sampling.want_logprob = logprobs->count() > 0;
    o->from_stdin = o->prompts.empty() && o->chats.empty();
    if (o->from_stdin && isatty(STDIN_FILENO))
      throw CLI::ValidationError(
          "run", "give a --prompt or a --chat, or pipe a prompt in");
    chosen = [o] { return run(*o); };
  });
}

} // namespace troupe::cli
