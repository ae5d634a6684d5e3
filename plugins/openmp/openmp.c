/* SPDX-License-Identifier: MIT
 *
 * openmp - workers are the threads of one OpenMP team that the runtime keeps alive (libgomp, libomp). Loops go through
 * `schedule(runtime)` over grains, so it is the runtime's own scheduling that is measured: a grain is `chunk` items,
 * and the kernel is called once per grain. static without a chunk is one block per thread, by thread number.
 */
#include <benchhost/params.h>
#include <benchhost/pool.h>
#include <benchhost/team.h>
#include <omp.h>

typedef struct {
  const bh_host *host;
  const bh_problem *problem;
  const void *workload_state;
  uint32_t workers;
  bh_schedule schedule;
  bh_share *shares;
  void **view;
  bh_lane *lanes;
  void **parts; /* per worker: REDUCE and SCRATCH parts, mapped by it */
  bh_status *statuses;
  bh_waiter waiter;
  bh_team_area *area; /* NULL unless a team */
} openmp;

enum { WORKERS, SCHEDULE, CHUNK, PIN, WAIT };
static const bh_param params[] = {BH_PARAM_WORKERS,
                                  BH_PARAM_SCHEDULE,
                                  BH_PARAM_CHUNK,
                                  BH_PARAM_PIN,
                                  /* BH_PARAM_WAIT's row, told to the runtime before it loads. */
                                  {"wait", BH_CHOICE, "block", "block|spin", NULL,
                                   "idle workers sleep in the kernel (block: OMP_WAIT_POLICY=passive) or burn their "
                                   "core to answer faster (spin: active)",
                                   0, 0, "OMP_WAIT_POLICY", "passive|active"},
                                  {NULL}};

static bh_status openmp_accept(const bh_host *h, const bh_value *values, const bh_problem *problem,
                               bh_needs *ret_needs) {
  uint32_t workers = (uint32_t)values[WORKERS].i;
  ret_needs->workers = workers;
  ret_needs->host_bytes =
      workers * bh_regions_parts_bytes(problem, BH_REDUCE) + (problem->member ? bh_team_stage_bytes(workers) : 0);
  return bh_regions_check(h, problem, workers);
}

static void openmp_close(void *state) {
  openmp *o = state;
  if (!o)
    return;
  uint64_t bytes = bh_regions_parts_bytes(o->problem, BH_REDUCE) + bh_regions_parts_bytes(o->problem, BH_SCRATCH);
  for (uint32_t w = 0; w < o->workers; w++) {
    if (o->parts)
      bh_regions_free_pages(o->parts[w], bytes);
    if (o->lanes)
      bh_lane_close(&o->lanes[w]);
  }
  bh_regions_unmap(o->problem, o->workers, o->view);
  bh_regions_free_pages(o->area, bh_team_area_bytes(o->workers));
  free(o->shares);
  free(o->lanes);
  free(o->parts);
  free(o->statuses);
  free(o);
}

static bh_status openmp_memory(openmp *o, const bh_value *values) {
  int fits;
  if (!(o->view = bh_regions_map(o->host, o->problem, o->workers, 0)))
    return BH_OUT_OF_MEMORY;
  o->shares = bh_pool_shares(o->problem, o->schedule, (uint64_t)values[CHUNK].i, o->workers);
  o->lanes = calloc(o->workers, sizeof *o->lanes);
  o->parts = calloc(o->workers, sizeof *o->parts);
  o->statuses = calloc(o->workers, sizeof *o->statuses);
  if (o->problem->member)
    o->area = bh_regions_pages(bh_team_area_bytes(o->workers), 0);
  fits = o->shares && o->lanes && o->parts && o->statuses && (o->area || !o->problem->member);
  for (uint32_t w = 0; fits && w < o->workers; w++)
    fits = bh_lane_open(&o->lanes[w], o->host, o->problem, w, o->workers);
  if (!fits)
    return o->host->stop(o->host, BH_OUT_OF_MEMORY, "no memory for %" PRIu32 " workers", o->workers);
  if (o->area)
    bh_team_area_init(o->area, o->workers);
  return BH_OK;
}

/* Private parts are mapped by the thread that will use them, and reductions first touched. Scratch is left to the
 * kernel: one that needs none of it on the host takes no memory. */
static bh_status settle(openmp *o, uint32_t worker, const char *pin) {
  uint64_t reduce_bytes = bh_regions_parts_bytes(o->problem, BH_REDUCE);
  uint64_t bytes = reduce_bytes + bh_regions_parts_bytes(o->problem, BH_SCRATCH);
  bh_status status = o->host->pin(o->host, pin, worker, o->workers);
  if (status != BH_OK)
    return status;
  if (!(o->parts[worker] = bh_regions_pages(bytes, 0)))
    return o->host->stop(o->host, BH_OUT_OF_MEMORY, "worker %" PRIu32 " needs %" PRIu64 " bytes of its own", worker,
                         bytes);
  memset(o->parts[worker], 0, reduce_bytes);
  bh_lane_parts(&o->lanes[worker], o->parts[worker], (char *)o->parts[worker] + reduce_bytes);
  bh_lane_fill(&o->lanes[worker], o->view);
  return bh_lane_setup(&o->lanes[worker]);
}

/* Starts the team's threads for good: later regions of the same size get the same threads. */
static bh_status start_threads(openmp *o, const char *pin) {
  int threads = 0;
  omp_set_dynamic(0);
  omp_set_schedule(o->schedule == BH_DYNAMIC  ? omp_sched_dynamic
                   : o->schedule == BH_GUIDED ? omp_sched_guided
                                              : omp_sched_static,
                   1);
#pragma omp parallel num_threads((int)o->workers) shared(threads)
  {
    uint32_t worker = (uint32_t)omp_get_thread_num();
    if (worker == 0)
      threads = omp_get_num_threads();
    /* The caller places itself last: threads that the runtime starts inherit its mask. */
    if (worker != 0 && worker < o->workers)
      o->statuses[worker] = settle(o, worker, pin);
#pragma omp barrier
    if (worker == 0)
      o->statuses[0] = settle(o, 0, pin);
  }
  if (threads != (int)o->workers)
    return o->host->stop(o->host, BH_FAIL,
                         "the OpenMP runtime gives a team of %d threads, not %" PRIu32 " (OMP_THREAD_LIMIT is %d)",
                         threads, o->workers, omp_get_thread_limit());
  for (uint32_t w = 0; w < o->workers; w++)
    if (o->statuses[w] != BH_OK)
      return o->statuses[w];
  return BH_OK;
}

static void record_facts(openmp *o, const bh_value *values) {
  const bh_host *h = o->host;
  const char *policy = getenv("OMP_WAIT_POLICY");
#if defined(__clang__)
  h->fact(h, "openmp runtime", "libomp (clang %s), OpenMP %d", __clang_version__, _OPENMP);
#else
  h->fact(h, "openmp runtime", "libgomp (gcc %s), OpenMP %d", __VERSION__, _OPENMP);
#endif
  h->fact(h, "openmp threads", "%" PRIu32 " (max %d, limit %d, processors %d)", o->workers, omp_get_max_threads(),
          omp_get_thread_limit(), omp_get_num_procs());
  h->fact(h, "wait", "%s", values[WAIT].s);
  h->fact(h, "OMP_WAIT_POLICY", "%s", policy ? policy : "unset: the runtime's own choice");
  bh_pool_facts(h, o->problem, o->shares, values[SCHEDULE].s);
}

static bh_status openmp_open(const bh_host *h, const bh_value *values, const bh_problem *problem,
                             const void *workload_state, void **ret_state) {
  openmp *o = calloc(1, sizeof *o);
  if (!o)
    return h->stop(h, BH_OUT_OF_MEMORY, "no memory for the openmp backend itself");
  o->host = h;
  o->problem = problem;
  o->workload_state = workload_state;
  o->workers = (uint32_t)values[WORKERS].i;
  o->schedule = (bh_schedule)values[SCHEDULE].i;
  o->waiter = bh_waiter_make(values[WAIT].i == BH_WAIT_BLOCK, 0, o->workers > h->cores);
  bh_status status = openmp_memory(o, values);
  if (status == BH_OK)
    status = start_threads(o, values[PIN].s);
  if (status != BH_OK) {
    openmp_close(o);
    return status;
  }
  record_facts(o, values);
  *ret_state = o;
  return BH_OK;
}

static void *openmp_alloc(void *state, uint32_t index) {
  return ((openmp *)state)->view[index];
}

/* [worker] All grains that the runtime gives this thread; called by all threads of the team. */
static void run_grains(const bh_share *share, bh_chunk host, const bh_args *args) {
  uint64_t grain = share->chunk * share->grain;
#pragma omp for schedule(runtime) nowait
  for (uint64_t chunk = 0; chunk < bh_schedule_ceil(share->grains, share->chunk); chunk++) {
    uint64_t begin = chunk * grain, left = share->items - begin;
    host(args, begin, begin + (grain < left ? grain : left));
  }
}

static bh_status openmp_run_loop(void *state, uint32_t index) {
  openmp *o = state;
  const bh_share *share = &o->shares[index];
  const bh_kernel *kernel = &o->problem->kernels[o->problem->loops[index].kernel];
#pragma omp parallel num_threads((int)o->workers)
  {
    uint32_t worker = (uint32_t)omp_get_thread_num();
    const bh_lane *lane = &o->lanes[worker];
    bh_lane_identity(lane, kernel->uses, kernel->n_uses);
    if (share->chunk == 0) {
      uint64_t cursor = 0, begin, end;
      if (bh_schedule_next(share, NULL, &cursor, worker, &begin, &end))
        kernel->host(&lane->loops[index], begin, end);
    } else {
      run_grains(share, kernel->host, &lane->loops[index]);
    }
  }
  bh_lanes_join_uses(o->lanes, o->workers, kernel->uses, kernel->n_uses, o->view);
  return BH_OK;
}

static bh_status run_member(openmp *o, uint32_t worker) {
  bh_team_member member;
  bh_lane *lane = &o->lanes[worker];
  bh_team_join(&member, o->host, o->area, worker, &o->waiter, bh_lane_run, lane);
  bh_lane_identity_team(lane);
  return bh_team_leave(&member, o->problem->member(o->workload_state, &member.team, &lane->team));
}

static bh_status openmp_run_team(void *state) {
  openmp *o = state;
  bh_status status = BH_OK;
  bh_team_area_reset(o->area);
#pragma omp parallel num_threads((int)o->workers)
  {
    uint32_t worker = (uint32_t)omp_get_thread_num();
    o->statuses[worker] = run_member(o, worker);
  }
  for (uint32_t w = 0; w < o->workers && status == BH_OK; w++)
    status = o->statuses[w];
  if (status == BH_OK)
    status = bh_team_area_check(o->area, o->host);
  if (status == BH_OK)
    bh_lanes_join_team(o->lanes, o->workers, o->view);
  return status;
}

static const bh_backend backend = {
    .size = sizeof backend,
    .target = "host",
    .accept = openmp_accept,
    .open = openmp_open,
    .alloc = openmp_alloc,
    .run_loop = openmp_run_loop,
    .run_team = openmp_run_team,
    .close = openmp_close,
};

const bh_plugin_info bh_plugin = {
    BH_PLUGIN_HEAD,   .name = "openmp",
    .version = "0.1.0", .summary = "the threads of one OpenMP team, scheduled by the OpenMP runtime",
    .params = params, .backend = &backend,
};
