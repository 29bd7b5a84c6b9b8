#include <string_view>

#include "runtime/c_api/handles.hpp"
#include "runtime/embedding.hpp"

namespace troupe::c_api {

namespace {

std::string_view text_of(const char* text, size_t size) {
  return size > 0 ? std::string_view{text, size} : std::string_view{};
}

} // namespace

} // namespace troupe::c_api

using namespace troupe;
using namespace troupe::c_api;

int32_t troupe_tokenize(troupe_runtime* rt, const char* text, size_t size,
                        int32_t* ids, size_t capacity, size_t* count) {
  if (auto bad = check(rt, text, size, ids, capacity, count))
    return bad;
  return guarded([&] {
    auto under_way = call{*rt};
    auto all =
        rt->runtime.text().encode(text_of(text, size), {.add_special = true});
    hand_out(all, ids, capacity, count);
    return int32_t{TROUPE_OK};
  });
}

int32_t troupe_tokenize_chat(troupe_runtime* rt, const char* message,
                             size_t size, int32_t* ids, size_t capacity,
                             size_t* count) {
  if (auto bad = check(rt, message, size, ids, capacity, count))
    return bad;
  return guarded([&] {
    auto under_way = call{*rt};
    auto r = chat_request(rt->runtime, std::string{text_of(message, size)});
    if (!r)
      return complain(r.failure());
    hand_out(r->prompt, ids, capacity, count);
    return int32_t{TROUPE_OK};
  });
}

int32_t troupe_detokenize(troupe_runtime* rt, const int32_t* ids, size_t size,
                          char* text, size_t capacity, size_t* count) {
  if (auto bad = check(rt, ids, size, text, capacity, count))
    return bad;
  return guarded([&] {
    auto under_way = call{*rt};
    auto all = rt->runtime.text().decode(std::span{ids, size});
    hand_out(all, text, capacity, count);
    return int32_t{TROUPE_OK};
  });
}

int32_t troupe_embed(troupe_runtime* rt, const char* text, size_t size,
                     float* vector, size_t capacity, size_t* count) {
  if (auto bad = check(rt, text, size, vector, capacity, count))
    return bad;
  return guarded([&] {
    auto under_way = call{*rt};
    auto r = embed_request{};
    r.inputs.push_back(
        rt->runtime.text().encode(text_of(text, size), {.add_special = true}));
    auto e = rt->runtime.embed(std::move(r));
    if (e.end.reason != finish_reason::stop)
      return complain(e.end.code != errc::none ? e.end.code : errc::abandoned,
                      e.end.message);
    hand_out(e.vectors.at(0), vector, capacity, count);
    return int32_t{TROUPE_OK};
  });
}
