/* SPDX-License-Identifier: MIT
 * `benchhost ab BASE CANDIDATE MATRIX`: two arms, one journal, a verdict. Owns the way from the arms' texts to a task,
 * and what is printed. */
#include "cli/ab-files.h"
#include "cli/ab-options.h"
#include "cli/ab-progress.h"
#include "cli/cli.h"
#include "gate/measure.h"
#include "results/display.h"
#include "results/fields.h"
#include "base/json.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* A process is the replicate and rounds are many: what one process measures may be short. For settings that the matrix
 * does not give. */
static const char *const cheap[] = {"min_samples=6", "max_samples=12", "max_time=1s", "warmup=5ms", NULL};

typedef struct {
  BhArm *arm[2];
  BhMatrix *matrix[2];
  BhAbTask task;
} Setup;

static void setup_clear(Setup *setup) {
  g_clear_pointer(&setup->task.pairs, g_ptr_array_unref);
  g_clear_pointer(&setup->task.notes, g_ptr_array_unref);
  g_clear_pointer(&setup->task.invalid_before, g_free);
  for (guint side = 0; side < 2; side++) {
    bh_matrix_free(setup->matrix[side]);
    bh_arm_free(setup->arm[side]);
  }
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Setup, setup_clear)

/* ---- From texts to a task ---- */

/* The user's own options with the arm's on top. */
static BhMatrix *load_side(const BhAbOptions *o, const BhArm *arm, const char *which, const char *path,
                           GError **error) {
  BhMatrixOptions options = o->matrix; /* borrows */
  g_autoptr(GPtrArray) params = g_ptr_array_new();
  for (char **param = o->matrix.params; param && *param; param++)
    g_ptr_array_add(params, *param);
  if (arm->kind == BH_ARM_OPTION)
    g_ptr_array_add(params, arm->given); /* the last one counts */
  g_ptr_array_add(params, NULL);
  options.params = (char **)params->pdata;
  options.fallbacks = cheap;
  options.files = (const char *const *)arm->files->pdata;
  g_autoptr(BhMatrix) matrix = bh_matrix_load(path, &options, error);
  if (!matrix) {
    g_prefix_error(error, "%s %s: ", which, arm->given);
    return NULL;
  }
  return bh_arm_check(arm, which, matrix->plan, error) ? g_steal_pointer(&matrix) : NULL;
}

static void settle_plan(const BhAbOptions *o, BhPlan *plan) {
  if (o->has_seed)
    plan->seed = o->seed;
  plan->strict |= o->strict;
  for (guint i = 0; i < plan->cells->len; i++) {
    BhCell *cell = plan->cells->pdata[i];
    cell->measure.rounds = o->rule.screen_rounds + o->rule.confirm_rounds;
    cell->measure.max_rounds = 0;
    if (o->primary)
      cell->measure.primary = g_intern_string(o->primary);
  }
}

static gboolean check_control(const BhAbTask *task, GError **error) {
  for (guint i = 0; i < task->pairs->len; i++)
    if (!task->control_glob ||
        g_pattern_match_simple(task->control_glob, ((const BhAbPair *)task->pairs->pdata[i])->label))
      return TRUE;
  g_set_error(error, BH_ERROR, BH_ERROR_USAGE,
              "--control '%s' matches no cell's label; `benchhost ab --dry-run` prints them", task->control_glob);
  return FALSE;
}

static gboolean set_up(const BhAbOptions *o, char *const *arguments, Setup *ret, GError **error) {
  static const char *const which[2] = {"base", "candidate"};
  for (guint side = 0; side < 2; side++) {
    ret->arm[side] = bh_arm_parse(arguments[side], error);
    if (!ret->arm[side])
      return FALSE;
  }
  for (guint side = 0; side < 2; side++) {
    ret->matrix[side] = load_side(o, ret->arm[side], which[side], arguments[2], error);
    if (!ret->matrix[side])
      return FALSE;
    settle_plan(o, ret->matrix[side]->plan);
  }
  const BhPlan *base = ret->matrix[0]->plan;
  ret->task = (BhAbTask){.plan = {base, ret->matrix[1]->plan},
                         .arm = {ret->arm[0], ret->arm[1]},
                         .notes = g_ptr_array_new_with_free_func(g_free),
                         .rule = o->rule,
                         .seed = base->seed,
                         .budget_ns = o->budget_ns ? o->budget_ns : base->measure.budget_ns,
                         .no_control = o->no_control,
                         .control_glob = o->control};
  ret->task.pairs = bh_ab_pairs_new(base, ret->matrix[1]->plan, (const BhArm *const *)ret->arm, ret->task.notes, error);
  return ret->task.pairs && check_control(&ret->task, error);
}

/* ---- The journal ---- */

static gboolean same_member(JsonObject *a, JsonObject *b, const char *key) {
  JsonNode *x = json_object_get_member(a, key), *y = json_object_get_member(b, key);
  g_autofree char *p = x ? bh_json_text(x, FALSE) : NULL, *q = y ? bh_json_text(y, FALSE) : NULL;
  return !g_strcmp0(p, q);
}

static gboolean check_resume(const BhAbTask *task, const BhResults *results, JsonObject *now, GError **error) {
  static const char *const keys[] = {"arms", "rule", "pairs", "control"};
  if (!bh_results_is_ab(results)) {
    g_set_error(error, BH_ERROR, BH_ERROR_USAGE, "%s: the journal of a run, not of a comparison; resume it with `run`",
                results->path);
    return FALSE;
  }
  if (!bh_journal_check_resume(task->plan[BH_SIDE_BASE], results, results->path, error))
    return FALSE;
  for (guint i = 0; i < G_N_ELEMENTS(keys); i++)
    if (!same_member(results->run, now, keys[i])) {
      g_set_error(error, BH_ERROR, BH_ERROR_USAGE,
                  "%s: cannot resume this journal: its %s are others; give the same arms and options, and the same "
                  "builds of the plugins",
                  results->path, keys[i]);
      return FALSE;
    }
  return TRUE;
}

/* Too many disturbed pairs do not become fewer by going on. A comparison that gave up at the first one (noise: abort)
 * is gone on with as its user wants it. */
static char *invalid_before(const BhAbTask *task, const BhResults *results) {
  const char *reason = bh_fields_string(results->end, "reason");
  return g_strcmp0(task->plan[BH_SIDE_BASE]->measure.noise, "reject") ? NULL : g_strdup(reason);
}

static gboolean open_journal(const BhAbOptions *o, BhAbTask *task, const char *const *argv, BhJournal **ret_journal,
                             BhResults **ret_results, GError **error) {
  g_autoptr(JsonObject) line = bh_ab_run_line(task, argv);
  if (o->resume) {
    *ret_results = bh_results_load(o->resume, error);
    if (!*ret_results || ((*ret_results)->run && !check_resume(task, *ret_results, line, error)))
      return FALSE;
    task->invalid_before = invalid_before(task, *ret_results);
    *ret_journal = bh_journal_resume(o->resume, (*ret_results)->good_bytes, error);
    if (*ret_journal && (*ret_results)->run) {
      json_object_unref(line);
      line = bh_journal_resume_line(argv);
    }
  } else {
    g_autofree char *path = o->output ? g_strdup(o->output) : bh_cli_default_output(task->plan[0]->name, "ab-");
    *ret_results = bh_results_new();
    (*ret_results)->path = g_strdup(path);
    *ret_journal = bh_journal_create(path, error);
  }
  return *ret_journal && bh_journal_append(*ret_journal, line, error) && bh_results_add(*ret_results, line, error);
}

static gboolean append_end(BhJournal *journal, BhResults *results, const BhAbSummary *summary, GError **error) {
  g_autoptr(JsonObject) line =
      bh_journal_end_line(summary->interrupted, summary->visits, summary->wall_s, summary->overhead_s);
  bh_ab_put_end(line, summary);
  return bh_journal_append(journal, line, error) && bh_results_add(results, line, error);
}

/* ---- What is printed ---- */

static guint table_width(void) {
  const char *columns = g_getenv("COLUMNS");
  guint64 value = 0;
  const guint terminal = bh_display_terminal(STDOUT_FILENO);
  if (columns && g_ascii_string_to_unsigned(columns, 10, 1, 10000, &value, NULL))
    return (guint)value;
  return terminal;
}

static int print(const BhAbOptions *o, const BhResults *results, GError **error) {
  const BhAbJudging judging = {.rule = o->from ? &o->rule : NULL,
                               .primary = o->from ? o->primary : NULL,
                               .strict = o->strict,
                               .inconclusive_fails = o->inconclusive_fails};
  g_autoptr(BhAbReport) report = bh_ab_judge(results, &judging, error);
  if (!report)
    return -1;
  if (!o->no_table && g_strcmp0(o->json, "-")) {
    g_autofree char *table =
        bh_ab_table(report, !o->no_color && bh_display_colors(STDOUT_FILENO), table_width(), bh_display_ascii());
    fputs(table, stdout);
  }
  if (!bh_ab_files_write(o, report, error)) /* last: a full disk must not cost the table */
    return -1;
  return report->interrupted && !o->from ? BH_EXIT_INTERRUPTED : report->exit_status;
}

static void print_pairs(const BhAbTask *task) {
  printf("%u pairs, %u rounds each, and %u more for those that look changed\n", task->pairs->len,
         task->rule.screen_rounds, task->rule.confirm_rounds);
  for (guint i = 0; i < task->pairs->len; i++) {
    const BhAbPair *pair = task->pairs->pdata[i];
    printf("  %s  %s  %s\n", pair->side[0]->id, pair->side[1]->id, pair->label);
  }
  for (guint i = 0; i < task->notes->len; i++)
    printf("note: %s\n", (const char *)task->notes->pdata[i]);
}

/* ---- The command ---- */

static int compare(const BhAbOptions *o, BhAbTask *task, const char *const *argv) {
  g_autoptr(GError) error = NULL;
  g_autoptr(BhJournal) journal = NULL;
  g_autoptr(BhResults) results = NULL;
  if (!open_journal(o, task, argv, &journal, &results, &error))
    return bh_cli_fail(g_steal_pointer(&error));
  const BhProgressMode mode = o->quiet ? BH_PROGRESS_QUIET : o->plain ? BH_PROGRESS_PLAIN : BH_PROGRESS_AUTO;
  g_autoptr(BhAbProgress) progress = bh_ab_progress_new(mode, o->verbose);
  BhAbSummary summary = {0};
  const gboolean whole = bh_ab_measure(task, journal, results, bh_ab_progress_watcher(progress), &summary, &error) &&
                         append_end(journal, results, &summary, &error);
  g_free(summary.invalid);
  g_clear_pointer(&progress, bh_ab_progress_free);
  if (!whole) {
    if (!results->records->len)
      bh_journal_discard(journal); /* there is nothing to show or keep */
    return bh_cli_fail(g_steal_pointer(&error));
  }
  const int status = print(o, results, &error);
  if (status < 0)
    return bh_cli_fail(g_steal_pointer(&error));
  if (!o->quiet)
    fprintf(stderr, "benchhost: %u process%s in %.1f s, %.1f ms each outside the cells themselves; journal: %s\n",
            summary.visits, summary.visits == 1 ? "" : "es", summary.wall_s,
            summary.visits ? summary.overhead_s * 1000 / summary.visits : 0.0, bh_journal_path(journal));
  return status;
}

static int judge_again(const BhAbOptions *o) {
  g_autoptr(GError) error = NULL;
  g_autoptr(BhResults) results = bh_results_open(o->from, &error);
  const int status = results ? print(o, results, &error) : -1;
  return status < 0 ? bh_cli_fail(g_steal_pointer(&error)) : status;
}

int bh_cmd_ab(int argc, char **argv) {
  g_auto(BhAbOptions) o = {0};
  g_auto(Setup) setup = {0};
  g_auto(GStrv) original = g_strdupv(argv); /* for the journal: parsing takes its own apart */
  g_auto(GStrv) left = g_strdupv(argv);
  g_autoptr(GOptionContext) context = bh_ab_options_context(&o);
  g_autoptr(GError) error = NULL;
  (void)argc;
  if (!g_option_context_parse_strv(context, &left, &error) ||
      !bh_ab_options_settle(&o, g_strv_length(left) - 1, &error))
    return bh_cli_fail(g_steal_pointer(&error));
  if (o.from)
    return judge_again(&o);
  if (!set_up(&o, left + 1, &setup, &error))
    return bh_cli_fail(g_steal_pointer(&error));
  if (!o.quiet)
    bh_matrix_print_notes(setup.matrix[0]->plan);
  if (o.dry_run) {
    print_pairs(&setup.task);
    return BH_EXIT_OK;
  }
  return compare(&o, &setup.task, (const char *const *)original);
}
