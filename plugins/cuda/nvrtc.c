/* SPDX-License-Identifier: MIT
 *
 * nvrtc.c - CUDA's run-time compiler, by dlopen. It opens the driver and calls cuInit itself while it compiles, which
 * is why nothing here may run in a process that forks later.
 */
#include "api.h"

#include <dlfcn.h>
#include <limits.h>
#include <link.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LOG_BYTES = 4096 };

typedef struct {
#define NVRTC_MEMBER_(NAME, RESULT, PARAMETERS) RESULT(*NAME) PARAMETERS;
  NVRTC_CALLS(NVRTC_MEMBER_)
#undef NVRTC_MEMBER_
} nvrtc_api;
static nvrtc_api rtc;

static struct {
  pthread_once_t once;
  int status;
  char why[CU_WHY_BYTES], version[32];
} load = {.once = PTHREAD_ONCE_INIT};

/* C's words that C++ lacks; lines for profilers and sanitizers, which change no code. */
static const char *const options[] = {
    "--std=c++20",
    "--generate-line-info",
    "--define-macro=restrict=__restrict__",
    "--define-macro=_Bool=bool",
    "--define-macro=_Static_assert=static_assert",
};
enum { N_OPTIONS = sizeof options / sizeof *options };

/* A driver loads cubins of toolkits of its own major version and of older ones, so what is newer is the last resort. */
static void *open_by_name(void) {
  static const char *const newest_first[] = {"libnvrtc.so.13", "libnvrtc.so.12"};
  static const char *const oldest_first[] = {"libnvrtc.so.12", "libnvrtc.so.13"};
  const int driver = cu_driver_version();
  const char *const *names = driver && driver < 13000 ? oldest_first : newest_first;
  void *library = cu_library(names[0]);
  return library ? library : cu_library(names[1]);
}

static void *open_library(void) {
  const char *path = getenv("BENCHHOST_NVRTC");
  void *library = NULL;
  if (path && *path) {
    library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!library) {
      const char *error = dlerror();
      snprintf(load.why, sizeof load.why, "no NVRTC (BENCHHOST_NVRTC: %s)", error ? error : path);
    }
    return library;
  }
  library = open_by_name();
  if (!library)
    snprintf(load.why, sizeof load.why, "no NVRTC (libnvrtc.so not found; set BENCHHOST_NVRTC)");
  return library;
}

/* NVRTC opens its other half by the bare name, and only when it compiles: where NVRTC was found by its path the loader
 * would not look beside it. What is loaded already it finds by that name. That it is missing NVRTC says by itself. */
static void load_builtins(void *library, int major, int minor) {
  struct link_map *map = NULL;
  char real[PATH_MAX], path[PATH_MAX + 64];
  if (dlinfo(library, RTLD_DI_LINKMAP, &map) != 0)
    return;
  const char *places[] = {map->l_name, realpath(map->l_name, real)};
  for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
    const char *slash = places[i] ? strrchr(places[i], '/') : NULL;
    if (!slash)
      continue;
    snprintf(path, sizeof path, "%.*s/libnvrtc-builtins.so.%d.%d", (int)(slash - places[i]), places[i], major, minor);
    if (dlopen(path, RTLD_NOW | RTLD_LOCAL))
      return;
  }
}

static void load_once(void) {
  static const struct {
    const char *name;
    size_t offset;
  } wanted[] = {
#define NVRTC_ROW_(NAME, RESULT, PARAMETERS) {#NAME, offsetof(nvrtc_api, NAME)},
      NVRTC_CALLS(NVRTC_ROW_)
#undef NVRTC_ROW_
  };
  load.status = -1;
  void *library = open_library();
  if (!library)
    return;
  for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) {
    void *found = dlsym(library, wanted[i].name);
    if (!found) {
      snprintf(load.why, sizeof load.why, "no NVRTC (the one found has no %s)", wanted[i].name);
      return;
    }
    memcpy((char *)&rtc + wanted[i].offset, &found, sizeof found);
  }
  int major = 0, minor = 0;
  if (rtc.nvrtcVersion(&major, &minor) != 0) {
    snprintf(load.why, sizeof load.why, "no NVRTC (the one found does not tell its version)");
    return;
  }
  snprintf(load.version, sizeof load.version, "%d.%d", major, minor);
  load_builtins(library, major, minor);
  load.status = 0;
}

int nvrtc_load(char ret_why[CU_WHY_BYTES]) {
  pthread_once(&load.once, load_once);
  memcpy(ret_why, load.why, sizeof load.why);
  return load.status;
}

const char *nvrtc_version_text(void) {
  return load.version;
}

const char *nvrtc_options_text(void) {
  static char text[512];
  static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
  pthread_mutex_lock(&lock);
  if (!*text)
    for (size_t i = 0, at = 0; i < N_OPTIONS; i++)
      at += (size_t)snprintf(text + at, sizeof text - at, "%s\n", options[i]);
  pthread_mutex_unlock(&lock);
  return text;
}

int nvrtc_architecture(int major, int minor, char ret_range[64]) {
  int n = 0, best = 0;
  snprintf(ret_range, 64, "nothing");
  if (rtc.nvrtcGetNumSupportedArchs(&n) != 0 || n < 1)
    return 0;
  int *known = calloc((size_t)n, sizeof *known);
  if (known && rtc.nvrtcGetSupportedArchs(known) == 0) {
    snprintf(ret_range, 64, "sm_%d to sm_%d", known[0], known[n - 1]);
    for (int i = 0; i < n; i++) /* code runs within a major version, upwards */
      if (known[i] / 10 == major && known[i] % 10 <= minor && known[i] > best)
        best = known[i];
  }
  free(known);
  return best;
}

/* The compiler's log, its first page; or, where there is none, what the result means. */
static char *log_of(nvrtc_program program, int result) {
  size_t bytes = 0;
  char *text = NULL;
  if (program && rtc.nvrtcGetProgramLogSize(program, &bytes) == 0 && bytes > 1 && (text = malloc(bytes + 4)) != NULL) {
    memset(text, 0, bytes + 4);
    if (rtc.nvrtcGetProgramLog(program, text) == 0 && *text) {
      if (strlen(text) > LOG_BYTES)
        memcpy(text + LOG_BYTES, "...", 4);
      return text;
    }
    free(text);
  }
  return strdup(rtc.nvrtcGetErrorString(result));
}

static int take_cubin(nvrtc_program program, void **ret_cubin, size_t *ret_bytes) {
  size_t bytes = 0;
  int result = rtc.nvrtcGetCUBINSize(program, &bytes);
  if (result != 0)
    return result;
  void *cubin = malloc(bytes ? bytes : 1);
  if (!cubin)
    return NVRTC_OUT_OF_MEMORY;
  result = rtc.nvrtcGetCUBIN(program, cubin);
  if (result != 0) {
    free(cubin);
    return result;
  }
  *ret_cubin = cubin;
  *ret_bytes = bytes;
  return 0;
}

int nvrtc_compile(const char *source, uint64_t source_bytes, const char *name, int architecture, void **ret_cubin,
                  size_t *ret_bytes, char **ret_log) {
  char target[64];
  const char *all[N_OPTIONS + 1];
  nvrtc_program program = NULL;
  *ret_log = NULL;
  char *text = strndup(source, source_bytes); /* it need not end in a zero */
  if (!text)
    return -1;
  snprintf(target, sizeof target, "--gpu-architecture=sm_%d", architecture);
  memcpy(all, options, sizeof options);
  all[N_OPTIONS] = target;
  int result = rtc.nvrtcCreateProgram(&program, text, name, 0, NULL, NULL);
  if (result == 0)
    result = rtc.nvrtcCompileProgram(program, N_OPTIONS + 1, all);
  if (result == 0)
    result = take_cubin(program, ret_cubin, ret_bytes);
  if (result != 0)
    *ret_log = log_of(program, result);
  if (program)
    rtc.nvrtcDestroyProgram(&program);
  free(text);
  return result == 0 ? 0 : -1;
}
