// Reads any bytes as the body of each request of the API: the answer is a
// request within its limits, or an error that is JSON. The first byte picks the
// request.

#include <cstdlib>
#include <nlohmann/json.hpp>

#include "core/api/json_text.hpp"
#include "core/api/openai_request.hpp"

using namespace troupe;
using namespace troupe::api;

namespace {

void require(bool x) {
  if (!x)
    std::abort();
}

void check(const std::optional<api_error>& e) {
  if (!e)
    return;
  require(e->status == 400 && !e->message.empty() && e->message.size() < 1000);
  auto j = nlohmann::json::parse(to_json(*e), nullptr, false);
  require(j["error"]["type"] == "invalid_request_error");
}

void check(const common_request& r, const request_limits& limits) {
  require(r.n >= 1 && r.n <= limits.choices);
  require(r.stop.size() <= limits.stops);
  auto& s = r.sampling;
  require(s.temperature >= 0 && s.temperature <= 2);
  require(s.top_p >= 0 && s.top_p <= 1 && s.min_p >= 0 && s.min_p <= 1);
  require(s.logprobs <= sampling_params::max_logprobs);
  require(s.logit_bias.size() <= limits.biases);
  for (auto& [id, bias] : s.logit_bias)
    require(id >= 0 && bias >= -100 && bias <= 100);
}

template <class Request>
Request read(std::string_view body, const request_limits& limits, bool& good) {
  auto r = Request{};
  auto e = read_request(body, limits, r);
  check(e);
  good = !e;
  return r;
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0)
    return 0;
  auto limits = request_limits{};
  limits.bytes = 4096;
  limits.values = 1000;
  auto body =
      std::string_view{reinterpret_cast<const char*>(data) + 1, size - 1};
  auto good = false;
  switch (data[0] % 5) {
  case 0: {
    auto r = read<chat_request>(body, limits, good);
    if (good) {
      check(r, limits);
      require(!r.messages.empty());
    }
    break;
  }
  case 1: {
    auto r = read<completion_request>(body, limits, good);
    if (good) {
      check(r, limits);
      require(!r.prompts.empty() && r.prompts.size() * r.n <= limits.choices);
    }
    break;
  }
  case 2:
    read<tokenize_request>(body, limits, good);
    break;
  case 3:
    read<detokenize_request>(body, limits, good);
    break;
  case 4: {
    auto r = read<embedding_request>(body, limits, good);
    if (good)
      require(!r.inputs.empty() && r.inputs.size() <= limits.inputs
              && r.dimensions <= 1u << 20);
    break;
  }
  }
  auto text = std::string{};
  append_json_string(text, body);
  require(nlohmann::json::parse(text, nullptr, false).is_string());
  return 0;
}
