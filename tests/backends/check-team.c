/* SPDX-License-Identifier: MIT
 *
 * check-team - a team workload that uses every collective with several sizes, and, by `case`, members that fail, die,
 * leave early or send what nobody receives. Results go to per-worker outputs and are recomputed in verify from ranks
 * alone.
 */
#include <benchhost/plugin.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

enum { ALL, FAIL, DIE, LEAVE, LEFTOVER, WRONG_LENGTH };
enum { P_CASE, P_COUNT };
static const bh_param params[] = {
    {"case", BH_CHOICE, "all", "all|fail|die|leave|leftover|wrong-length", NULL, "what the members do", 0, 0, NULL,
     NULL},
    {"count", BH_INT, "1000", NULL, "elements", "elements per member", 1, 1e8, NULL, NULL},
    {NULL}};

enum { SUMS, SCATTERED, GATHERED, SENT, TAGS, LOOPED, FIELDS }; /* `count` doubles each in a member's results */
typedef struct {
  uint64_t count;
  uint64_t weight; /* the second half of the items gets other parameters */
} loop_params;
typedef struct {
  const bh_host *host;
  int which;
  loop_params params;
  bh_region regions[3];
  bh_use uses[3], kernel_uses[2];
  bh_kernel kernel;
  bh_loop loop;
} team_check;

static double value(uint64_t rank, uint64_t i) {
  return (double)((rank + 1) * 1000 + i % 997);
}

static void loop_kernel(const bh_args *args, uint64_t begin, uint64_t end) {
  const loop_params *p = args->params;
  double *out = (double *)args->region[0] + LOOPED * p->count, *sum = args->region[1];
  for (uint64_t i = begin; i < end; i++)
    out[i] = value(args->worker, i), sum[0] += (double)p->weight;
  if (!args->state || *(uint32_t *)args->state != args->worker + 1)
    sum[0] = -1e9;
}

static bh_status loop_setup(const bh_host *h, const bh_args *args, uint64_t items, void **ret_state) {
  uint32_t *state = malloc(sizeof *state);
  if (!state || items != ((const loop_params *)args->params)->count)
    return h->stop(h, BH_FAIL, "setup: no memory, or %" PRIu64 " items", items);
  *state = args->worker + 1;
  *ret_state = state;
  return BH_OK;
}

#define TRY(CALL)                                                                                                      \
  do {                                                                                                                 \
    bh_status status_ = (CALL);                                                                                        \
    if (status_ != BH_OK)                                                                                              \
      return status_;                                                                                                  \
  } while (0)

static bh_status collectives(bh_team *t, uint64_t n, double *out, double *in, double *many) {
  for (uint64_t i = 0; i < n; i++)
    out[SUMS * n + i] = value(t->rank, i);
  TRY(t->all_reduce(t, out + SUMS * n, n, BH_F64, BH_SUM));
  for (uint32_t r = 0; r < t->size; r++)
    for (uint64_t i = 0; i < n; i++)
      many[r * n + i] = value(t->rank, i) * (r + 1);
  TRY(t->reduce_scatter(t, many, out + SCATTERED * n, n, BH_F64, BH_MAX));
  for (uint64_t i = 0; i < n; i++)
    in[i] = value(t->rank, i) + 0.5;
  TRY(t->barrier(t));
  TRY(t->all_gather(t, in, many, n * 8));
  /* The parts of all ranks, summed: any that is missing or misplaced shows. */
  for (uint64_t i = 0; i < n; i++) {
    out[GATHERED * n + i] = 0;
    for (uint32_t r = 0; r < t->size; r++)
      out[GATHERED * n + i] += many[r * n + i] * (r + 1);
  }
  uint32_t last = t->size - 1;
  for (uint64_t i = 0; i < n; i++)
    in[i] = t->rank == last ? value(7, i) : -1;
  TRY(t->broadcast(t, in, n * 8, last));
  for (uint64_t i = 0; i < n; i++)
    out[SUMS * n + i] += in[i];
  int64_t smallest = -(int64_t)t->rank;
  TRY(t->all_reduce(t, &smallest, 1, BH_I64, BH_MIN));
  out[SUMS * n] += (double)smallest;
  return BH_OK;
}

static bh_status messages(bh_team *t, uint64_t n, double *out, double *in) {
  uint32_t right = (t->rank + 1) % t->size, left = (t->rank + t->size - 1) % t->size;
  for (uint64_t i = 0; i < n; i++)
    in[i] = value(t->rank, i);
  TRY(t->exchange(t, in, n * 8, right, out + SENT * n, n * 8, left, 5));
  double tag1 = 1 + t->rank, tag2 = 100 + t->rank, got1 = 0, got2 = 0, self = 0;
  TRY(t->send(t, &tag1, 8, right, 1));
  TRY(t->send(t, &tag2, 8, right, 2));
  TRY(t->receive(t, &got2, 8, left, 2)); /* the other way round */
  TRY(t->receive(t, &got1, 8, left, 1));
  TRY(t->send(t, &tag1, 8, t->rank, 9));
  TRY(t->receive(t, &self, 8, t->rank, 9));
  TRY(t->send(t, NULL, 0, right, 3));
  TRY(t->receive(t, NULL, 0, left, 3));
  for (uint64_t i = 0; i < n; i++)
    out[TAGS * n + i] = got1 + 1000 * got2 + 1e6 * self;
  return BH_OK;
}

static bh_status misbehave(const team_check *c, bh_team *t) {
  double x = 0;
  if (c->which == FAIL && t->rank == t->size - 1)
    return t->host->stop(t->host, BH_FAIL, "the last member gives up");
  if (c->which == DIE && t->rank == t->size - 1) {
    signal(SIGKILL, SIG_DFL);
    raise(SIGKILL);
  }
  if (c->which == LEAVE && t->rank == 0)
    return BH_OK;
  if (c->which == LEFTOVER)
    return t->rank == 0 ? t->send(t, &x, 8, t->size - 1, 1) : BH_OK;
  if (c->which == WRONG_LENGTH) {
    float y;
    if (t->rank == 0)
      return t->send(t, &x, 8, t->size - 1, 1);
    return t->rank == t->size - 1 ? t->receive(t, &y, 4, 0, 1) : BH_OK;
  }
  return t->barrier(t);
}

static bh_status member(const void *state, bh_team *t, const bh_args *args) {
  const team_check *c = state;
  uint64_t n = c->params.count;
  double *out = args->region[0], *sum = args->region[2];
  const double *in_region = args->region[1];
  if (args->worker != t->rank || args->workers != t->size)
    return t->host->stop(t->host, BH_FAIL, "args disagree with the team");
  if (c->which != ALL)
    return misbehave(c, t);
  double *in = malloc(n * 8), *many = malloc(n * 8 * t->size);
  bh_status status = in && many ? BH_OK : BH_OUT_OF_MEMORY;
  for (int round = 0; round < 2 && status == BH_OK; round++) {
    status = collectives(t, n, out, in, many);
    if (status == BH_OK)
      status = messages(t, n, out, in);
  }
  loop_params heavier = c->params;
  heavier.weight = 3;
  if (status == BH_OK)
    status = t->run(t, 0, 0, n / 3, NULL);
  if (status == BH_OK)
    status = t->run(t, 0, n / 3, n, &heavier);
  sum[1] += in_region[0];
  free(in);
  free(many);
  return status;
}

static void add_doubles(void *into, const void *part, uint64_t bytes) {
  for (uint64_t i = 0; i < bytes / 8; i++)
    ((double *)into)[i] += ((const double *)part)[i];
}

static bh_status team_open(const bh_host *h, const bh_value *values, bh_problem *problem, void **ret_state) {
  team_check *c = calloc(1, sizeof *c);
  if (!c)
    return h->stop(h, BH_OUT_OF_MEMORY, "no memory");
  c->host = h;
  c->which = (int)values[P_CASE].i;
  c->params.count = (uint64_t)values[P_COUNT].i;
  c->params.weight = 1;
  c->regions[0] = (bh_region){
      .name = "results", .role = BH_OUT, .split = BH_BY_WORKER, .dtype = BH_F64, .bytes = FIELDS * c->params.count * 8};
  c->regions[1] = (bh_region){.name = "input", .role = BH_IN, .dtype = BH_F64, .bytes = 8};
  c->regions[2] = (bh_region){.name = "sum", .role = BH_REDUCE, .dtype = BH_F64, .bytes = 16, .combine = add_doubles};
  c->uses[0] = c->kernel_uses[0] = (bh_use){0, BH_OUT, BH_BY_WORKER};
  c->uses[1] = (bh_use){1, BH_IN};
  c->uses[2] = c->kernel_uses[1] = (bh_use){2, BH_REDUCE};
  c->kernel = (bh_kernel){.name = "inline",
                          .host = loop_kernel,
                          .uses = c->kernel_uses,
                          .n_uses = 2,
                          .setup = loop_setup,
                          .teardown = free};
  c->loop = (bh_loop){.items = c->params.count, .params = &c->params, .params_bytes = sizeof c->params};
  problem->regions = c->regions;
  problem->n_regions = 3;
  problem->kernels = &c->kernel;
  problem->n_kernels = 1;
  problem->loops = &c->loop;
  problem->n_loops = 1;
  problem->uses = c->uses;
  problem->n_uses = 3;
  problem->member = member;
  *ret_state = c;
  return BH_OK;
}

static bh_status team_fill(void *state, void *const *region, uint32_t workers) {
  (void)state, (void)workers;
  *(double *)region[1] = 2.5;
  return BH_OK;
}

static bh_status expect(team_check *c, uint32_t rank, int field, const double *results,
                        double (*f)(uint32_t, uint32_t, uint64_t), uint32_t size) {
  for (uint64_t i = 0; i < c->params.count; i++) {
    double got = results[(rank * (uint64_t)FIELDS + (uint64_t)field) * c->params.count + i], want = f(rank, size, i);
    if (got != want)
      return c->host->stop(c->host, BH_WRONG, "member %" PRIu32 ", field %d, element %" PRIu64 ": %g, expected %g",
                           rank, field, i, got, want);
  }
  return BH_OK;
}
static double want_sum(uint32_t rank, uint32_t size, uint64_t i) {
  (void)rank;
  return size * (size + 1.0) / 2 * 1000 + size * (double)(i % 997) + value(7, i) - (i == 0 ? size - 1.0 : 0);
}
static double want_scattered(uint32_t rank, uint32_t size, uint64_t i) {
  return value(size - 1, i) * (rank + 1);
}
static double want_gathered(uint32_t rank, uint32_t size, uint64_t i) {
  double sum = 0;
  (void)rank;
  for (uint32_t r = 0; r < size; r++)
    sum += (value(r, i) + 0.5) * (r + 1);
  return sum;
}
static double want_sent(uint32_t rank, uint32_t size, uint64_t i) {
  return value((rank + size - 1) % size, i);
}
static double want_tags(uint32_t rank, uint32_t size, uint64_t i) {
  uint32_t left = (rank + size - 1) % size;
  (void)i;
  return (1 + left) + 1000.0 * (100 + left) + 1e6 * (1 + rank);
}
static double want_looped(uint32_t rank, uint32_t size, uint64_t i) {
  return (void)size, value(rank, i);
}

static bh_status team_verify(void *state, void *const *region, uint32_t workers) {
  static double (*const wants[])(uint32_t, uint32_t, uint64_t) = {want_sum,  want_scattered, want_gathered,
                                                                  want_sent, want_tags,      want_looped};
  team_check *c = state;
  const double *sum = region[2];
  for (uint32_t rank = 0; rank < workers; rank++)
    for (int field = 0; field < FIELDS; field++)
      TRY(expect(c, rank, field, region[0], wants[field], workers));
  uint64_t third = c->params.count / 3;
  if (sum[0] != (double)(workers * (third + 3 * (c->params.count - third))) || sum[1] != 2.5 * workers)
    return c->host->stop(c->host, BH_WRONG, "sums %g and %g", sum[0], sum[1]);
  return BH_OK;
}

static const bh_workload workload = {
    .size = sizeof workload,
    .open = team_open,
    .fill = team_fill,
    .verify = team_verify,
    .close = free,
};

const bh_plugin_info bh_plugin = {
    BH_PLUGIN_HEAD,   .name = "check-team",
    .version = "1.0", .summary = "notices when a backend breaks the contract on teams",
    .params = params, .workload = &workload,
};
