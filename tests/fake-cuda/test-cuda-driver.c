/* SPDX-License-Identifier: MIT
 * The driver of plugins/cuda below the engine, on the driver double: what moves bytes, in which order, and what stands
 * after a call returned. Sizes are beyond its staging buffers, which examples are not. */
#include "lane.h"
#include "test-kernels.k.inc"

#include <benchhost/kernel.h>
#include <glib.h>
#include <stdarg.h>
#include <string.h>
#include <time.h>

/* ---- A host that remembers what was said ---- */

static char said[1024];
static GHashTable *facts; /* of text */

static bh_status host_stop(const bh_host *h, bh_status why, const char *format, ...) {
  va_list rest;
  (void)h;
  va_start(rest, format);
  g_vsnprintf(said, sizeof said, format, rest);
  va_end(rest);
  return why;
}

static void host_log(const bh_host *h, const char *format, ...) {
  (void)h, (void)format;
}

static void host_fact(const bh_host *h, const char *name, const char *format, ...) {
  va_list rest;
  (void)h;
  va_start(rest, format);
  g_hash_table_replace(facts, g_strdup(name), g_strdup_vprintf(format, rest));
  va_end(rest);
}

static void host_phase(const bh_host *h, uint32_t worker, const char *name) {
  (void)h, (void)worker, (void)name;
}

static void host_metric(const bh_host *h, const char *name, double value, const char *unit, bh_better better) {
  (void)h, (void)name, (void)value, (void)unit, (void)better;
}

static uint64_t host_now(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static const bh_host host = {.size = sizeof host,
                             .stop = host_stop,
                             .log = host_log,
                             .fact = host_fact,
                             .phase = host_phase,
                             .metric = host_metric,
                             .now_ns = host_now};

static const dev_driver *const driver = &cuda_driver;
#define OK(CALL) g_assert_cmpint(CALL, ==, BH_OK)

static dev_lane *lane_opened(void) {
  bh_value values[P_GRAPH + 1] = {0};
  dev_lane *lane = NULL;
  values[P_DEVICE].s = "0";
  values[P_STREAMS].i = 1;
  values[P_BATCH_TIME].i = 1000000;
  bh_status status = driver->open(&host, values, 0, 1, &lane);
  if (status != BH_OK)
    g_test_skip(said); /* no NVRTC: which architecture could be compiled for is asked first */
  return lane;
}

/* Of a mixed congruential generator: no two places are alike. */
static void numbers(uint64_t *into, uint64_t count, uint64_t seed) {
  for (uint64_t k = 0; k < count; k++)
    into[k] = seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
}

enum { WORDS = 3 * 1024 * 1024 + 5 }; /* 24 MiB and a bit: six staging buffers, of which there are two */
#define BYTES (WORDS * sizeof(uint64_t))

/* What was given may change as soon as upload returned, and what is downloaded is there when finish returned. */
static void test_large_copies(void) {
  dev_lane *lane = lane_opened();
  dev_memory *memory = NULL;
  if (!lane)
    return;
  g_autofree uint64_t *given = g_malloc(BYTES), *expected = g_malloc(BYTES), *found = g_malloc0(BYTES);
  OK(driver->alloc(lane, BYTES + 64, &memory));
  numbers(given, WORDS, 1);
  numbers(expected, WORDS, 1);
  OK(driver->upload(lane, memory, 64, given, BYTES));
  memset(given, 0xee, BYTES);
  OK(driver->download(lane, memory, 64, found, BYTES));
  OK(driver->finish(lane));
  g_assert_cmpint(memcmp(found, expected, BYTES), ==, 0);
  driver->release(lane, memory);
  driver->close(lane);
}

static void test_pinned_copies(void) {
  dev_lane *lane = lane_opened();
  dev_memory *memory = NULL;
  uint64_t *pinned = NULL;
  if (!lane)
    return;
  g_autofree uint64_t *expected = g_malloc(BYTES);
  OK(driver->pinned(lane, 2 * BYTES, (void **)&pinned));
  g_assert_cmpuint((uintptr_t)pinned % 64, ==, 0);
  OK(driver->alloc(lane, BYTES, &memory));
  numbers(pinned, WORDS, 2);
  numbers(expected, WORDS, 2);
  OK(driver->upload(lane, memory, 0, pinned, BYTES));
  memset(pinned, 0xee, BYTES);
  OK(driver->download(lane, memory, 0, pinned + WORDS, BYTES));
  OK(driver->finish(lane));
  g_assert_cmpint(memcmp(pinned + WORDS, expected, BYTES), ==, 0);
  /* small and page-locked: it changes at once, and is still what was given */
  pinned[0] = 1;
  OK(driver->upload(lane, memory, 8, pinned, 8));
  pinned[0] = 2;
  OK(driver->download(lane, memory, 8, pinned + 1, 8));
  OK(driver->finish(lane));
  g_assert_cmpuint(pinned[1], ==, 1);
  driver->release(lane, memory);
  driver->unpin(lane, pinned);
  driver->unpin(lane, NULL);
  driver->release(lane, NULL);
  driver->close(lane);
  driver->close(NULL);
}

/* Many copies of odd lengths in one go, both ways in turn: each of them waits for its staging buffer. */
static void test_many_copies(void) {
  enum { COPIES = 23, STRIDE = 4099 };
  dev_lane *lane = lane_opened();
  dev_memory *memory = NULL;
  if (!lane)
    return;
  static unsigned char found[COPIES][STRIDE];
  OK(driver->alloc(lane, COPIES * STRIDE, &memory));
  for (unsigned k = 0; k < COPIES; k++) {
    unsigned char given[STRIDE];
    memset(given, (int)(k + 1), sizeof given);
    OK(driver->upload(lane, memory, (uint64_t)k * STRIDE, given, STRIDE - k));
    OK(driver->download(lane, memory, (uint64_t)k * STRIDE, found[k], STRIDE - k));
  }
  OK(driver->finish(lane));
  for (unsigned k = 0; k < COPIES; k++)
    for (unsigned b = 0; b < STRIDE; b++)
      g_assert_cmpuint(found[k][b], ==, b < STRIDE - k ? k + 1 : 0);
  driver->release(lane, memory);
  driver->close(lane);
}

/* One word, repeated and cut at the end; nothing beside it changes. */
static void test_fill(void) {
  static const uint64_t words[] = {0, UINT64_C(0x0123456789abcdef), UINT64_C(0x7777777777777777),
                                   UINT64_C(0x0000000500000005)};
  dev_lane *lane = lane_opened();
  dev_memory *memory = NULL;
  if (!lane)
    return;
  enum { ROOM = 4096, AT = 8 };
  unsigned char found[ROOM];
  OK(driver->alloc(lane, ROOM, &memory));
  for (size_t w = 0; w < G_N_ELEMENTS(words); w++)
    for (uint64_t bytes = 0; bytes < 2100; bytes = bytes < 40 ? bytes + 1 : bytes * 2 - 3) {
      OK(driver->fill(lane, memory, 0, UINT64_C(0x9999999999999999), ROOM));
      OK(driver->fill(lane, memory, AT, words[w], bytes));
      OK(driver->download(lane, memory, 0, found, ROOM));
      OK(driver->finish(lane));
      for (uint64_t k = 0; k < ROOM; k++) {
        int inside = k >= AT && k < AT + bytes;
        g_assert_cmpuint(found[k], ==, inside ? (words[w] >> 8 * (k % 8) & 0xff) : 0x99);
      }
    }
  driver->release(lane, memory);
  driver->close(lane);
}

static void test_copy(void) {
  dev_lane *lane = lane_opened();
  dev_memory *a = NULL, *b = NULL;
  uint64_t given[64], found[64];
  if (!lane)
    return;
  numbers(given, 64, 3);
  OK(driver->alloc(lane, sizeof given, &a));
  OK(driver->alloc(lane, sizeof given, &b));
  OK(driver->upload(lane, a, 0, given, sizeof given));
  OK(driver->copy(lane, b, 0, a, 8 * 32, 8 * 32));
  OK(driver->copy(lane, b, 8 * 32, a, 0, 8 * 32));
  OK(driver->copy(lane, b, 0, a, 0, 0));
  OK(driver->download(lane, b, 0, found, sizeof found));
  OK(driver->finish(lane));
  for (int k = 0; k < 64; k++)
    g_assert_cmpuint(found[k], ==, given[(k + 32) % 64]);
  driver->release(lane, a);
  driver->release(lane, b);
  driver->close(lane);
}

typedef struct {
  const uint64_t *found;
  uint64_t seen;
  int calls;
} look;

static void look_at(void *given) {
  look *l = given;
  l->calls++;
  l->seen = l->found[0];
}

/* The host's part sees what was downloaded before it, and not what comes later. */
static void test_host_func(void) {
  dev_lane *lane = lane_opened();
  dev_memory *memory = NULL;
  uint64_t found[1] = {0};
  look first = {.found = found}, second = {.found = found};
  if (!lane)
    return;
  OK(driver->alloc(lane, 8, &memory));
  OK(driver->fill(lane, memory, 0, 11, 8));
  OK(driver->download(lane, memory, 0, found, 8));
  OK(driver->host_func(lane, look_at, &first));
  OK(driver->fill(lane, memory, 0, 22, 8));
  OK(driver->download(lane, memory, 0, found, 8));
  OK(driver->host_func(lane, look_at, &second));
  g_assert_cmpint(first.calls + second.calls, ==, 0); /* enqueued, no more */
  OK(driver->finish(lane));
  g_assert_cmpint(first.calls, ==, 1);
  g_assert_cmpint(second.calls, ==, 1);
  g_assert_cmpuint(first.seen, ==, 11);
  g_assert_cmpuint(second.seen, ==, 22);
  driver->release(lane, memory);
  driver->close(lane);
}

/* ---- Kernels ---- */

static const bh_kernel_shape groups_of_64 = {.by = BH_BY_GROUP, .lanes = 64};

static void test_launch(void) {
  dev_lane *lane = lane_opened();
  dev_memory *x = NULL, *parts = NULL;
  dev_code *code = NULL, *again = NULL;
  dev_shape shape;
  uint64_t found[8] = {0}, total = 0;
  if (!lane)
    return;
  enum { N = 5000 };
  g_autofree uint64_t *given = g_new(uint64_t, N + 1);
  for (uint64_t k = 0; k <= N; k++)
    given[k] = k;
  const bh_kernel kernel = {.name = "sum",
                            .source = test_kernels_source,
                            .source_bytes = sizeof test_kernels_source - 1,
                            .entry = "test_sum",
                            .shape = &groups_of_64};
  OK(driver->compile(lane, &kernel, &code));
  OK(driver->compile(lane, &kernel, &again));
  OK(driver->shape(lane, code, &kernel, N, 8, &shape));
  g_assert_cmpuint(shape.lanes, ==, 64);
  g_assert_cmpuint(shape.groups, >=, 1);
  g_assert_cmpuint(shape.groups, <=, 8);
  OK(driver->alloc(lane, (N + 1) * sizeof *given, &x));
  OK(driver->alloc(lane, sizeof found, &parts));
  OK(driver->fill(lane, parts, 0, 0, sizeof found));
  OK(driver->upload(lane, x, 0, given, (N + 1) * sizeof *given));
  bh_launch launch = {0, N, 1};
  bh_no_params none = {0};
  uint64_t stride = 8, whole = 0;
  const dev_argument arguments[] = {{.value = &launch, .value_bytes = sizeof launch},
                                    {.memory = parts},
                                    {.value = &stride, .value_bytes = sizeof stride},
                                    {.memory = x, .offset_bytes = 8}, /* x from its second number on */
                                    {.value = &whole, .value_bytes = sizeof whole},
                                    {.value = &none, .value_bytes = sizeof none}};
  OK(driver->launch(lane, again, shape, arguments, G_N_ELEMENTS(arguments)));
  launch.end = 0; /* arguments are copied before launch returns */
  OK(driver->download(lane, parts, 0, found, sizeof found));
  OK(driver->finish(lane));
  for (int k = 0; k < 8; k++)
    total += found[k];
  g_assert_cmpuint(total, ==, (uint64_t)N * (N + 1) / 2);
  driver->release(lane, x);
  driver->release(lane, parts);
  driver->close(lane);
}

static void test_compile_errors(void) {
  dev_lane *lane = lane_opened();
  dev_code *code = NULL;
  static const char broken[] = "extern \"C\" __global__ void broken(double *x) { x[0] = nobody; }\n";
  if (!lane)
    return;
  bh_kernel kernel = {.name = "broken", .source = broken, .source_bytes = sizeof broken - 1, .entry = "broken"};
  g_assert_cmpint(driver->compile(lane, &kernel, &code), ==, BH_FAIL);
  g_assert_nonnull(strstr(said, "nobody"));
  kernel = (bh_kernel){.name = "none",
                       .source = test_kernels_source,
                       .source_bytes = sizeof test_kernels_source - 1,
                       .entry = "no_such_entry"};
  g_assert_cmpint(driver->compile(lane, &kernel, &code), ==, BH_FAIL);
  g_assert_nonnull(strstr(said, "CUDA_ERROR_NOT_FOUND"));
  driver->close(lane);
}

/* ---- Memory ---- */

static void test_out_of_memory(void) {
  dev_lane *lane = lane_opened();
  dev_memory *memory = NULL;
  uint64_t before, after, total;
  if (!lane)
    return;
  OK(driver->memory(lane, &before, &total));
  g_assert_cmpint(driver->alloc(lane, total + 1, &memory), ==, BH_OUT_OF_MEMORY);
  g_assert_nonnull(strstr(said, "Fake"));
  OK(driver->alloc(lane, 1 << 20, &memory)); /* a refusal is not the end */
  OK(driver->memory(lane, &after, &total));
  g_assert_cmpuint(before - after, ==, 1 << 20);
  driver->release(lane, memory);
  OK(driver->memory(lane, &after, &total));
  g_assert_cmpuint(before, ==, after);
  driver->close(lane);
}

static void test_facts(void) {
  dev_lane *lane = lane_opened();
  if (!lane)
    return;
  g_assert_cmpstr(g_hash_table_lookup(facts, "gpu 0"), ==, "Fake");
  g_assert_cmpstr(g_hash_table_lookup(facts, "gpu 0 uuid"), ==, "46616b65-2043-5544-4120-646f75626c30");
  g_assert_cmpstr(g_hash_table_lookup(facts, "gpu 0 SMs"), ==, "4");
  g_assert_nonnull(driver->native(lane, "cuda.context"));
  g_assert_nonnull(driver->native(lane, "cuda.stream"));
  g_assert_null(driver->native(lane, "opencl.queue"));
  driver->close(lane);
}

int main(int argc, char **argv) {
  g_autofree char *cache = NULL;
  g_test_init(&argc, &argv, NULL);
  cache = g_dir_make_tmp("benchhost-cubins-XXXXXX", NULL);
  g_setenv("BENCHHOST_CACHE_DIR", cache, TRUE);
  facts = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
  g_test_add_func("/cuda-driver/facts", test_facts); /* first: they are said once a process */
  g_test_add_func("/cuda-driver/large-copies", test_large_copies);
  g_test_add_func("/cuda-driver/pinned-copies", test_pinned_copies);
  g_test_add_func("/cuda-driver/many-copies", test_many_copies);
  g_test_add_func("/cuda-driver/fill", test_fill);
  g_test_add_func("/cuda-driver/copy", test_copy);
  g_test_add_func("/cuda-driver/host-func", test_host_func);
  g_test_add_func("/cuda-driver/launch", test_launch);
  g_test_add_func("/cuda-driver/compile-errors", test_compile_errors);
  g_test_add_func("/cuda-driver/out-of-memory", test_out_of_memory);
  int result = g_test_run();
  g_autofree char *command = g_strdup_printf("rm -r '%s'", cache);
  if (!g_spawn_command_line_sync(command, NULL, NULL, NULL, NULL))
    result = 1;
  return result;
}
