#include <troupe/troupe.h>

#include <stdio.h>

int main(int argc, char** argv) {
  troupe_runtime* rt = NULL;
  troupe_params params;
  troupe_answer answer = {0};
  int32_t ids[32];
  size_t size = 0;
  if (argc < 2 || troupe_open_model(argv[1], &rt) != TROUPE_OK
      || troupe_tokenize(rt, "Once upon", 9, ids, 32, &size) != TROUPE_OK) {
    fprintf(stderr, "%s\n", troupe_last_error());
    return 1;
  }
  troupe_params_init(&params, sizeof params);
  params.max_tokens = 8;
  params.ignore_end = 1;
  int32_t status =
      troupe_generate(rt, ids, size, &params, NULL, NULL, NULL, &answer);
  troupe_close(rt);
  printf("%u tokens\n", answer.completion_tokens);
  return status;
}
