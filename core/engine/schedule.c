/* SPDX-License-Identifier: MIT
 * Owns the run of a plan in time: what is known of every cell, how the budget is shared, which visit comes next. */
#include "engine/schedule.h"
#include "results/fields.h"
#include "results/primary.h"
#include "stats/summary.h"

#include <math.h>
#include <string.h>

#define MOST_ROUNDS 10000u     /* with a budget and no max_rounds */
#define LEAST_VISIT_NS 1e8     /* a visit with some samples; less than that a mandatory one gets only in need */
#define START_NS 4e7           /* starting, loading, filling, checking: of small cells */
#define LEAST_START_NS 5e6     /* the same, of the quickest cell on a fast machine */
#define KEPT 0.5               /* of the budget: for the cells that turn out to vary most */
#define LEAST_SHARE_NS 1000000 /* the worker still takes one sample */
#define LATE 0.05              /* of the budget: a cell's only visit may begin so much after its end */

/* What is known of a cell besides what shares are made of. */
typedef struct {
  const BhCell *cell;
  BhPrimary primary;
  GArray *values;   /* of double: of the primary figure, one a round */
  GArray *walls_ns; /* of double: of its visits */
  gboolean cut;     /* the last visit was ended by its share of the budget */
} Known;

typedef struct {
  const BhPlan *plan;
  BhResults *results;
  const BhScheduleHost *host;
  guint n;
  BhShareCell *cells;
  Known *known;
  double budget_ns, kept_ns; /* INFINITY: no budget */
  double spent_ns;           /* by the sessions before this one */
  double first_level_ns;     /* share of a visit before anything was known: top-ups get no less */
  double level_ns;           /* share of a mandatory visit now */
  guint since;               /* visits since it was computed */
  gint64 start_ns;
} Schedule;

guint bh_schedule_most(const BhMeasure *cell, gint64 budget_ns) {
  const guint most = cell->max_rounds ? cell->max_rounds : budget_ns > 0 ? MOST_ROUNDS : cell->rounds;
  return MAX(most, cell->rounds);
}

/* ---- What is known ---- */

static const double *doubles(const GArray *array) {
  return (const double *)(gconstpointer)array->data;
}

/* With fewer than three rounds the spread within a process stands for that between them. */
static double spread_of(const Known *known, const BhCellRecord *last) {
  if (known->values->len >= 3)
    return bh_share_spread(doubles(known->values), known->values->len);
  const double within = bh_share_spread(doubles(last->steady_ns), last->steady_ns->len);
  return MAX(within, bh_share_spread(doubles(known->values), known->values->len));
}

static void learn(Schedule *s, guint i, const BhCellRecord *record) {
  BhShareCell *cell = &s->cells[i];
  Known *known = &s->known[i];
  double value, wall_ns = 0;
  cell->visits++;
  cell->ended |= record->status != BH_CELL_OK;
  if (bh_fields_number(record->record, "wall_ns", &wall_ns) && wall_ns > 0)
    g_array_append_val(known->walls_ns, wall_ns);
  if (known->walls_ns->len)
    cell->cost_ns = bh_stats_median(doubles(known->walls_ns), known->walls_ns->len);
  known->cut = !g_strcmp0(bh_fields_string(bh_fields_object(record->record, "steady"), "stopped"), "budget");
  if (!bh_results_primary(record, &known->primary, &value, NULL, NULL))
    return;
  g_array_append_val(known->values, value);
  cell->n = known->values->len;
  cell->spread = spread_of(known, record);
  cell->half = bh_share_half(doubles(known->values), cell->n);
  cell->precise = bh_share_precise(doubles(known->values), cell->n, cell->rounds, cell->precision);
}

static void start(Schedule *s) {
  for (guint i = 0; i < s->n; i++) {
    const BhCell *cell = s->plan->cells->pdata[i];
    const BhMeasure *m = &cell->measure;
    s->known[i] = (Known){.cell = cell,
                          .values = g_array_new(FALSE, FALSE, sizeof(double)),
                          .walls_ns = g_array_new(FALSE, FALSE, sizeof(double))};
    bh_primary_parse(m->primary ? m->primary : "wall", &s->known[i].primary);
    s->cells[i] = (BhShareCell){.rounds = m->rounds,
                                .most = bh_schedule_most(m, s->plan->measure.budget_ns),
                                .precision = m->precision,
                                .half = INFINITY};
    if (s->cells[i].most > s->cells[i].rounds && isfinite(s->budget_ns))
      s->kept_ns = KEPT * s->budget_ns;
  }
}

/* All that the results say now. */
static void remember(Schedule *s) {
  for (guint i = 0; i < s->n; i++) {
    BhShareCell *cell = &s->cells[i];
    g_array_set_size(s->known[i].values, 0);
    g_array_set_size(s->known[i].walls_ns, 0);
    s->known[i].cut = FALSE;
    *cell = (BhShareCell){.rounds = cell->rounds, .most = cell->most, .precision = cell->precision, .half = INFINITY};
    const BhCellResult *before = g_hash_table_lookup(s->results->index, s->known[i].cell->id);
    for (guint k = 0; before && k < before->rounds->len; k++)
      learn(s, i, before->rounds->pdata[k]);
  }
}

/* By the sessions before this one of a resumed run, also on visits that noise made void. What did not end ok and was
 * asked to be retried has its time again. */
static double spent_before(const Schedule *s) {
  double spent_ns = 0;
  for (guint i = 0; i < s->n; i++)
    for (guint k = 0; k < s->known[i].walls_ns->len; k++)
      spent_ns += g_array_index(s->known[i].walls_ns, double, k);
  for (guint i = 0; i < s->results->struck->len; i++) {
    const BhCellRecord *record = s->results->struck->pdata[i];
    double wall_ns;
    if (record->status == BH_CELL_OK && bh_fields_number(record->record, "wall_ns", &wall_ns) && wall_ns > 0)
      spent_ns += wall_ns;
  }
  return spent_ns;
}

static void finish(Schedule *s) {
  for (guint i = 0; i < s->n; i++) {
    g_array_unref(s->known[i].values);
    g_array_unref(s->known[i].walls_ns);
  }
  g_free(s->known);
  g_free(s->cells);
}

/* ---- The budget ---- */

static double left_ns(const Schedule *s) {
  return s->budget_ns - s->spent_ns - (double)(s->host->now_ns(s->host->user) - s->start_ns);
}

static double warmup_ns(const BhMeasure *m) {
  return (double)MIN(m->warmup_ns, m->max_time_ns / 5);
}

/* What a visit takes: what it took, unless it could have used more. */
static double need_ns(const Schedule *s, guint i) {
  const BhMeasure *m = &s->known[i].cell->measure;
  if (s->cells[i].cost_ns > 0 && !s->known[i].cut)
    return s->cells[i].cost_ns;
  return START_NS + warmup_ns(m) + (double)m->max_time_ns;
}

/* The share of each mandatory visit that is left, all of `rounds` when nothing is known yet. */
static double level_ns(const Schedule *s) {
  if (!isfinite(s->budget_ns))
    return INFINITY;
  g_autofree BhShareNeed *needs = g_new(BhShareNeed, s->n);
  double visits = 0;
  for (guint i = 0; i < s->n; i++) {
    const guint left = s->cells[i].rounds - MIN(s->cells[i].visits, s->cells[i].rounds);
    needs[i] = (BhShareNeed){need_ns(s, i), left};
    visits += left;
  }
  const double left = left_ns(s);
  /* What is kept for top-ups is given up as far as mandatory visits have too little. */
  return bh_share_level(needs, s->n, MAX(left - s->kept_ns, MIN(left, visits * LEAST_VISIT_NS)));
}

/* `more` visits were decided on, or given up. */
static void tell(const Schedule *s, gint more) {
  const double left = left_ns(s);
  BhOutlook outlook = {.more = more, .left_s = left * 1e-9};
  outlook.topup_s = bh_share_outlook(s->cells, s->n, left, &outlook.bound) * 1e-9;
  if (s->host->outlook)
    s->host->outlook(s->host->user, &outlook);
}

/* Computed anew often enough to follow what visits really take; on large plans not before each one. */
static void refresh(Schedule *s) {
  if (s->since++ % MAX(s->n / 64, 1))
    return;
  s->level_ns = level_ns(s);
  tell(s, 0);
}

double bh_schedule_least_ns(const BhPlan *plan) {
  double sum_ns = 0;
  for (guint i = 0; i < plan->cells->len; i++) {
    const BhMeasure *m = &((const BhCell *)plan->cells->pdata[i])->measure;
    sum_ns += LEAST_START_NS + (double)MIN(m->min_sample_ns, m->max_time_ns) * MIN(m->min_samples, BH_SHARE_DECIDED);
  }
  return sum_ns;
}

/* ---- Visits ---- */

static gboolean visit(Schedule *s, guint i, guint round, double share_ns, GError **error) {
  const BhCell *cell = s->known[i].cell;
  BhMeasure measure = cell->measure;
  const double share = MIN(share_ns, left_ns(s));
  measure.budget_ns = isfinite(share) ? (gint64)MAX(share, LEAST_SHARE_NS) : 0;
  if (!s->host->visit(s->host->user, cell, round, &measure, error))
    return FALSE;
  const BhCellRecord *record = bh_results_find(s->results, cell->id, round);
  if (record)
    learn(s, i, record);
  refresh(s);
  return TRUE;
}

/* Shares add up to all of the budget, so a process that took a little longer than its own would cost another cell its
 * only figure. */
static gboolean in_time(const Schedule *s, guint i) {
  const double left = left_ns(s);
  return left > 0 || (s->cells[i].visits == 0 && left > -LATE * s->budget_ns);
}

static gboolean end_round(Schedule *s, gint round, gboolean *ret_again, GError **error) {
  *ret_again = FALSE;
  if (!s->host->round_over)
    return TRUE;
  if (!s->host->round_over(s->host->user, round, ret_again, error))
    return FALSE;
  if (*ret_again) {
    remember(s);
    s->level_ns = level_ns(s); /* there are visits to share the time with again */
  }
  return TRUE;
}

static gboolean run_round(Schedule *s, guint round, GError **error) {
  guint n = 0;
  gboolean again = TRUE;
  g_autofree guint *order = bh_plan_order(s->plan, round, &n);
  while (again) {
    for (guint i = 0; i < n && !s->host->ended(s->host->user); i++) {
      const BhCell *cell = s->plan->cells->pdata[order[i]];
      if (in_time(s, order[i]) && !bh_results_find(s->results, cell->id, round) &&
          !visit(s, order[i], round, s->level_ns, error))
        return FALSE;
    }
    if (!end_round(s, (gint)round, &again, error))
      return FALSE;
  }
  return TRUE;
}

/* The first beyond the mandatory ones that it has not had: one may have been struck. */
static guint next_round(const Schedule *s, guint i) {
  const BhCellResult *before = g_hash_table_lookup(s->results->index, s->known[i].cell->id);
  guint round = s->cells[i].rounds;
  for (guint k = 0; before && k < before->rounds->len; k++) /* ascending */
    round += ((const BhCellRecord *)before->rounds->pdata[k])->round == round;
  return round;
}

static gboolean run_pass(Schedule *s, guint *order, guint n, GError **error) {
  bh_plan_shuffle(s->plan->seed, G_GUINT64_CONSTANT(0x746F702D7570) + s->results->records->len, order, n);
  tell(s, (gint)n);
  for (guint i = 0; i < n && !s->host->ended(s->host->user); i++) {
    const BhShareCell *cell = &s->cells[order[i]];
    if (cell->cost_ns > left_ns(s)) {
      tell(s, -1);
      continue;
    }
    if (!visit(s, order[i], next_round(s, order[i]), MAX(s->first_level_ns, cell->cost_ns), error))
      return FALSE;
  }
  gboolean again;
  return end_round(s, -1, &again, error);
}

static gboolean run_all(Schedule *s, GError **error) {
  const guint rounds = bh_plan_rounds(s->plan);
  for (guint round = 0; round < rounds && !s->host->ended(s->host->user); round++)
    if (!run_round(s, round, error))
      return FALSE;
  g_autofree guint *order = g_new(guint, MAX(s->n, 1));
  while (!s->host->ended(s->host->user)) {
    const guint n = bh_share_pass(s->cells, s->n, left_ns(s), order);
    if (!n)
      break;
    if (!run_pass(s, order, n, error))
      return FALSE;
  }
  return TRUE;
}

static void count(const Schedule *s, BhScheduleEnd *ret) {
  *ret = (BhScheduleEnd){0};
  for (guint i = 0; i < s->n; i++) {
    const BhShareCell *cell = &s->cells[i];
    ret->mandatory += cell->rounds;
    ret->left_out += cell->rounds - MIN(cell->visits, cell->rounds);
    ret->unvisited += cell->visits == 0;
  }
}

gboolean bh_schedule_run(const BhPlan *plan, BhResults *results, const BhScheduleHost *host, BhScheduleEnd *ret,
                         GError **error) {
  Schedule s = {.plan = plan, .results = results, .host = host, .n = plan->cells->len};
  s.cells = g_new0(BhShareCell, MAX(s.n, 1));
  s.known = g_new0(Known, MAX(s.n, 1));
  s.budget_ns = plan->measure.budget_ns > 0 ? (double)plan->measure.budget_ns : INFINITY;
  s.start_ns = host->now_ns(host->user);
  start(&s);
  s.first_level_ns = MAX(level_ns(&s), LEAST_VISIT_NS); /* of the whole run, also when it is resumed */
  remember(&s);
  s.spent_ns = spent_before(&s);
  refresh(&s);
  const gboolean ok = run_all(&s, error);
  count(&s, ret);
  finish(&s);
  return ok;
}
