/* SPDX-License-Identifier: MIT
 *
 * collectives: one collective operation, or an exchange of messages, repeated by all members of a team: what
 * communication costs on a backend. The data change with every repeat in a way that the host can work out, so a message
 * that got lost, was late, or came twice leaves a trace in the final buffers. The operations themselves are in ops.c,
 * what they do to the data besides in collectives.k.h: the body never looks at its buffers, so they may lie on a
 * device.
 */
#include "collectives.k.h"
#include "collectives.k.inc"
#include "ops.h"
#include <benchhost/plugin.h>

#include <float.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { R_DATA, R_LOG, R_SPARE, R_TRACE, N_REGIONS };

static const bh_use col_uses[] = {{.region = R_DATA, .role = BH_INOUT, .split = BH_BY_WORKER, .flags = BH_EXCHANGED},
                                  {.region = R_LOG, .role = BH_OUT, .split = BH_BY_WORKER},
                                  {.region = R_SPARE, .role = BH_INOUT, .split = BH_BY_WORKER, .flags = BH_EXCHANGED}};

#define DATA(ROLE)                                                                                                     \
  { .region = R_DATA, .role = ROLE, .split = BH_BY_WORKER }
#define SPARE(ROLE)                                                                                                    \
  { .region = R_SPARE, .role = ROLE, .split = BH_BY_WORKER }
#define TRACE                                                                                                          \
  { .region = R_TRACE, .role = BH_INOUT, .split = BH_BY_WORKER }
static const bh_use col_fill_uses[] = {DATA(BH_INOUT), SPARE(BH_INOUT), TRACE};
static const bh_use col_mark_uses[] = {DATA(BH_INOUT), SPARE(BH_INOUT)};
static const bh_use col_note_uses[] = {DATA(BH_IN), TRACE};
static const bh_use col_move_uses[] = {DATA(BH_OUT), SPARE(BH_IN)};
#define KERNEL(NAME, N)                                                                                                \
  { .name = #NAME, BH_KERNEL_DEVICE(NAME, collectives_source), .uses = NAME##_uses, .n_uses = N }
static const bh_kernel col_kernels[] = {[COL_FILL] = KERNEL(col_fill, 3),
                                        [COL_MARK] = KERNEL(col_mark, 2),
                                        [COL_NOTE] = KERNEL(col_note, 2),
                                        [COL_MOVE] = KERNEL(col_move, 2)};

typedef struct {
  const bh_host *host;
  col_params params;
  bh_region regions[N_REGIONS];
  bh_loop loops[COL_LOOPS];
  col_kernel_params none; /* what loops have by default: the body gives each its own */
  uint64_t since_ns;      /* nothing happened before */
} col_state;

/* [worker] Rank 0's view of the time, for the current sample: it cannot leave an operation long before the others. What
 * changes the data between two operations is not in it. */
static void col_report(const bh_team *team, const col_params *p, uint64_t elapsed_ns) {
  const bh_host *h = team->host;
  double operations = (double)p->repeats * (p->op == COL_PINGPONG ? 2 : 1); /* a round trip is two messages */
  double latency = (double)elapsed_ns * 1e-9 / operations;
  if (elapsed_ns == 0)
    return;
  h->metric(h, "latency", latency, "s", BH_LOWER);
  if (p->op != COL_BARRIER && team->size > 1) /* alone, nothing is moved */
    h->metric(h, "bandwidth", (double)(p->count * sizeof(double)) / latency, "bytes/s", BH_HIGHER);
}

static bh_status col_member(const void *state, bh_team *team, const bh_args *args) {
  const col_params *p = &((const col_state *)state)->params;
  const bh_host *h = team->host;
  col_run run = {.params = p, .team = team, .data = args->region[0], .log = args->region[1], .spare = args->region[2]};
  bh_status status;
  run.part = p->count / team->size;
  if (run.part == 0 && (p->op == COL_REDUCE_SCATTER || p->op == COL_ALL_GATHER))
    return h->stop(h, BH_UNSUPPORTED, "bytes=%" PRIu64 " is less than one double for each of %" PRIu32 " members",
                   p->count * sizeof(double), team->size);
  memset(run.log, 0, sizeof *run.log);
  status = col_init(&run);
  if (status == BH_OK)
    status = team->barrier(team);
  for (uint64_t k = 0; k < p->repeats && status == BH_OK; k++)
    status = col_step(&run, k);
  if (status == BH_OK)
    status = col_end(&run);
  if (status != BH_OK)
    return status;
  run.log->rank = team->rank;
  run.log->size = team->size;
  run.log->repeats = p->repeats;
  if (team->rank == 0)
    col_report(team, p, run.log->elapsed_ns);
  return BH_OK;
}

enum { P_OP, P_BYTES, P_REPEATS };

static bh_status col_open(const bh_host *h, const bh_value *values, bh_problem *ret_problem, void **ret_state) {
  col_state *s = calloc(1, sizeof *s);
  if (!s)
    return h->stop(h, BH_OUT_OF_MEMORY, "no memory for the workload's state");
  s->host = h;
  s->since_ns = h->now_ns();
  s->params = (col_params){.op = (uint32_t)values[P_OP].i,
                           .count = (uint64_t)values[P_BYTES].i / sizeof(double),
                           .repeats = (uint64_t)values[P_REPEATS].i};
  if (s->params.op == COL_BARRIER)
    s->params.count = 1; /* it moves no data */
  const uint64_t bytes = s->params.count * sizeof(double);
  s->regions[R_DATA] = (bh_region){.name = "data",
                                   .role = BH_OUT,
                                   .split = BH_BY_WORKER,
                                   .dtype = BH_F64,
                                   .bytes = bytes,
                                   .rel_tolerance = s->params.op == COL_ALL_REDUCE ? COL_NEAR : 0};
  s->regions[R_LOG] =
      (bh_region){.name = "log", .role = BH_OUT, .split = BH_BY_WORKER, .dtype = BH_U64, .bytes = sizeof(col_log)};
  s->regions[R_SPARE] =
      (bh_region){.name = "spare", .role = BH_TEMP, .split = BH_BY_WORKER, .dtype = BH_F64, .bytes = bytes};
  s->regions[R_TRACE] =
      (bh_region){.name = "trace", .role = BH_OUT, .split = BH_BY_WORKER, .dtype = BH_U64, .bytes = sizeof(uint64_t)};
  for (uint32_t l = 0; l < COL_LOOPS; l++)
    s->loops[l] = (bh_loop){
        .kernel = l, .items = l == COL_NOTE ? 1 : s->params.count, .params = &s->none, .params_bytes = sizeof s->none};
  *ret_problem = (bh_problem){.size = ret_problem->size,
                              .regions = s->regions,
                              .n_regions = N_REGIONS,
                              .kernels = col_kernels,
                              .n_kernels = COL_LOOPS,
                              .loops = s->loops,
                              .n_loops = COL_LOOPS,
                              .uses = col_uses,
                              .n_uses = 3,
                              .member = col_member,
                              .min_members = s->params.op == COL_PINGPONG ? 2 : 1,
                              .items = (double)s->params.repeats,
                              .item_unit = "operations"};
  *ret_state = s;
  return BH_OK;
}

/* ---- Verification: the final buffers, worked out on one core without any communication ---- */

/* No member may leave a barrier before the last one has entered it. */
static bh_status col_check_barriers(const col_state *s, const col_log *logs, uint32_t workers) {
  uint64_t n = s->params.repeats < COL_STAMPS ? s->params.repeats : COL_STAMPS;
  for (uint64_t k = 0; k < n; k++) {
    uint32_t last = 0, first = 0;
    for (uint32_t r = 1; r < workers; r++) {
      if (logs[r].stamps[k].enter_ns > logs[last].stamps[k].enter_ns)
        last = r;
      if (logs[r].stamps[k].leave_ns < logs[first].stamps[k].leave_ns)
        first = r;
    }
    if (logs[first].stamps[k].leave_ns < logs[last].stamps[k].enter_ns || logs[first].stamps[k].enter_ns == 0)
      return s->host->stop(s->host, BH_WRONG,
                           "barrier %" PRIu64 " of the last %" PRIu64 ": expected nobody to leave before rank %" PRIu32
                           " entered at %" PRIu64 " ns, found that rank %" PRIu32 " left at %" PRIu64 " ns",
                           k, n, last, logs[last].stamps[k].enter_ns, first, logs[first].stamps[k].leave_ns);
  }
  return BH_OK;
}

static bh_status col_check_log(const col_state *s, const col_log *log, uint64_t found_trace, uint32_t rank,
                               uint32_t workers) {
  const bh_host *h = s->host;
  if (log->rank != rank || log->size != workers)
    return h->stop(h, BH_WRONG, "rank %" PRIu32 " of %" PRIu32 ": its log names rank %" PRIu64 " of %" PRIu64, rank,
                   workers, log->rank, log->size);
  if (log->repeats != s->params.repeats)
    return h->stop(h, BH_WRONG, "rank %" PRIu32 ": expected %" PRIu64 " operations, found %" PRIu64, rank,
                   s->params.repeats, log->repeats);
  uint64_t trace = col_expect_trace(&s->params, rank, workers);
  if (found_trace != trace)
    return h->stop(h, BH_WRONG, "rank %" PRIu32 ": trace of all repeats: expected %016" PRIx64 ", found %016" PRIx64,
                   rank, trace, found_trace);
  uint64_t used = s->params.op != COL_BARRIER ? 0 : s->params.repeats < COL_STAMPS ? s->params.repeats : COL_STAMPS;
  uint64_t now = h->now_ns(), earlier = s->since_ns;
  if (log->elapsed_ns > now - s->since_ns)
    return h->stop(h, BH_WRONG, "rank %" PRIu32 ": expected at most %" PRIu64 " ns, found %" PRIu64, rank,
                   now - s->since_ns, log->elapsed_ns);
  for (uint64_t k = 0; k < COL_STAMPS; k++) {
    uint64_t enter = log->stamps[k].enter_ns, leave = log->stamps[k].leave_ns;
    if (k < used ? enter < earlier || leave < enter || leave > now : enter || leave)
      return h->stop(h, BH_WRONG,
                     "rank %" PRIu32 ", stamp %" PRIu64 ": expected times from %" PRIu64 " to %" PRIu64
                     " ns, found %" PRIu64 " and %" PRIu64,
                     rank, k, k < used ? earlier : 0, k < used ? now : 0, enter, leave);
    earlier = leave;
  }
  return BH_OK;
}

static bh_status col_verify(void *state, void *const *region, uint32_t workers) {
  const col_state *s = state;
  const bh_host *h = s->host;
  const col_params *p = &s->params;
  const double *data = region[R_DATA];
  const col_log *logs = region[R_LOG];
  const uint64_t *traces = region[R_TRACE];
  double *expected = malloc(p->count * sizeof(double));
  bh_status status = BH_OK;
  if (!expected)
    return h->stop(h, BH_OUT_OF_MEMORY, "verification needs %" PRIu64 " bytes", p->count * sizeof(double));
  for (uint32_t r = 0; r < workers && status == BH_OK; r++) {
    status = col_check_log(s, &logs[r], traces[r], r, workers);
    if (status != BH_OK)
      break;
    col_expect(p, r, workers, expected);
    for (uint64_t j = 0; j < p->count && status == BH_OK; j++) {
      double found = data[r * p->count + j];
      if (!(fabs(found - expected[j]) <= s->regions[R_DATA].rel_tolerance * fabs(expected[j])))
        status =
            h->stop(h, BH_WRONG, "rank %" PRIu32 " of %" PRIu32 ", element %" PRIu64 ": expected %.17g, found %.17g", r,
                    workers, j, expected[j], found);
    }
  }
  free(expected);
  if (status == BH_OK && p->op == COL_BARRIER)
    status = col_check_barriers(s, logs, workers);
  return status;
}

static void col_close(void *state) {
  free(state);
}

static const bh_param col_table[] = {
    {.name = "op",
     .type = BH_CHOICE,
     .fallback = "all-reduce",
     .choices = COL_OP_NAMES,
     .help = "ring: all send to their right neighbour and receive from the left; pingpong: a message between ranks 0 "
             "and 1"},
    {.name = "bytes",
     .type = BH_SIZE,
     .fallback = "64 KiB",
     .help =
         "a member's larger buffer, in whole doubles: what all-gather yields, reduce-scatter takes, a message holds",
     .min = 8,
     .max = 1e11},
    {.name = "repeats",
     .type = BH_INT,
     .fallback = "100",
     .unit = "operations",
     .help = "operations in one run, one after the other",
     .min = 1,
     .max = 1e9},
    {.name = NULL}};

static const bh_workload col_workload = {
    .size = sizeof(bh_workload), .open = col_open, .verify = col_verify, .close = col_close};

const bh_plugin_info bh_plugin = {
    BH_PLUGIN_HEAD,      .name = "collectives",
    .version = "0.1.0",  .summary = "a team's collective operations and messages: latency and bandwidth",
    .params = col_table, .workload = &col_workload};
