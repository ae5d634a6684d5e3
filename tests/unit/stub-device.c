/* SPDX-License-Identifier: MIT
 * Owns the stub's memory and its queue of work. */
#include "stub-device.h"

#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

struct bh_buffer {
  char *bytes;
  guint64 size;
};

typedef enum { WORK_COPY, WORK_LAUNCH, WORK_HOST, WORK_LIBRARY } WorkKind;

typedef struct {
  WorkKind kind;
  void *into; /* COPY */
  const void *from;
  guint64 bytes;
  char *own;               /* COPY: what `from` points to if the caller's memory may change; LAUNCH: the parameters */
  const bh_kernel *kernel; /* LAUNCH */
  void *region[BH_MAX_USES];
  guint64 begin, end;
  void (*work)(void *arg); /* HOST, LIBRARY */
  void *arg;
} StubWork;

static void work_free(gpointer data) {
  StubWork *work = data;
  g_free(work->own);
  if (work->kind == WORK_LIBRARY)
    g_free(work->arg);
  g_free(work);
}

#define STUB(d) ((StubDevice *)(d))

static void note(StubDevice *s, const char *format, ...) G_GNUC_PRINTF(2, 3);
static void note(StubDevice *s, const char *format, ...) {
  va_list args;
  va_start(args, format);
  g_ptr_array_add(s->calls, g_strdup_vprintf(format, args));
  va_end(args);
  if (s->in_host_work)
    g_error("host work called the device: %s", (char *)g_ptr_array_index(s->calls, s->calls->len - 1));
}

/* The newest call: does it fail? */
static bh_status may_fail(StubDevice *s) {
  if (++s->n_failable != s->fail_at)
    return BH_OK;
  return s->device.host->stop(s->device.host, s->fail_with, "injected into call %u: %s", s->fail_at,
                              (char *)g_ptr_array_index(s->calls, s->calls->len - 1));
}

static void not_in_enqueue(const StubDevice *s, const char *what) {
  if (s->in_enqueue)
    g_error("%s inside enqueue: it waits for the device", what);
}

static bh_buffer *buffer_new(guint64 size) {
  bh_buffer *buffer = g_new0(bh_buffer, 1);
  buffer->size = size;
  g_assert_cmpint(posix_memalign((void **)&buffer->bytes, 256, size), ==, 0);
  memset(buffer->bytes, 0xa5, size); /* undefined contents */
  return buffer;
}

static void buffer_free(gpointer data) {
  bh_buffer *buffer = data;
  free(buffer->bytes);
  g_free(buffer);
}

static void check_span(const bh_buffer *buffer, guint64 offset, guint64 bytes) {
  g_assert_nonnull(buffer);
  g_assert_cmpuint(offset, <=, buffer->size);
  g_assert_cmpuint(bytes, <=, buffer->size - offset);
  g_assert_cmpuint(bytes, >, 0);
}

static bh_status stub_alloc(bh_device *d, uint64_t bytes, bh_buffer **ret_buffer) {
  StubDevice *s = STUB(d);
  note(s, "alloc %" G_GUINT64_FORMAT, bytes);
  not_in_enqueue(s, "alloc");
  g_assert_cmpuint(bytes, >, 0);
  const bh_status status = may_fail(s);
  if (status != BH_OK)
    return status;
  *ret_buffer = buffer_new(bytes);
  g_ptr_array_add(s->buffers, *ret_buffer);
  return BH_OK;
}

static bh_status stub_memory(bh_device *d, uint64_t *ret_free, uint64_t *ret_total) {
  note(STUB(d), "memory");
  *ret_free = *ret_total = UINT64_C(1) << 40;
  return may_fail(STUB(d));
}

static bh_buffer *stub_region(bh_device *d, uint32_t index) {
  note(STUB(d), "region %u", index);
  g_assert_cmpuint(index, <, d->problem->n_regions);
  return STUB(d)->regions[index];
}

static bh_status enqueue(StubDevice *s, StubWork work) {
  const bh_status status = may_fail(s);
  if (status == BH_OK)
    g_ptr_array_add(s->queue, g_memdup2(&work, sizeof work));
  else
    g_free(work.own);
  return status;
}

static bh_status stub_upload(bh_device *d, bh_buffer *buffer, uint64_t offset, const void *from, uint64_t bytes) {
  note(STUB(d), "upload %" G_GUINT64_FORMAT " to %" G_GUINT64_FORMAT, bytes, offset);
  check_span(buffer, offset, bytes);
  char *own = g_memdup2(from, bytes);
  return enqueue(
      STUB(d), (StubWork){.kind = WORK_COPY, .into = buffer->bytes + offset, .from = own, .bytes = bytes, .own = own});
}

static bh_status stub_download(bh_device *d, const bh_buffer *buffer, uint64_t offset, void *into, uint64_t bytes) {
  note(STUB(d), "download %" G_GUINT64_FORMAT " from %" G_GUINT64_FORMAT, bytes, offset);
  check_span(buffer, offset, bytes);
  return enqueue(STUB(d), (StubWork){.kind = WORK_COPY, .into = into, .from = buffer->bytes + offset, .bytes = bytes});
}

static bh_status stub_launch(bh_device *d, const bh_kernel *kernel, uint64_t begin, uint64_t end,
                             bh_buffer *const *buffers, const void *params, uint32_t params_bytes) {
  note(STUB(d), "launch %s %" G_GUINT64_FORMAT "..%" G_GUINT64_FORMAT, kernel->name, begin, end);
  g_assert_nonnull(kernel->source);
  g_assert_cmpuint(begin, <, end);
  StubWork work = {.kind = WORK_LAUNCH, .kernel = kernel, .begin = begin, .end = end};
  for (guint u = 0; u < kernel->n_uses; u++) {
    const bh_use *use = &kernel->uses[u];
    const bh_buffer *buffer = buffers && buffers[u] ? buffers[u] : STUB(d)->regions[use->region];
    if (use->split == BH_BY_ITEM)
      check_span(buffer, begin * use->stride_bytes, (end - begin) * use->stride_bytes);
    work.region[u] = buffer->bytes;
  }
  work.own = params ? g_memdup2(params, params_bytes) : NULL;
  return enqueue(STUB(d), work);
}

static bh_status stub_host_func(bh_device *d, void (*work)(void *arg), void *arg) {
  note(STUB(d), "host_func");
  return enqueue(STUB(d), (StubWork){.kind = WORK_HOST, .work = work, .arg = arg});
}

static bh_status stub_pinned(bh_device *d, uint64_t bytes, void **ret_memory) {
  StubDevice *s = STUB(d);
  note(s, "pinned %" G_GUINT64_FORMAT, bytes);
  not_in_enqueue(s, "pinned");
  const bh_status status = may_fail(s);
  if (status != BH_OK)
    return status;
  *ret_memory = malloc(bytes);
  memset(*ret_memory, 0x5a, bytes);
  g_ptr_array_add(s->pinned, *ret_memory);
  return BH_OK;
}

static void stub_unpin(bh_device *d, void *memory) {
  if (!memory)
    return;
  note(STUB(d), "unpin");
  not_in_enqueue(STUB(d), "unpin");
  g_assert_true(g_ptr_array_remove(STUB(d)->pinned, memory));
}

static void do_work(StubDevice *s, const StubWork *work) {
  const bh_args args = {.region = work->region, .params = work->own, .workers = 1};
  switch (work->kind) {
  case WORK_COPY:
    memcpy(work->into, work->from, work->bytes);
    break;
  case WORK_LAUNCH:
    work->kernel->host(&args, work->begin, work->end);
    break;
  case WORK_HOST:
    if (s->forget_host_work && --s->forget_host_work == 0)
      break;
    G_GNUC_FALLTHROUGH;
  case WORK_LIBRARY:
    s->in_host_work = TRUE;
    work->work(work->arg);
    s->in_host_work = FALSE;
  }
}

/* Does what is enqueued; once the device is lost the rest never happens. */
static bh_status drain(StubDevice *s) {
  for (guint i = 0; i < s->queue->len && !s->lost; i++) {
    do_work(s, g_ptr_array_index(s->queue, i));
    s->lost = s->lose_after && --s->lose_after == 0;
  }
  g_ptr_array_set_size(s->queue, 0);
  return s->lost ? s->device.host->stop(s->device.host, BH_FAIL, "the device is lost") : BH_OK;
}

static void stub_release(bh_device *d, bh_buffer *buffer) {
  StubDevice *s = STUB(d);
  if (!buffer)
    return;
  note(s, "release %" G_GUINT64_FORMAT, buffer->size);
  not_in_enqueue(s, "release");
  drain(s);                                              /* what may use it */
  g_assert_true(g_ptr_array_remove(s->buffers, buffer)); /* which frees it */
}

static bh_status stub_finish(bh_device *d) {
  note(STUB(d), "finish");
  not_in_enqueue(STUB(d), "finish");
  const bh_status status = may_fail(STUB(d));
  return status == BH_OK ? drain(STUB(d)) : status;
}

static void *stub_native(bh_device *d, const char *name) {
  note(STUB(d), "native %s", name);
  return strcmp(name, "cuda.stream") ? NULL : &STUB(d)->stream;
}

static uintptr_t stub_address(bh_device *d, const bh_buffer *buffer) {
  (void)d;
  g_assert_nonnull(buffer);
  return (uintptr_t)buffer->bytes;
}

static void *stub_library(bh_device *d, const char *sonames) {
  note(STUB(d), "library %s", sonames);
  not_in_enqueue(STUB(d), "library");
  g_auto(GStrv) names = g_strsplit(sonames, "|", -1);
  for (guint i = 0; names[i]; i++) {
    const char *path = g_hash_table_lookup(STUB(d)->libraries, names[i]);
    if (!path)
      continue;
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    if (!library)
      g_error("%s", dlerror());
    return library;
  }
  d->host->stop(d->host, BH_SKIP, "none of %s is here", sonames);
  return NULL;
}

static void stream_note(StubStream *stream, const char *call) {
  note(stream->owner, "%s", call);
}

static void stream_enqueue(StubStream *stream, void (*work)(void *arg), void *arg) {
  StubWork piece = {.kind = WORK_LIBRARY, .work = work, .arg = arg};
  g_ptr_array_add(((StubDevice *)stream->owner)->queue, g_memdup2(&piece, sizeof piece));
}

StubDevice *stub_device_new(const bh_host *host, const bh_problem *problem, void *const *views, guint index,
                            guint count) {
  StubDevice *s = g_new0(StubDevice, 1);
  s->device = (bh_device){.size = sizeof(bh_device),
                          .index = index,
                          .count = count,
                          .target = "stub",
                          .host = host,
                          .problem = problem,
                          .alloc = stub_alloc,
                          .release = stub_release,
                          .memory = stub_memory,
                          .region = stub_region,
                          .upload = stub_upload,
                          .download = stub_download,
                          .launch = stub_launch,
                          .host_func = stub_host_func,
                          .pinned = stub_pinned,
                          .unpin = stub_unpin,
                          .finish = stub_finish,
                          .native = stub_native,
                          .address = stub_address,
                          .library = stub_library};
  s->stream = (StubStream){.owner = s, .note = stream_note, .enqueue = stream_enqueue};
  s->calls = g_ptr_array_new_with_free_func(g_free);
  s->queue = g_ptr_array_new_with_free_func(work_free);
  s->buffers = g_ptr_array_new_with_free_func(buffer_free);
  s->pinned = g_ptr_array_new_with_free_func(free);
  s->libraries = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
  s->regions = g_new0(bh_buffer *, problem->n_regions);
  s->views = views;
  s->fail_with = BH_FAIL;
  for (guint r = 0; r < problem->n_regions; r++)
    if (views[r] && problem->regions[r].bytes)
      s->regions[r] = buffer_new(problem->regions[r].bytes);
  return s;
}

void stub_device_free(StubDevice *s) {
  if (!s)
    return;
  g_assert_cmpuint(s->queue->len, ==, 0);
  g_assert_cmpuint(s->buffers->len, ==, 0);
  g_assert_cmpuint(s->pinned->len, ==, 0);
  for (guint r = 0; r < s->device.problem->n_regions; r++)
    if (s->regions[r])
      buffer_free(s->regions[r]);
  g_free(s->regions);
  g_ptr_array_unref(s->calls);
  g_ptr_array_unref(s->queue);
  g_ptr_array_unref(s->buffers);
  g_ptr_array_unref(s->pinned);
  g_hash_table_unref(s->libraries);
  g_free(s);
}

static void bind_regions(StubDevice *s) {
  for (guint r = 0; r < s->device.problem->n_regions; r++)
    if (s->regions[r])
      memcpy(s->regions[r]->bytes, s->views[r], s->regions[r]->size);
}

/* Items [begin, end) of what the loop's kernel writes. */
static void fetch_regions(StubDevice *s, uint32_t loop, uint64_t begin, uint64_t end) {
  const bh_kernel *kernel = &s->device.problem->kernels[s->device.problem->loops[loop].kernel];
  for (guint u = 0; u < kernel->n_uses; u++) {
    const bh_use *use = &kernel->uses[u];
    if (use->role == BH_OUT && use->split == BH_BY_ITEM && s->regions[use->region])
      memcpy((char *)s->views[use->region] + begin * use->stride_bytes,
             s->regions[use->region]->bytes + begin * use->stride_bytes, (end - begin) * use->stride_bytes);
  }
}

static bh_status run_once(StubDevice *s, const bh_program *program, void *state, uint32_t loop, uint64_t begin,
                          uint64_t end) {
  bind_regions(s);
  note(s, "-- enqueue");
  s->in_enqueue = TRUE;
  bh_status status = program->enqueue(state, &s->device, begin, end, s->device.problem->loops[loop].params);
  s->in_enqueue = FALSE;
  if (status == BH_OK && program->fetch) {
    note(s, "-- fetch");
    status = program->fetch(state, &s->device);
  }
  const bh_status drained = drain(s); /* whatever happened: the stream has ended when `finish` is called */
  if (status == BH_OK)
    status = drained;
  if (status == BH_OK)
    fetch_regions(s, loop, begin, end);
  return status;
}

bh_status stub_device_run(StubDevice *s, const bh_program *program, uint32_t loop, uint64_t begin, uint64_t end,
                          guint runs) {
  void *state = NULL;
  bh_footprint own = {0};
  bh_status status = program->footprint ? program->footprint(s->device.host, s->device.problem, loop, &own) : BH_OK;
  if (status != BH_OK)
    return status;
  status = program->prepare(&s->device, loop, &state);
  if (status != BH_OK) {
    drain(s);
    return status;
  }
  for (guint k = 0; k < runs && status == BH_OK; k++)
    status = run_once(s, program, state, loop, begin, end);
  note(s, "-- finish");
  program->finish(state, &s->device);
  return status;
}

guint stub_device_count(const StubDevice *s, const char *prefix) {
  guint n = 0;
  for (guint i = 0; i < s->calls->len; i++)
    n += g_str_has_prefix(g_ptr_array_index(s->calls, i), prefix);
  return n;
}

char *stub_device_calls(const StubDevice *s) {
  GString *text = g_string_new(NULL);
  for (guint i = 0; i < s->calls->len; i++)
    g_string_append_printf(text, "%s\n", (char *)g_ptr_array_index(s->calls, i));
  return g_string_free(text, FALSE);
}
