/* SPDX-License-Identifier: MIT
 *
 * sleep: items that only wait, for a given time each: latency without computation (a slow disk, a remote service).
 * Workers beyond the number of cores still pay here, and the ideal time of a run is duration * ceil(items / workers).
 */
#include "sleep.k.h"
#include "sleep.k.inc"
#include <benchhost/plugin.h>

#include <inttypes.h>
#include <stdlib.h>

/* By how much a device's clock may be off, which its backend sets by the host's: at first, and for each nanosecond
 * since, as crystals differ by some 50 in a million. No earlier run's naps pass by it: outputs are poisoned in between.
 */
#define SLEEP_CLOCK_NS UINT64_C(100000)
#define SLEEP_DRIFT 1e-4

static const bh_use sleep_uses[] = {
    {.region = 0, .role = BH_OUT, .split = BH_BY_ITEM, .stride_bytes = sizeof(sleep_nap)}};
static const bh_variant sleep_variants[] = {{.name = "portable",
                                             .target = "opencl",
                                             .summary = "the host naps in stream order: OpenCL kernels have no clock",
                                             .program = &sleep_program},
                                            {.name = NULL}};
static const bh_kernel sleep_kernels[] = {{.name = "sleep",
                                           BH_KERNEL_DEVICE(sleep_items, sleep_source),
                                           .uses = sleep_uses,
                                           .n_uses = 1,
                                           .variants = sleep_variants}};

typedef struct {
  const bh_host *host;
  sleep_params params;
  bh_region region;
  bh_loop loop;
  uint64_t opened_ns; /* no device's clock was set before */
  uint64_t since_ns;  /* no nap of the current sample began before */
} sleep_state;

enum { P_ITEMS, P_DURATION };

static bh_status sleep_open(const bh_host *h, const bh_value *values, bh_problem *ret_problem, void **ret_state) {
  sleep_state *s = calloc(1, sizeof *s);
  if (!s)
    return h->stop(h, BH_OUT_OF_MEMORY, "no memory for the workload's state");
  uint64_t items = (uint64_t)values[P_ITEMS].i;
  s->host = h;
  s->params.duration_ns = (uint64_t)values[P_DURATION].i;
  s->opened_ns = s->since_ns = bh_clock_ns();
  s->region = (bh_region){
      .name = "naps", .role = BH_OUT, .split = BH_WHOLE, .dtype = BH_U64, .bytes = items * sizeof(sleep_nap)};
  s->loop = (bh_loop){.items = items, .params = &s->params, .params_bytes = sizeof s->params};
  *ret_problem = (bh_problem){.size = ret_problem->size,
                              .flags = BH_BLOCKING | BH_REPEATABLE,
                              .regions = &s->region,
                              .n_regions = 1,
                              .kernels = sleep_kernels,
                              .n_kernels = 1,
                              .loops = &s->loop,
                              .n_loops = 1,
                              .items = (double)items,
                              .item_unit = "naps"};
  *ret_state = s;
  return BH_OK;
}

static bh_status sleep_prepare(void *state) {
  ((sleep_state *)state)->since_ns = bh_clock_ns();
  return BH_OK;
}

/* Every item says who it is and when it slept; the host's own clock bounds both ends. */
static bh_status sleep_verify(void *state, void *const *region, uint32_t workers) {
  const sleep_state *s = state;
  const bh_host *h = s->host;
  const sleep_nap *naps = region[0];
  const uint64_t now = bh_clock_ns();
  const uint64_t slack_ns = SLEEP_CLOCK_NS + (uint64_t)((double)(now - s->opened_ns) * SLEEP_DRIFT);
  uint64_t over_ns = 0;
  (void)workers;
  for (uint64_t i = 0; i < s->loop.items; i++) {
    const sleep_nap *nap = &naps[i];
    if (nap->item != i)
      return h->stop(h, BH_WRONG, "item %" PRIu64 ": its record names item %" PRIu64, i, nap->item);
    if (nap->begin_ns + slack_ns < s->since_ns || nap->end_ns > now + slack_ns || nap->end_ns < nap->begin_ns)
      return h->stop(h, BH_WRONG,
                     "item %" PRIu64 ": slept from %" PRIu64 " to %" PRIu64 " ns, expected within %" PRIu64
                     " to %" PRIu64 " ns, when this sample ran",
                     i, nap->begin_ns, nap->end_ns, s->since_ns, now);
    uint64_t slept = nap->end_ns - nap->begin_ns;
    if (slept < s->params.duration_ns)
      return h->stop(h, BH_WRONG, "item %" PRIu64 ": expected a nap of at least %" PRIu64 " ns, found %" PRIu64 " ns",
                     i, s->params.duration_ns, slept);
    over_ns += slept - s->params.duration_ns;
  }
  if (s->loop.items)
    h->metric(h, "overshoot", (double)over_ns / (double)s->loop.items * 1e-9, "s", BH_LOWER);
  return BH_OK;
}

static void sleep_close(void *state) {
  free(state);
}

static const bh_param sleep_table[] = {
    {.name = "items", .type = BH_INT, .fallback = "25", .unit = "items", .help = "how many naps", .min = 0, .max = 1e9},
    {.name = "duration",
     .type = BH_DURATION,
     .fallback = "10ms",
     .help = "length of one nap; 0 measures the system call alone",
     .min = 0,
     .max = 3.6e12},
    {.name = NULL}};

static const bh_workload sleep_workload = {.size = sizeof(bh_workload),
                                           .open = sleep_open,
                                           .prepare = sleep_prepare,
                                           .verify = sleep_verify,
                                           .close = sleep_close};

const bh_plugin_info bh_plugin = {
    BH_PLUGIN_HEAD,        .name = "sleep",
    .version = "0.1.0",    .summary = "waits without computing: latency that more workers can hide",
    .params = sleep_table, .workload = &sleep_workload};
