/* SPDX-License-Identifier: MIT
 *
 * my-histogram - a small but complete workload: counts how often each value occurs among `n` numbers.
 *
 * Read it from the bottom up: `bh_plugin` is all that the host sees; it leads to the table of parameters and to the
 * callbacks. Copy it, and change first what the kernel does (my-histogram.k.h), then how verify knows the right answer.
 */
#include "my-histogram.k.h"
#include "my-histogram.k.inc" /* its text, `kernel_text`: made by the build */

#include <benchhost/plugin.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* ---- The kernel: what is measured is in my-histogram.k.h, once for processors and devices ---- */

enum { VALUES, COUNTS }; /* the regions, in the order of `regions` below */

/* How the kernel touches each region, in the order of its types: REDUCE first, as its form wants it. Item i owns 4 bytes of
 * VALUES: that is what lets a backend send a worker just its part. */
static const bh_use uses[] = {
  { .region = COUNTS, .role = BH_REDUCE, .split = BH_WHOLE },
  { .region = VALUES, .role = BH_IN, .split = BH_BY_ITEM, .stride_bytes = sizeof(uint32_t) },
};

/* Adds one worker's counts to another's. `identity` is left out below: all bytes 0 are the right start for a sum. */
static void add_counts(void *into, const void *part, uint64_t bytes) {
  (void)bytes; /* those of one `counts` */
  count_join(into, part);
}

/* ---- The parameters: the host parses, checks, documents and sweeps them ---- */

enum { N, BINS }; /* the rows, in order: values[N] is parameter `n` */

static const bh_param params[] = {
  { "n", BH_INT, "1e6", NULL, "numbers", "how many numbers are counted", 0, 1e10, NULL, NULL },
  { "bins", BH_CHOICE, "64", "4|16|64", NULL, "how many different values there are", 0, 0, NULL, NULL },
  { 0 },
};

/* ---- The life of a cell ---- */

typedef struct {
  const bh_host *host;
  uint64_t n, shift;
  count_params params;
  bh_region regions[2];
  bh_kernel kernels[1];
  bh_loop loops[1];
} state;

/* Plans: sizes, kernels, loops. Allocates nothing big and starts no thread. All that `ret_problem` points to stays as it is
 * until close: here it lives in the state. */
static bh_status open_workload(const bh_host *h, const bh_value *values, bh_problem *ret_problem, void **ret_state) {
  state *s = calloc(1, sizeof *s);
  if (!s)
    return h->stop(h, BH_OUT_OF_MEMORY, "no memory for a state of %zu bytes", sizeof *s);
  s->host = h;
  s->n = (uint64_t)values[N].i;
  s->params.bins = (uint32_t)strtoul(values[BINS].s, NULL, 10);
  s->shift = h->seed; /* the same matrix gives the same numbers */
  s->regions[VALUES] = (bh_region){ .name = "values", .role = BH_IN, .dtype = BH_U32, .bytes = s->n * sizeof(uint32_t) };
  s->regions[COUNTS] = (bh_region){ .name = "counts", .role = BH_REDUCE, .dtype = BH_U64,
                                    .bytes = sizeof(counts), .combine = add_counts };
  s->kernels[0] = (bh_kernel){ .name = "count", BH_KERNEL_DEVICE(count, kernel_text), .uses = uses, .n_uses = 2 };
  s->loops[0] = (bh_loop){ .kernel = 0, .items = s->n, .params = &s->params, .params_bytes = sizeof s->params };
  ret_problem->regions = s->regions;
  ret_problem->n_regions = 2;
  ret_problem->kernels = s->kernels;
  ret_problem->n_kernels = 1;
  ret_problem->loops = s->loops;
  ret_problem->n_loops = 1;
  /* The cost model of one run: what items/s and GB/s are worked out from. */
  ret_problem->items = (double)s->n;
  ret_problem->item_unit = "numbers";
  ret_problem->bytes_read = (double)s->n * sizeof(uint32_t);
  *ret_state = s;
  return BH_OK;
}

/* Number i. An odd factor is invertible modulo a power of two, so any `bins` numbers in a row hold each value exactly once:
 * they look scattered, and yet the right histogram is known without counting. */
static uint32_t value_at(const state *s, uint64_t i) {
  return (uint32_t)((i * UINT64_C(0x9e3779b97f4a7c15) + s->shift) & (s->params.bins - 1));
}

/* Writes the inputs. Only IN and INOUT regions are to be written here; the host times it apart. A region of no bytes may be
 * NULL. */
static bh_status fill(void *state_, void *const *region, uint32_t workers) {
  const state *s = state_;
  uint32_t *values = region[VALUES];
  (void)workers; /* matters for BY_WORKER regions only */
  for (uint64_t i = 0; i < s->n; i++)
    values[i] = value_at(s, i);
  return BH_OK;
}

/* Checks all results against a closed form, and so against nothing that the kernel did: whole rounds through all values, and
 * the rest of the last round. Before each sample the host overwrites the outputs, so a kernel that does nothing fails here. */
static bh_status verify(void *state_, void *const *region, uint32_t workers) {
  const state *s = state_;
  const counts *found = region[COUNTS];
  const uint64_t bins = s->params.bins, rounds = s->n / bins;
  unsigned char extra[MOST_BINS] = { 0 };
  (void)workers;
  for (uint64_t i = rounds * bins; i < s->n; i++)
    extra[value_at(s, i)] = 1;
  for (uint64_t b = 0; b < MOST_BINS; b++) {
    const uint64_t expected = b < bins ? rounds + extra[b] : 0;
    if (found->of[b] != expected)
      return s->host->stop(s->host, BH_WRONG, "value %" PRIu64 " was counted %" PRIu64 " times, expected %" PRIu64, b,
                           found->of[b], expected);
  }
  return BH_OK;
}

static void close_workload(void *state_) {
  free(state_); /* accepts NULL, as close must */
}

static const bh_workload workload = {
  .size = sizeof(bh_workload),
  .open = open_workload,
  .fill = fill,
  .verify = verify,
  .close = close_workload,
};

/* The one exported object. Its name is the file's name without ".so". */
const bh_plugin_info bh_plugin = {
  BH_PLUGIN_HEAD,
  .name = "my-histogram",
  .version = "1.0",
  .summary = "counts how often each value occurs",
  .params = params,
  .workload = &workload,
};
