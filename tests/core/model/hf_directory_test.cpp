#include "core/model/hf_directory.hpp"

#include <boost/test/unit_test.hpp>
#include <filesystem>

#include "tests/support/core/hf_writer.hpp"
#include "tests/support/core/model_refusal.hpp"
#include "tests/support/core/temp_dir.hpp"

using namespace troupe;
using namespace troupe::testing;

namespace {

constexpr auto one = std::to_array({1.f});

void write_text(const std::string& path, std::string_view text) {
  write_file(path, std::as_bytes(std::span{text}));
}

// Two files, "a" in the first, "b" and "c" in the second.
struct sharded {
  sharded() {
    write_text(dir.file("config.json"), "{}");
    auto first = safetensors_writer{};
    first.add("a", {1}, dtype::f32, one);
    write_file(dir.file("model-00001-of-00002.safetensors"), first.bytes());
    auto second = safetensors_writer{};
    second.add("b", {1}, dtype::f32, one);
    second.add("c", {1}, dtype::f32, one);
    write_file(dir.file("model-00002-of-00002.safetensors"), second.bytes());
    index(R"({"metadata": {"total_size": 12}, "weight_map": {
      "a": "model-00001-of-00002.safetensors",
      "b": "model-00002-of-00002.safetensors",
      "c": "model-00002-of-00002.safetensors"}})");
  }

  void index(std::string_view text) const {
    write_text(dir.file("model.safetensors.index.json"), text);
  }

  error refusal() const {
    auto d = hf_directory::open(dir.path());
    return d ? error{} : d.failure();
  }

  temp_dir dir;
};

} // namespace

BOOST_AUTO_TEST_SUITE(hf_directories)

BOOST_FIXTURE_TEST_CASE(tensors_of_all_files_are_found, sharded) {
  // With or without a slash.
  for (auto path : {dir.path().string(), dir.path().string() + "/"}) {
    auto d = hf_directory::open(path);
    BOOST_REQUIRE(d);
    BOOST_TEST(d->path() == dir.path().string());
    BOOST_TEST(d->config().size() == 2u);
    BOOST_TEST(d->files().size() == 2u);
    BOOST_TEST(d->tensors().size() == 3u);
    for (auto name : {"a", "b", "c"}) {
      auto* e = d->find(name);
      BOOST_REQUIRE(e);
      BOOST_TEST(e->tensor->name == name);
      BOOST_TEST(load_unaligned<float>(e->tensor->data.data()) == 1.f);
    }
    BOOST_TEST(d->find("b")->file == &d->files()[1]);
    BOOST_TEST(!d->find("aa"));
    BOOST_TEST(!d->find(""));
    BOOST_TEST(!d->find("d"));
  }
}

BOOST_FIXTURE_TEST_CASE(one_file_needs_no_index, sharded) {
  std::filesystem::rename(dir.file("model-00001-of-00002.safetensors"),
                          dir.file("model.safetensors"));
  auto d = hf_directory::open(dir.path());
  BOOST_REQUIRE(d);
  BOOST_TEST(d->tensors().size() == 1u);
}

BOOST_FIXTURE_TEST_CASE(released_bytes_come_back, sharded) {
  auto many = std::vector<float>(1 << 16, 2.f);
  auto f = safetensors_writer{};
  f.add("large", {1 << 16}, dtype::f32, many);
  write_file(dir.file("model.safetensors"), f.bytes());
  auto d = hf_directory::open(dir.path());
  BOOST_REQUIRE(d);
  auto data = d->find("large")->tensor->data;
  d->release(data);
  BOOST_TEST((std::memcmp(data.data(), many.data(), data.size()) == 0));
}

BOOST_FIXTURE_TEST_CASE(what_a_directory_lacks, sharded) {
  auto path = dir.path().string();
  auto remove = [&](std::string_view name) {
    std::filesystem::remove(dir.file(name));
  };
  auto check = [&](errc code, std::string_view reason) {
    auto e = refusal();
    BOOST_TEST(to_string(e.code) == to_string(code));
    BOOST_TEST(e.message == path + ": " + std::string{reason});
  };
  remove("model.safetensors.index.json");
  check(errc::io_error,
        "has model-00001-of-00002.safetensors but neither model.safetensors "
        "nor model.safetensors.index.json");
  write_text(dir.file("pytorch_model.bin"), "x");
  check(errc::unsupported,
        "has pytorch_model.bin; Troupe reads safetensors, to which "
        "save_pretrained of the transformers library converts");
  remove("pytorch_model.bin");
  remove("model-00001-of-00002.safetensors");
  remove("model-00002-of-00002.safetensors");
  check(errc::io_error,
        "has neither model.safetensors nor model.safetensors.index.json");
  remove("config.json");
  check(errc::io_error, "is a directory without config.json, so not a model");
  write_text(dir.file("m.gguf"), "x");
  check(errc::io_error,
        "is a directory without config.json; to load a GGUF file name it, as "
        "in "
            + path + "/m.gguf");
  write_text(dir.file("config.json"), "");
  write_text(dir.file("model.safetensors"), "x");
  BOOST_TEST(refusal().message == path + "/config.json: is empty");
  write_text(dir.file("config.json"), "{}");
  BOOST_TEST(refusal().message
             == path
                    + "/model.safetensors: not a safetensors file: of 1 "
                      "bytes");
}

BOOST_FIXTURE_TEST_CASE(an_index_that_lies, sharded) {
  auto check = [&](std::string_view text, std::string_view reason) {
    index(text);
    auto e = refusal();
    BOOST_TEST(to_string(e.code) == "bad_file");
    BOOST_TEST(e.message
               == dir.file("model.safetensors.index.json") + ": "
                      + std::string{reason});
  };
  check("[]", "is not a JSON object");
  check("{", "is not JSON, at byte 2");
  check("{}", "weight_map is not an object of tensors");
  check(R"({"weight_map": []})", "weight_map is not an object of tensors");
  check(R"({"weight_map": {}})", "weight_map is not an object of tensors");
  constexpr auto no_name = "weight_map has no name of a safetensors file for a";
  check(R"({"weight_map": {"a": 1}})", no_name);
  check(R"({"weight_map": {"a": ""}})", no_name);
  check(R"({"weight_map": {"a": "x.bin"}})", no_name);
  check(R"({"weight_map": {"a": "../x.safetensors"}})", no_name);
  check(R"({"weight_map": {"a": "/x.safetensors"}})", no_name);
  check(R"({"weight_map": {"a": ".safetensors"}})", no_name);
  check("{\"weight_map\": {\"a\": \"x\\u0000.safetensors\"}}", no_name);
  check(R"({"weight_map": {"a": "model-00002-of-00002.safetensors"}})",
        "tensor a is not in model-00002-of-00002.safetensors");
  check(R"({"weight_map": {"d": "model-00002-of-00002.safetensors"}})",
        "tensor d is not in model-00002-of-00002.safetensors");
  index(R"({"weight_map": {"a": "x.safetensors"}})");
  BOOST_TEST(to_string(refusal().code) == "io_error");
  index(std::string(100, '['));
  BOOST_TEST(to_string(refusal().code) == "unsupported");
}

BOOST_FIXTURE_TEST_CASE(no_tensor_is_in_two_files, sharded) {
  std::filesystem::copy(dir.file("model-00002-of-00002.safetensors"),
                        dir.file("model-00001-of-00002.safetensors"),
                        std::filesystem::copy_options::overwrite_existing);
  index(R"({"weight_map": {
      "b": "model-00001-of-00002.safetensors",
      "c": "model-00002-of-00002.safetensors"}})");
  BOOST_TEST(refusal().message.ends_with(
      ".safetensors: tensor b is in another file as well"));
}

BOOST_AUTO_TEST_SUITE_END()
