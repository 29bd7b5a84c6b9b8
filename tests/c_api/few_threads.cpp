// A runtime where the system gives the process few threads: it opens and
// answers, or says why not, and the process lives on. This program's own
// pthread_create is what the libraries call.

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <dlfcn.h>
#include <iterator>
#include <pthread.h>
#include <string_view>

#include <troupe/troupe.h>

namespace {

std::atomic<int> alive{0};
std::atomic<int> most{1 << 20};

struct start {
  void* (*run)(void*);
  void* with;
};

void* run(void* p) {
  auto s = *static_cast<start*>(p);
  delete static_cast<start*>(p);
  auto* result = s.run(s.with);
  --alive;
  return result;
}

} // namespace

extern "C" int pthread_create(pthread_t* thread, const pthread_attr_t* how,
                              void* (*what)(void*), void* with) noexcept {
  using create =
      int (*)(pthread_t*, const pthread_attr_t*, void* (*)(void*), void*);
  static auto real =
      reinterpret_cast<create>(dlsym(RTLD_NEXT, "pthread_create"));
  if (++alive > most) {
    --alive;
    return EAGAIN;
  }
  return real(thread, how, run, new start{what, with});
}

int main(int argc, char** argv) {
  if (argc != 2)
    return 2;
  auto opened = 0;
  auto refused = 0;
  for (most = 0; most < 40; ++most) {
    troupe_runtime* rt = nullptr;
    auto status = troupe_open_model(argv[1], &rt);
    if (status == TROUPE_OVERLOADED) {
      ++refused;
      auto why = std::string_view{troupe_last_error()};
      if (why.find("threads") != why.npos)
        continue;
    }
    if (status != TROUPE_OK) {
      std::fprintf(stderr, "%d threads: status %d, %s\n", most.load(), status,
                   troupe_last_error());
      return 1;
    }
    ++opened;
    const int32_t prompt[] = {300, 301, 302};
    auto params = troupe_params{};
    troupe_params_init(&params, sizeof params);
    params.max_tokens = 4;
    params.ignore_end = 1;
    auto answer = troupe_answer{};
    status = troupe_generate(rt, prompt, std::size(prompt), &params, nullptr,
                             nullptr, nullptr, &answer);
    if (status != TROUPE_OK || answer.completion_tokens != 4) {
      std::fprintf(stderr, "%d threads: no answer: %s\n", most.load(),
                   troupe_last_error());
      return 1;
    }
    troupe_close(rt);
  }
  std::printf("refused %d times, answered %d times\n", refused, opened);
  return opened == 0 || refused == 0;
}
