/* SPDX-License-Identifier: MIT
 *
 * check-exchange - each call of a team on regions that its body only exchanges: kernels write them, the team's calls
 * move and reduce them, and every byte that each member has in the end is worked out here from ranks and positions.
 */
#include "check-exchange.k.h"
#include "check-exchange.k.inc"
#include <benchhost/team.h>

enum { ALL_REDUCE, BROADCAST, REDUCE_SCATTER, ALL_GATHER, EXCHANGE, MESSAGES, OUTSIDE };
enum { P_CALL, P_OP, P_DTYPE, P_N, P_AT, P_MOST, P_MIXED, P_ODD };
static const bh_param params[] = {
    {"call", BH_CHOICE, "all-reduce", "all-reduce|broadcast|reduce-scatter|all-gather|exchange|messages|outside", NULL,
     "which call; outside: of another member's part", 0, 0, NULL, NULL},
    {"op", BH_CHOICE, "sum", "sum|min|max", NULL, "of reductions", 0, 0, NULL, NULL},
    {"dtype", BH_CHOICE, "f64", "u8|i32|u32|i64|u64|f32|f64", NULL, "of the elements", 0, 0, NULL, NULL},
    {"n", BH_INT, "1000", NULL, "elements", "count of the call", 0, 1e9, NULL, NULL},
    {"at", BH_INT, "0", NULL, "elements", "where the buffers start in the regions", 0, 1e9, NULL, NULL},
    {"most", BH_INT, "8", NULL, "members", "that there is room for", 1, 64, NULL, NULL},
    {"mixed", BH_BOOL, "false", NULL, NULL, "rank 0's buffers lie in a region that bodies look at", 0, 0, NULL, NULL},
    {"odd", BH_BOOL, "false", NULL, NULL, "zeroes, denormal numbers and, but in sums, NaNs and infinities among floats",
     0, 0, NULL, NULL},
    {NULL}};

enum { IN, OUT, SEEN_IN, SEEN_OUT, REGIONS };

typedef struct {
  const bh_host *host;
  int call, mixed;
  bh_op op;
  bh_dtype dtype;
  uint64_t n, at, element, words;
  fill_params fill;
  bh_region regions[REGIONS];
  bh_use uses[2], body[REGIONS];
  bh_kernel kernel;
  bh_loop loop;
} check;

static uint32_t kind_of(bh_dtype dtype) {
  return dtype == BH_F64 ? WORDS_OF_DOUBLES : dtype == BH_F32 ? WORDS_OF_FLOATS : WORDS_OF_INTEGERS;
}

static bh_status messages(const check *c, bh_team *team, const char *in, char *out) {
  const uint32_t right = (team->rank + 1) % team->size, left = (team->rank + team->size - 1) % team->size;
  const uint64_t bytes = c->n * c->element;
  bh_status status = BH_OK;
  if (team->rank % 2 == 0)
    status = team->send(team, in, bytes, right, 3);
  if (status == BH_OK)
    status = team->receive(team, out, bytes, left, 3);
  if (status == BH_OK && team->rank % 2)
    status = team->send(team, in, bytes, right, 3);
  return status;
}

static bh_status do_call(const check *c, bh_team *team, char *in, char *out) {
  const uint64_t bytes = c->n * c->element;
  const uint32_t right = (team->rank + 1) % team->size, left = (team->rank + team->size - 1) % team->size;
  switch (c->call) {
  case ALL_REDUCE:
    return team->all_reduce(team, in, c->n, c->dtype, c->op);
  case BROADCAST:
    return team->broadcast(team, in, bytes, team->size - 1);
  case REDUCE_SCATTER:
    return team->reduce_scatter(team, in, out, c->n, c->dtype, c->op);
  case ALL_GATHER:
    return team->all_gather(team, in, out, bytes);
  case EXCHANGE:
    return team->exchange(team, in, bytes, right, out, bytes, left, 5);
  case MESSAGES:
    return messages(c, team, in, out);
  default:
    return team->all_reduce(team, in + c->words * 8, c->n, c->dtype, c->op);
  }
}

/* Three times, from fresh words each time, so that what one call left under way would show in the next. */
static bh_status member(const void *state, bh_team *team, const bh_args *args) {
  const check *c = state;
  const int seen = c->mixed && team->rank == 0;
  const fill_params fill = {team->rank, c->fill.kind};
  char *in = args->region[seen ? SEEN_IN : IN], *out = args->region[seen ? SEEN_OUT : OUT];
  bh_status status = BH_OK;
  for (int round = 0; round < 3 && status == BH_OK; round++) {
    status = team->run(team, 0, 0, c->words, &fill);
    for (uint64_t i = 0; i < c->words; i++) {
      ((uint64_t *)args->region[SEEN_IN])[i] = exchange_word(fill.kind, fill.rank, i);
      ((uint64_t *)args->region[SEEN_OUT])[i] = EXCHANGE_LEFT;
    }
    if (status == BH_OK)
      status = do_call(c, team, in + c->at * c->element, out + c->at * c->element);
  }
  return status;
}

static bh_status check_open(const bh_host *h, const bh_value *values, bh_problem *problem, void **ret_state) {
  static const char *const names[] = {"in", "out", "seen in", "seen out"};
  check *c = calloc(1, sizeof *c);
  if (!c)
    return h->stop(h, BH_OUT_OF_MEMORY, "no memory");
  c->host = h;
  c->call = (int)values[P_CALL].i;
  c->op = (bh_op)values[P_OP].i;
  c->dtype = (bh_dtype)(values[P_DTYPE].i + BH_U8);
  c->n = (uint64_t)values[P_N].i;
  c->at = (uint64_t)values[P_AT].i;
  c->mixed = values[P_MIXED].i != 0;
  c->element = bh_team_dtype_bytes(c->dtype);
  c->words = ((c->n * (uint64_t)values[P_MOST].i + c->at) * c->element + 7) / 8 + 1;
  c->fill.kind = kind_of(c->dtype);
  if (values[P_ODD].i && c->fill.kind != WORDS_OF_INTEGERS)
    c->fill.kind |= WORDS_ARE_ODD | (c->op == BH_SUM ? 0 : WORDS_ARE_NANS);
  for (uint32_t r = 0; r < REGIONS; r++) {
    c->regions[r] =
        (bh_region){.name = names[r], .role = BH_OUT, .split = BH_BY_WORKER, .dtype = c->dtype, .bytes = c->words * 8};
    c->body[r] = (bh_use){.region = r, .role = BH_INOUT, .split = BH_BY_WORKER, .flags = r <= OUT ? BH_EXCHANGED : 0};
  }
  c->uses[0] = (bh_use){.region = IN, .role = BH_OUT, .split = BH_BY_WORKER};
  c->uses[1] = (bh_use){.region = OUT, .role = BH_OUT, .split = BH_BY_WORKER};
  c->kernel =
      (bh_kernel){.name = "fill", BH_KERNEL_DEVICE(exchange_fill, check_exchange_source), .uses = c->uses, .n_uses = 2};
  c->loop = (bh_loop){.kernel = 0, .items = c->words, .params = &c->fill, .params_bytes = sizeof c->fill};
  *problem = (bh_problem){.size = problem->size,
                          .regions = c->regions,
                          .n_regions = REGIONS,
                          .kernels = &c->kernel,
                          .n_kernels = 1,
                          .loops = &c->loop,
                          .n_loops = 1,
                          .uses = c->body,
                          .n_uses = REGIONS,
                          .member = member,
                          .max_members = (uint32_t)values[P_MOST].i};
  *ret_state = c;
  return BH_OK;
}

/* ---- What must come out ---- */

static void fresh(const check *c, uint32_t rank, char *ret_in, char *ret_out) {
  for (uint64_t i = 0; i < c->words; i++) {
    const uint64_t word = exchange_word(c->fill.kind, rank, i), left = EXCHANGE_LEFT;
    memcpy(ret_in + 8 * i, &word, 8);
    memcpy(ret_out + 8 * i, &left, 8);
  }
}

/* All ranks' n elements from element `first` on, reduced in rank order. */
static void reduced(const check *c, uint32_t workers, uint64_t first, char *in, char *out, char *ret_reduced) {
  for (uint32_t rank = 0; rank < workers; rank++) {
    fresh(c, rank, in, out);
    if (rank == 0)
      memcpy(ret_reduced, in + first * c->element, c->n * c->element);
    else
      bh_team_fold(ret_reduced, in + first * c->element, c->n, c->dtype, c->op);
  }
}

/* `work`: four buffers of a region's size. */
static void expect(const check *c, uint32_t rank, uint32_t workers, char *const work[4]) {
  char *in = work[0], *out = work[1], *other = work[2], *unused = work[3];
  const uint64_t bytes = c->n * c->element, at = c->at * c->element;
  if (c->call == ALL_REDUCE || c->call == REDUCE_SCATTER) {
    reduced(c, workers, c->at + (c->call == ALL_REDUCE ? 0 : rank * c->n), in, out, other);
    fresh(c, rank, in, out);
    memcpy((c->call == ALL_REDUCE ? in : out) + at, other, bytes);
    return;
  }
  fresh(c, rank, in, out);
  if (c->call == BROADCAST) {
    fresh(c, workers - 1, other, unused);
    memcpy(in + at, other + at, bytes);
  }
  for (uint32_t from = 0; from < workers && c->call == ALL_GATHER; from++) {
    fresh(c, from, other, unused);
    memcpy(out + at + from * bytes, other + at, bytes);
  }
  if (c->call == EXCHANGE || c->call == MESSAGES) {
    fresh(c, (rank + workers - 1) % workers, other, unused);
    memcpy(out + at, other + at, bytes);
  }
}

static bh_status compare(const check *c, uint32_t rank, uint32_t region, const char *found, const char *expected) {
  for (uint64_t i = 0; i < c->words; i++)
    if (memcmp(found + 8 * i, expected + 8 * i, 8) != 0)
      return c->host->stop(c->host, BH_WRONG, "rank %" PRIu32 ", region %s, word %" PRIu64 " of %" PRIu64 " differs",
                           rank, c->regions[region].name, i, c->words);
  return BH_OK;
}

static bh_status check_verify(void *state, void *const *region, uint32_t workers) {
  const check *c = state;
  const uint64_t bytes = c->words * 8;
  char *all = malloc(6 * bytes), *work[6];
  bh_status status = all ? BH_OK : c->host->stop(c->host, BH_OUT_OF_MEMORY, "no memory");
  for (int k = 0; k < 6; k++)
    work[k] = all + k * bytes;
  for (uint32_t rank = 0; rank < workers && status == BH_OK; rank++) {
    const int seen = c->mixed && rank == 0;
    const uint64_t part = rank * bytes;
    expect(c, rank, workers, work);
    fresh(c, rank, work[4], work[5]);
    status = compare(c, rank, IN, (char *)region[IN] + part, work[seen ? 4 : 0]);
    if (status == BH_OK)
      status = compare(c, rank, OUT, (char *)region[OUT] + part, work[seen ? 5 : 1]);
    if (status == BH_OK)
      status = compare(c, rank, SEEN_IN, (char *)region[SEEN_IN] + part, work[seen ? 0 : 4]);
    if (status == BH_OK)
      status = compare(c, rank, SEEN_OUT, (char *)region[SEEN_OUT] + part, work[seen ? 1 : 5]);
  }
  free(all);
  return status;
}

static const bh_workload workload = {
    .size = sizeof workload, .open = check_open, .verify = check_verify, .close = free};

const bh_plugin_info bh_plugin = {
    BH_PLUGIN_HEAD,
    .name = "check-exchange",
    .version = "1.0",
    .summary = "notices when a team's calls do not do what they promise on regions that only they touch",
    .params = params,
    .workload = &workload,
};
