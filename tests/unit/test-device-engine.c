/* SPDX-License-Identifier: MIT
 * plugins/device on a driver of a few lines, whose devices are pieces of this process's memory: what is enqueued
 * happens at `finish` and not before, memory starts as rubbish, every call can be made to fail, and all calls are
 * written down. */
#include "driver.h"

#include <benchhost/kernel.h>
#include <glib.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define PRIVATE_MEMORY (1u << 20)

/* ---- The host ---- */

static struct {
  bh_status why;
  char reason[512];
  GString *calls;                     /* of the driver, one word each */
  guint n_calls, fail_at, live;       /* live: lanes, memory, pins, code that were not given back */
  guint lanes, groups, lanes_a_group; /* what the options say */
  guint64 free_bytes;
  dev_lane *open[4];
} world;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* not GLib's, which TSan does not know */

static bh_status host_stop(const bh_host *h, bh_status why, const char *format, ...) {
  va_list list;
  (void)h;
  pthread_mutex_lock(&lock);
  va_start(list, format);
  if (world.why == BH_OK) {
    vsnprintf(world.reason, sizeof world.reason, format, list);
    world.why = why;
  }
  va_end(list);
  pthread_mutex_unlock(&lock);
  return why;
}
static void host_fact(const bh_host *h, const char *name, const char *format, ...) {
  (void)h, (void)name, (void)format;
}
static const bh_host host = {.size = sizeof host, .abi = BH_ABI, .cores = 2, .stop = host_stop, .fact = host_fact};

static void start(guint lanes) {
  if (world.calls)
    g_string_free(world.calls, TRUE);
  world.calls = g_string_new(NULL);
  world.why = BH_OK;
  world.reason[0] = '\0';
  world.n_calls = world.fail_at = 0;
  world.lanes = lanes;
  world.groups = 2;
  world.lanes_a_group = 4;
  world.free_bytes = PRIVATE_MEMORY;
  g_assert_cmpuint(world.live, ==, 0);
}

/* ---- The driver ---- */

struct dev_memory {
  guint64 bytes;
  char *data;
};
struct dev_code {
  const bh_kernel *kernel;
};
typedef struct {
  void (*work)(gpointer op);
  dev_memory *to;
  const dev_memory *from;
  guint64 to_at, from_at, bytes, word;
  char *copied;
  void *into;
  dev_shape shape;
  const dev_code *code;
  dev_argument arguments[2 + 2 * BH_MAX_USES];
  guint8 values[2 + 2 * BH_MAX_USES][64];
} Op;
struct dev_lane {
  dev_lane_head head;
  GQueue ops;                      /* of Op */
  GPtrArray *memory, *code, *pins; /* owned */
};

static bh_status called(const dev_lane *lane, const char *format, ...) G_GNUC_PRINTF(2, 3);
static bh_status called(const dev_lane *lane, const char *format, ...) {
  va_list list;
  pthread_mutex_lock(&lock);
  if (world.calls->len)
    g_string_append_c(world.calls, ' ');
  va_start(list, format);
  const gsize at = world.calls->len;
  g_string_append_vprintf(world.calls, format, list);
  va_end(list);
  if (lane)
    g_string_append_printf(world.calls, "@%u", lane->head.index);
  g_autofree char *word = g_strdup(world.calls->str + at);
  const gboolean fails = ++world.n_calls == world.fail_at;
  pthread_mutex_unlock(&lock);
  return fails ? host_stop(&host, BH_FAIL, "fake: %s failed", word) : BH_OK;
}

static Op *enqueue(dev_lane *lane, void (*work)(gpointer op)) {
  Op *op = g_new0(Op, 1);
  op->work = work;
  g_queue_push_tail(&lane->ops, op);
  return op;
}
static void op_free(gpointer data) {
  Op *op = data;
  g_free(op->copied);
  g_free(op);
}
static void memory_free(gpointer data) {
  dev_memory *memory = data;
  world.live--;
  g_free(memory->data);
  g_free(memory);
}
static void counted_free(gpointer data) {
  world.live--;
  free(data);
}

static bh_status fake_count(const bh_host *h, const bh_value *values, uint32_t members, uint32_t *ret_lanes) {
  (void)h, (void)values;
  *ret_lanes = MAX(world.lanes, members);
  return called(NULL, "count");
}
static bh_status fake_free_bytes(const bh_host *h, const bh_value *values, uint32_t index, uint32_t count,
                                 uint64_t *ret_bytes) {
  (void)h, (void)values, (void)index;
  *ret_bytes = world.free_bytes / count;
  return called(NULL, "free");
}
static bh_status fake_open(const bh_host *h, const bh_value *values, uint32_t index, uint32_t count,
                           dev_lane **ret_lane) {
  (void)values;
  if (called(NULL, "open@%u", index) != BH_OK)
    return BH_FAIL;
  dev_lane *lane = g_new0(dev_lane, 1);
  lane->head = (dev_lane_head){h, index, count};
  lane->memory = g_ptr_array_new_with_free_func(memory_free);
  lane->code = g_ptr_array_new_with_free_func(counted_free);
  lane->pins = g_ptr_array_new_with_free_func(counted_free);
  world.live++;
  world.open[index] = lane;
  *ret_lane = lane;
  return BH_OK;
}
static void fake_close(dev_lane *lane) {
  if (!lane)
    return;
  called(lane, "close");
  world.open[lane->head.index] = NULL;
  g_queue_clear_full(&lane->ops, op_free);
  g_ptr_array_unref(lane->memory);
  g_ptr_array_unref(lane->code);
  g_ptr_array_unref(lane->pins);
  g_free(lane);
  world.live--;
}
static bh_status fake_memory(dev_lane *lane, uint64_t *ret_free_bytes, uint64_t *ret_total_bytes) {
  *ret_free_bytes = world.free_bytes;
  *ret_total_bytes = PRIVATE_MEMORY;
  return called(lane, "memory");
}
static bh_status fake_alloc(dev_lane *lane, uint64_t bytes, dev_memory **ret_memory) {
  g_assert_cmpuint(bytes, >, 0);
  if (called(lane, "alloc:%" G_GUINT64_FORMAT, bytes) != BH_OK)
    return BH_FAIL;
  dev_memory *memory = g_new0(dev_memory, 1);
  memory->bytes = bytes;
  memory->data = g_malloc(bytes);
  memset(memory->data, 0xEE, bytes);
  g_ptr_array_add(lane->memory, memory);
  world.live++;
  *ret_memory = memory;
  return BH_OK;
}
static void fake_release(dev_lane *lane, dev_memory *memory) {
  if (memory)
    g_ptr_array_remove(lane->memory, memory);
}

static void do_copy(gpointer data) {
  Op *op = data;
  memcpy(op->to->data + op->to_at, op->copied ? op->copied : op->from->data + op->from_at, op->bytes);
}
static void do_download(gpointer data) {
  Op *op = data;
  memcpy(op->into, op->from->data + op->from_at, op->bytes);
}
static void do_fill(gpointer data) {
  Op *op = data;
  for (guint64 i = 0; i < op->bytes; i++)
    op->to->data[op->to_at + i] = ((const char *)&op->word)[i % 8];
}
static bh_status fake_upload(dev_lane *lane, dev_memory *memory, uint64_t offset, const void *from, uint64_t bytes) {
  g_assert_cmpuint(offset + bytes, <=, memory->bytes);
  if (called(lane, "up:%" G_GUINT64_FORMAT "+%" G_GUINT64_FORMAT, offset, bytes) != BH_OK)
    return BH_FAIL;
  Op *op = enqueue(lane, do_copy);
  op->to = memory;
  op->to_at = offset;
  op->copied = g_memdup2(from, bytes);
  op->bytes = bytes;
  return BH_OK;
}
static bh_status fake_download(dev_lane *lane, const dev_memory *memory, uint64_t offset, void *into, uint64_t bytes) {
  g_assert_cmpuint(offset + bytes, <=, memory->bytes);
  if (called(lane, "down:%" G_GUINT64_FORMAT "+%" G_GUINT64_FORMAT, offset, bytes) != BH_OK)
    return BH_FAIL;
  Op *op = enqueue(lane, do_download);
  op->from = memory;
  op->from_at = offset;
  op->into = into;
  op->bytes = bytes;
  return BH_OK;
}
static bh_status fake_fill(dev_lane *lane, dev_memory *memory, uint64_t offset, uint64_t word, uint64_t bytes) {
  g_assert_cmpuint(offset + bytes, <=, memory->bytes);
  if (called(lane, "fill:%" G_GUINT64_FORMAT, bytes) != BH_OK)
    return BH_FAIL;
  Op *op = enqueue(lane, do_fill);
  op->to = memory;
  op->to_at = offset;
  op->word = word;
  op->bytes = bytes;
  return BH_OK;
}
static bh_status fake_copy(dev_lane *lane, dev_memory *to, uint64_t to_offset, const dev_memory *from,
                           uint64_t from_offset, uint64_t bytes) {
  g_assert_cmpuint(to_offset + bytes, <=, to->bytes);
  g_assert_cmpuint(from_offset + bytes, <=, from->bytes);
  if (called(lane, "copy:%" G_GUINT64_FORMAT, bytes) != BH_OK)
    return BH_FAIL;
  Op *op = enqueue(lane, do_copy);
  op->to = to;
  op->to_at = to_offset;
  op->from = from;
  op->from_at = from_offset;
  op->bytes = bytes;
  return BH_OK;
}
static bh_status fake_compile(dev_lane *lane, const bh_kernel *kernel, dev_code **ret_code) {
  if (called(lane, "compile:%s", kernel->entry) != BH_OK)
    return BH_FAIL;
  *ret_code = calloc(1, sizeof **ret_code);
  (*ret_code)->kernel = kernel;
  g_ptr_array_add(lane->code, *ret_code);
  world.live++;
  return BH_OK;
}
static bh_status fake_shape(dev_lane *lane, const dev_code *code, const bh_kernel *kernel, uint64_t items,
                            uint32_t most_groups, dev_shape *ret_shape) {
  (void)code, (void)most_groups;
  g_assert_cmpuint(items, >, 0);
  *ret_shape = (dev_shape){world.groups, kernel->shape->by == BH_BY_GROUP ? kernel->shape->lanes : world.lanes_a_group};
  return called(lane, "shape");
}

/* Arguments as a kernel sees them. */
static char *at(const Op *op, guint use, guint64 part) {
  guint64 stride;
  memcpy(&stride, op->values[2 + 2 * use], sizeof stride);
  return op->arguments[1 + 2 * use].memory->data + op->arguments[1 + 2 * use].offset_bytes + stride * part;
}

/* ITEMS: y[i] = x[i] + add; sum += 1, in the part of the lane; scratch of the lane is written. */
typedef struct {
  guint64 add;
} add_params;
static void do_launch(gpointer data) {
  const Op *op = data;
  bh_launch l;
  add_params p = {0};
  memcpy(&l, op->values[0], sizeof l);
  const guint n_uses = op->code->kernel->n_uses;
  memcpy(&p, op->values[1 + 2 * n_uses], MIN(sizeof p, op->arguments[1 + 2 * n_uses].value_bytes));
  const guint64 lanes =
      op->code->kernel->shape->by == BH_BY_GROUP ? op->shape.groups : (guint64)op->shape.groups * op->shape.lanes;
  for (guint64 lane = 0; lane < lanes; lane++)
    for (guint64 i = l.begin + lane; i < l.end; i += lanes) {
      const guint64 *x = (guint64 *)at(op, 0, lane);
      guint64 *y = (guint64 *)at(op, 1, lane);
      y[i] = x[i] + p.add;
      if (n_uses > 2)
        *(guint64 *)at(op, 2, lane) += 1;
      if (n_uses > 3)
        memset(at(op, 3, lane), (int)lane, 64);
    }
}
static Op last; /* the arguments of the last launch */
static bh_status fake_launch(dev_lane *lane, const dev_code *code, dev_shape shape, const dev_argument *arguments,
                             uint32_t n) {
  bh_launch l;
  memcpy(&l, arguments[0].value, sizeof l);
  if (called(lane, "launch:%ux%u[%" G_GUINT64_FORMAT ",%" G_GUINT64_FORMAT ")", shape.groups, shape.lanes, l.begin,
             l.end) != BH_OK)
    return BH_FAIL;
  g_assert_cmpuint(n, ==, 2 + 2 * code->kernel->n_uses);
  Op *op = enqueue(lane, do_launch);
  op->shape = shape;
  op->code = code;
  memcpy(op->arguments, arguments, n * sizeof *arguments);
  for (uint32_t i = 0; i < n; i++)
    if (!arguments[i].memory)
      memcpy(op->values[i], arguments[i].value, arguments[i].value_bytes);
  pthread_mutex_lock(&lock);
  last = *op;
  pthread_mutex_unlock(&lock);
  return BH_OK;
}
static bh_status fake_host_func(dev_lane *lane, void (*work)(void *arg), void *arg) {
  (void)work, (void)arg;
  return called(lane, "host");
}
static bh_status fake_pinned(dev_lane *lane, uint64_t bytes, void **ret_memory) {
  if (called(lane, "pin:%" G_GUINT64_FORMAT, bytes) != BH_OK)
    return BH_FAIL;
  *ret_memory = aligned_alloc(64, (bytes + 63) / 64 * 64);
  memset(*ret_memory, 0xDD, bytes);
  g_ptr_array_add(lane->pins, *ret_memory);
  world.live++;
  return BH_OK;
}
static void fake_unpin(dev_lane *lane, void *memory) {
  if (!memory)
    return;
  for (guint i = 0; i < G_N_ELEMENTS(world.open); i++) /* nothing is on its way into any of it */
    for (const GList *at = world.open[i] ? world.open[i]->ops.head : NULL; at; at = at->next)
      g_assert_null(((const Op *)at->data)->into);
  g_assert_true(g_ptr_array_remove(lane->pins, memory));
}
static bh_status fake_finish(dev_lane *lane) {
  if (called(lane, "finish") != BH_OK)
    return BH_FAIL;
  for (Op *op; (op = g_queue_pop_head(&lane->ops)) != NULL; op_free(op))
    op->work(op);
  return BH_OK;
}
static bh_status fake_begin(dev_lane *lane, uint32_t loop, int *ret_replayed) {
  return called(lane, "begin%u%s", loop, ret_replayed ? "" : "!");
}
static bh_status fake_enqueued(dev_lane *lane, uint32_t loop) {
  return called(lane, "enqueued%u", loop);
}
static bh_status fake_end(dev_lane *lane, uint32_t loop) {
  return called(lane, "end%u", loop);
}
static void *fake_native(dev_lane *lane, const char *name) {
  return strcmp(name, "fake.lane") ? NULL : lane;
}
static uintptr_t fake_address(dev_lane *lane, const dev_memory *memory) {
  (void)lane;
  return (uintptr_t)memory->data;
}
static const dev_driver driver = {.target = "fake",
                                  .count = fake_count,
                                  .free_bytes = fake_free_bytes,
                                  .open = fake_open,
                                  .close = fake_close,
                                  .memory = fake_memory,
                                  .alloc = fake_alloc,
                                  .release = fake_release,
                                  .upload = fake_upload,
                                  .download = fake_download,
                                  .fill = fake_fill,
                                  .copy = fake_copy,
                                  .compile = fake_compile,
                                  .shape = fake_shape,
                                  .launch = fake_launch,
                                  .host_func = fake_host_func,
                                  .pinned = fake_pinned,
                                  .unpin = fake_unpin,
                                  .finish = fake_finish,
                                  .run_begin = fake_begin,
                                  .run_enqueued = fake_enqueued,
                                  .run_end = fake_end,
                                  .native = fake_native,
                                  .address = fake_address};

/* ---- A problem: y = x + add, a count, scratch ---- */

static void add_words(void *into, const void *part, uint64_t bytes) {
  for (guint64 i = 0; i < bytes / 8; i++)
    ((guint64 *)into)[i] += ((const guint64 *)part)[i];
}
static void from_hundred(void *part, uint64_t bytes) {
  memset(part, 0, bytes);
  *(guint64 *)part = 100;
}

enum { X, Y, COUNT, OWN };
typedef struct {
  bh_region regions[4];
  bh_use uses[4], back[4];
  bh_kernel kernels[2];
  bh_kernel_shape shape;
  bh_loop loops[2];
  add_params params;
  bh_problem problem;
} Add;

static void add_init(Add *a, guint64 items, guint n_uses) {
  *a = (Add){.regions = {{.name = "x", .role = BH_IN, .dtype = BH_U64, .bytes = items * 8},
                         {.name = "y", .role = BH_OUT, .dtype = BH_U64, .bytes = items * 8},
                         {.name = "count", .role = BH_REDUCE, .dtype = BH_U64, .bytes = 8, .combine = add_words},
                         {.name = "own", .role = BH_SCRATCH, .dtype = BH_U64, .bytes = 64}},
             .uses = {{X, BH_IN, BH_BY_ITEM, 8}, {Y, BH_OUT, BH_BY_ITEM, 8}, {COUNT, BH_REDUCE}, {OWN, BH_SCRATCH}},
             .shape = {.by = BH_BY_LANE, .lanes = 0},
             .params = {5}};
  a->kernels[0] = (bh_kernel){.name = "add",
                              .source = "text",
                              .source_bytes = 4,
                              .entry = "add",
                              .shape = &a->shape,
                              .uses = a->uses,
                              .n_uses = n_uses};
  a->loops[0] = (bh_loop){.items = items, .params = &a->params, .params_bytes = sizeof a->params};
  a->problem = (bh_problem){.size = sizeof a->problem,
                            .regions = a->regions,
                            .n_regions = 4,
                            .kernels = a->kernels,
                            .n_kernels = 1,
                            .loops = a->loops,
                            .n_loops = 1};
}

/* A cell's life, up to and with the fetch of all results. */
static bh_status live(const Add *a, void **ret_state, guint64 **view) {
  bh_needs needs = {.size = sizeof needs};
  bh_status status = dev_accept(&driver, &host, NULL, &a->problem, &needs);
  if (status == BH_OK)
    status = dev_open(&driver, &host, NULL, &a->problem, NULL, ret_state);
  for (guint r = 0; r < 3 && status == BH_OK; r++)
    if (!(view[r] = dev_alloc(*ret_state, r)))
      status = BH_FAIL;
  for (guint64 i = 0; status == BH_OK && i < a->regions[X].bytes / 8; i++) {
    view[X][i] = 1000 + i;
    view[Y][i] = 0xBAD;
  }
  for (guint r = 0; r < 3 && status == BH_OK; r++)
    status = dev_bind(*ret_state, r);
  for (guint l = 0; l < a->problem.n_loops && status == BH_OK; l++)
    status = dev_run_loop(*ret_state, l);
  for (guint r = 1; r < 3 && status == BH_OK; r++)
    status = dev_fetch(*ret_state, r);
  return status;
}

static void expect_added(const Add *a, guint64 *const *view) {
  for (guint64 i = 0; i < a->regions[Y].bytes / 8; i++)
    g_assert_cmpuint(view[Y][i], ==, 1005 + i);
}

/* The calls of the driver from `from` on. */
static const char *calls_from(const char *from) {
  const char *found = strstr(world.calls->str, from);
  g_assert_nonnull(found);
  return found;
}

static void test_order(void) {
  Add a;
  void *state = NULL;
  guint64 *view[4];
  start(1);
  add_init(&a, 10, 4);
  g_assert_cmpint(live(&a, &state, view), ==, BH_OK);
  expect_added(&a, view);
  g_assert_cmpuint(view[COUNT][0], ==, 10);
  dev_close(state);
  g_assert_cmpstr(
      world.calls->str, ==,
      "count free count open@0 alloc:128@0 alloc:128@0 compile:add@0 memory@0 shape@0 alloc:512@0 pin:512@0 "
      "alloc:512@0 finish@0 pin:80@0 pin:80@0 up:0+80@0 finish@0 up:0+80@0 finish@0 begin0@0 fill:512@0 "
      "launch:2x4[0,10)@0 down:0+512@0 enqueued0@0 finish@0 end0@0 down:0+80@0 finish@0 finish@0 close@0");
  g_assert_cmpuint(world.live, ==, 0);
}

static void test_arguments(void) {
  Add a;
  void *state = NULL;
  guint64 *view[4], stride;
  bh_launch l;
  start(1);
  add_init(&a, 10, 4);
  a.loops[0].min_chunk = 4;
  g_assert_cmpint(live(&a, &state, view), ==, BH_OK);
  memcpy(&l, last.values[0], sizeof l);
  g_assert_cmpuint(last.arguments[0].value_bytes, ==, sizeof l);
  g_assert_true(l.begin == 0 && l.end == 10 && l.grain == 4);
  for (guint use = 0; use < 4; use++) {
    g_assert_nonnull(last.arguments[1 + 2 * use].memory);
    g_assert_cmpuint(last.arguments[2 + 2 * use].value_bytes, ==, 8);
    memcpy(&stride, last.values[2 + 2 * use], 8);
    g_assert_cmpuint(stride, ==, use < 2 ? 0 : 64);
  }
  g_assert_cmpuint(last.arguments[9].value_bytes, ==, sizeof a.params);
  dev_close(state);
  start(1);
  a.loops[0].params = NULL;
  a.loops[0].params_bytes = 0;
  g_assert_cmpint(live(&a, &state, view), ==, BH_OK);
  g_assert_cmpuint(last.arguments[9].value_bytes, ==, sizeof(bh_no_params));
  dev_close(state);
}

/* UINT64_MAX: all items in one chunk. Kernels round up to a multiple of the grain. */
static void test_one_chunk(void) {
  for (guint lanes = 1; lanes <= 2; lanes++) {
    Add a;
    void *state = NULL;
    guint64 *view[4];
    bh_launch l;
    start(lanes);
    add_init(&a, 10, 2);
    a.loops[0].min_chunk = UINT64_MAX;
    g_assert_cmpint(live(&a, &state, view), ==, BH_OK);
    expect_added(&a, view);
    memcpy(&l, last.values[0], sizeof l);
    g_assert_true(l.begin == 0 && l.end == 10 && l.grain == 10);
    dev_close(state);
  }
}

static void test_reduce(void) {
  Add a;
  void *state = NULL;
  guint64 *view[4];
  start(1);
  add_init(&a, 10, 3);
  a.regions[COUNT].bytes = 16; /* 100, 0: not one word */
  a.regions[COUNT].identity = from_hundred;
  g_assert_cmpint(live(&a, &state, view), ==, BH_OK);
  g_assert_cmpuint(view[COUNT][0], ==, 100 + 8 * 100 + 10); /* the view's own, and that of each of 8 lanes */
  g_assert_nonnull(strstr(world.calls->str, "copy:512@0"));
  g_assert_null(strstr(world.calls->str, "fill:"));
  g_assert_cmpint(dev_run_loop(state, 0), ==, BH_OK); /* starts afresh */
  g_assert_cmpuint(view[COUNT][0], ==, 100 + 8 * 100 + 10);
  dev_close(state);
  start(1);
  world.groups = 3;
  a.shape = (bh_kernel_shape){.by = BH_BY_GROUP, .lanes = 32};
  g_assert_cmpint(live(&a, &state, view), ==, BH_OK);
  g_assert_cmpuint(view[COUNT][0], ==, 100 + 3 * 100 + 10); /* of each group */
  g_assert_nonnull(strstr(world.calls->str, "launch:3x32"));
  dev_close(state);
}

static void test_parts_are_bounded(void) {
  Add a;
  void *state = NULL;
  guint64 *view[4];
  start(1);
  add_init(&a, 10, 4);
  a.uses[2].role = BH_IN; /* only the scratch is private */
  a.uses[2].region = X;
  a.regions[OWN].bytes = 1 << 17; /* room for (1 MiB / 4) / 128 KiB = 2 */
  g_assert_cmpint(live(&a, &state, view), ==, BH_OK);
  g_assert_nonnull(strstr(world.calls->str, "launch:1x2["));
  dev_close(state);
  start(1);
  a.regions[OWN].bytes = 1 << 19; /* one has room, though it is more than the share */
  g_assert_cmpint(live(&a, &state, view), ==, BH_OK);
  g_assert_nonnull(strstr(world.calls->str, "launch:1x1["));
  dev_close(state);
  start(1);
  a.regions[OWN].bytes = 1 << 21;
  g_assert_cmpint(dev_open(&driver, &host, NULL, &a.problem, NULL, &state), ==, BH_OUT_OF_MEMORY);
  g_assert_cmpstr(
      world.reason, ==,
      "kernel 'add' needs 2097152 bytes of device memory for the private parts of a single lane or group, has "
      "1048576");
  g_assert_cmpuint(world.live, ==, 0);
  /* REDUCE parts come back to the host: 64 MiB of them, not more. */
  start(1);
  world.free_bytes = G_GUINT64_CONSTANT(1) << 40;
  world.groups = 1000000;
  add_init(&a, 10, 3);
  a.shape = (bh_kernel_shape){.by = BH_BY_GROUP, .lanes = 32};
  a.regions[COUNT].bytes = 1 << 20;
  g_assert_cmpint(live(&a, &state, view), ==, BH_OK);
  g_assert_nonnull(strstr(world.calls->str, "launch:64x32["));
  dev_close(state);
}

static void test_no_items(void) {
  Add a;
  void *state = NULL;
  guint64 *view[4];
  start(2);
  add_init(&a, 0, 3);
  a.regions[COUNT].identity = from_hundred;
  g_assert_cmpint(live(&a, &state, view), ==, BH_OK);
  g_assert_cmpuint(view[COUNT][0], ==, 100);
  g_assert_null(strstr(world.calls->str, "launch"));
  dev_close(state);
}

static void test_lanes_share_items(void) {
  Add a;
  void *state = NULL;
  guint64 *view[4];
  start(3);
  add_init(&a, 10, 3);
  a.loops[0].min_chunk = 4; /* 3 grains: 0-4, 4-8, 8-10 */
  g_assert_cmpint(live(&a, &state, view), ==, BH_OK);
  expect_added(&a, view);
  g_assert_cmpuint(view[COUNT][0], ==, 10);
  g_assert_cmpstr(calls_from("up:0+32@0"), ==,
                  "up:0+32@0 up:32+32@1 up:64+16@2 finish@0 finish@1 finish@2 " /* x */
                  "up:0+32@0 up:32+32@1 up:64+16@2 finish@0 finish@1 finish@2 " /* y: poison */
                  "begin0@0 fill:512@0 launch:2x4[0,4)@0 down:0+512@0 enqueued0@0 "
                  "begin0@1 fill:512@1 launch:2x4[4,8)@1 down:0+512@1 enqueued0@1 "
                  "begin0@2 fill:512@2 launch:2x4[8,10)@2 down:0+512@2 enqueued0@2 "
                  "finish@0 finish@1 finish@2 end0@0 end0@1 end0@2 "
                  "down:0+32@0 down:32+32@1 down:64+16@2 finish@0 finish@1 finish@2");
  dev_close(state);
  g_assert_cmpuint(world.live, ==, 0);
}

/* Ragged items: item i has words [i(i+1)/2, (i+1)(i+2)/2). */
static void triangle(const void *params, uint64_t begin, uint64_t end, uint64_t *ret_offset, uint64_t *ret_length) {
  g_assert_cmpuint(((const add_params *)params)->add, ==, 5);
  *ret_offset = begin * (begin + 1) / 2 * 8;
  *ret_length = end * (end + 1) / 2 * 8 - *ret_offset;
}

static void test_slices(void) {
  Add a;
  void *state = NULL;
  start(2);
  add_init(&a, 4, 2);
  a.regions[X].bytes = 80;
  a.uses[0].slice = triangle;
  g_assert_cmpint(dev_open(&driver, &host, NULL, &a.problem, NULL, &state), ==, BH_OK);
  g_assert_nonnull(dev_alloc(state, X));
  g_assert_cmpint(dev_bind(state, X), ==, BH_OK);
  g_assert_nonnull(strstr(world.calls->str, "up:0+24@0 up:24+56@1")); /* items 0-1: 3 words, 2-3: 7 */
  dev_close(state);
}

/* Loop 2 reads all of what loop 1 wrote by item: through the host, once, and only with several lanes. */
static void test_lanes_exchange(void) {
  for (guint lanes = 1; lanes <= 2; lanes++) {
    Add a;
    void *state = NULL;
    guint64 *view[4];
    start(lanes);
    add_init(&a, 4, 2);
    a.back[0] = (bh_use){Y, BH_IN, BH_WHOLE, 0};
    a.back[1] = (bh_use){X, BH_INOUT, BH_BY_ITEM, 8};
    a.kernels[1] = a.kernels[0];
    a.kernels[1].uses = a.back;
    a.regions[X].role = BH_INOUT;
    a.loops[1] = a.loops[0];
    a.loops[1].kernel = 1;
    a.problem.n_kernels = a.problem.n_loops = 2;
    g_assert_cmpint(live(&a, &state, view), ==, BH_OK);
    g_assert_cmpint(dev_fetch(state, X), ==, BH_OK);
    expect_added(&a, view);
    for (guint i = 0; i < 4; i++)
      g_assert_cmpuint(view[X][i], ==, 1010 + i);
    if (lanes == 1)
      g_assert_nonnull(strstr(world.calls->str, "end0@0 begin1@0"));
    else
      g_assert_nonnull(strstr(world.calls->str,
                              "finish@0 finish@1 end0@0 end0@1 down:0+16@0 down:16+16@1 finish@0 finish@1 "
                              "up:0+32@0 up:0+32@1 begin1@0"));
    dev_close(state);
  }
}

/* What belongs to a worker is worked on by one device lane at a time. */
static void test_by_worker(void) {
  Add a;
  void *state = NULL;
  guint64 *view[4];
  start(2);
  add_init(&a, 10, 3);
  a.regions[COUNT] = (bh_region){.name = "own", .role = BH_INOUT, .split = BH_BY_WORKER, .dtype = BH_U64, .bytes = 64};
  a.uses[2] = (bh_use){COUNT, BH_INOUT, BH_BY_WORKER};
  g_assert_cmpint(live(&a, &state, view), ==, BH_OK);
  g_assert_cmpuint(view[COUNT][0], ==, 5);
  g_assert_cmpuint(view[COUNT][8], ==, 5);
  g_assert_nonnull(strstr(world.calls->str, "launch:1x1[0,5)@0"));
  g_assert_nonnull(strstr(world.calls->str, "alloc:64@1")); /* its own part, not both */
  dev_close(state);
}

static void test_every_failure(void) {
  for (guint lanes = 1; lanes <= 2; lanes++) {
    guint failures = 0;
    for (guint fail_at = 1;; fail_at++) {
      Add a;
      void *state = NULL;
      guint64 *view[4];
      start(lanes);
      world.fail_at = fail_at;
      add_init(&a, 10, 4);
      a.regions[COUNT].identity = from_hundred;
      a.regions[COUNT].bytes = 16;
      const bh_status status = live(&a, &state, view);
      if (status != BH_OK) {
        g_assert_cmpint(status, ==, BH_FAIL);
        g_assert_true(g_str_has_prefix(world.reason, "fake: "));
        failures++;
      }
      dev_close(state);
      g_assert_cmpuint(world.live, ==, 0);
      if (status == BH_OK)
        break;
    }
    g_assert_cmpuint(failures, >=, 25);
  }
}

/* ---- accept ---- */

static bh_status accept_says(const Add *a, bh_needs *ret_needs) {
  *ret_needs = (bh_needs){.size = sizeof *ret_needs};
  return dev_accept(&driver, &host, NULL, &a->problem, ret_needs);
}

static bh_status thousand_more(const bh_host *h, const bh_problem *problem, uint32_t loop,
                               bh_footprint *ret_footprint) {
  (void)h, (void)problem, (void)loop;
  ret_footprint->device_bytes = 1000;
  ret_footprint->host_bytes = 300;
  return BH_OK;
}

static void test_accept(void) {
  static const bh_program program = {.size = sizeof program, .footprint = thousand_more};
  Add a;
  bh_needs needs;
  start(1);
  add_init(&a, 10, 4);
  g_assert_cmpint(accept_says(&a, &needs), ==, BH_OK);
  g_assert_cmpuint(needs.workers, ==, 1);
  g_assert_cmpuint(needs.host_bytes, ==, 64);                        /* sums that come back to be joined */
  g_assert_cmpuint(needs.device_bytes, ==, 128 + 128 + 2 * 64 + 64); /* x, y, a sum with its identity, scratch */
  g_assert_cmpuint(needs.device_free_bytes, ==, PRIVATE_MEMORY);
  a.kernels[0].program = &program;
  g_assert_cmpint(accept_says(&a, &needs), ==, BH_OK);
  g_assert_cmpuint(needs.device_bytes, ==, 128 + 128 + 2 * 64 + 64 + 1000);
  g_assert_cmpuint(needs.host_bytes, ==, 64 + 300);
  start(1);
  a.kernels[0].program = NULL;
  a.kernels[0].source = NULL;
  g_assert_cmpint(accept_says(&a, &needs), ==, BH_UNSUPPORTED);
  g_assert_cmpstr(world.reason, ==, "kernel 'add' has no code for devices");
  start(2);
  add_init(&a, 10, 2);
  a.uses[1].split = BH_WHOLE;
  g_assert_cmpint(accept_says(&a, &needs), ==, BH_UNSUPPORTED);
  g_assert_cmpstr(world.reason, ==,
                  "kernel 'add' may write anywhere in region 'y': 2 workers with a copy of it each cannot share that "
                  "(workers: 1)");
  start(2);
  add_init(&a, 10, 2);
  a.uses[0] = a.uses[1];
  g_assert_cmpint(accept_says(&a, &needs), ==, BH_UNSUPPORTED);
  g_assert_cmpstr(world.reason, ==,
                  "kernel 'add' writes region 'y' by two of its uses: 2 workers with a copy of it each cannot share "
                  "that (workers: 1)");
  start(1);
  g_assert_cmpint(accept_says(&a, &needs), ==, BH_OK);
}

/* ---- Programs ---- */

static bh_status program_prepare(bh_device *device, uint32_t loop, void **ret_state) {
  g_assert_true(device->native(device, "fake.lane") != NULL && device->native(device, "other") == NULL);
  *ret_state = GUINT_TO_POINTER(7 + loop);
  return called(NULL, "prepare@%u", device->index);
}
static bh_status program_enqueue(void *state, bh_device *device, uint64_t begin, uint64_t end, const void *params) {
  g_assert_cmpuint(GPOINTER_TO_UINT(state), ==, 7);
  if (called(NULL, "enqueue@%u", device->index) != BH_OK)
    return BH_FAIL;
  const guint64 one = 1;
  bh_status status =
      device->upload(device, device->region(device, COUNT), 0, &one, sizeof one); /* this device's part */
  bh_buffer *const buffers[] = {device->region(device, X), NULL};
  static bh_kernel kernel; /* the fake code points to it */
  kernel = device->problem->kernels[0];
  kernel.n_uses = 2;
  return status == BH_OK ? device->launch(device, &kernel, begin, end, buffers, params, sizeof(add_params)) : status;
}
static bh_status program_fetch(void *state, bh_device *device) {
  (void)state;
  return called(NULL, "fetch@%u", device->index);
}
static void program_finish(void *state, bh_device *device) {
  (void)state;
  called(NULL, "ended@%u", device->index);
}

static void test_programs(void) {
  static const bh_program program = {.size = sizeof program,
                                     .prepare = program_prepare,
                                     .enqueue = program_enqueue,
                                     .fetch = program_fetch,
                                     .finish = program_finish};
  Add a;
  void *state = NULL;
  guint64 *view[4];
  start(2);
  add_init(&a, 10, 3);
  a.kernels[0].program = &program;
  g_assert_cmpint(live(&a, &state, view), ==, BH_OK);
  expect_added(&a, view);
  g_assert_cmpuint(view[COUNT][0], ==, 2);
  g_assert_nonnull(strstr(world.calls->str,
                          "begin0!@0 fill:64@0 enqueue@0 up:0+8@0 compile:add@0 shape@0 launch:2x4[0,5)@0 "
                          "begin0!@1"));
  g_assert_nonnull(
      strstr(world.calls->str, "fetch@0 down:0+64@0 enqueued0@0 fetch@1 down:0+64@1 enqueued0@1 finish@0"));
  dev_close(state);
  g_assert_nonnull(strstr(world.calls->str, "finish@0 ended@0 finish@1 ended@1 close@0 close@1"));
  g_assert_cmpuint(world.live, ==, 0);
}

/* A region divided by worker: a program sees it as the host does; a kernel that it launches gets the worker's part. */
static bh_status parts_enqueue(void *state, bh_device *device, uint64_t begin, uint64_t end, const void *params) {
  const guint64 word = 70 + device->index;
  (void)state, (void)begin, (void)end;
  bh_status status = device->upload(device, device->region(device, COUNT), device->index * 128 + 120, &word, 8);
  static bh_kernel kernel; /* the fake code points to it */
  static const bh_use uses[] = {{X, BH_IN, BH_BY_ITEM, 8}, {COUNT, BH_OUT, BH_BY_WORKER}};
  kernel = device->problem->kernels[0];
  kernel.uses = uses;
  kernel.n_uses = 2;
  return status == BH_OK ? device->launch(device, &kernel, 0, 2, NULL, params, sizeof(add_params)) : status;
}

static void test_program_by_worker(void) {
  static const bh_program program = {
      .size = sizeof program, .prepare = program_prepare, .enqueue = parts_enqueue, .finish = program_finish};
  Add a;
  void *state = NULL;
  guint64 *view[4];
  start(2);
  add_init(&a, 2, 3);
  a.uses[0].split = BH_WHOLE;
  a.regions[COUNT] = (bh_region){.name = "own", .role = BH_OUT, .split = BH_BY_WORKER, .dtype = BH_U64, .bytes = 128};
  a.uses[2] = (bh_use){COUNT, BH_OUT, BH_BY_WORKER};
  a.kernels[0].program = &program;
  g_assert_cmpint(live(&a, &state, view), ==, BH_OK);
  for (guint worker = 0; worker < 2; worker++) {
    g_assert_cmpuint(view[COUNT][worker * 16], ==, 1005);
    g_assert_cmpuint(view[COUNT][worker * 16 + 1], ==, 1006);
    g_assert_cmpuint(view[COUNT][worker * 16 + 15], ==, 70 + worker);
  }
  dev_close(state);
}

/* ---- Teams ---- */

static bh_status member(const void *state, bh_team *team, const bh_args *args) {
  const guint64 *y = args->region[0];
  const add_params three = {3};
  (void)state;
  bh_status status = team->run(team, 0, 0, 10, team->rank ? &three : NULL);
  if (status == BH_OK)
    status = team->barrier(team);
  if (status == BH_OK && y[9] != 1009 + (team->rank ? 3 : 5))
    return host_stop(&host, BH_WRONG, "member %u sees %" G_GUINT64_FORMAT, team->rank, y[9]);
  return status;
}

static bh_status live_team(Add *a, void **ret_state) {
  a->regions[Y].split = BH_BY_WORKER;
  a->uses[1] = (bh_use){Y, BH_OUT, BH_BY_WORKER};
  a->problem.uses = &a->uses[1];
  a->problem.n_uses = 1;
  a->problem.member = member;
  a->problem.min_members = 2;
  guint64 *view[4] = {NULL};
  bh_status status = dev_open(&driver, &host, NULL, &a->problem, NULL, ret_state);
  for (guint r = 0; r < 3 && status == BH_OK; r++)
    if (!(view[r] = dev_alloc(*ret_state, r)))
      status = BH_FAIL;
  for (guint64 i = 0; status == BH_OK && i < 10; i++)
    view[X][i] = 1000 + i;
  for (guint r = 0; r < 3 && status == BH_OK; r++)
    status = dev_bind(*ret_state, r);
  if (status == BH_OK)
    status = dev_run_team(*ret_state);
  if (status == BH_OK)
    g_assert_cmpuint(view[COUNT][0], ==, 20);
  return status;
}

static void test_team(void) {
  Add a;
  void *state = NULL;
  start(1); /* the team wants two */
  add_init(&a, 10, 3);
  g_assert_cmpint(live_team(&a, &state), ==, BH_OK);
  /* x stays on the device, as no body writes it; y goes there and back with each run */
  g_assert_nonnull(strstr(world.calls->str, "up:0+80@0 up:0+80@1 finish@0 finish@1"));
  g_assert_nonnull(strstr(world.calls->str, "launch:2x4[0,10)@1"));
  dev_close(state);
  g_assert_cmpuint(world.live, ==, 0);
}

/* Each member's kernel writes its part of y, then all of them read the first member's; no body looks at any of it. */
static bh_status blind_member(const void *state, bh_team *team, const bh_args *args) {
  const add_params three = {3};
  (void)state, (void)args;
  bh_status status = team->run(team, 0, 0, 10, team->rank ? &three : NULL);
  if (status == BH_OK)
    status = team->barrier(team);
  return status == BH_OK ? team->run(team, 1, 0, 10, NULL) : status;
}

static void test_team_reads_whole(void) {
  for (guint members = 1; members <= 2; members++) {
    Add a;
    void *state = NULL;
    guint64 *view[4];
    start(members);
    add_init(&a, 10, 2);
    a.regions[Y].split = BH_BY_WORKER;
    a.regions[COUNT] = (bh_region){.name = "seen", .role = BH_OUT, .split = BH_BY_WORKER, .dtype = BH_U64, .bytes = 80};
    a.uses[1] = (bh_use){Y, BH_OUT, BH_BY_WORKER};
    a.back[0] = (bh_use){Y, BH_IN, BH_WHOLE};
    a.back[1] = (bh_use){COUNT, BH_OUT, BH_BY_WORKER};
    a.kernels[1] = a.kernels[0];
    a.kernels[1].uses = a.back;
    a.loops[1] = a.loops[0];
    a.loops[1].kernel = 1;
    a.problem.n_kernels = a.problem.n_loops = 2;
    a.problem.member = blind_member;
    g_assert_cmpint(dev_open(&driver, &host, NULL, &a.problem, NULL, &state), ==, BH_OK);
    for (guint r = 0; r < 3; r++)
      g_assert_nonnull(view[r] = dev_alloc(state, r));
    for (guint i = 0; i < 10; i++)
      view[X][i] = 1000 + i;
    for (guint i = 0; i < 10 * members; i++)
      view[Y][i] = view[COUNT][i] = 0xBAD;
    for (guint r = 0; r < 3; r++)
      g_assert_cmpint(dev_bind(state, r), ==, BH_OK);
    g_assert_cmpint(dev_run_team(state), ==, BH_OK);
    for (guint r = 1; r < 3; r++)
      g_assert_cmpint(dev_fetch(state, r), ==, BH_OK);
    for (guint i = 0; i < 10 * members; i++) {
      g_assert_cmpuint(view[Y][i], ==, 1000 + i % 10 + (i < 10 ? 5 : 3));
      g_assert_cmpuint(view[COUNT][i], ==, 1010 + i % 10);
    }
    dev_close(state);
  }
}

/* Which call fails depends on which member is first; that the team ends, and why, does not. */
static void test_team_failures(void) {
  for (guint fail_at = 1;; fail_at++) {
    Add a;
    void *state = NULL;
    start(2);
    world.fail_at = fail_at;
    add_init(&a, 10, 3);
    const bh_status status = live_team(&a, &state);
    if (status != BH_OK)
      g_assert_true(g_str_has_prefix(world.reason, "fake: "));
    dev_close(state);
    g_assert_cmpuint(world.live, ==, 0);
    if (status == BH_OK)
      break;
  }
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/device-engine/order", test_order);
  g_test_add_func("/device-engine/arguments", test_arguments);
  g_test_add_func("/device-engine/one-chunk", test_one_chunk);
  g_test_add_func("/device-engine/reduce", test_reduce);
  g_test_add_func("/device-engine/parts-are-bounded", test_parts_are_bounded);
  g_test_add_func("/device-engine/no-items", test_no_items);
  g_test_add_func("/device-engine/lanes-share-items", test_lanes_share_items);
  g_test_add_func("/device-engine/slices", test_slices);
  g_test_add_func("/device-engine/lanes-exchange", test_lanes_exchange);
  g_test_add_func("/device-engine/by-worker", test_by_worker);
  g_test_add_func("/device-engine/every-failure", test_every_failure);
  g_test_add_func("/device-engine/accept", test_accept);
  g_test_add_func("/device-engine/programs", test_programs);
  g_test_add_func("/device-engine/program-by-worker", test_program_by_worker);
  g_test_add_func("/device-engine/team", test_team);
  g_test_add_func("/device-engine/team-reads-whole", test_team_reads_whole);
  g_test_add_func("/device-engine/team-failures", test_team_failures);
  const int failed = g_test_run();
  g_string_free(world.calls, TRUE);
  return failed;
}
