#include "runtime/cli/cli.hpp"

#include <cerrno>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <unistd.h>

#include "runtime/topology.hpp"

namespace troupe::cli {

int report(const error& e) {
  std::fprintf(stderr, "troupe: %s\n", e.message.c_str());
  return exit_failed;
}

result<std::vector<int32_t>> parse_ids(const std::string& text) {
  auto ids = std::vector<int32_t>{};
  auto p = text.data();
  auto end = p + text.size();
  auto skip_blanks = [&] {
    while (p != end && (*p == ' ' || *p == '\t' || *p == '\n' || *p == '\r'))
      ++p;
  };
  skip_blanks();
  while (p != end) {
    auto id = int32_t{0};
    auto [rest, ec] = std::from_chars(p, end, id);
    if (ec != std::errc{})
      return fail(errc::invalid_argument,
                  "--ids: \"" + std::string{p, std::min(end, p + 20)}
                      + "\" does not start with a token id; write 1,2,3");
    ids.push_back(id);
    p = rest;
    skip_blanks();
    if (p != end && *p == ',') {
      ++p;
      skip_blanks();
      if (p == end)
        return fail(errc::invalid_argument,
                    "--ids: ends with a comma; write 1,2,3");
    } else if (p != end && p == rest) {
      return fail(errc::invalid_argument,
                  "--ids: \"" + std::string{p, std::min(end, p + 20)}
                      + "\" follows an id; write 1,2,3");
    }
  }
  return ids;
}

result<std::string> read_stdin(size_t most) {
  auto text = std::string{};
  char part[1 << 16];
  while (true) {
    auto n = ::read(STDIN_FILENO, part, sizeof(part));
    if (n == 0)
      return text;
    if (n < 0 && errno == EINTR)
      continue;
    if (n < 0)
      return fail(errc::io_error,
                  std::string{"standard input: "} + std::strerror(errno));
    text.append(part, static_cast<size_t>(n));
    if (text.size() > most)
      return fail(errc::invalid_argument, "standard input: more than "
                                              + std::to_string(most)
                                              + " bytes");
  }
}

namespace {
int write_errno = 0;
}

bool write(std::string_view text) {
  while (write_errno == 0 && !text.empty()) {
    auto n = ::write(STDOUT_FILENO, text.data(), text.size());
    if (n >= 0)
      text.remove_prefix(static_cast<size_t>(n));
    else if (errno != EINTR)
      write_errno = errno;
  }
  return write_errno == 0;
}

error write_failure() {
  return fail(errc::io_error,
              std::string{"standard output: "} + std::strerror(write_errno));
}

int write_all(std::string_view text) {
  return write(text) ? exit_ok : report(write_failure());
}

CLI::Option* add_kv_option(CLI::App* sub, std::string& value) {
  return sub
      ->add_option("--kv", value,
                   "how keys and values are stored: f16, i8 in half the "
                   "memory, or f32 for exact comparisons")
      ->check(CLI::IsMember({"f16", "f32", "i8"}));
}

kv_dtype parse_kv(const std::string& value) {
  if (value == "i8")
    return kv_dtype::i8;
  return value == "f32" ? kv_dtype::f32 : kv_dtype::f16;
}

CLI::Option* add_tensor_ranks_option(CLI::App* sub, uint32_t& value) {
  return sub
      ->add_option("--tensor-ranks", value,
                   "ranks that share a node's weights; tokens are those of so "
                   "many")
      ->check(CLI::Range(1u, node_plan::max_ranks))
      ->capture_default_str();
}

CLI::Option* add_activations_option(CLI::App* sub, std::string& value) {
  return sub
      ->add_option("--activations", value,
                   "what activations are rounded to before they meet "
                   "quantised weights: i8 is fastest, i16 as good as f32")
      ->check(CLI::IsMember({"i8", "i16", "f32"}))
      ->capture_default_str();
}

activation_type parse_activations(const std::string& value) {
  if (value == "f32")
    return activation_type::f32;
  return value == "i16" ? activation_type::i16 : activation_type::i8;
}

std::string json_number(float x) {
  if (!std::isfinite(x))
    return "null";
  char text[32];
  return {text, std::to_chars(text, text + sizeof(text), x).ptr};
}

} // namespace troupe::cli
