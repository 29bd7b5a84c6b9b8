/* The same from C: opens the model, answers a question, cancels another one. */
#include <stdio.h>
#include <string.h>

#include <troupe/troupe.h>

static int complain(const char* what) {
  fprintf(stderr, "%s: %s\n", what, troupe_last_error());
  return 1;
}

static int32_t print(void* user, const int32_t* ids, size_t count,
                     const char* text, size_t size) {
  (void)user;
  (void)ids;
  (void)count;
  fwrite(text, 1, size, stdout);
  return 0; /* anything else cancels the request */
}

static int32_t enough(void* user, const int32_t* ids, size_t count,
                      const char* text, size_t size) {
  (void)ids;
  (void)text;
  (void)size;
  size_t* tokens = user;
  *tokens += count;
  return *tokens >= 5;
}

int main(int argc, char** argv) {
  const char* question = "What is 347 + 285?";
  int32_t prompt[256];
  size_t size = 0;
  size_t tokens = 0;
  troupe_runtime* rt = NULL;
  troupe_params params;
  troupe_answer answer;

  if (troupe_open_model(argc > 1 ? argv[1] : "models/troupe-demo.gguf", &rt)
      != TROUPE_OK)
    return complain("open");
  if (troupe_tokenize_chat(rt, question, strlen(question), prompt, 256, &size)
          != TROUPE_OK
      || size > 256)
    return complain("tokenize");
  troupe_params_init(&params, sizeof params);
  params.temperature = 0;
  params.max_tokens = 64;
  if (troupe_generate(rt, prompt, size, &params, print, NULL, NULL, &answer)
      != TROUPE_OK)
    return complain("generate");
  printf("\n%u tokens of troupe %s\n", answer.completion_tokens,
         troupe_version());

  params.max_tokens = 0;
  params.ignore_end = 1;
  if (troupe_generate(rt, prompt, size, &params, enough, &tokens, NULL, &answer)
      != TROUPE_OK)
    return complain("generate");
  puts(answer.finish == TROUPE_FINISH_CANCELLED ? "cancelled"
                                                : "not cancelled");
  troupe_close(rt);
  return 0;
}
