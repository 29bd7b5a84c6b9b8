#pragma once

#include <CLI/CLI.hpp>

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.hpp"
#include "core/kv/layout.hpp"
#include "core/tensor/matrix.hpp"
#include "runtime/model_path.hpp"

namespace troupe::cli {

// Exit codes of the command line; docs/cli.md lists them.
inline constexpr int exit_ok = 0;
inline constexpr int exit_failed = 1;
inline constexpr int exit_usage = 2;
/// After Ctrl-C, as shells expect it: 128 + SIGINT.
inline constexpr int exit_interrupted = 130;

/// What the chosen subcommand does; returns an exit code.
using action = std::function<int()>;

// Each declares one subcommand; its callback sets `chosen`.
void add_run(CLI::App& app, action& chosen);
void add_tokenize(CLI::App& app, action& chosen);
void add_detokenize(CLI::App& app, action& chosen);
void add_logits(CLI::App& app, action& chosen);
void add_inspect(CLI::App& app, action& chosen);
void add_quantize(CLI::App& app, action& chosen);
void add_bench(CLI::App& app, action& chosen);
void add_certs(CLI::App& app, action& chosen);
void add_keys(CLI::App& app, action& chosen);
void add_serve(CLI::App& app, action& chosen);
void add_node(CLI::App& app, action& chosen);
void add_status(CLI::App& app, action& chosen);
void add_drain(CLI::App& app, action& chosen);
void add_audit(CLI::App& app, action& chosen);
void add_trace(CLI::App& app, action& chosen);

/// "troupe: REASON" on stderr; returns exit_failed.
int report(const error& e);

/// "1,2,3" (blanks allowed) as ids; invalid_argument names what is not one.
result<std::vector<int32_t>> parse_ids(const std::string& text);

/// All of standard input. io_error; invalid_argument beyond `most` bytes.
result<std::string> read_stdin(size_t most = size_t{64} << 20);

/// Writes to standard output at once. False if nobody takes it any more (a
/// full disk, a closed pipe); `write_failure` says why.
bool write(std::string_view text);
error write_failure();

/// Writes, and turns a failure into an exit code.
int write_all(std::string_view text);

/// `--kv`: how KV is stored.
CLI::Option* add_kv_option(CLI::App* sub, std::string& value);
kv_dtype parse_kv(const std::string& value);

/// `--activations`: what they are rounded to before they meet quantised
/// weights. `value` is the default.
CLI::Option* add_activations_option(CLI::App* sub, std::string& value);

/// `--tensor-ranks`.
CLI::Option* add_tensor_ranks_option(CLI::App* sub, uint32_t& value);
activation_type parse_activations(const std::string& value);

/// A float in as few digits as tell it apart from all others; null for what
/// JSON has no number for.
std::string json_number(float x);

} // namespace troupe::cli
