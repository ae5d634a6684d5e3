/* SPDX-License-Identifier: MIT
 * spin-workload: one item per run, `steps` dependent multiplications long: what benchhost's side times. */
#include "spin.h"
#include <benchhost/plugin.h>

#include <inttypes.h>
#include <stdlib.h>

typedef struct {
  const bh_host *host;
  uint64_t steps;
  bh_region region;
  bh_loop loop;
} state;

static void chunk(const bh_args *args, uint64_t begin, uint64_t end) {
  const uint64_t steps = *(const uint64_t *)args->params;
  uint64_t *out = args->region[0];
  for (uint64_t i = begin; i < end; i++)
    out[i] = spin(i, steps);
}

static const bh_use uses[] = {{.region = 0, .role = BH_OUT, .split = BH_BY_ITEM, .stride_bytes = 8}};
static const bh_kernel kernels[] = {{.name = "spin", .host = chunk, .uses = uses, .n_uses = 1}};

static bh_status open_spin(const bh_host *h, const bh_value *values, bh_problem *ret_problem, void **ret_state) {
  state *s = calloc(1, sizeof *s);
  if (!s)
    return h->stop(h, BH_OUT_OF_MEMORY, "no memory for the workload's state");
  s->host = h;
  s->steps = (uint64_t)values[0].i;
  s->region = (bh_region){.name = "out", .role = BH_OUT, .dtype = BH_U64, .bytes = 8};
  s->loop = (bh_loop){.items = 1, .params = &s->steps, .params_bytes = sizeof s->steps};
  ret_problem->regions = &s->region;
  ret_problem->kernels = kernels;
  ret_problem->loops = &s->loop;
  ret_problem->n_regions = ret_problem->n_kernels = ret_problem->n_loops = 1;
  ret_problem->items = 1;
  *ret_state = s;
  return BH_OK;
}

static bh_status verify(void *data, void *const *region, uint32_t workers) {
  const state *s = data;
  (void)workers;
  const uint64_t expected = spin(0, s->steps), found = *(const uint64_t *)region[0];
  return expected == found ? BH_OK
                           : s->host->stop(s->host, BH_WRONG, "expected %" PRIu64 ", found %" PRIu64, expected, found);
}

static const bh_param params[] = {
    {.name = "steps", .type = BH_INT, .fallback = "1", .help = "multiplications per item", .min = 0, .max = 1e12},
    {.name = NULL},
};
static const bh_workload workload = {.size = sizeof(bh_workload), .open = open_spin, .verify = verify, .close = free};
const bh_plugin_info bh_plugin = {BH_PLUGIN_HEAD, .name = "spin-workload", .version = "1",
                                  .summary = "a chain of multiplications", .params = params, .workload = &workload};
