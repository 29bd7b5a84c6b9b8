#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "actors/protocol/messages.hpp"
#include "core/base/result.hpp"
#include "core/base/time.hpp"
#include "core/kv/layout.hpp"
#include "core/model/model.hpp"
#include "core/serving/batch_controller.hpp"
#include "core/serving/model_versions.hpp"
#include "core/serving/rate_limiter_limits.hpp"
#include "core/serving/response_cache_semantic.hpp"
#include "core/text/tokenizer.hpp"
#include "core/trace/options.hpp"
#include "runtime/api_key.hpp"
#include "runtime/audit_options.hpp"
#include "runtime/cluster/options.hpp"
#include "runtime/http/options.hpp"
#include "runtime/otlp_options.hpp"
#include "runtime/topology.hpp"

namespace troupe {

/// How versions of the model follow each other.
struct versions_options {
  version_options rules;
  /// What the first one is called; empty: as its file.
  std::string name;
  /// Keeps which versions there are and a rollout's evidence, beyond the
  /// process: what it says comes before `runtime_options::model`. Empty:
  /// nothing is kept.
  std::string state_file;
  /// Hears what could not be kept, in a line; may be empty. Must not block.
  std::function<void(const std::string&)> log;
};

struct runtime_options {
  /// A GGUF file, or a Hugging Face directory.
  std::string model;
  topology nodes; ///< by default one mixed node
  /// Threads of each node's engine; 0: the machine's cores.
  unsigned threads = 0;
  /// Ranks that share the weights of each node, threads of this process; each
  /// computes with the node's threads, by default so many that all together are
  /// as many as without ranks. Tokens are those of that many ranks, which are
  /// not always those of one; see docs/parallel.md.
  uint32_t tensor_ranks = 1;
  /// How KV is stored; by default float32 if the weights are, else float16.
  std::optional<kv_dtype> kv;
  /// Tokens of one step that prefills, and of a mixed node's decoding rows
  /// together; rounded up to whole KV blocks.
  uint32_t prefill_chunk = 256;
  /// Keep KV for prompts that begin alike. If not, nodes keep none, whatever
  /// their plans say.
  bool prefix_cache = true;
  /// Sequences of one decode step.
  uint32_t max_batch = 64;
  /// How long a node may keep a token so that it leaves together with those of
  /// the steps that follow, where steps are that short; 0: each leaves at once.
  /// A request's first token and its last never wait.
  duration gather_within = std::chrono::milliseconds{2};
  /// Lets requests start before all the memory that their longest answers could
  /// need is free. Where it runs short, the preempt scheduler takes it from
  /// those with the most to go, and gives it back to them later; tokens are the
  /// same. If not, requests start in order of arrival, and stay.
  bool preempt = true;
  /// Latencies that steps are kept to, as far as can be, by fewer sequences and
  /// shorter chunks of prompts in a step; without them a step takes all that it
  /// can hold.
  std::optional<batch_slo> slo;
  /// What organisations, their keys and models may use; without it there are
  /// no limits.
  std::optional<limits_table> tenants;
  /// What activations are rounded to before they meet quantised weights: i8 is
  /// up to twice as fast with long prompts and many requests, i16 gives the
  /// logits of float32.
  activation_type activations = activation_type::i8;
  versions_options versions;
  /// Keeps answers for those of the same organisation who ask the same; see
  /// `generate_request::cache`. Without it each is computed.
  std::optional<response_cache_options> cache;
  /// Beside it, answers to those who ask the same in other words, as often as
  /// its bound on errors allows; see `generate_request::cache_text`. It embeds
  /// each such request whose answer is not there.
  std::optional<semantic_options> semantic_cache;
  /// Where traces of requests, and times of their stages, are sent to; without
  /// it, nowhere.
  std::optional<otlp_options> otlp;
  /// The messages of this process are recorded, from the first to the last, or
  /// when `runtime::start_trace` is called.
  std::optional<trace_options> trace;
  /// Decisions about requests are recorded so that nobody can change them
  /// unseen; without it, nowhere. Of no client of a cluster.
  std::optional<audit_options> audit;
  /// Nodes of other processes may join, and do some or, without `nodes`, all
  /// of the work.
  std::optional<cluster_options> cluster;
  /// The requests go to a cluster; the model is here for its text alone, and
  /// nothing else of these options counts.
  std::optional<cluster_client_options> client;
  /// For whoever starts an `http_server` beside the runtime, which does not
  /// look at it.
  std::optional<http_options> http;
  /// The same: who may ask over HTTP; without it, anybody.
  std::optional<std::vector<api_key>> keys;
  /// How long requests of this process that are under way may go on when the
  /// runtime is destroyed; new ones are refused meanwhile, as abandoned. 0:
  /// they end at once.
  duration drain_within{};
};

/// What whoever pulls a request's events does from one to the next.
enum class in_between {
  anything,
  little, ///< and waits for the next
};

/// One request under way: pull its events until they end. Movable; dropping it
/// cancels the request. Use it from one thread at a time; `cancel` from any.
class generation {
public:
  using event = std::variant<token_event, finish_event>;

  generation(generation&&) noexcept;
  generation& operator=(generation&&) noexcept;
  ~generation();

  request_id id() const;

  /// Waits for the next event. The finish_event comes exactly once, last;
  /// after it this returns nothing.
  std::optional<event> next();

  /// The request ends soon, in a finish_event that says `cancelled` (or in
  /// whatever end was already on its way).
  void cancel();

  /// From submission to the first token; empty until then.
  std::optional<duration> time_to_first_token() const;
  /// Mean time per token after the first; empty until the second.
  std::optional<duration> time_per_output_token() const;

private:
  friend class runtime;
  struct impl;
  explicit generation(std::shared_ptr<impl> p);
  std::shared_ptr<impl> impl_;
};

/// One request whose events are pushed to a handler. Movable; dropping it
/// cancels the request.
class subscription {
public:
  subscription(subscription&&) noexcept;
  subscription& operator=(subscription&&) noexcept;
  ~subscription();

  /// The request ends at once. The handler may be called a last time meanwhile,
  /// but hears of no end.
  void cancel();

private:
  friend class runtime;
  struct impl;
  explicit subscription(std::unique_ptr<impl> p);
  std::unique_ptr<impl> impl_;
};

/// Everything a request left behind.
struct completion {
  std::vector<token_id> tokens;
  std::vector<sampled> details; ///< one a token, if asked for
  std::string text;
  finish_event end;
};

/// Pulls `g` to its end.
completion collect(generation& g);

/// Vectors of texts, or why there are none.
struct embeddings {
  /// [inputs][dimensions], each of length 1; of no use if `end` is an error.
  std::vector<std::vector<float>> vectors;
  finish_event end; ///< its reason is `stop` if all is well
};

/// What a request to embed leads to.
using embed_event = std::variant<embedding_event, finish_event>;

/// The inference runtime of one process: a model and the actors that serve
/// it. Safe to use from any thread. Nothing throws across this interface.
class runtime {
public:
  /// Loads the model and starts the nodes. Errors: those of the model file,
  /// invalid_argument; overloaded, where the system has too little memory or
  /// lets this process have too few threads.
  static result<runtime> open(runtime_options options);

  runtime(runtime&&) noexcept;
  runtime& operator=(runtime&&) noexcept;
  /// Ends what is under way, each request in one finish_event, and waits for
  /// the steps that nodes are in; see `runtime_options::drain_within`.
  ~runtime();

  /// Starts a request; `request.request` is ignored. Waits until it is
  /// admitted. Errors: invalid_argument, also where a handler calls it;
  /// context_exceeded, overloaded. What limits of tenants refuse ends in a
  /// finish_event that says when to try again.
  result<generation> submit(generate_request&& request);
  result<generation> submit(const generate_request& request);

  /// The same, for whoever does so much in between. While one who does little
  /// waits for an event of a request that is the only one, its thread does the
  /// work, without which others would have to be woken for each; see
  /// docs/embedding.md.
  result<generation> submit(generate_request&& request, in_between what);
  result<generation> submit(const generate_request& request, in_between what);

  /// The same without waiting, here or later: `on_event` is called with each
  /// event, by one thread of the runtime's at a time, and must not block. What
  /// the request is refused for comes as its finish_event.
  subscription submit(generate_request request,
                      std::function<void(generation::event)> on_event);

  /// Embeds texts: for each, the mean of the states of its tokens behind the
  /// model's last norm, cut to `request.dimensions` and brought to length 1.
  /// The same text has the same vector, bit for bit, whatever it is embedded
  /// with. Waits until all are there, or one cannot be; the calling thread is
  /// not to be one of the runtime's. `request.request` is ignored. Errors, in
  /// the `end`: those of `submit`, and of nodes.
  embeddings embed(embed_request request);

  /// The same without waiting, as `submit`. Vectors come in any order.
  subscription embed(embed_request request,
                     std::function<void(embed_event)> on_event);

  /// Moves a request that is generating to another node while it does. Waits
  /// until it is there. Errors: unknown_sequence (it does not generate, or has
  /// ended meanwhile), no_node, what the destination refused it for.
  result<migrated> migrate(request_id request, node_id to);

  /// Takes a node that generates out of service: its requests go to others of
  /// its kind, with their KV where these have room. Waits until it has none.
  /// Errors: no_node, timeout.
  result<drained> drain(node_id node);
  /// The same for one that joined the cluster, which leaves then.
  result<drained> drain(const std::string& name);

  /// Asks every node about itself.
  result<cluster_status> status(status_query q = {});

  /// Loads another version of the model beside those that are there, from a
  /// GGUF file or a directory, and warms it up, which `versions` shows. It
  /// needs the vocabulary of the first. Errors: io_error, invalid_argument (the
  /// name is taken), overloaded (there is no memory for it).
  result<version_id> load_version(std::string name, std::string path);
  /// See `model_versions`. Errors: invalid_argument.
  result<versions_status> command(version_command c);
  result<versions_status> versions();

  /// What the response cache holds and did. Errors: unsupported, without one.
  result<cache_status> cache();

  /// What requests went through, as a text for other programs.
  result<profile_report> profile(profile_query q);
  /// How long the stages of requests took, in the last minute.
  result<stage_latencies> latencies();

  /// What `who` has left; nothing where there are no limits, and in a cluster's
  /// client.
  limits_status limits(const tenant& who) const;

  /// What each organisation has left; empty where there are no limits.
  std::vector<organisation_status> organisations() const;
  /// Replaces all limits while requests are under way. Errors:
  /// invalid_argument, unsupported where the runtime was opened without limits.
  result<void> set_limits(limits_table table);

  /// Records the messages of this process from now on, as `o` says or else
  /// `runtime_options::trace`. A recording that began late can be looked at,
  /// but not replayed. Errors: io_error, of the file; invalid_argument, if
  /// nothing says where to, or it records already; unsupported, if another
  /// runtime of this process does.
  result<void> start_trace(std::optional<trace_options> o = {});
  /// Ends the recording. Errors: invalid_argument, if there is none of this
  /// runtime; io_error, if not all of it could be written.
  result<trace_status> stop_trace();
  /// What is recorded; of no file if nothing is. What messages did so far is in
  /// the file then.
  trace_status trace() const;

  /// Where nodes join; 0 without a cluster.
  uint16_t cluster_port() const;

  /// Where the model was read from.
  const std::string& model_path() const;
  const model& weights() const;
  const tokenizer& text() const;

private:
  friend struct runtime_actors;
  struct impl;
  explicit runtime(std::unique_ptr<impl> p);
  std::unique_ptr<impl> impl_;
};

} // namespace troupe
