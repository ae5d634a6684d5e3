/* SPDX-License-Identifier: MIT
 *
 * serial - the reference backend: one worker, the calling thread; each loop is one chunk, so the kernel's own time is
 * all that is measured. Teams have one member; sending to oneself works.
 */
#include <benchhost/params.h>
#include <benchhost/regions.h>
#include <benchhost/team.h>

typedef struct {
  const bh_host *host;
  const bh_problem *problem;
  const void *workload_state;
  void **view;
  void *reduce, *scratch;
  bh_team_area *area; /* NULL unless a team */
  bh_lane lane;
} serial;

enum { PIN };
static const bh_param params[] = {BH_PARAM_PIN, {NULL}};

static bh_status serial_accept(const bh_host *h, const bh_value *values, const bh_problem *problem,
                               bh_needs *ret_needs) {
  (void)values;
  ret_needs->workers = 1;
  ret_needs->host_bytes = bh_regions_parts_bytes(problem, BH_REDUCE) + (problem->member ? bh_team_stage_bytes(1) : 0);
  return bh_regions_check(h, problem, 1);
}

static void serial_close(void *state) {
  serial *s = state;
  if (!s)
    return;
  bh_regions_unmap(s->problem, 1, s->view);
  bh_regions_free_pages(s->reduce, bh_regions_parts_bytes(s->problem, BH_REDUCE));
  bh_regions_free_pages(s->scratch, bh_regions_parts_bytes(s->problem, BH_SCRATCH));
  bh_regions_free_pages(s->area, bh_team_area_bytes(1));
  bh_lane_close(&s->lane);
  free(s);
}

static bh_status serial_fail(serial *s, bh_status status) {
  serial_close(s);
  return status;
}

static bh_status serial_open(const bh_host *h, const bh_value *values, const bh_problem *problem,
                             const void *workload_state, void **ret_state) {
  serial *s = calloc(1, sizeof *s);
  if (!s)
    return h->stop(h, BH_OUT_OF_MEMORY, "no memory for the serial backend itself");
  s->host = h;
  s->problem = problem;
  s->workload_state = workload_state;
  if (!(s->view = bh_regions_map(h, problem, 1, 0)))
    return serial_fail(s, BH_OUT_OF_MEMORY);
  s->reduce = bh_regions_pages(bh_regions_parts_bytes(problem, BH_REDUCE), 0);
  s->scratch = bh_regions_pages(bh_regions_parts_bytes(problem, BH_SCRATCH), 0);
  if (problem->member && (s->area = bh_regions_pages(bh_team_area_bytes(1), 0)) != NULL)
    bh_team_area_init(s->area, 1);
  if (!s->reduce || !s->scratch || (problem->member && !s->area) || !bh_lane_open(&s->lane, h, problem, 0, 1))
    return serial_fail(s, h->stop(h, BH_OUT_OF_MEMORY, "no memory for the worker's own parts"));
  bh_lane_parts(&s->lane, s->reduce, s->scratch);
  bh_lane_fill(&s->lane, s->view);
  bh_status status = h->pin(h, values[PIN].s, 0, 1);
  if (status == BH_OK)
    status = bh_lane_setup(&s->lane);
  if (status != BH_OK)
    return serial_fail(s, status);
  *ret_state = s;
  return BH_OK;
}

static void *serial_alloc(void *state, uint32_t index) {
  return ((serial *)state)->view[index];
}

static bh_status serial_run_loop(void *state, uint32_t index) {
  serial *s = state;
  const bh_loop *loop = &s->problem->loops[index];
  const bh_kernel *kernel = &s->problem->kernels[loop->kernel];
  bh_lane_identity(&s->lane, kernel->uses, kernel->n_uses);
  if (loop->items)
    kernel->host(&s->lane.loops[index], 0, loop->items);
  bh_lanes_join_uses(&s->lane, 1, kernel->uses, kernel->n_uses, s->view);
  return BH_OK;
}

static bh_status serial_run_team(void *state) {
  serial *s = state;
  bh_waiter waiter = bh_waiter_make(0, 0, 0);
  bh_team_member member;
  bh_team_area_reset(s->area);
  bh_team_join(&member, s->host, s->area, 0, &waiter, bh_lane_run, &s->lane);
  bh_lane_identity_team(&s->lane);
  bh_status status = bh_team_leave(&member, s->problem->member(s->workload_state, &member.team, &s->lane.team));
  if (status == BH_OK)
    bh_lanes_join_team(&s->lane, 1, s->view);
  return status;
}

static const bh_backend backend = {
    .size = sizeof backend,
    .target = "host",
    .accept = serial_accept,
    .open = serial_open,
    .alloc = serial_alloc,
    .run_loop = serial_run_loop,
    .run_team = serial_run_team,
    .close = serial_close,
};

const bh_plugin_info bh_plugin = {
    BH_PLUGIN_HEAD,   .name = "serial",
    .version = "0.1.0", .summary = "one worker, the calling thread: the reference that all others are compared with",
    .params = params, .backend = &backend,
};
