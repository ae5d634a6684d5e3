/* SPDX-License-Identifier: MIT
 *
 * ops.c - the operations of collectives, each beside the working-out of its result: two routes to the same buffer, one
 * through the backend's communication, one by arithmetic on the host alone.
 */
#include "ops.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Sums of an all-reduce grow by a factor of `size` each time: so many operations fit before they are set back. */
static uint64_t col_period(uint32_t size) {
  return size < 2 ? UINT64_C(1) << 62 : (uint64_t)(900 / log2((double)size));
}

/* Repeat k stamps position k mod n of each part: the value tells who and when. */
static double col_stamp(uint32_t rank, uint64_t k) {
  return (double)(2000 + k * 1024 + rank);
}

/* ---- Between two operations: by kernels, untimed ---- */

static bh_status col_fill_with(col_run *run, uint32_t data, uint32_t spare) {
  const col_kernel_params p = {.rank = run->team->rank, .data = data, .spare = spare};
  return run->team->run(run->team, COL_FILL, 0, run->params->count, &p);
}

/* `marks` elements of `buffer` from `at` on, `step` apart: the i-th gets `value` + i. */
static bh_status col_put(col_run *run, const double *buffer, uint64_t at, uint64_t step, uint32_t marks, double value,
                         int add) {
  const col_kernel_params p = {
      .in_spare = buffer == run->spare, .at = at, .step = step, .value = value, .add = add != 0};
  return run->team->run(run->team, COL_MARK, 0, marks, &p);
}

static bh_status col_note_at(col_run *run, uint64_t at) {
  const col_kernel_params p = {.at = at};
  return run->team->run(run->team, COL_NOTE, 0, 1, &p);
}

/* All members' starting values of element j. */
static double col_start_sum(uint32_t size, uint64_t j) {
  double sum = 0;
  for (uint32_t r = 0; r < size; r++)
    sum += col_start(r, j);
  return sum;
}

/* Before the sums of a whole period are set back: an operation that went wrong in it shows nowhere else. */
static bh_status col_note_period(col_run *run, uint64_t k) {
  const uint32_t size = run->team->size;
  const uint64_t period = col_period(size), at = k / period % run->params->count;
  const col_kernel_params p = {
      .at = at, .compare = 1, .value = col_start_sum(size, at) * pow((double)size, (double)(period - 1))};
  return run->team->run(run->team, COL_NOTE, 0, 1, &p);
}

bh_status col_init(col_run *run) {
  const uint32_t op = run->params->op;
  run->now = run->data;
  if (op == COL_REDUCE_SCATTER || op == COL_ALL_GATHER) /* from `spare` into `data` */
    return col_fill_with(run, COL_ZEROS, COL_START);
  return col_fill_with(run, COL_START, COL_ZEROS);
}

bh_status col_end(col_run *run) {
  const col_kernel_params p = {0};
  return run->now == run->data ? BH_OK : run->team->run(run->team, COL_MOVE, 0, run->params->count, &p);
}

/* ---- The operations ---- */

/* STATUS = CALL, and the time that it took. */
#define COL_TIMED(RUN, STATUS, CALL)                                                                                   \
  do {                                                                                                                 \
    const uint64_t since_ns_ = (RUN)->team->host->now_ns();                                                            \
    STATUS = (CALL);                                                                                                   \
    (RUN)->log->elapsed_ns += (RUN)->team->host->now_ns() - since_ns_;                                                 \
  } while (0)

/* Nothing is between two barriers: all are timed at once, as a look at the clock takes a good part of a barrier's time.
 */
static bh_status col_step_barrier(col_run *run, uint64_t k) {
  uint64_t left = run->params->repeats - k;
  uint64_t slot = (run->params->repeats < COL_STAMPS ? run->params->repeats : COL_STAMPS) - left;
  if (k == 0)
    run->since_ns = run->team->host->now_ns();
  if (left > COL_STAMPS)
    return run->team->barrier(run->team);
  run->log->stamps[slot].enter_ns = run->team->host->now_ns();
  bh_status status = run->team->barrier(run->team);
  run->log->stamps[slot].leave_ns = run->team->host->now_ns();
  run->log->elapsed_ns = run->log->stamps[slot].leave_ns - run->since_ns;
  return status;
}

static bh_status col_step_all_reduce(col_run *run, uint64_t k) {
  bh_status status = BH_OK;
  if (k % col_period(run->team->size) == 0 && k > 0) {
    status = col_note_period(run, k);
    if (status == BH_OK)
      status = col_fill_with(run, COL_START, COL_KEEP);
  }
  if (status == BH_OK)
    COL_TIMED(run, status, run->team->all_reduce(run->team, run->data, run->params->count, BH_F64, BH_SUM));
  return status;
}

/* The root changes with every repeat, so whoever missed one passes on what it missed. All members put a mark somewhere:
 * otherwise rank 0's time would have the root's kernel in it. */
static bh_status col_step_broadcast(col_run *run, uint64_t k) {
  bh_team *team = run->team;
  const uint32_t root = (uint32_t)(k % team->size);
  const uint64_t at = k % run->params->count;
  bh_status status = col_put(run, team->rank == root ? run->data : run->spare, at, 0, 1, col_stamp(root, k), 0);
  if (status == BH_OK)
    COL_TIMED(run, status, team->broadcast(team, run->data, run->params->count * sizeof(double), root));
  return status == BH_OK ? col_note_at(run, at) : status;
}

static bh_status col_step_reduce_scatter(col_run *run, uint64_t k) {
  bh_team *team = run->team;
  bh_status status = col_put(run, run->spare, k % run->part, run->part, team->size, col_stamp(team->rank, k), 0);
  if (status == BH_OK)
    COL_TIMED(run, status, team->reduce_scatter(team, run->spare, run->data, run->part, BH_F64, BH_SUM));
  return status == BH_OK ? col_note_at(run, k % run->part) : status;
}

/* Whose part of repeat k is noted: all others' in turn. */
static uint32_t col_noted(uint32_t rank, uint32_t size, uint64_t k) {
  return size < 2 ? rank : (uint32_t)((rank + 1 + k % (size - 1)) % size);
}

static bh_status col_step_all_gather(col_run *run, uint64_t k) {
  bh_team *team = run->team;
  bh_status status = col_put(run, run->spare, k % run->part, 0, 1, col_stamp(team->rank, k), 0);
  if (status == BH_OK)
    COL_TIMED(run, status, team->all_gather(team, run->spare, run->data, run->part * sizeof(double)));
  return status == BH_OK ? col_note_at(run, col_noted(team->rank, team->size, k) * run->part + k % run->part) : status;
}

static double *col_other(const col_run *run) {
  return run->now == run->data ? run->spare : run->data;
}

static bh_status col_step_ring(col_run *run, uint64_t k) {
  bh_team *team = run->team;
  const uint64_t bytes = run->params->count * sizeof(double);
  const uint32_t right = (team->rank + 1) % team->size, left = (team->rank + team->size - 1) % team->size;
  bh_status status = col_put(run, run->now, k % run->params->count, 0, 1, 1, 1);
  if (status == BH_OK)
    COL_TIMED(run, status, team->exchange(team, run->now, bytes, right, col_other(run), bytes, left, 7));
  run->now = col_other(run);
  return status;
}

static bh_status col_there_and_back(col_run *run) {
  const uint64_t bytes = run->params->count * sizeof(double);
  bh_status status = run->team->send(run->team, run->now, bytes, 1, 7);
  return status == BH_OK ? run->team->receive(run->team, col_other(run), bytes, 1, 7) : status;
}

/* One message there and back, into rank 0's other buffer, so that an answer that never came shows. */
static bh_status col_step_pingpong(col_run *run, uint64_t k) {
  bh_team *team = run->team;
  const uint64_t bytes = run->params->count * sizeof(double);
  bh_status status = BH_OK;
  if (team->rank > 1)
    return BH_OK;
  if (team->rank == 1) {
    status = team->receive(team, run->data, bytes, 0, 7);
    return status == BH_OK ? team->send(team, run->data, bytes, 0, 7) : status;
  }
  status = col_put(run, run->now, k % run->params->count, 0, 1, 1, 1);
  if (status == BH_OK)
    COL_TIMED(run, status, col_there_and_back(run));
  run->now = col_other(run);
  return status;
}

bh_status col_step(col_run *run, uint64_t k) {
  switch ((col_op)run->params->op) {
  case COL_BARRIER:
    return col_step_barrier(run, k);
  case COL_ALL_REDUCE:
    return col_step_all_reduce(run, k);
  case COL_BROADCAST:
    return col_step_broadcast(run, k);
  case COL_REDUCE_SCATTER:
    return col_step_reduce_scatter(run, k);
  case COL_ALL_GATHER:
    return col_step_all_gather(run, k);
  case COL_RING:
    return col_step_ring(run, k);
  case COL_PINGPONG:
    return col_step_pingpong(run, k);
  }
  return run->team->host->stop(run->team->host, BH_FAIL, "no such operation");
}

/* ---- What must come out ---- */

/* The last repeat that stamped position `at` of `n`, or -1. */
static int64_t col_last(uint64_t repeats, uint64_t at, uint64_t n) {
  return repeats <= at ? -1 : (int64_t)(at + (repeats - 1 - at) / n * n);
}

/* How many of the numbers 0 .. total-1 are `at` modulo n. */
static uint64_t col_hits(uint64_t total, uint64_t at, uint64_t n) {
  return total <= at ? 0 : (total - 1 - at) / n + 1;
}

static void col_expect_all_reduce(const col_params *p, uint32_t size, double *ret_data) {
  uint64_t since = (p->repeats - 1) % col_period(size); /* operations after the first since the last set-back */
  double growth = pow((double)size, (double)since);
  for (uint64_t j = 0; j < p->count; j++)
    ret_data[j] = col_start_sum(size, j) * growth;
}

static void col_expect_reduce_scatter(const col_params *p, uint32_t rank, uint32_t size, double *ret_data) {
  uint64_t part = p->count / size;
  memset(ret_data, 0, p->count * sizeof(double));
  for (uint64_t j = 0; j < part; j++) {
    int64_t last = col_last(p->repeats, j, part);
    for (uint32_t r = 0; r < size; r++)
      ret_data[j] += last >= 0 ? col_stamp(r, (uint64_t)last) + rank : col_start(r, rank * part + j);
  }
}

static void col_expect_all_gather(const col_params *p, uint32_t size, double *ret_data) {
  uint64_t part = p->count / size;
  memset(ret_data, 0, p->count * sizeof(double));
  for (uint32_t r = 0; r < size; r++)
    for (uint64_t j = 0; j < part; j++) {
      int64_t last = col_last(p->repeats, j, part);
      ret_data[r * part + j] = last >= 0 ? col_stamp(r, (uint64_t)last) : col_start(r, j);
    }
}

/* What a rank notes in repeat k. */
static double col_expect_note(uint32_t op, uint32_t rank, uint32_t size, uint64_t k) {
  double sum = 0;
  if (op == COL_BROADCAST)
    return col_stamp((uint32_t)(k % size), k);
  if (op == COL_ALL_GATHER)
    return col_stamp(col_noted(rank, size, k), k);
  for (uint32_t r = 0; r < size; r++)
    sum += col_stamp(r, k) + rank;
  return sum;
}

uint64_t col_expect_trace(const col_params *p, uint32_t rank, uint32_t size) {
  uint64_t trace = col_trace(rank);
  if (p->op == COL_ALL_REDUCE)
    for (uint64_t k = col_period(size); k < p->repeats; k += col_period(size))
      trace = col_fold(trace, 1);
  if (p->op == COL_BROADCAST || p->op == COL_REDUCE_SCATTER || p->op == COL_ALL_GATHER)
    for (uint64_t k = 0; k < p->repeats; k++)
      trace = col_fold(trace, col_expect_note(p->op, rank, size, k));
  return trace;
}

void col_expect(const col_params *p, uint32_t rank, uint32_t size, double *ret_data) {
  uint32_t origin = rank; /* whose starting values are in this rank's buffer in the end */
  if (p->op == COL_BROADCAST)
    origin = 0;
  if (p->op == COL_RING)
    origin = (uint32_t)((rank + size - p->repeats % size) % size);
  if (p->op == COL_PINGPONG && rank == 1)
    origin = 0;
  for (uint64_t j = 0; j < p->count; j++) {
    ret_data[j] = col_start(origin, j);
    if (p->op == COL_BROADCAST && col_last(p->repeats, j, p->count) >= 0) {
      uint64_t k = (uint64_t)col_last(p->repeats, j, p->count);
      ret_data[j] = col_stamp((uint32_t)(k % size), k);
    }
    if (p->op == COL_RING)
      ret_data[j] += (double)col_hits(p->repeats, j, p->count);
    if (p->op == COL_PINGPONG && rank < 2)
      ret_data[j] += (double)col_hits(p->repeats, j, p->count);
  }
  if (p->op == COL_ALL_REDUCE)
    col_expect_all_reduce(p, size, ret_data);
  if (p->op == COL_REDUCE_SCATTER)
    col_expect_reduce_scatter(p, rank, size, ret_data);
  if (p->op == COL_ALL_GATHER)
    col_expect_all_gather(p, size, ret_data);
}
