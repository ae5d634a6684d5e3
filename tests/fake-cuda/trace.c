/* SPDX-License-Identifier: MIT
 * The lock, the trace, settings and faults, and the list of objects. */
#include "fake.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t something = PTHREAD_COND_INITIALIZER;

void fake_lock(void) {
  pthread_mutex_lock(&lock);
}
void fake_unlock(void) {
  pthread_mutex_unlock(&lock);
}
void fake_wait(void) {
  pthread_cond_wait(&something, &lock);
}
void fake_something(void) {
  pthread_cond_broadcast(&something);
}

uint64_t fake_now_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

void fake_say(const char *format, ...) {
  char text[512];
  va_list rest;
  va_start(rest, format);
  vsnprintf(text, sizeof text, format, rest);
  va_end(rest);
  fprintf(stderr, "fake-cuda: %s\n", text);
}

/* ---- Trace ---- */

/* -1: none. One line is one write, so that processes do not mix theirs. */
static int trace_file(void) {
  static int file = -2;
  const char *path;
  if (file == -2) {
    path = getenv("BENCHHOST_FAKE_CUDA_TRACE");
    file = path && *path ? open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666) : -1;
    if (path && *path && file < 0) {
      fake_say("cannot write the trace %s: %s", path, strerror(errno));
      abort();
    }
  }
  return file;
}

static void trace_line(const char *what, CUresult result, const char *format, va_list rest) {
  static unsigned number;
  char line[4096];
  size_t at;
  int file = trace_file();
  if (file < 0)
    return;
  at = (size_t)snprintf(line, sizeof line, "%d.%ld %u %s ", (int)getpid(), (long)syscall(SYS_gettid), ++number, what);
  at += (size_t)vsnprintf(line + at, sizeof line - at, format, rest);
  if (at > sizeof line - 16)
    at = sizeof line - 16; /* cut, but with its result */
  at += (size_t)snprintf(line + at, sizeof line - at, "%s-> %d\n", *format ? " " : "", (int)result);
  if (write(file, line, at) != (ssize_t)at) {
    fake_say("the trace cannot be written: %s", strerror(errno));
    abort();
  }
}

void fake_trace(const char *what, CUresult result, const char *format, ...) {
  va_list rest;
  va_start(rest, format);
  trace_line(what, result, format, rest);
  va_end(rest);
}

CUresult fake_leave(fake_call call, CUresult result, const char *format, ...) {
  va_list rest;
  va_start(rest, format);
  trace_line(call.name, result, format, rest);
  va_end(rest);
  fake_unlock();
  return result;
}

/* ---- Settings and faults ---- */

static const struct {
  const char *name;
  uint64_t value; /* where none is given */
} fault_names[FAULTS] = {
    [FAULT_NO_DEVICE] = {"no-device", 1},
    [FAULT_STUB] = {"stub", 1},
    [FAULT_OOM] = {"oom", 0},
    [FAULT_WRONG_ARCH] = {"wrong-arch", 1},
    [FAULT_LAUNCH_FAILURE] = {"launch-failure", 1},
    [FAULT_ILLEGAL_ADDRESS] = {"illegal-address", 1},
    [FAULT_DEVICE_LOST] = {"device-lost", 1},
    [FAULT_HANG] = {"hang", 1},
    [FAULT_HOST_POINTER] = {"host-pointer", 1},
    [FAULT_SKIP_SYNC] = {"skip-sync", 1},
    [FAULT_DEVICES] = {"devices", 1},
    [FAULT_ARCH] = {"arch", 90},
    [FAULT_MEMORY] = {"memory", UINT64_C(2) << 30},
    [FAULT_CLOCK] = {"clock", 100},
    [FAULT_LOAD_WAITS] = {"load-waits", 1},
    [FAULT_VERSION] = {"version", FAKE_DRIVER_VERSION},
    [FAULT_PINNED] = {"pinned", 0},
    [FAULT_TIMER_STEP] = {"timer-step", 1},
};
static fake_fault faults[FAULTS];

static void fault_set(char *word) {
  char *entry = strchr(word, '@'), *value, *end = NULL;
  if (entry)
    *entry++ = 0;
  value = strchr(word, '=');
  if (value)
    *value++ = 0;
  for (int k = 0; k < FAULTS; k++) {
    if (strcmp(fault_names[k].name, word) != 0)
      continue;
    faults[k].set = 1;
    if (value)
      faults[k].value = strtoull(value, &end, 10);
    snprintf(faults[k].entry, sizeof faults[k].entry, "%s", entry ? entry : "");
    if (!value || (end != value && !*end))
      return;
  }
  fake_say("BENCHHOST_FAKE_CUDA: cannot use '%s%s%s': see tests/fake-cuda/README.md", word, value ? "=" : "",
           value ? value : "");
  abort(); /* a fault that nobody hears would make a test pass for nothing */
}

static void faults_read(void) {
  const char *text = getenv("BENCHHOST_FAKE_CUDA");
  char *copy = text ? strdup(text) : NULL, *at = NULL;
  for (int k = 0; k < FAULTS; k++)
    faults[k].value = fault_names[k].value;
  for (char *word = copy ? strtok_r(copy, ",", &at) : NULL; word; word = strtok_r(NULL, ",", &at))
    fault_set(word);
  free(copy);
}

static fake_fault *fault_of(fake_fault_kind kind) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  pthread_once(&once, faults_read);
  return &faults[kind];
}

const fake_fault *fake_fault_of(fake_fault_kind kind) {
  return fault_of(kind);
}

int fake_fault_names(fake_fault_kind kind, const char *entry) {
  const fake_fault *fault = fault_of(kind);
  return fault->set && (!*fault->entry || strcmp(fault->entry, entry) == 0);
}

int fake_fault_strikes(fake_fault_kind kind, const char *entry) {
  return fake_fault_names(kind, entry) && ++fault_of(kind)->seen == fault_of(kind)->value;
}

/* ---- Objects ---- */

static fake_object *objects;

void *fake_object_new(fake_kind kind, size_t bytes, int device) {
  static unsigned ids[OF_KINDS];
  fake_object *object = calloc(1, bytes);
  if (!object)
    abort();
  *object = (fake_object){.next = objects, .kind = kind, .id = ++ids[kind], .device = device};
  objects = object;
  return object;
}

void fake_object_free(void *gone) {
  for (fake_object **at = &objects; *at; at = &(*at)->next)
    if (*at == gone) {
      *at = (*at)->next;
      free(gone);
      return;
    }
}

void *fake_object_of(fake_kind kind, const void *handle) {
  for (fake_object *object = objects; object; object = object->next)
    if (object == handle)
      return object->kind == kind ? object : NULL;
  return NULL;
}

fake_object *fake_objects(void) {
  return objects;
}

/* What a program left behind. A worker that ends by exit() comes here; the order of the list is the order of making. */
__attribute__((destructor)) static void fake_exit(void) {
  static const char *const kinds[OF_KINDS] = {
      [OF_STREAM] = "stream", [OF_EVENT] = "event",     [OF_MODULE] = "module",
      [OF_GRAPH] = "graph",   [OF_EXEC] = "graph-exec", [OF_CONTEXT] = "context"};
  static const char *const memories[] = {"", "device", "pinned", "managed", "registered"};
  unsigned leaks = 0;
  for (const fake_object *object = objects; object; object = object->next) {
    const fake_context *context = object->kind == OF_CONTEXT ? (const fake_context *)object : NULL;
    const fake_event *event = object->kind == OF_EVENT ? (const fake_event *)object : NULL;
    if (!kinds[object->kind] || (context && !context->retained) || (event && event->destroyed))
      continue;
    if (object->kind == OF_STREAM && fake_context_of(object->device) &&
        fake_context_of(object->device)->null_stream == (const fake_stream *)object)
      continue;
    fake_trace("leak", CUDA_SUCCESS, "kind=%s id=%u", kinds[object->kind], object->id);
    leaks++;
  }
  for (const fake_memory *memory = fake_memories(); memory; memory = memory->next)
    if (!memory->global) {
      fake_trace("leak", CUDA_SUCCESS, "kind=%s-memory id=%u bytes=%llu", memories[memory->kind], memory->id,
                 (unsigned long long)memory->bytes);
      leaks++;
    }
  fake_trace("exit", CUDA_SUCCESS, "leaks=%u", leaks);
}
