#ifndef TROUPE_TROUPE_H
#define TROUPE_TROUPE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Troupe for C: a small part of <troupe/embedding.hpp> (docs/embedding.md).
 *
 * What can fail returns a status: TROUPE_OK, or why not, with a sentence in
 * troupe_last_error. Any thread may call anything at any time, but for what
 * closes or frees a handle that another call is about to take. Null where a
 * handle or a result is expected is an invalid argument; texts are UTF-8, and
 * need no end where their size is given. Handles are freed by whoever made
 * them; null may be freed.
 */

enum {
  TROUPE_OK = 0,
  TROUPE_INVALID_ARGUMENT = 1,
  TROUPE_IO_ERROR = 2,
  TROUPE_BAD_FILE = 3,
  TROUPE_UNSUPPORTED = 4,
  TROUPE_CONTEXT_EXCEEDED = 5,
  TROUPE_NO_FREE_BLOCKS = 6,
  TROUPE_UNKNOWN_SEQUENCE = 7,
  TROUPE_ABANDONED = 8,
  TROUPE_CANCELLED = 9,
  TROUPE_NO_NODE = 10,
  TROUPE_STALE_EPOCH = 11,
  TROUPE_DIGEST_MISMATCH = 12,
  TROUPE_LAYOUT_MISMATCH = 13,
  TROUPE_TIMEOUT = 14,
  TROUPE_OVERLOADED = 15,
  /* Out of memory, or a bug. */
  TROUPE_INTERNAL = 255
};

/* Why an answer ended. */
enum {
  TROUPE_FINISH_STOP = 1,   /* an end token, or `stop` */
  TROUPE_FINISH_LENGTH = 2, /* max_tokens, or the context is full */
  TROUPE_FINISH_CANCELLED = 3
};

/* A model and what serves it. */
typedef struct troupe_runtime troupe_runtime;

/* Lets a thread cancel what another one waits for. */
typedef struct troupe_cancellation troupe_cancellation;

/* "0.1.0" */
const char* troupe_version(void);

/* Why the calling thread's last call that failed did; valid until its next
 * one. Never null. */
const char* troupe_last_error(void);

/* -- life ------------------------------------------------------------------ */

/* Of a GGUF file or a Hugging Face directory, with defaults for all else. */
int32_t troupe_open_model(const char* path, troupe_runtime** runtime);

/* Of a JSON file, or its text; docs/config.md has the keys. */
int32_t troupe_open_config(const char* path, troupe_runtime** runtime);
int32_t troupe_open_json(const char* json, size_t size,
                         troupe_runtime** runtime);

/* Cancels what is under way and waits until those calls have returned; not to
 * be called from within one. */
void troupe_close(troupe_runtime* runtime);

/* -- text ------------------------------------------------------------------ */

/* Fill a buffer as far as it goes, and say in *count how much there is: more
 * than `capacity` if it was too short. The buffer may be null if `capacity` is
 * 0. */

/* With the model's beginning token, where it has one. */
int32_t troupe_tokenize(troupe_runtime* runtime, const char* text, size_t size,
                        int32_t* ids, size_t capacity, size_t* count);

/* A user's message in the model's chat template, up to where the answer
 * begins. */
int32_t troupe_tokenize_chat(troupe_runtime* runtime, const char* message,
                             size_t size, int32_t* ids, size_t capacity,
                             size_t* count);

/* Without a 0 at its end. */
int32_t troupe_detokenize(troupe_runtime* runtime, const int32_t* ids,
                          size_t size, char* text, size_t capacity,
                          size_t* count);

/* The vector of a text, of length 1. */
int32_t troupe_embed(troupe_runtime* runtime, const char* text, size_t size,
                     float* vector, size_t capacity, size_t* count);

/* -- answers --------------------------------------------------------------- */

/* How tokens are chosen; docs/embedding.md has what each does. To be filled in
 * by troupe_params_init first: members may be added at the end. */
typedef struct troupe_params {
  uint32_t struct_size;
  uint32_t max_tokens; /* 0: as many as the context holds */
  uint64_t seed;
  float temperature;
  float top_p;
  float min_p;
  float repetition_penalty;
  uint32_t top_k;
  uint32_t ignore_end;     /* other than 0: go on past end tokens */
  const char* stop;        /* ends the answer before it; may be null */
  const char* json_schema; /* the answer is valid by it; may be null */
} troupe_params;

/* `size`: sizeof(troupe_params). */
void troupe_params_init(troupe_params* params, size_t size);

typedef struct troupe_answer {
  uint32_t finish;
  uint32_t prompt_tokens;
  uint32_t completion_tokens;
  uint32_t cached_tokens; /* of the prompt, that were not computed */
  uint64_t reserved[4];
} troupe_answer;

/* New tokens, and text that is whole by now; either may be empty. Called by the
 * thread that called troupe_generate. Anything other than 0 cancels the
 * request, and is the last call. */
typedef int32_t (*troupe_on_tokens)(void* user, const int32_t* ids,
                                    size_t count, const char* text,
                                    size_t size);

/* Waits until the answer has ended; of a request that is the only one, the
 * thread does the work meanwhile. What was cancelled is TROUPE_OK, with that
 * finish. `params` null: the defaults; `on_tokens`, `cancellation` and `answer`
 * may be null. */
int32_t troupe_generate(troupe_runtime* runtime, const int32_t* prompt,
                        size_t size, const troupe_params* params,
                        troupe_on_tokens on_tokens, void* user,
                        troupe_cancellation* cancellation,
                        troupe_answer* answer);

/* Null: out of memory. */
troupe_cancellation* troupe_cancellation_new(void);

/* Cancels all that was and will be begun with it. */
void troupe_cancel(troupe_cancellation* cancellation);

/* REQUIRES: nothing that was begun with it is under way. */
void troupe_cancellation_free(troupe_cancellation* cancellation);

/* -- what goes on ---------------------------------------------------------- */

/* What nodes hold and did, as JSON: what `GET /admin/nodes` answers
 * (docs/http.md). A buffer as those above. */
int32_t troupe_status(troupe_runtime* runtime, char* json, size_t capacity,
                      size_t* count);

/* Records the messages of this process in `file` from now on (docs/trace.md),
 * with their contents unless that is 0. File null: as the configuration says.
 * TROUPE_UNSUPPORTED, if another runtime of the process records. */
int32_t troupe_start_trace(troupe_runtime* runtime, const char* file,
                           int32_t contents);

/* Ends the recording. `bytes` that were written, and records that were
 * `dropped` since they came too fast; either may be null. TROUPE_IO_ERROR, if
 * not all of it could be written. */
int32_t troupe_stop_trace(troupe_runtime* runtime, uint64_t* bytes,
                          uint64_t* dropped);

#ifdef __cplusplus
}
#endif

#endif
