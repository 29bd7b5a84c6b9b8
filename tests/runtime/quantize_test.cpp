#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "core/model/gguf.hpp"
#include "core/model/model.hpp"
#include "tests/support/core/temp_dir.hpp"
#include "tests/support/core/tiny_model.hpp"
#include "tests/support/process.hpp"

using namespace troupe::testing;
using json = nlohmann::json;
namespace fs = std::filesystem;

namespace {

const std::string troupe_path = TROUPE_BINARY_DIR "/troupe";

// A folder with a small model in it.
struct workplace {
  workplace() {
    auto o = tiny_model_options{};
    o.hidden = 256;
    o.heads = 16;
    o.ffn = 512;
    write_tiny_model(in, o);
  }

  process_result quantize(std::vector<std::string> args) const {
    args.insert(args.begin(), {troupe_path, "quantize"});
    return run_process(args);
  }

  size_t files() const {
    return static_cast<size_t>(std::distance(fs::directory_iterator{dir.path()},
                                             fs::directory_iterator{}));
  }

  temp_dir dir;
  std::string in = dir.file("in.gguf");
  std::string out = dir.file("out.gguf");
};

// One line, and no new file.
void fails(const workplace& w, const process_result& r,
           const std::string& reason, size_t files = 1) {
  BOOST_TEST_INFO("stderr: " << r.err);
  BOOST_TEST(r.code == 1);
  BOOST_TEST(r.out == "");
  BOOST_TEST_INFO("stderr: " << r.err);
  BOOST_TEST(r.err.find(reason) != std::string::npos);
  BOOST_TEST(std::count(r.err.begin(), r.err.end(), '\n') == 1);
  BOOST_TEST(w.files() == files);
}

std::vector<float> logits(const std::string& model) {
  auto r = run_process({troupe_path, "logits", "--model", model, "--ids",
                        "40,70,80,90,100,110", "--json"});
  BOOST_TEST_INFO(r.err);
  BOOST_REQUIRE(r.code == 0);
  return json::parse(r.out)["last_logits"].get<std::vector<float>>();
}

} // namespace

BOOST_AUTO_TEST_SUITE(command_quantize)

BOOST_AUTO_TEST_CASE(every_type_runs_and_says_what_it_is) {
  auto w = workplace{};
  auto exact = logits(w.in);
  auto largest = 0.f;
  for (auto x : exact)
    largest = std::max(largest, std::fabs(x));
  struct expected {
    const char* type;
    double off; ///< of the largest logit, some times what was measured
  };
  for (auto [type, off] :
       {expected{"f32", 1e-6}, expected{"f16", 2e-3}, expected{"bf16", 2e-2},
        expected{"q8_0", 3e-2}, expected{"q6_k", 0.1}, expected{"q4_k", 0.4},
        expected{"q4_0", 0.5}}) {
    auto r = w.quantize({w.in, w.out, "--type", type, "--json", "--force"});
    BOOST_TEST_INFO(r.err);
    BOOST_REQUIRE(r.code == 0);
    BOOST_TEST(r.err == ""); // no bar where there is no terminal
    auto j = json::parse(r.out);
    BOOST_TEST(j["type"] == type);
    BOOST_TEST(j["bytes_in"] == fs::file_size(w.in));
    BOOST_TEST(j["bytes_out"] == fs::file_size(w.out));
    BOOST_TEST(j["types"][type].get<int>() >= 14);
    BOOST_TEST(w.files() == 2u);
    auto got = logits(w.out);
    auto worst = 0.f;
    for (auto i = size_t{0}; i < exact.size(); ++i)
      worst = std::max(worst, std::fabs(got[i] - exact[i]));
    BOOST_TEST_MESSAGE(type << " is off by " << worst / largest);
    BOOST_TEST(worst <= off * largest, type << ": " << worst / largest);
  }
}

BOOST_AUTO_TEST_CASE(without_json_it_talks_on_stderr) {
  auto w = workplace{};
  auto r = w.quantize({w.in, w.out, "-t", "q4_k"});
  BOOST_TEST(r.code == 0);
  BOOST_TEST(r.out == "");
  BOOST_TEST(r.err.find("out.gguf: ") != std::string::npos);
  BOOST_TEST(r.err.find("q4_k, 1 q6_k") != std::string::npos);
  BOOST_TEST(std::count(r.err.begin(), r.err.end(), '\n') == 1);
}

BOOST_AUTO_TEST_CASE(threads_do_not_matter) {
  auto w = workplace{};
  BOOST_TEST(w.quantize({w.in, w.out, "-t", "q4_k", "--threads", "1"}).code
             == 0);
  auto one = read_file(w.out);
  BOOST_TEST(
      w.quantize({w.in, w.out, "-t", "q4_k", "--threads", "3", "-f"}).code
      == 0);
  BOOST_TEST((read_file(w.out) == one));
}

BOOST_AUTO_TEST_CASE(an_existing_file_is_not_replaced_unless_told) {
  auto w = workplace{};
  write_file(w.out, "precious");
  fails(w, w.quantize({w.in, w.out, "-t", "f16"}),
        w.out + ": exists; --force replaces it", 2);
  BOOST_TEST(read_file(w.out) == "precious");
  BOOST_TEST(w.quantize({w.in, w.out, "-t", "f16", "--force"}).code == 0);
  BOOST_TEST(troupe::load_model(w.out).ok());
  // In place, too.
  BOOST_TEST(w.quantize({w.out, w.out, "-t", "q8_0", "--force"}).code == 0);
  auto m = troupe::load_model(w.out);
  BOOST_REQUIRE(m.ok());
  BOOST_TEST(((*m)->w.output.type == troupe::dtype::q8_0));
}

BOOST_AUTO_TEST_CASE(bad_input_leaves_no_file) {
  auto w = workplace{};
  fails(w, w.quantize({w.dir.file("none.gguf"), w.out, "-t", "q8_0"}),
        "none.gguf: ");
  auto whole = read_file(w.in);
  write_file(w.in, whole.substr(0, whole.size() - 100));
  fails(w, w.quantize({w.in, w.out, "-t", "q8_0"}), "in.gguf: ");
  // Found half way through.
  auto f = tiny_model_file();
  f.remove_tensor("output.weight");
  f.add_tensor("output.weight", {64, 300}, troupe::dtype::f32,
               std::vector<float>(64 * 300, HUGE_VALF));
  f.write(w.in);
  fails(w, w.quantize({w.in, w.out, "-t", "q8_0"}),
        "tensor output.weight has infinities or NaN");
  // With an old file in that place: it stays.
  write_file(w.out, "precious");
  fails(w, w.quantize({w.in, w.out, "-t", "q8_0", "-f"}), "output.weight", 2);
  BOOST_TEST(read_file(w.out) == "precious");
}

BOOST_AUTO_TEST_CASE(places_that_cannot_be_written) {
  auto w = workplace{};
  fails(w, w.quantize({w.in, w.dir.file("no/such/place.gguf"), "-t", "q8_0"}),
        "No such file or directory");
  fails(w, w.quantize({w.in, w.dir.path().string(), "-t", "q8_0", "-f"}),
        "not a regular file");
  fails(w, w.quantize({w.in, "/dev/null", "-t", "q8_0", "-f"}),
        "/dev/null: there is something that is not a regular file");
}

BOOST_AUTO_TEST_CASE(no_room_is_one_line_and_no_file) {
  auto w = workplace{};
  auto limited = "ulimit -f 100; exec \"$0\" \"$@\"";
  auto r = run_process({"/bin/sh", "-c", limited, troupe_path, "quantize", w.in,
                        w.out, "-t", "f16"});
  fails(w, r, "out.gguf: File too large");
}

BOOST_AUTO_TEST_CASE(usage) {
  auto w = workplace{};
  for (auto& args : std::vector<std::vector<std::string>>{
           {w.in},
           {w.in, w.out},
           {w.in, w.out, "-t", "q3_k"},
           {w.in, w.out, "-t", "q8_0", "--threads", "0"}}) {
    auto r = w.quantize(args);
    BOOST_TEST(r.code == 2);
    BOOST_TEST(r.out == "");
  }
  BOOST_TEST(w.files() == 1u);
}

BOOST_AUTO_TEST_SUITE_END()
