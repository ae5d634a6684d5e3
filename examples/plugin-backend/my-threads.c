/* SPDX-License-Identifier: MIT
 *
 * my-threads - a small but complete backend: starts fresh threads for every loop and for every team, and ends them again. It
 * is what a program without a pool does, and what a pool must beat.
 *
 * Read it from the bottom up: `bh_plugin` is all that the host sees. Regions are plain memory that all threads share, so
 * bind and fetch have nothing to do and are left out. The helpers in benchhost/regions.h (memory, argument tables, REDUCE),
 * schedule.h (who runs which chunk) and team.h (collectives over shared memory) are optional: plugin.h alone is the contract.
 */
#include <benchhost/params.h>
#include <benchhost/regions.h>
#include <benchhost/schedule.h>
#include <benchhost/team.h>
#include <pthread.h>

typedef struct state state;

typedef struct {
  state *s;
  pthread_t thread;
  bh_lane lane; /* this worker's argument tables */
  void *reduce, *scratch;
  bh_status status;
} worker;

struct state {
  const bh_host *host;
  const bh_problem *problem;
  const void *workload_state;
  const char *pin;
  uint32_t workers;
  bh_schedule schedule;
  uint64_t chunk;
  void **view; /* per region: the memory that host and workers share */
  worker *all;
  bh_team_area *area; /* NULL unless the problem is a team */
  uint32_t loop;      /* that is running */
  bh_share share;     /* how it is dealt out */
  bh_claims claims;
};

/* The names that all backends share (benchhost/params.h), so that one line of a matrix sweeps them all. */
enum { WORKERS, SCHEDULE, CHUNK, PIN };
static const bh_param params[] = { BH_PARAM_WORKERS, BH_PARAM_SCHEDULE, BH_PARAM_CHUNK, BH_PARAM_PIN, { NULL } };

/* Says how many workers there will be and what they take, before anything is allocated; or why not. */
static bh_status accept_problem(const bh_host *h, const bh_value *values, const bh_problem *problem, bh_needs *ret_needs) {
  ret_needs->workers = (uint32_t)values[WORKERS].i;
  ret_needs->host_bytes = ret_needs->workers * bh_regions_parts_bytes(problem, BH_REDUCE);
  if (problem->member)
    ret_needs->host_bytes += bh_team_stage_bytes(ret_needs->workers);
  return bh_regions_check(h, problem, ret_needs->workers);
}

/* Accepts NULL and half-built states, so that `open` can use it on its way out. */
static void close_backend(void *state_) {
  state *s = state_;
  if (!s)
    return;
  for (uint32_t w = 0; s->all && w < s->workers; w++) {
    bh_regions_free_pages(s->all[w].reduce, bh_regions_parts_bytes(s->problem, BH_REDUCE));
    bh_regions_free_pages(s->all[w].scratch, bh_regions_parts_bytes(s->problem, BH_SCRATCH));
    bh_lane_close(&s->all[w].lane);
  }
  bh_regions_unmap(s->problem, s->workers, s->view);
  bh_regions_free_pages(s->area, bh_team_area_bytes(s->workers));
  free(s->all);
  free(s);
}

/* A worker's private memory: its copies of REDUCE regions, its SCRATCH, and the table of pointers that kernels get. */
static int settle(state *s, uint32_t index) {
  worker *own = &s->all[index];
  own->s = s;
  own->reduce = bh_regions_pages(bh_regions_parts_bytes(s->problem, BH_REDUCE), 0);
  own->scratch = bh_regions_pages(bh_regions_parts_bytes(s->problem, BH_SCRATCH), 0);
  if (!own->reduce || !own->scratch || !bh_lane_open(&own->lane, s->host, s->problem, index, s->workers))
    return 0;
  bh_lane_parts(&own->lane, own->reduce, own->scratch);
  bh_lane_fill(&own->lane, s->view);
  return 1;
}

static bh_status open_backend(const bh_host *h, const bh_value *values, const bh_problem *problem, const void *workload_state,
                              void **ret_state) {
  void *memory = NULL;
  if (posix_memalign(&memory, 64, sizeof(state)) != 0) /* bh_claims wants a cache line of its own */
    return h->stop(h, BH_OUT_OF_MEMORY, "no memory for the backend's state");
  state *s = memset(memory, 0, sizeof(state));
  s->host = h;
  s->problem = problem;
  s->workload_state = workload_state;
  s->workers = (uint32_t)values[WORKERS].i;
  s->schedule = (bh_schedule)values[SCHEDULE].i;
  s->chunk = (uint64_t)values[CHUNK].i;
  s->pin = values[PIN].s;
  s->view = bh_regions_map(h, problem, s->workers, 0); /* says why when it fails */
  if (!s->view) {
    close_backend(s);
    return BH_OUT_OF_MEMORY;
  }
  int ok = (s->all = calloc(s->workers, sizeof *s->all)) != NULL;
  for (uint32_t w = 0; ok && w < s->workers; w++)
    ok = settle(s, w);
  if (ok && problem->member && (ok = (s->area = bh_regions_pages(bh_team_area_bytes(s->workers), 0)) != NULL))
    bh_team_area_init(s->area, s->workers);
  if (!ok) {
    close_backend(s);
    return h->stop(h, BH_OUT_OF_MEMORY, "no memory for %u workers", (unsigned)values[WORKERS].i);
  }
  *ret_state = s;
  return BH_OK;
}

/* The host's view of a region: the very memory that workers use. */
static void *alloc_region(void *state_, uint32_t index) {
  return ((state *)state_)->view[index];
}

static void *work_on_loop(void *own_) {
  worker *own = own_;
  state *s = own->s;
  const bh_kernel *kernel = &s->problem->kernels[s->problem->loops[s->loop].kernel];
  uint64_t cursor = 0, begin, end;
  own->status = s->host->pin(s->host, s->pin, own->lane.worker, s->workers);
  bh_lane_identity(&own->lane, kernel->uses, kernel->n_uses);
  while (own->status == BH_OK && bh_schedule_next(&s->share, &s->claims, &cursor, own->lane.worker, &begin, &end))
    kernel->host(&own->lane.loops[s->loop], begin, end);
  return NULL;
}

static void *work_in_team(void *own_) {
  worker *own = own_;
  state *s = own->s;
  bh_waiter waiter = bh_waiter_make(1, 0, 1);
  bh_team_member member;
  own->status = s->host->pin(s->host, s->pin, own->lane.worker, s->workers);
  bh_team_join(&member, s->host, s->area, own->lane.worker, &waiter, bh_lane_run, &own->lane);
  bh_lane_identity_team(&own->lane);
  if (own->status == BH_OK)
    own->status = s->problem->member(s->workload_state, &member.team, &own->lane.team);
  own->status = bh_team_leave(&member, own->status);
  return NULL;
}

/* One thread per worker, all joined before it returns: joining is what makes every effect visible to the next loop. */
static bh_status run_threads(state *s, void *(*work)(void *)) {
  bh_status status = BH_OK;
  uint32_t started = 0;
  while (started < s->workers && pthread_create(&s->all[started].thread, NULL, work, &s->all[started]) == 0)
    started++;
  if (started < s->workers) {
    status = s->host->stop(s->host, BH_FAIL, "only %u of %u threads could be started", (unsigned)started, (unsigned)s->workers);
    if (s->area)
      bh_team_area_fail(s->area); /* members must not wait for one that never comes */
  }
  for (uint32_t w = 0; w < started; w++) {
    pthread_join(s->all[w].thread, NULL);
    if (status == BH_OK)
      status = s->all[w].status;
  }
  return status;
}

static bh_status run_loop(void *state_, uint32_t index) {
  state *s = state_;
  const bh_loop *loop = &s->problem->loops[index];
  const bh_kernel *kernel = &s->problem->kernels[loop->kernel];
  s->loop = index;
  s->share = bh_schedule_share(s->schedule, s->chunk, loop->items, loop->min_chunk, s->workers);
  atomic_store(&s->claims.next, 0);
  const bh_status status = run_threads(s, work_on_loop);
  if (status != BH_OK)
    return status;
  /* REDUCE regions: identity combined with all workers' parts, in worker order, into the host's view. */
  for (uint32_t u = 0; u < kernel->n_uses; u++) {
    if (kernel->uses[u].role != BH_REDUCE)
      continue;
    const uint32_t r = kernel->uses[u].region;
    bh_regions_identity(&s->problem->regions[r], s->view[r]);
    for (uint32_t w = 0; w < s->workers; w++)
      s->problem->regions[r].combine(s->view[r], s->all[w].lane.own[r], s->problem->regions[r].bytes);
  }
  return BH_OK;
}

static bh_status run_team(void *state_) {
  state *s = state_;
  bh_team_area_reset(s->area);
  bh_status status = run_threads(s, work_in_team);
  if (status == BH_OK)
    status = bh_team_area_check(s->area, s->host);
  for (uint32_t r = 0; status == BH_OK && r < s->problem->n_regions; r++) {
    if (s->problem->regions[r].role != BH_REDUCE || !s->all[0].lane.own[r])
      continue;
    bh_regions_identity(&s->problem->regions[r], s->view[r]);
    for (uint32_t w = 0; w < s->workers; w++)
      s->problem->regions[r].combine(s->view[r], s->all[w].lane.own[r], s->problem->regions[r].bytes);
  }
  return status;
}

static const bh_backend backend = {
  .size = sizeof(bh_backend),
  .target = "host",
  .accept = accept_problem,
  .open = open_backend,
  .alloc = alloc_region,
  .run_loop = run_loop,
  .run_team = run_team,
  .close = close_backend,
};

/* The one exported object. Its name is the file's name without ".so". */
const bh_plugin_info bh_plugin = {
  BH_PLUGIN_HEAD,
  .name = "my-threads",
  .version = "1.0",
  .summary = "fresh threads for every loop, no pool",
  .params = params,
  .backend = &backend,
};
