/* SPDX-License-Identifier: MIT
 *
 * fork - a pool of forked processes. `transport: shm`: regions are shared memory, the caller is worker 0 and works too.
 * `transport: pipe`: every worker is a child with memory of its own, and data is copied through pipes with every chunk.
 */
#include "fork.h"

static const bh_param params[] = {BH_PARAM_WORKERS, BH_PARAM_SCHEDULE,  BH_PARAM_CHUNK, BH_PARAM_PIN,
                                  BH_PARAM_WAIT,    BH_PARAM_TRANSPORT, {NULL}};

typedef struct {
  const bh_fork_transport *transport;
  bh_fork *pool;
} fork_state;

static const bh_fork_transport *transport_of(const bh_value *values) {
  return values[BH_FORK_TRANSPORT].i == BH_TRANSPORT_PIPE ? &bh_fork_pipe : &bh_fork_shm;
}

bh_status bh_fork_prepare(bh_fork *f, const bh_host *h, const bh_value *values, const bh_problem *problem,
                          const void *workload_state, int shared) {
  int fits;
  f->host = h;
  f->problem = problem;
  f->workload_state = workload_state;
  f->pin = values[BH_FORK_PIN].s;
  f->workers = (uint32_t)values[BH_FORK_WORKERS].i;
  /* Whole pages: neighbours that only keep off each other's cache lines still share what is prefetched, and a node. */
  f->reduce_bytes = (bh_regions_parts_bytes(problem, BH_REDUCE) + 4095) & ~UINT64_C(4095);
  f->scratch_bytes = (bh_regions_parts_bytes(problem, BH_SCRATCH) + 4095) & ~UINT64_C(4095);
  if (!(f->view = bh_regions_map(h, problem, f->workers, shared)))
    return BH_OUT_OF_MEMORY;
  f->shares =
      bh_pool_shares(problem, (bh_schedule)values[BH_FORK_SCHEDULE].i, (uint64_t)values[BH_FORK_CHUNK].i, f->workers);
  f->lanes = calloc(f->workers, sizeof *f->lanes);
  f->children = calloc(f->workers, sizeof *f->children);
  f->reduce = bh_regions_pages(f->reduce_bytes * f->workers, shared);
  f->scratch = bh_regions_pages(f->scratch_bytes * f->workers, 0);
  fits = f->shares && f->lanes && f->children && f->reduce && f->scratch;
  for (uint32_t w = 0; fits && w < f->workers; w++) {
    if (!(fits = bh_lane_open(&f->lanes[w], h, problem, w, f->workers)))
      break;
    bh_lane_parts(&f->lanes[w], (char *)f->reduce + w * f->reduce_bytes, (char *)f->scratch + w * f->scratch_bytes);
    bh_lane_fill(&f->lanes[w], f->view);
  }
  if (!fits)
    return h->stop(h, BH_OUT_OF_MEMORY, "no memory for a pool of %" PRIu32, f->workers);
  bh_pool_facts(h, problem, f->shares, values[BH_FORK_SCHEDULE].s);
  h->fact(h, "transport", "%s", values[BH_FORK_TRANSPORT].s);
  return BH_OK;
}

bh_status bh_fork_settle(bh_fork *f, uint32_t worker) {
  bh_status status = f->host->pin(f->host, f->pin, worker, f->workers);
  memset((char *)f->reduce + worker * f->reduce_bytes, 0, f->reduce_bytes);
  return status == BH_OK ? bh_lane_setup(&f->lanes[worker]) : status;
}

void bh_fork_release(bh_fork *f) {
  for (uint32_t w = 0; f->lanes && w < f->workers; w++)
    bh_lane_close(&f->lanes[w]);
  if (f->view)
    bh_regions_unmap(f->problem, f->workers, f->view);
  bh_regions_free_pages(f->reduce, f->reduce_bytes * f->workers);
  bh_regions_free_pages(f->scratch, f->scratch_bytes * f->workers);
  free(f->shares);
  free(f->lanes);
  free(f->children);
}

static bh_status fork_accept(const bh_host *h, const bh_value *values, const bh_problem *problem, bh_needs *ret_needs) {
  uint32_t workers = (uint32_t)values[BH_FORK_WORKERS].i;
  ret_needs->workers = workers;
  ret_needs->processes = 1;
  ret_needs->host_bytes = workers * bh_regions_parts_bytes(problem, BH_REDUCE);
  bh_status status = bh_regions_check(h, problem, workers);
  return status == BH_OK ? transport_of(values)->accept(h, values, problem, ret_needs) : status;
}

static bh_status fork_open(const bh_host *h, const bh_value *values, const bh_problem *problem,
                           const void *workload_state, void **ret_state) {
  fork_state *s = calloc(1, sizeof *s);
  if (!s)
    return h->stop(h, BH_OUT_OF_MEMORY, "no memory for the pool itself");
  s->transport = transport_of(values);
  bh_status status = s->transport->open(h, values, problem, workload_state, &s->pool);
  if (status != BH_OK) {
    free(s);
    return status;
  }
  *ret_state = s;
  return BH_OK;
}

static void *fork_alloc(void *state, uint32_t index) {
  return ((fork_state *)state)->pool->view[index];
}

static bh_status fork_bind(void *state, uint32_t index) {
  fork_state *s = state;
  return s->transport->bind ? s->transport->bind(s->pool, index) : BH_OK;
}

static bh_status fork_run_loop(void *state, uint32_t index) {
  fork_state *s = state;
  return s->transport->run_loop(s->pool, index);
}

static bh_status fork_run_team(void *state) {
  fork_state *s = state;
  return s->transport->run_team(s->pool);
}

static void fork_close(void *state) {
  fork_state *s = state;
  if (!s)
    return;
  s->transport->close(s->pool);
  free(s);
}

static const bh_backend backend = {
    .size = sizeof backend,
    .target = "host",
    .accept = fork_accept,
    .open = fork_open,
    .alloc = fork_alloc,
    .bind = fork_bind,
    .run_loop = fork_run_loop,
    .run_team = fork_run_team,
    .close = fork_close,
};

const bh_plugin_info bh_plugin = {
    BH_PLUGIN_HEAD,   .name = "fork",
    .version = "0.1.0", .summary = "a pool of forked processes, by shared memory or by pipes",
    .params = params, .backend = &backend,
};
