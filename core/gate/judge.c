/* SPDX-License-Identifier: MIT
 * Owns the way from a journal to a report: which pairs count, what is decided, and the exit status. The rule itself is
 * rule.c's. */
#include "gate/report-internal.h"
#include "gate/series.h"

#include "base/text.h"
#include "results/fields.h"
#include "stats/summary.h"

#include <math.h>
#include <string.h>

typedef struct {
  const BhResults *results;
  const BhAbJudging *judging;
  BhAbReport *report;
} Judge;

/* A cell with its pairs, until all are decided together. */
typedef struct {
  BhAbCell *cell;
  BhAbSeries *screen, *confirm;
  GArray *logs[2]; /* of double: ln of the figures of both stages, turned so that more is worse */
} Case;

static void case_clear(Case *c) {
  bh_ab_series_free(c->screen);
  bh_ab_series_free(c->confirm);
  g_array_unref(c->logs[0]);
  g_array_unref(c->logs[1]);
}

static const double *doubles(const GArray *array) {
  return (const double *)(gconstpointer)array->data;
}

/* ---- What the visits say ---- */

static int severity(BhCellStatus status) {
  static const int order[] = {
      [BH_CELL_OK] = 0,      [BH_CELL_SKIPPED] = 1,       [BH_CELL_UNSUPPORTED] = 2, [BH_CELL_FAILED] = 3,
      [BH_CELL_TIMEOUT] = 4, [BH_CELL_OUT_OF_MEMORY] = 5, [BH_CELL_CRASHED] = 6,     [BH_CELL_WRONG] = 7};
  return order[status];
}

static const BhCellResult *visits_of(const Judge *judge, const BhAbWhere *where, guint side) {
  for (guint i = 0; i < judge->results->cells->len; i++) {
    const BhCellResult *cell = judge->results->cells->pdata[i];
    if (!strcmp(cell->id, where->id[side]) && !g_strcmp0(cell->arm, where->arms[side]))
      return cell;
  }
  return NULL;
}

/* About the precision of one process alone, which is one of many here and short by design. */
static gboolean is_about_process(const char *flag) {
  static const char *const flags[] = {"interval-wide", "few-samples", "no-steady-state", NULL};
  return g_strv_contains(flags, flag);
}

static void take_flags(BhAbCell *cell, const BhCellRecord *record) {
  for (guint i = 0; i < record->flags->len; i++)
    if (!is_about_process(record->flags->pdata[i]) &&
        !g_ptr_array_find_with_equal_func(cell->flags, record->flags->pdata[i], g_str_equal, NULL))
      g_ptr_array_add(cell->flags, g_strdup(record->flags->pdata[i]));
}

static int compare_texts(gconstpointer a, gconstpointer b) {
  return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void take_visits(const Judge *judge, BhAbCell *cell, const BhAbWhere *where) {
  for (guint side = 0; side < 2; side++) {
    const BhCellResult *visits = visits_of(judge, where, side);
    BhAbSideResult *result = &cell->side[side];
    for (guint i = 0; visits && i < visits->rounds->len; i++) {
      const BhCellRecord *record = visits->rounds->pdata[i];
      take_flags(cell, record);
      result->failures += record->status != BH_CELL_OK;
      if (severity(record->status) <= severity(result->status))
        continue;
      result->status = record->status;
      g_free(result->reason);
      result->reason = g_strdup(record->reason);
    }
    if (visits && !cell->workload) {
      const BhCellRecord *first = visits->rounds->pdata[0];
      cell->workload = g_strdup(first->workload);
      cell->backend = g_strdup(first->backend);
    }
  }
  g_ptr_array_sort(cell->flags, compare_texts);
  guint struck[2] = {0, 0};
  for (guint i = 0; i < judge->results->struck->len; i++) {
    const BhCellRecord *record = judge->results->struck->pdata[i];
    for (guint side = 0; side < 2; side++)
      struck[side] += !strcmp(record->id, where->id[side]) && !g_strcmp0(record->arm, where->arms[side]);
  }
  cell->rejected = MIN(struck[0], struck[1]); /* half a pair is what an interruption left */
}

static BhPrimary primary_for(const Judge *judge, const BhAbWhere *where) {
  BhPrimary primary = {.kind = BH_PRIMARY_WALL};
  const BhCellResult *visits = visits_of(judge, where, 0);
  if (judge->judging->primary)
    bh_primary_parse(judge->judging->primary, &primary);
  else if (visits)
    primary = bh_results_primary_of(judge->results, visits->rounds->pdata[0]);
  return primary;
}

static BhAbCell *cell_new(const char *label, const BhAbWhere *where) {
  BhAbCell *cell = g_new0(BhAbCell, 1);
  cell->label = g_strdup(label);
  cell->flags = g_ptr_array_new_with_free_func(g_free);
  for (guint side = 0; side < 2; side++)
    cell->side[side].id = g_strdup(where->id[side]);
  cell->primary = bh_results_primary_text(&where->primary);
  return cell;
}

static void take_medians(BhAbCell *cell, const BhAbSeries *series) {
  for (guint side = 0; side < 2 && series->d->len; side++) {
    cell->side[side].median = bh_stats_median(doubles(series->value[side]), series->value[side]->len);
    cell->side[side].has_median = TRUE;
  }
}

/* Caller unrefs. */
static GArray *logs_of(const Case *c, guint side) {
  const BhAbSeries *stages[] = {c->screen, c->confirm};
  GArray *logs = g_array_new(FALSE, FALSE, sizeof(double));
  for (guint s = 0; s < G_N_ELEMENTS(stages); s++)
    for (guint i = 0; i < stages[s]->d->len; i++) {
      const double value = log(doubles(stages[s]->value[side])[i]);
      const double turned = c->cell->higher_is_better ? -value : value;
      g_array_append_val(logs, turned);
    }
  return logs;
}

static Case case_new(const Judge *judge, const char *label, const char *const ids[2], const char *const *arms) {
  const BhRule *rule = &judge->report->rule;
  BhAbWhere where = {.id = {ids[0], ids[1]}, .arms = arms};
  where.primary = primary_for(judge, &where);
  Case c = {.cell = cell_new(label, &where)};
  take_visits(judge, c.cell, &where);
  c.screen = bh_ab_series_new(judge->results, &where, 0, rule->screen_rounds);
  c.confirm = bh_ab_series_new(judge->results, &where, rule->screen_rounds, rule->screen_rounds + rule->confirm_rounds);
  const BhAbSeries *seen = c.confirm->unit ? c.confirm : c.screen;
  c.cell->unit = g_strdup(seen->unit ? seen->unit : "");
  c.cell->higher_is_better = seen->higher_is_better;
  c.cell->n_screen = c.screen->d->len;
  c.cell->n_confirm = c.confirm->d->len;
  c.cell->dropped = c.screen->dropped + c.confirm->dropped;
  take_medians(c.cell, c.confirm->d->len ? c.confirm : c.screen);
  for (guint side = 0; side < 2; side++)
    c.logs[side] = logs_of(&c, side);
  return c;
}

/* ---- Deciding ---- */

/* An arm that was not `ok` in some visit: no verdict. FALSE: both were. */
static gboolean settle_status(BhAbCell *cell) {
  const BhAbSideResult *base = &cell->side[BH_SIDE_BASE], *candidate = &cell->side[BH_SIDE_CANDIDATE];
  const gboolean base_worst = severity(base->status) > severity(candidate->status);
  const BhAbSideResult *worst = base_worst ? base : candidate;
  if (worst->status == BH_CELL_OK)
    return FALSE;
  const gboolean skip = worst->status == BH_CELL_SKIPPED || worst->status == BH_CELL_UNSUPPORTED;
  cell->outcome = worst->status == BH_CELL_WRONG ? BH_AB_WRONG : skip ? BH_AB_SKIPPED : BH_AB_BROKEN;
  cell->candidate_only = base->status == BH_CELL_OK;
  const char *who = candidate->status == BH_CELL_OK ? "base only"
                    : cell->candidate_only          ? "candidate only"
                    : base_worst                    ? "base worst, candidate too"
                                                    : "both arms";
  cell->reason = g_strdup_printf("%s, %s: %s", bh_cell_status_name(worst->status), who, worst->reason);
  return TRUE;
}

/* What keeps a cell from being decided at all. FALSE: nothing. */
static gboolean settle_data(const Judge *judge, Case *c) {
  BhAbCell *cell = c->cell;
  const guint wanted = judge->report->rule.screen_rounds;
  cell->outcome = BH_AB_INCONCLUSIVE;
  if (cell->dropped)
    cell->reason = g_strdup(c->screen->problem ? c->screen->problem : c->confirm->problem);
  else if (!c->screen->attempted)
    cell->reason = g_strdup("not measured: it ended before");
  else if (c->screen->attempted < wanted)
    cell->reason = g_strdup_printf("only %u of %u screening pairs: it ended before", c->screen->attempted, wanted);
  return cell->reason != NULL;
}

static const char *inconclusive_why(const BhAbReport *report, const BhAbCell *cell) {
  const BhDecision *d = &cell->decision;
  const double margin = log1p(report->rule.margin), zone = log1p(report->rule.equivalence);
  if (!d->has_interval)
    return "too few pairs for an interval";
  if (fabs(d->shift) >= margin)
    return "looks changed, but not beyond doubt";
  if (d->low90 <= -zone || d->high90 >= zone)
    return "too noisy to call it unchanged";
  if (fabs(d->shift) <= log1p(report->rule.equivalent_shift))
    return "the same in the middle, but spread differently: see how the arms' fast and slow runs differ";
  return "a small change, neither to be called unchanged nor a regression";
}

/* The test of fewer pairs than planned is still exact, as time knows nothing of the figures; so a change that it shows
 * stands. Nothing is called unchanged for lack of data. */
static void take_decision(const Judge *judge, Case *c, const BhDecision *decision) {
  BhAbCell *cell = c->cell;
  const guint wanted = judge->report->rule.confirm_rounds;
  cell->decision = *decision;
  cell->decided = TRUE;
  take_medians(cell, decision->suspect && c->confirm->d->len ? c->confirm : c->screen);
  cell->outcome = (BhAbOutcome)decision->verdict;
  cell->cut_short = decision->suspect && c->confirm->attempted < wanted;
  if (cell->cut_short && cell->outcome == BH_AB_EQUIVALENT)
    cell->outcome = BH_AB_INCONCLUSIVE;
  if (cell->outcome != BH_AB_INCONCLUSIVE)
    return;
  if (cell->cut_short)
    cell->reason = g_strdup_printf("a suspect with %u of %u confirming pairs", c->confirm->attempted, wanted);
  else
    cell->reason = g_strdup(inconclusive_why(judge->report, cell));
}

static void decide(const Judge *judge, Case *cases, guint n) {
  g_autofree BhPairs *pairs = g_new0(BhPairs, n + 1);
  g_autofree BhDecision *decisions = g_new0(BhDecision, n + 1);
  g_autofree Case **able = g_new0(Case *, n + 1);
  guint k = 0;
  for (guint i = 0; i < n; i++) {
    Case *c = &cases[i];
    if (settle_status(c->cell) || settle_data(judge, c))
      continue;
    pairs[k] = (BhPairs){.screen = doubles(c->screen->d),
                         .n_screen = c->screen->d->len,
                         .confirm = doubles(c->confirm->d),
                         .n_confirm = c->confirm->d->len,
                         .base = doubles(c->logs[BH_SIDE_BASE]),
                         .candidate = doubles(c->logs[BH_SIDE_CANDIDATE]),
                         .n_figures = c->logs[0]->len};
    able[k++] = c;
  }
  bh_rule_decide(&judge->report->rule, pairs, k, decisions);
  for (guint i = 0; i < k; i++)
    take_decision(judge, able[i], &decisions[i]);
}

/* ---- The control ---- */

static const char *control_id(const BhResults *results) {
  for (guint i = 0; i < results->cells->len; i++) {
    const BhCellResult *cell = results->cells->pdata[i];
    if (!g_strcmp0(cell->arm, bh_ab_control_arms[1]) || !g_strcmp0(cell->arm, bh_ab_control_arms[0]))
      return cell->id;
  }
  return NULL;
}

/* Alone, so that no correction over the cells makes it less watchful. */
static void judge_control(Judge *judge) {
  BhAbControl *control = &judge->report->control;
  const char *id = control_id(judge->results);
  if (!id) {
    const BhAbReport *report = judge->report;
    const gboolean early = report->interrupted || report->out_of_time || report->invalid;
    control->why = g_strdup(!bh_fields_true(judge->results->run, "control") ? "it was switched off by --no-control"
                            : early                                         ? "it ended before there was one"
                                                                            : "no cell gave a figure for it");
    return;
  }
  const char *label = id;
  for (guint i = 0; i < judge->report->cells->len; i++) {
    const BhAbCell *cell = judge->report->cells->pdata[i];
    if (!strcmp(cell->side[BH_SIDE_BASE].id, id))
      label = cell->label;
  }
  Case c = case_new(judge, label, (const char *const[]){id, id}, bh_ab_control_arms);
  decide(judge, &c, 1);
  control->cell = c.cell;
  control->state = BH_CONTROL_QUIET;
  if (c.cell->outcome == BH_AB_REGRESSED || c.cell->outcome == BH_AB_IMPROVED) {
    control->state = BH_CONTROL_FLAGGED;
  } else if (!c.cell->decided) {
    control->state = BH_CONTROL_NONE;
    control->why = g_strdup(c.cell->reason);
  }
  case_clear(&c);
}

/* ---- The whole ---- */

static gboolean judge_cells(Judge *judge, GError **error) {
  JsonArray *pairs = bh_fields_array(judge->results->run, "pairs");
  const guint n = pairs ? json_array_get_length(pairs) : 0;
  g_autofree Case *cases = g_new0(Case, n + 1);
  guint k = 0;
  for (; k < n; k++) {
    JsonNode *node = json_array_get_element(pairs, k);
    JsonObject *pair = JSON_NODE_HOLDS_OBJECT(node) ? json_node_get_object(node) : NULL;
    const char *ids[2] = {bh_fields_string(pair, "base"), bh_fields_string(pair, "candidate")};
    const char *label = bh_fields_string(pair, "label");
    if (!ids[0] || !ids[1] || !label)
      break;
    cases[k] = case_new(judge, label, ids, bh_ab_arms);
    g_ptr_array_add(judge->report->cells, cases[k].cell);
  }
  const gboolean ok = n > 0 && k == n;
  if (ok)
    decide(judge, cases, n);
  else
    g_set_error(error, BH_ERROR, BH_ERROR_USAGE,
                "%s: 'pairs' of the run line: expected a list of {label, base, candidate}",
                judge->results->path ? judge->results->path : "the journal");
  for (guint i = 0; i < k; i++)
    case_clear(&cases[i]);
  return ok;
}

BhAbReport *bh_ab_judge(const BhResults *results, const BhAbJudging *judging, GError **error) {
  g_autoptr(BhAbReport) report = bh_ab_report_new(results, judging, error);
  Judge judge = {.results = results, .judging = judging, .report = report};
  if (!report || !judge_cells(&judge, error))
    return NULL;
  judge_control(&judge);
  bh_ab_settle_exit(report);
  return g_steal_pointer(&report);
}
