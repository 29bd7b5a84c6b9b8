#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <csignal>
#include <nlohmann/json.hpp>

#include "tests/support/core/hf_writer.hpp"
#include "tests/support/core/temp_dir.hpp"
#include "tests/support/process.hpp"
#include "tests/support/sanitized.hpp"

using namespace troupe::testing;
using json = nlohmann::json;

namespace {

const std::string troupe = TROUPE_BINARY_DIR "/troupe";
const std::string demo = TROUPE_SOURCE_DIR "/models/troupe-demo.gguf";

process_result call(std::vector<std::string> args,
                    const process_options& options = {}) {
  args.insert(args.begin(), troupe);
  return run_process(args, options);
}

// One line on stderr, exit status 1, nothing on stdout.
void fails_with(const process_result& r, const std::string& reason) {
  BOOST_TEST_INFO("stderr: " << r.err);
  BOOST_TEST(r.code == 1);
  BOOST_TEST(r.out == "");
  BOOST_TEST_INFO("stderr: " << r.err);
  BOOST_TEST(r.err.find(reason) != std::string::npos);
  BOOST_TEST_INFO("stderr: " << r.err);
  BOOST_TEST(std::count(r.err.begin(), r.err.end(), '\n') == 1);
}

std::vector<json> lines(const std::string& out) {
  auto all = std::vector<json>{};
  for (auto at = size_t{0}; at < out.size();) {
    auto end = out.find('\n', at);
    all.push_back(json::parse(out.substr(at, end - at)));
    at = end + 1;
  }
  return all;
}

} // namespace

BOOST_AUTO_TEST_SUITE(command_line)

// -- usage -------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(help_teaches_and_succeeds) {
  auto r = call({"--help"});
  BOOST_TEST(r.code == 0);
  for (auto* word :
       {"run", "tokenize", "detokenize", "logits", "inspect", "bench"}) {
    BOOST_TEST(r.out.find(word) != std::string::npos);
    auto sub = call({word, "--help"});
    BOOST_TEST(sub.code == 0);
    BOOST_TEST(sub.out.find("--") != std::string::npos);
  }
}

BOOST_AUTO_TEST_CASE(usage_errors_exit_with_2_and_keep_stdout_clean) {
  auto cases = std::vector<std::vector<std::string>>{
      {},
      {"walk"},
      {"run", "--no-such-option"},
      {"run", "--prompt", "x", "--temperature", "warm"},
      {"run", "--prompt", "x", "--threads", "0"},
      {"run", "--prompt", "x", "--kv", "f8"},
      {"run", "--prompt", "x", "--activations", "i4"},
      {"bench"},
      {"bench", "throughput", "--batch", "0"},
      {"detokenize"},
      {"logits"},
      {"inspect"}};
  for (auto& args : cases) {
    auto r = call(args);
    BOOST_TEST_INFO(r.err);
    BOOST_TEST(r.code == 2);
    BOOST_TEST(r.out == "");
    BOOST_TEST(r.err.find("troupe: ") == 0u);
  }
}

// -- bad input ---------------------------------------------------------------

BOOST_AUTO_TEST_CASE(bad_model_files_are_one_line_that_names_them) {
  auto dir = temp_dir{};
  auto whole = read_file(demo);
  write_file(dir.file("empty.gguf"), "");
  write_file(dir.file("magic.gguf"), "GGML" + whole.substr(4, 1000));
  write_file(dir.file("cut.gguf"), whole.substr(0, whole.size() / 2));
  for (auto* name : {"empty.gguf", "magic.gguf", "cut.gguf", "absent.gguf"})
    for (auto* command : {"run", "logits"}) {
      auto args = std::vector<std::string>{command, "--model", dir.file(name)};
      args.push_back(std::string{command} == "run" ? "--prompt" : "--ids");
      args.push_back("1");
      fails_with(call(args), dir.file(name) + ": ");
    }
  fails_with(call({"run", "--model", "/tmp", "--prompt", "x"}), "/tmp: ");
}

BOOST_AUTO_TEST_CASE(https_needs_both_its_files) {
  fails_with(call({"serve", "--http-tls-key", "k"}), "--http-tls-certificate");
  fails_with(call({"serve", "--port", "0", "--http-tls-certificate", "no.pem",
                   "--http-tls-key", "k"}),
             "no.pem: No such file");
}

BOOST_AUTO_TEST_CASE(bad_prompts_and_ids_are_refused) {
  fails_with(call({"run", "--prompt", ""}), "the prompt is empty");
  fails_with(call({"run", "--chat", ""}), "the prompt is empty");
  fails_with(call({"run"}), "the prompt is empty"); // empty standard input
  fails_with(call({"logits", "--ids", "1,999999"}), "token id 999999");
  fails_with(call({"logits", "--ids", "-1"}), "token id -1");
  fails_with(call({"logits", "--ids", "1,two"}), "\"two\"");
  fails_with(call({"detokenize", "--ids", "4096"}), "token id 4096");
  fails_with(call({"run", "--prompt", "x", "--temperature", "-1"}),
             "temperature");
  fails_with(call({"run", "--prompt", "x", "--top-p", "nan"}), "top_p");
  fails_with(call({"run", "--prompt", "x", "--logit-bias", "7"}), "ID:BIAS");
  fails_with(call({"run", "--prompt", "x", "--topology", "0x1"}), "0x1");
}

BOOST_AUTO_TEST_CASE(a_prompt_longer_than_the_context_is_refused) {
  auto words = std::string{};
  for (auto i = 0; i < 3000; ++i)
    words += "fox ";
  auto o = process_options{};
  o.input = words;
  fails_with(call({"run"}, o), "2048");
}

BOOST_AUTO_TEST_CASE(a_full_disk_is_an_error) {
  auto o = process_options{};
  o.output_file = "/dev/full";
  auto r = call({"run", "--prompt", "Once upon a time"}, o);
  BOOST_TEST(r.code == 1);
  BOOST_TEST(r.err.find("standard output: No space left") != std::string::npos);
  r = call({"run", "--prompt", "Once", "--prompt", "One day", "--json"}, o);
  BOOST_TEST(r.code == 1);
  BOOST_TEST(std::count(r.err.begin(), r.err.end(), '\n') == 1);
}

// -- what it prints ----------------------------------------------------------

BOOST_AUTO_TEST_CASE(tokenize_and_detokenize_are_inverse) {
  auto text = std::string{"It's 347 + 285,\n\t naïve café 🙂!"};
  auto r = call({"tokenize", "--text", text, "--json"});
  BOOST_TEST(r.code == 0);
  auto ids = json::parse(r.out)["ids"].get<std::vector<int>>();
  BOOST_TEST(ids.size() > 5u);
  auto list = std::string{};
  for (auto id : ids)
    list += (list.empty() ? "" : ",") + std::to_string(id);
  auto back = call({"detokenize", "--ids", list});
  BOOST_TEST(back.code == 0);
  BOOST_TEST(back.out == text);
  auto o = process_options{};
  o.input = text;
  BOOST_TEST(call({"tokenize", "--json"}, o).out == r.out);
}

BOOST_AUTO_TEST_CASE(run_prints_the_promised_fields) {
  auto r = call({"run", "--chat", "What is 2 + 3?", "--temperature", "0",
                 "--json", "--logprobs", "2"});
  BOOST_TEST_INFO(r.err);
  BOOST_REQUIRE(r.code == 0);
  auto j = json::parse(r.out);
  BOOST_TEST(j["prompt_tokens"].get<int>() > 8);
  BOOST_TEST(j["finish_reason"] == "stop");
  BOOST_TEST(j["text"].get<std::string>().find("5") != std::string::npos);
  BOOST_TEST(j["ttft_ms"].get<double>() > 0);
  BOOST_TEST(j["tpot_ms"].get<double>() > 0);
  auto n = j["tokens"].size();
  BOOST_TEST(j["logprobs"].size() == n);
  BOOST_TEST(j["logprobs"][0]["top"].size() == 2u);
  BOOST_TEST(j["logprobs"][0]["top"][0]["id"] == j["tokens"][0]);
}

BOOST_AUTO_TEST_CASE(a_hugging_face_directory_serves_what_its_gguf_does) {
  auto o = tiny_model_options{};
  o.architecture = "qwen2";
  o.qkv_bias = true;
  auto dir = temp_dir{};
  write_tiny_model(dir.file("tiny.gguf"), o);
  tiny_hf_model(o).write(dir.path());
  write_hf_tokenizer(dir.path(), tiny_model(o)->vocab);
  auto run = [&](const std::string& model) {
    auto r = call({"run", "--model", model, "--chat", "Hello there!", "--json",
                   "--max-tokens", "16", "--seed", "5"});
    BOOST_TEST_INFO(r.err);
    BOOST_REQUIRE(r.code == 0);
    return json::parse(r.out);
  };
  auto from_gguf = run(dir.file("tiny.gguf"));
  auto from_directory = run(dir.path());
  BOOST_TEST(from_directory["prompt_tokens"] == from_gguf["prompt_tokens"]);
  BOOST_TEST(from_directory["tokens"] == from_gguf["tokens"]);
  BOOST_TEST(from_directory["text"] == from_gguf["text"]);
  auto ids = [&](const std::string& model) {
    auto r = call({"tokenize", "--model", model, "--text", "the thing\n"});
    BOOST_TEST(r.code == 0);
    return r.out;
  };
  BOOST_TEST(ids(dir.path()) == ids(dir.file("tiny.gguf")));
  auto seen = call({"inspect", dir.path()});
  BOOST_TEST(seen.code == 0);
  BOOST_TEST(seen.out.find("qwen2") != std::string::npos);
}

// A tokenizer that another library made, for a model of more rows than that has
// tokens.
BOOST_AUTO_TEST_CASE(a_directory_brings_its_tokenizer_and_template) {
  auto dir = temp_dir{};
  auto f = tiny_hf_model();
  for (auto* name : {"model.embed_tokens.weight", "lm_head.weight"}) {
    auto& t = f.weights.at(name);
    t.shape[0] *= 2;
    auto rows = t.data;
    t.data.insert(t.data.end(), rows.begin(), rows.end());
  }
  f.put("vocab_size", "600");
  f.write(dir.path());
  auto from = std::string{TROUPE_SOURCE_DIR "/tests/data/text/hf/smollm/"};
  write_file(dir.file("tokenizer.json"), read_file(from + "tokenizer.json"));
  write_file(dir.file("tokenizer_config.json"),
             R"({"eos_token": "<|im_end|>", "chat_template": "none"})");
  write_file(dir.file("chat_template.jinja"),
             "{% for message in messages %}{{'<|im_start|>' + message['role'] "
             "+ '\n' + message['content'] + '<|im_end|>' + '\n'}}{% endfor %}"
             "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}"
             "{% endif %}");
  auto tokens = [&](const std::string& text) {
    auto r =
        call({"tokenize", "--model", dir.path(), "--text", text, "--json"});
    BOOST_TEST_INFO(r.err);
    BOOST_REQUIRE(r.code == 0);
    return json::parse(r.out)["ids"].get<std::vector<int>>();
  };
  BOOST_TEST(tokens("<|im_end|>") == (std::vector{562}));
  auto prompt = tokens("<|im_start|>user\nHi there, 7!<|im_end|>\n"
                       "<|im_start|>assistant\n");
  auto r = call({"run", "--model", dir.path(), "--chat", "Hi there, 7!",
                 "--ignore-end", "-n", "6", "--json"});
  BOOST_TEST_INFO(r.err);
  BOOST_REQUIRE(r.code == 0);
  auto answer = json::parse(r.out);
  BOOST_TEST(answer["prompt_tokens"].get<size_t>() == prompt.size());
  BOOST_TEST(answer["tokens"].size() == 6u);
  auto logits = call({"logits", "--model", dir.path(), "--ids", "1,562"});
  BOOST_TEST(logits.code == 0);
  write_file(dir.file("tokenizer.json"), "{\"model\": 7}");
  fails_with(call({"run", "--model", dir.path(), "--prompt", "x"}),
             dir.file("tokenizer.json") + ": has no model");
}

BOOST_AUTO_TEST_CASE(streamed_text_equals_the_json_text) {
  auto args = std::vector<std::string>{"run", "--chat", "List four animals.",
                                       "--seed", "3"};
  auto plain = call(args);
  BOOST_TEST(plain.code == 0);
  BOOST_TEST(plain.err.find("tokens/s") != std::string::npos);
  args.push_back("--json");
  auto j = json::parse(call(args).out);
  BOOST_TEST(plain.out == j["text"].get<std::string>() + "\n");
}

BOOST_AUTO_TEST_CASE(a_stop_string_and_a_limit_end_the_answer) {
  auto r = call({"run", "--chat", "Number these words: lamp, boat, kite",
                 "--temperature", "0", "--stop", "2.", "--json"});
  auto j = json::parse(r.out);
  BOOST_TEST(j["finish_reason"] == "stop");
  BOOST_TEST(j["text"].get<std::string>() == "1. lamp\n");
  auto k = json::parse(
      call({"run", "--prompt", "Once upon", "-n", "5", "--json"}).out);
  BOOST_TEST(k["finish_reason"] == "length");
  BOOST_TEST(k["tokens"].size() == 5u);
}

BOOST_AUTO_TEST_CASE(ctrl_c_ends_the_answer_where_it_is) {
  auto o = process_options{};
  o.signal = SIGINT;
  o.signal_after = 20;
  auto r = call(
      {"run", "--prompt", "Once upon a time", "--ignore-end", "-n", "1900"}, o);
  BOOST_TEST(r.code == 130);
  BOOST_TEST(r.out.size() >= 20u);
  BOOST_TEST(r.err.find("cancelled") != std::string::npos);
}

// -- one seed, one answer ----------------------------------------------------

BOOST_AUTO_TEST_CASE(the_answer_depends_on_nothing_but_the_seed) {
  auto base = std::vector<std::string>{"run", "--seed", "7",  "--temperature",
                                       "0.8", "--json", "-n", "48"};
  auto with = [&](std::vector<std::string> more) {
    auto args = base;
    args.insert(args.end(), more.begin(), more.end());
    auto r = call(args);
    BOOST_TEST_INFO(r.err);
    BOOST_REQUIRE(r.code == 0);
    return lines(r.out);
  };
  auto question = std::string{"Tell me a story about a clever owl."};
  auto alone = with({"--chat", question, "--threads", "1"}).at(0);
  BOOST_REQUIRE(alone["tokens"].size() == 48u);
  auto beside = std::vector<std::string>{"--chat", question};
  for (auto i = 0; i < 15; ++i) {
    beside.push_back("--chat");
    beside.push_back("What is " + std::to_string(100 + 37 * i) + " + "
                     + std::to_string(5 * i) + "?");
  }
  for (auto* threads : {"1", "2"})
    for (auto* nodes : {"1", "1x1", "2x3"}) {
      auto one =
          with({"--chat", question, "--threads", threads, "--topology", nodes});
      BOOST_TEST(one.at(0)["tokens"] == alone["tokens"]);
      auto more = beside;
      more.insert(more.end(), {"--threads", threads, "--topology", nodes});
      auto all = with(more);
      BOOST_TEST(all.size() == 16u);
      BOOST_TEST(all.at(0)["tokens"] == alone["tokens"]);
    }
  // The same question twice at once: its second answer is computed from what
  // the first one's prompt left behind, or wholly, as their messages meet.
  auto twice = [&](std::vector<std::string> more) {
    more.insert(more.end(), {"--chat", question, "--chat", question});
    auto both = with(more);
    BOOST_TEST(both.at(0)["tokens"] == alone["tokens"]);
    BOOST_TEST(both.at(1)["tokens"] == alone["tokens"]);
    return both.at(0)["cached_tokens"].get<int>()
           + both.at(1)["cached_tokens"].get<int>();
  };
  twice({});
  BOOST_TEST(twice({"--no-prefix-cache"}) == 0);
  base[2] = "8";
  BOOST_TEST(with({"--chat", question}).at(0)["tokens"] != alone["tokens"]);
}

#ifndef TROUPE_TEST_SANITIZED
BOOST_AUTO_TEST_CASE(a_run_needs_less_than_120_mb) {
  auto r = call({"run", "--prompt", "Once upon a time", "--ignore-end", "-n",
                 "1500", "--quiet"});
  BOOST_TEST(r.code == 0);
  BOOST_TEST(r.peak_kb < 120 * 1000);
}
#endif

// -- bench -------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(bench_counts_what_it_was_asked_for) {
  // 40 tokens do not fit into a chunk, and two prompts share one.
  auto r = call({"bench", "throughput", "--model", demo, "--prompt-tokens",
                 "40", "--gen-tokens", "3", "--batch", "3", "--chunk", "64",
                 "--runs", "2", "--threads", "2", "--json"});
  BOOST_TEST(r.code == 0);
  BOOST_TEST_INFO(r.err);
  auto out = lines(r.out).at(0);
  BOOST_TEST(out["batch"] == 3);
  BOOST_TEST(out["prefill_runs"].size() == 2u);
  BOOST_TEST(out["decode_runs"].size() == 2u);
  BOOST_TEST(out["prefill_tokens_per_s"].get<double>() > 0);
  BOOST_TEST(out["decode_tokens_per_s"].get<double>() > 0);
}

BOOST_AUTO_TEST_CASE(bench_refuses_what_does_not_fit_the_context) {
  auto args = std::vector<std::string>{
      "bench",           "throughput", "--model",      demo,
      "--prompt-tokens", "2048",       "--gen-tokens", "1"};
  fails_with(call(args), "the context of");
}

BOOST_AUTO_TEST_SUITE_END()
