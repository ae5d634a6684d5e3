/* SPDX-License-Identifier: MIT
 *
 * noop: the smallest complete workload, made to be copied, and the measure of what a backend's dispatch costs. Its
 * kernel takes the same few nanoseconds for a chunk of any length, so whatever a run takes beyond that was spent on
 * handing out chunks and joining workers. Read it from the bottom (what the host sees) to the top (what it calls).
 */
#include "noop.k.h"           /* the kernel: all that is timed. Read it next */
#include "noop.k.inc"         /* noop_source, the same file as text for a device's compiler: meson.build makes it */
#include <benchhost/plugin.h> /* the whole contract; besides it a workload includes libc and nothing else of benchhost */

#include <inttypes.h>
#include <stdlib.h>

/* Joins one worker's part with another's. Must give the same whatever the order: backends join as workers finish. */
static void noop_combine(void *into, const void *part, uint64_t bytes) {
  noop_seen *sum = into;
  const noop_seen *other = part;
  (void)bytes; /* always sizeof(noop_seen) here */
  sum->count += other->count;
  sum->index_sum += other->index_sum;
}

/* ---- What there is to do, as tables ---- */

/* Every byte that a kernel reads or writes lies in a region. The backend allocates them, and so can share, copy or send
 * them; a role says which way the data flow. */
static const bh_region noop_regions[] = {{
    .name = "seen",    /* for messages and reports */
    .role = BH_REDUCE, /* each worker its own copy, joined by `combine`; others: IN, OUT, INOUT, SCRATCH, TEMP */
    .split = BH_WHOLE, /* not divided by item or worker */
    .dtype = BH_U64,   /* for reports and device copies */
    .bytes = sizeof(noop_seen), /* of one copy */
    .combine = noop_combine,    /* `identity` is left out: each copy starts as zeros, which is what a sum needs */
}};

/* How the kernel touches regions: region[k] in its arguments is what row k says. */
static const bh_use noop_uses[] = {{.region = 0, .role = BH_REDUCE, .split = BH_WHOLE}};

static const bh_kernel noop_kernels[] = {{
    .name = "noop",
    BH_KERNEL_DEVICE(noop, noop_source), /* the variant "portable", on all targets; others would be in `variants` */
    .uses = noop_uses,
    .n_uses = 1,
}};

/* ---- One cell's state ---- */

/* Lives from `open` to `close`; what the problem points to must not change in between. */
typedef struct {
  const bh_host *host;
  bh_loop loop;
} noop_state;

enum { P_ITEMS }; /* indices into noop_params: keep them in step */

/* Cheap: reads the values (the host has parsed and checked them) and says what there is to do. */
static bh_status noop_open(const bh_host *h, const bh_value *values, bh_problem *ret_problem, void **ret_state) {
  noop_state *s = calloc(1, sizeof *s);
  if (!s)
    return h->stop(h, BH_OUT_OF_MEMORY, "no memory for the workload's state"); /* whoever fails says why */
  s->host = h;
  s->loop =
      (bh_loop){.kernel = 0, .items = (uint64_t)values[P_ITEMS].i}; /* `params`: flat bytes for the kernel; none here */

  ret_problem->regions = noop_regions;
  ret_problem->n_regions = 1;
  ret_problem->kernels = noop_kernels;
  ret_problem->n_kernels = 1;
  ret_problem->loops = &s->loop; /* several loops run one after the other */
  ret_problem->n_loops = 1;
  ret_problem->items = (double)s->loop.items; /* cost model: gives items/s. No flops, no bytes: they stay 0 */
  *ret_state = s;
  return BH_OK;
}

/* Checks the results, here against closed forms. It may use the state and the regions, in the order of the table above,
 * but not what the kernel says about itself. `workers` matters for BY_WORKER regions only. */
static bh_status noop_verify(void *state, void *const *region, uint32_t workers) {
  const noop_state *s = state;
  const noop_seen *seen = region[0];
  uint64_t n = s->loop.items;
  uint64_t sum = n == 0 ? 0 : n % 2 == 0 ? n / 2 * (n - 1) : (n - 1) / 2 * n;
  (void)workers;
  if (seen->count != n)
    return s->host->stop(s->host, BH_WRONG, "items seen: expected %" PRIu64 ", found %" PRIu64, n, seen->count);
  if (seen->index_sum != sum)
    return s->host->stop(s->host, BH_WRONG,
                         "sum of the indices seen: expected %" PRIu64 ", found %" PRIu64
                         ": the count is right, so some item was done twice and another not at all",
                         sum, seen->index_sum);
  return BH_OK;
}

static void noop_close(void *state) {
  free(state); /* accepts NULL, like free itself */
}

/* ---- What the host sees ---- */

/* The host parses, checks, documents and sweeps parameters from this table; a plugin reads no text. */
static const bh_param noop_params[] = {
    {.name = "items",
     .type = BH_INT,
     .fallback = "1000",
     .unit = "items",
     .help = "how many items there are to do nothing for; 0 measures an empty run",
     .min = 0,
     .max = 1e15},
    {.name = NULL}, /* ends the table */
};

/* Left out: `probe` (can it run on this machine at all?), `fill` (write the IN regions), `prepare` (before each
 * sample). */
static const bh_workload noop_workload = {
    .size = sizeof(bh_workload), .open = noop_open, .verify = noop_verify, .close = noop_close};

/* The one symbol that the library exports. Its name must be the file's: noop.so. */
const bh_plugin_info bh_plugin = {
    BH_PLUGIN_HEAD,        .name = "noop",
    .version = "0.1.0",    .summary = "does nothing for each item: what dispatching and joining cost",
    .params = noop_params, .workload = &noop_workload,
};
