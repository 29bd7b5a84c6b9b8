/* The C API as C sees it: what it gives, what it refuses, and two threads. */
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <troupe/troupe.h>

static int failures = 0;

static void check(int ok, const char* what, int line) {
  if (ok)
    return;
  fprintf(stderr, "line %d: %s (last error: %s)\n", line, what,
          troupe_last_error());
  ++failures;
}
#define CHECK(x) check((x) != 0, #x, __LINE__)

enum { room = 512 };

typedef struct tokens {
  int32_t ids[room];
  size_t size;
  size_t enough; /* other than 0: stops there */
} tokens;

static int32_t gather(void* user, const int32_t* ids, size_t count,
                      const char* text, size_t size) {
  tokens* to = user;
  (void)text;
  (void)size;
  for (size_t i = 0; i < count && to->size < room; ++i)
    to->ids[to->size++] = ids[i];
  return to->enough != 0 && to->size >= to->enough;
}

static tokens prompt_of(troupe_runtime* rt, const char* text) {
  tokens t = {.size = 0};
  CHECK(troupe_tokenize(rt, text, strlen(text), t.ids, room, &t.size)
        == TROUPE_OK);
  return t;
}

static troupe_params params_of(uint64_t seed, uint32_t max_tokens) {
  troupe_params p;
  troupe_params_init(&p, sizeof p);
  p.seed = seed;
  p.max_tokens = max_tokens;
  p.ignore_end = 1;
  return p;
}

/* -- what it gives --------------------------------------------------------- */

static void texts(troupe_runtime* rt) {
  const char* text = "Once upon a time";
  tokens t = prompt_of(rt, text);
  size_t size = 0;
  char back[64];
  CHECK(t.size > 1);
  CHECK(troupe_detokenize(rt, t.ids, t.size, back, sizeof back, &size)
        == TROUPE_OK);
  CHECK(size == strlen(text) && memcmp(back, text, size) == 0);

  /* A short buffer is filled, and the rest is counted. */
  int32_t two[2] = {-1, -1};
  CHECK(troupe_tokenize(rt, text, strlen(text), two, 1, &size) == TROUPE_OK);
  CHECK(size == t.size && two[0] == t.ids[0] && two[1] == -1);
  CHECK(troupe_tokenize(rt, text, strlen(text), NULL, 0, &size) == TROUPE_OK);
  CHECK(size == t.size);
  CHECK(troupe_tokenize_chat(rt, text, strlen(text), NULL, 0, &size)
        == TROUPE_OK);
  CHECK(size > t.size);
}

static void vectors(troupe_runtime* rt) {
  static float v[8192];
  size_t size = 0;
  double square = 0;
  CHECK(troupe_embed(rt, "hello", 5, v, 8192, &size) == TROUPE_OK);
  CHECK(size > 0 && size <= 8192);
  for (size_t i = 0; i < size && i < 8192; ++i)
    square += (double)v[i] * v[i];
  CHECK(fabs(square - 1) < 1e-3);
}

static void answers(troupe_runtime* rt) {
  tokens prompt = prompt_of(rt, "Once upon a time");
  troupe_params p = params_of(7, 20);
  tokens first = {.size = 0}, second = {.size = 0}, other = {.size = 0};
  troupe_answer a;
  CHECK(
      troupe_generate(rt, prompt.ids, prompt.size, &p, gather, &first, NULL, &a)
      == TROUPE_OK);
  CHECK(first.size == 20 && a.finish == TROUPE_FINISH_LENGTH);
  CHECK(a.prompt_tokens == prompt.size && a.completion_tokens == 20);
  CHECK(troupe_generate(rt, prompt.ids, prompt.size, &p, gather, &second, NULL,
                        NULL)
        == TROUPE_OK);
  CHECK(second.size == 20 && memcmp(first.ids, second.ids, 80) == 0);
  p.seed = 8;
  CHECK(troupe_generate(rt, prompt.ids, prompt.size, &p, gather, &other, NULL,
                        NULL)
        == TROUPE_OK);
  CHECK(memcmp(first.ids, other.ids, 80) != 0);
}

static void stopped(troupe_runtime* rt) {
  tokens prompt = prompt_of(rt, "Once upon a time");
  troupe_params p = params_of(7, 400);
  tokens t = {.enough = 3};
  troupe_answer a;
  CHECK(troupe_generate(rt, prompt.ids, prompt.size, &p, gather, &t, NULL, &a)
        == TROUPE_OK);
  CHECK(a.finish == TROUPE_FINISH_CANCELLED && t.size < 400);
}

static void watched(troupe_runtime* rt) {
  char status[4096], dir[] = "/tmp/troupe_c_XXXXXX", file[64];
  size_t size = 0;
  uint64_t bytes = 0, dropped = 1;
  CHECK(troupe_status(rt, status, sizeof status - 1, &size) == TROUPE_OK);
  CHECK(size > 0 && size < sizeof status);
  status[size < sizeof status ? size : 0] = '\0';
  CHECK(strstr(status, "\"blocks_total\"") != NULL);

  CHECK(mkdtemp(dir) != NULL);
  snprintf(file, sizeof file, "%s/messages.trace", dir);
  CHECK(troupe_start_trace(rt, file, 0) == TROUPE_OK);
  CHECK(troupe_start_trace(rt, file, 0) == TROUPE_INVALID_ARGUMENT);
  answers(rt);
  CHECK(troupe_stop_trace(rt, &bytes, &dropped) == TROUPE_OK);
  CHECK(bytes > 1000 && dropped == 0);
  FILE* written = fopen(file, "rb");
  CHECK(written != NULL);
  if (written) {
    CHECK(fseek(written, 0, SEEK_END) == 0);
    CHECK((uint64_t)ftell(written) == bytes);
    fclose(written);
  }
  remove(file);

  /* Contents make it larger. */
  uint64_t more = 0;
  CHECK(troupe_start_trace(rt, file, 1) == TROUPE_OK);
  answers(rt);
  CHECK(troupe_stop_trace(rt, &more, NULL) == TROUPE_OK);
  CHECK(more > bytes + bytes / 10);
  remove(file);
  remove(dir);
  CHECK(troupe_stop_trace(rt, NULL, NULL) == TROUPE_INVALID_ARGUMENT);
  /* The configuration says nothing of it. */
  CHECK(troupe_start_trace(rt, NULL, 0) == TROUPE_INVALID_ARGUMENT);
  CHECK(troupe_start_trace(rt, "/no/such/trace", 0) == TROUPE_IO_ERROR);
  CHECK(strstr(troupe_last_error(), "/no/such/trace") != NULL);
}

/* -- two threads ----------------------------------------------------------- */

typedef struct task {
  troupe_runtime* rt;
  uint64_t seed;
  tokens got;
} task;

static void* ask(void* arg) {
  task* t = arg;
  tokens prompt = prompt_of(t->rt, "Once upon a time");
  troupe_params p = params_of(t->seed, 40);
  for (int i = 0; i < 3; ++i) {
    t->got.size = 0;
    CHECK(troupe_generate(t->rt, prompt.ids, prompt.size, &p, gather, &t->got,
                          NULL, NULL)
          == TROUPE_OK);
  }
  /* Errors are each thread's own. */
  CHECK(troupe_generate(t->rt, prompt.ids, 0, &p, NULL, NULL, NULL, NULL)
        == TROUPE_INVALID_ARGUMENT);
  CHECK(troupe_last_error()[0] != '\0');
  return NULL;
}

static void two_threads(troupe_runtime* rt) {
  task both[2] = {{.rt = rt, .seed = 1}, {.rt = rt, .seed = 2}};
  task alone[2] = {{.rt = rt, .seed = 1}, {.rt = rt, .seed = 2}};
  pthread_t threads[2];
  ask(&alone[0]);
  ask(&alone[1]);
  for (int i = 0; i < 2; ++i)
    CHECK(pthread_create(&threads[i], NULL, ask, &both[i]) == 0);
  for (int i = 0; i < 2; ++i) {
    pthread_join(threads[i], NULL);
    CHECK(both[i].got.size == 40);
    CHECK(memcmp(both[i].got.ids, alone[i].got.ids, 160) == 0);
  }
}

typedef struct waiter {
  troupe_runtime* rt;
  troupe_cancellation* cancellation;
  pthread_mutex_t mutex;
  pthread_cond_t changed;
  int begun;
  int32_t status;
  troupe_answer answer;
} waiter;

static int32_t tell(void* user, const int32_t* ids, size_t count,
                    const char* text, size_t size) {
  waiter* w = user;
  (void)ids;
  (void)count;
  (void)text;
  (void)size;
  pthread_mutex_lock(&w->mutex);
  w->begun = 1;
  pthread_cond_signal(&w->changed);
  pthread_mutex_unlock(&w->mutex);
  return 0;
}

static void* wait_for_answer(void* arg) {
  waiter* w = arg;
  tokens prompt = prompt_of(w->rt, "Once upon a time");
  troupe_params p = params_of(1, 0);
  w->status = troupe_generate(w->rt, prompt.ids, prompt.size, &p, tell, w,
                              w->cancellation, &w->answer);
  return NULL;
}

/* `closes`: the runtime, instead of cancelling. */
static void ended_by_another(troupe_runtime* rt, int closes) {
  waiter w = {.rt = rt, .cancellation = troupe_cancellation_new()};
  pthread_t thread;
  CHECK(w.cancellation != NULL);
  pthread_mutex_init(&w.mutex, NULL);
  pthread_cond_init(&w.changed, NULL);
  CHECK(pthread_create(&thread, NULL, wait_for_answer, &w) == 0);
  pthread_mutex_lock(&w.mutex);
  while (!w.begun)
    pthread_cond_wait(&w.changed, &w.mutex);
  pthread_mutex_unlock(&w.mutex);
  if (closes)
    troupe_close(rt);
  else
    troupe_cancel(w.cancellation);
  pthread_join(thread, NULL);
  CHECK(w.status == TROUPE_OK);
  CHECK(w.answer.finish == TROUPE_FINISH_CANCELLED);
  if (!closes) /* it stays cancelled */
    CHECK((wait_for_answer(&w), w.answer.finish) == TROUPE_FINISH_CANCELLED);
  troupe_cancellation_free(w.cancellation);
  pthread_cond_destroy(&w.changed);
  pthread_mutex_destroy(&w.mutex);
}

/* -- what it refuses ------------------------------------------------------- */

static void wrong_arguments(troupe_runtime* rt) {
  troupe_runtime* none = rt;
  tokens prompt = prompt_of(rt, "a");
  troupe_params p = params_of(1, 4);
  size_t size = 0;
  int32_t id = 1 << 30;
  char text[4];
  CHECK(troupe_open_model(NULL, &none) == TROUPE_INVALID_ARGUMENT);
  CHECK(none == NULL);
  CHECK(troupe_open_model("x", NULL) == TROUPE_INVALID_ARGUMENT);
  CHECK(troupe_open_model("/no/such.gguf", &none) == TROUPE_IO_ERROR);
  CHECK(none == NULL && strstr(troupe_last_error(), "/no/such.gguf") != NULL);
  CHECK(troupe_open_config("/no/such.json", &none) == TROUPE_IO_ERROR);
  CHECK(troupe_open_json("{\"modell\": 1}", 13, &none) == TROUPE_BAD_FILE);
  CHECK(strstr(troupe_last_error(), "modell") != NULL);
  CHECK(troupe_open_json("{", 1, &none) == TROUPE_BAD_FILE);

  CHECK(troupe_tokenize(NULL, "a", 1, &id, 1, &size)
        == TROUPE_INVALID_ARGUMENT);
  CHECK(troupe_tokenize(rt, NULL, 1, &id, 1, &size) == TROUPE_INVALID_ARGUMENT);
  CHECK(troupe_tokenize(rt, "a", 1, NULL, 1, &size) == TROUPE_INVALID_ARGUMENT);
  CHECK(troupe_tokenize(rt, "a", 1, &id, 1, NULL) == TROUPE_INVALID_ARGUMENT);
  CHECK(troupe_tokenize(rt, "a", SIZE_MAX, &id, 1, &size)
        == TROUPE_INVALID_ARGUMENT);
  CHECK(troupe_tokenize(rt, NULL, 0, NULL, 0, &size) == TROUPE_OK);
  CHECK(troupe_tokenize(rt, "\xff\xfe\0", 3, NULL, 0, &size) == TROUPE_OK);
  CHECK(troupe_detokenize(rt, NULL, 1, text, 4, &size)
        == TROUPE_INVALID_ARGUMENT);
  id = 1 << 30; /* no such token: it has no text */
  CHECK(troupe_detokenize(rt, &id, 1, text, 4, &size) == TROUPE_OK);
  CHECK(size == 0);
  CHECK(troupe_embed(rt, NULL, 0, NULL, 0, NULL) == TROUPE_INVALID_ARGUMENT);

  CHECK(troupe_generate(NULL, &id, 1, &p, NULL, NULL, NULL, NULL)
        == TROUPE_INVALID_ARGUMENT);
  CHECK(troupe_generate(rt, NULL, 1, &p, NULL, NULL, NULL, NULL)
        == TROUPE_INVALID_ARGUMENT);
  CHECK(troupe_generate(rt, &id, 1, &p, NULL, NULL, NULL, NULL)
        == TROUPE_INVALID_ARGUMENT);
  p.struct_size = 0;
  CHECK(troupe_generate(rt, prompt.ids, prompt.size, &p, NULL, NULL, NULL, NULL)
        == TROUPE_INVALID_ARGUMENT);
  p = params_of(1, 4);
  p.temperature = -1;
  CHECK(troupe_generate(rt, prompt.ids, prompt.size, &p, NULL, NULL, NULL, NULL)
        == TROUPE_INVALID_ARGUMENT);
  p = params_of(1, 4);
  p.ignore_end = 0;
  p.json_schema = "{\"type\": 3}";
  CHECK(troupe_generate(rt, prompt.ids, prompt.size, &p, NULL, NULL, NULL, NULL)
        == TROUPE_INVALID_ARGUMENT);
  CHECK(troupe_status(NULL, NULL, 0, &size) == TROUPE_INVALID_ARGUMENT);
  CHECK(troupe_status(rt, NULL, 0, NULL) == TROUPE_INVALID_ARGUMENT);
  CHECK(troupe_start_trace(NULL, "x", 0) == TROUPE_INVALID_ARGUMENT);
  CHECK(troupe_stop_trace(NULL, NULL, NULL) == TROUPE_INVALID_ARGUMENT);
  troupe_params_init(NULL, sizeof p);
  troupe_cancel(NULL);
  troupe_cancellation_free(NULL);
  troupe_close(NULL);
}

/* A host of an older version knows less of the parameters. */
static void older_parameters(troupe_runtime* rt) {
  tokens prompt = prompt_of(rt, "Once upon a time");
  tokens t = {.size = 0};
  troupe_params p = params_of(7, 6);
  p.struct_size = offsetof(troupe_params, temperature);
  p.temperature = -1; /* beyond what it says that it has */
  CHECK(troupe_generate(rt, prompt.ids, prompt.size, &p, gather, &t, NULL, NULL)
        == TROUPE_OK);
  CHECK(t.size == 6);
}

int main(int argc, char** argv) {
  troupe_runtime* rt = NULL;
  char json[4096];
  if (argc != 2)
    return 2;
  CHECK(strcmp(troupe_version(), TROUPE_EXPECTED_VERSION) == 0);
  int n = snprintf(json, sizeof json, "{\"model\": \"%s\"}", argv[1]);
  CHECK(troupe_open_json(json, (size_t)n, &rt) == TROUPE_OK);
  if (!rt)
    return 1;
  texts(rt);
  vectors(rt);
  answers(rt);
  stopped(rt);
  watched(rt);
  wrong_arguments(rt);
  older_parameters(rt);
  two_threads(rt);
  ended_by_another(rt, 0);
  ended_by_another(rt, 1);
  for (int i = 0; i < 3; ++i) {
    CHECK(troupe_open_model(argv[1], &rt) == TROUPE_OK);
    troupe_close(rt);
  }
  if (failures == 0)
    puts("all is well");
  return failures != 0;
}
