/* SPDX-License-Identifier: MIT
 * Owns a report's life, what it takes over from the journal's first and last line, and the exit status. */
#include "gate/report-internal.h"

#include "results/fields.h"

#include <math.h>
#include <string.h>

const char *bh_ab_outcome_name(BhAbOutcome outcome) {
  static const char *const names[] = {"skipped", "wrong", "broken"};
  return outcome < BH_AB_SKIPPED ? bh_verdict_name((BhVerdict)outcome) : names[outcome - BH_AB_SKIPPED];
}

/* ---- Life ---- */

static void plugin_free(gpointer data) {
  BhAbPlugin *plugin = data;
  g_free(plugin->name);
  g_free(plugin->kind);
  g_free(plugin->path);
  g_free(plugin->version);
  g_free(plugin->build_id);
  g_free(plugin);
}

static void fact_free(gpointer data) {
  BhAbFact *fact = data;
  g_free(fact->name);
  g_free(fact->state);
  g_free(fact->value);
  g_free(fact->note);
  g_free(fact);
}

static void cell_free(gpointer data) {
  BhAbCell *cell = data;
  if (!cell)
    return;
  g_free(cell->label);
  g_free(cell->workload);
  g_free(cell->backend);
  g_free(cell->primary);
  g_free(cell->unit);
  for (guint side = 0; side < 2; side++) {
    g_free(cell->side[side].id);
    g_free(cell->side[side].reason);
  }
  g_free(cell->reason);
  g_ptr_array_unref(cell->flags);
  g_free(cell);
}

void bh_ab_report_free(BhAbReport *report) {
  if (!report)
    return;
  g_free(report->matrix_path);
  g_free(report->matrix_name);
  g_free(report->started);
  g_free(report->benchhost);
  g_free(report->journal);
  for (guint side = 0; side < 2; side++) {
    g_free(report->arm[side].given);
    g_ptr_array_unref(report->arm[side].plugins);
  }
  g_ptr_array_unref(report->cells);
  g_free(report->control.why);
  cell_free(report->control.cell);
  g_free(report->invalid);
  g_clear_pointer(&report->environment, json_object_unref);
  g_ptr_array_unref(report->environment_bad);
  g_ptr_array_unref(report->notes);
  g_free(report->exit_why);
  g_free(report);
}

/* ---- From the run line ---- */

static gboolean take_count(JsonObject *object, const char *key, guint *ret) {
  gint64 value;
  if (!bh_fields_int(object, key, &value) || value < 0 || value > 100000)
    return FALSE;
  *ret = (guint)value;
  return TRUE;
}

static gboolean take_share(JsonObject *object, const char *key, double *ret) {
  return bh_fields_number(object, key, ret) && *ret >= 0 && *ret <= 10;
}

static gboolean take_rule(JsonObject *run, BhRule *ret) {
  JsonObject *rule = bh_fields_object(run, "rule");
  return take_count(rule, "screen_rounds", &ret->screen_rounds) &&
         take_count(rule, "confirm_rounds", &ret->confirm_rounds) &&
         take_share(rule, "screen_shift", &ret->screen_shift) && take_share(rule, "margin", &ret->margin) &&
         take_share(rule, "q", &ret->q) && take_share(rule, "equivalence", &ret->equivalence) &&
         take_share(rule, "equivalent_shift", &ret->equivalent_shift);
}

static void change_rule(BhRule *rule, const BhRule *given) {
  double *const settings[] = {&rule->screen_shift, &rule->margin, &rule->q, &rule->equivalence,
                              &rule->equivalent_shift};
  const double others[] = {given->screen_shift, given->margin, given->q, given->equivalence, given->equivalent_shift};
  for (guint i = 0; i < G_N_ELEMENTS(settings); i++)
    if (others[i] > 0)
      *settings[i] = others[i];
}

static int compare_plugins(gconstpointer a, gconstpointer b) {
  const BhAbPlugin *x = *(BhAbPlugin *const *)a, *y = *(BhAbPlugin *const *)b;
  const int kinds = strcmp(y->kind, x->kind); /* workloads first */
  return kinds ? kinds : strcmp(x->name, y->name);
}

static void take_arm(JsonObject *run, const char *name, BhAbArm *ret) {
  JsonObject *arm = bh_fields_object(bh_fields_object(run, "arms"), name);
  JsonArray *plugins = bh_fields_array(arm, "plugins");
  const char *kind = bh_fields_string(arm, "kind"), *given = bh_fields_string(arm, "given");
  for (guint k = BH_ARM_INSTALLED; k <= BH_ARM_OPTION; k++)
    if (!g_strcmp0(kind, bh_arm_kind_name(k)))
      ret->kind = k;
  ret->given = g_strdup(given ? given : "?");
  for (guint i = 0; plugins && i < json_array_get_length(plugins); i++) {
    JsonNode *node = json_array_get_element(plugins, i);
    JsonObject *object = JSON_NODE_HOLDS_OBJECT(node) ? json_node_get_object(node) : NULL;
    const char *plugin_name = bh_fields_string(object, "name"), *plugin_kind = bh_fields_string(object, "kind");
    if (!plugin_name || !plugin_kind)
      continue;
    BhAbPlugin *plugin = g_new0(BhAbPlugin, 1);
    plugin->name = g_strdup(plugin_name);
    plugin->kind = g_strdup(plugin_kind);
    plugin->path = g_strdup(bh_fields_string(object, "path"));
    plugin->version = g_strdup(bh_fields_string(object, "version"));
    plugin->build_id = g_strdup(bh_fields_string(object, "build_id"));
    g_ptr_array_add(ret->plugins, plugin);
  }
  g_ptr_array_sort(ret->plugins, compare_plugins);
}

static void take_environment(JsonObject *environment, GPtrArray *ret_bad) {
  g_autoptr(GList) names = environment ? json_object_get_members(environment) : NULL;
  for (GList *l = names; l; l = l->next) {
    JsonObject *field = bh_fields_object(environment, l->data);
    if (g_strcmp0(bh_fields_string(field, "state"), "bad"))
      continue;
    BhAbFact *fact = g_new0(BhAbFact, 1);
    JsonNode *value = json_object_get_member(field, "value");
    fact->name = g_strdup(l->data);
    fact->state = g_strdup("bad");
    fact->value = value && !JSON_NODE_HOLDS_NULL(value) ? bh_fields_text(value) : NULL;
    fact->note = g_strdup(bh_fields_string(field, "note"));
    g_ptr_array_add(ret_bad, fact);
  }
}

static void take_notes(const BhResults *results, GPtrArray *ret_notes) {
  JsonArray *notes = bh_fields_array(results->run, "notes");
  for (guint i = 0; notes && i < json_array_get_length(notes); i++) {
    JsonNode *node = json_array_get_element(notes, i);
    if (JSON_NODE_HOLDS_VALUE(node) && json_node_get_value_type(node) == G_TYPE_STRING)
      g_ptr_array_add(ret_notes, g_strdup(json_node_get_string(node)));
  }
  for (guint i = 0; i < results->notes->len; i++)
    g_ptr_array_add(ret_notes, g_strdup(results->notes->pdata[i]));
}

static void take_end(BhAbReport *report, JsonObject *end) {
  const char *stopped = bh_fields_string(end, "stopped"), *reason = bh_fields_string(end, "reason");
  report->interrupted = !end || bh_fields_true(end, "interrupted");
  report->out_of_time = !g_strcmp0(stopped, "budget");
  if (reason || !g_strcmp0(stopped, "invalid")) /* an interrupted one may have been invalid already */
    report->invalid = g_strdup(reason ? reason : "the environment was invalid");
  bh_fields_number(end, "wall_s", &report->wall_s);
}

static BhAbReport *report_new(void) {
  BhAbReport *report = g_new0(BhAbReport, 1);
  for (guint side = 0; side < 2; side++)
    report->arm[side].plugins = g_ptr_array_new_with_free_func(plugin_free);
  report->cells = g_ptr_array_new_with_free_func(cell_free);
  report->environment_bad = g_ptr_array_new_with_free_func(fact_free);
  report->notes = g_ptr_array_new_with_free_func(g_free);
  return report;
}

BhAbReport *bh_ab_report_new(const BhResults *results, const BhAbJudging *judging, GError **error) {
  JsonObject *run = results->run;
  g_autoptr(BhAbReport) report = report_new();
  const char *path = results->path ? results->path : "the journal";
  if (!bh_results_is_ab(results)) {
    g_set_error(error, BH_ERROR, BH_ERROR_USAGE,
                "%s: the journal of a run, not of a comparison; see it with `benchhost report`", path);
    return NULL;
  }
  if (!take_rule(run, &report->rule)) {
    g_set_error(error, BH_ERROR, BH_ERROR_USAGE,
                "%s: 'rule' of the run line: expected screen_rounds, confirm_rounds, screen_shift, margin, q, "
                "equivalence and equivalent_shift",
                path);
    return NULL;
  }
  if (judging->rule)
    change_rule(&report->rule, judging->rule);
  gint64 seed = 0;
  JsonObject *matrix = bh_fields_object(run, "matrix");
  report->matrix_path = g_strdup(bh_fields_string(matrix, "path"));
  report->matrix_name = g_strdup(bh_fields_string(matrix, "name"));
  report->started = g_strdup(bh_fields_string(run, "started"));
  report->benchhost = g_strdup(bh_fields_string(run, "benchhost"));
  report->journal = g_strdup(results->path);
  report->seed = bh_fields_int(run, "seed", &seed) ? (guint64)seed : 0;
  report->same_files = bh_fields_true(run, "same");
  take_arm(run, "base", &report->arm[BH_SIDE_BASE]);
  take_arm(run, "candidate", &report->arm[BH_SIDE_CANDIDATE]);
  JsonObject *environment = bh_fields_object(run, "environment");
  report->environment = environment ? json_object_ref(environment) : NULL;
  take_environment(environment, report->environment_bad);
  take_notes(results, report->notes);
  take_end(report, results->end);
  report->visits = results->records->len + results->struck->len;
  report->strict = judging->strict || bh_fields_true(run, "strict");
  report->inconclusive_fails = judging->inconclusive_fails || report->strict;
  return g_steal_pointer(&report);
}

/* ---- Exit status ---- */

static void worse(BhAbReport *report, int status, char *why) {
  if (status > report->exit_status || !report->exit_why) {
    g_free(report->exit_why);
    report->exit_status = status;
    report->exit_why = why;
  } else {
    g_free(why);
  }
}

static char *plural(guint n, const char *what) {
  return g_strdup_printf("%u cell%s %s", n, n == 1 ? "" : "s", what);
}

/* Exit status that the control alone asks for. A copy that does not run in its place is the control's failure, not the
 * base's. */
int bh_ab_control_status(const BhAbControl *control) {
  const BhAbCell *cell = control->cell;
  if (cell && cell->outcome == BH_AB_WRONG)
    return BH_EXIT_WRONG;
  if (cell && cell->outcome == BH_AB_BROKEN && !cell->candidate_only)
    return BH_EXIT_BROKEN;
  return control->state == BH_CONTROL_FLAGGED ? BH_EXIT_INCONCLUSIVE : BH_EXIT_OK;
}

static const char *control_words(int status) {
  return status == BH_EXIT_WRONG    ? "the A/A control gave wrong results"
         : status == BH_EXIT_BROKEN ? "the base did not end ok in the A/A control"
                                    : "the A/A control shows a change where there is none";
}

const char *bh_ab_run_problem(const BhAbReport *report) {
  if (report->invalid)
    return report->invalid;
  if (report->interrupted)
    return "it was interrupted, and is not complete";
  const gboolean inconclusive = report->exit_status == BH_EXIT_INCONCLUSIVE;
  return inconclusive && report->control.state != BH_CONTROL_FLAGGED ? report->exit_why : NULL;
}

void bh_ab_settle_exit(BhAbReport *report) {
  const int control = bh_ab_control_status(&report->control);
  for (guint i = 0; i < report->cells->len; i++)
    report->count[((const BhAbCell *)report->cells->pdata[i])->outcome]++;
  const guint *count = report->count;
  const guint decided = count[BH_AB_EQUIVALENT] + count[BH_AB_IMPROVED] + count[BH_AB_REGRESSED];
  if (count[BH_AB_REGRESSED])
    worse(report, BH_EXIT_REGRESSION, plural(count[BH_AB_REGRESSED], "regressed"));
  if (control == BH_EXIT_INCONCLUSIVE)
    worse(report, control, g_strdup(control_words(control)));
  if (report->invalid)
    worse(report, BH_EXIT_INCONCLUSIVE, g_strdup(report->invalid));
  if (!decided && count[BH_AB_INCONCLUSIVE])
    worse(report, BH_EXIT_INCONCLUSIVE, g_strdup("nothing could be decided"));
  if (report->inconclusive_fails && count[BH_AB_INCONCLUSIVE])
    worse(report, BH_EXIT_INCONCLUSIVE, plural(count[BH_AB_INCONCLUSIVE], "inconclusive"));
  if (count[BH_AB_WRONG])
    worse(report, BH_EXIT_WRONG, plural(count[BH_AB_WRONG], "gave wrong results"));
  if (count[BH_AB_BROKEN])
    worse(report, BH_EXIT_BROKEN, plural(count[BH_AB_BROKEN], "did not end ok"));
  if (report->strict && count[BH_AB_SKIPPED])
    worse(report, BH_EXIT_BROKEN, plural(count[BH_AB_SKIPPED], "skipped"));
  if (control != BH_EXIT_OK)
    worse(report, control, g_strdup(control_words(control)));
  if (!report->exit_why)
    worse(report, BH_EXIT_OK, g_strdup(decided ? "no regression" : "nothing was compared"));
}
