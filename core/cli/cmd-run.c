/* SPDX-License-Identifier: MIT
 * `benchhost run MATRIX`: plans, runs, shows. Owns the run's options and where its journal goes. */
#include "cli/cli.h"
#include "cli/matrix-options.h"
#include "cli/run-end.h"
#include "results/progress.h"
#include "results/report.h"

#include <stdio.h>
#include <string.h>

typedef struct {
  char *output, *resume;
  gboolean dry_run, quiet, plain, verbose, strict, no_color, retry_failed, no_table;
} RunOptions;

static void run_options_clear(RunOptions *o) {
  g_free(o->output);
  g_free(o->resume);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(RunOptions, run_options_clear)

static gboolean open_new(const RunOptions *o, const BhPlan *plan, const char *const *argv, BhJournal **ret_journal,
                         BhResults **ret_results, GError **error) {
  g_autofree char *path = o->output ? g_strdup(o->output) : bh_cli_default_output(plan->name, "");
  *ret_results = bh_results_new();
  *ret_journal = bh_journal_create(path, error);
  if (!*ret_journal)
    return FALSE;
  g_autoptr(JsonObject) line = bh_journal_run_line(plan, argv);
  return bh_journal_append(*ret_journal, line, error) && bh_results_add(*ret_results, line, error);
}

/* A journal that was killed before its first line was whole starts over. */
static gboolean open_resumed(const RunOptions *o, const BhPlan *plan, const char *const *argv, BhJournal **ret_journal,
                             BhResults **ret_results, GError **error) {
  *ret_results = bh_results_load(o->resume, error);
  if (!*ret_results || ((*ret_results)->run && !bh_journal_check_resume(plan, *ret_results, o->resume, error)))
    return FALSE;
  *ret_journal = bh_journal_resume(o->resume, (*ret_results)->good_bytes, error);
  if (!*ret_journal)
    return FALSE;
  g_autoptr(JsonObject) line = (*ret_results)->run ? bh_journal_resume_line(argv) : bh_journal_run_line(plan, argv);
  if (!bh_journal_append(*ret_journal, line, error) || !bh_results_add(*ret_results, line, error))
    return FALSE;
  guint again = 0;
  if (o->retry_failed && !bh_engine_retry_failed(plan, *ret_journal, *ret_results, &again, error))
    return FALSE;
  if (again && !o->quiet)
    fprintf(stderr, "benchhost: %u cells did not end ok and run again\n", again);
  return TRUE;
}

static void show(const RunOptions *o, const BhResults *results, const BhJournal *journal, const BhRunSummary *summary) {
  if (!o->no_table) {
    g_autofree char *table = bh_report_table(results, !o->no_color && bh_report_color());
    fputs(table, stdout);
  }
  if (!o->quiet)
    fprintf(stderr, "benchhost: %u process%s in %.1f s, %.1f ms each outside the cells themselves; journal: %s\n",
            summary->cells_run, summary->cells_run == 1 ? "" : "es", summary->wall_s,
            summary->cells_run ? summary->overhead_s * 1000 / summary->cells_run : 0.0, bh_journal_path(journal));
}

static int run_plan(const RunOptions *o, const BhPlan *plan, const char *const *argv) {
  g_autoptr(GError) error = NULL;
  g_autoptr(BhJournal) journal = NULL;
  g_autoptr(BhResults) results = NULL;
  const gboolean opened = o->resume ? open_resumed(o, plan, argv, &journal, &results, &error)
                                    : open_new(o, plan, argv, &journal, &results, &error);
  if (!opened)
    return bh_cli_fail(g_steal_pointer(&error));
  const BhProgressMode mode = o->quiet ? BH_PROGRESS_QUIET : o->plain ? BH_PROGRESS_PLAIN : BH_PROGRESS_AUTO;
  g_autoptr(BhProgress) progress = bh_progress_new(mode, o->verbose);
  BhRunSummary summary = {0};
  const gboolean whole = bh_engine_run(plan, journal, results, bh_progress_watcher(progress), &summary, &error) &&
                         bh_run_end_append(journal, results, &summary, &error);
  g_clear_pointer(&progress, bh_progress_free);
  if (!whole && !results->records->len) { /* no scratch folder, no more processes: there is nothing to show or keep */
    bh_journal_discard(journal);
    return bh_cli_fail(g_steal_pointer(&error));
  }
  show(o, results, journal, &summary);
  bh_run_end_say(&summary, o->quiet, TRUE);
  if (!whole)
    return bh_cli_fail(g_steal_pointer(&error));
  return bh_run_end_status(results, &summary, plan->strict);
}

static GOptionContext *option_context(RunOptions *o, BhMatrixOptions *matrix) {
  const GOptionEntry entries[] = {
      {"output", 'o', 0, G_OPTION_ARG_FILENAME, &o->output, "Journal to write (default: results/NAME-DATE.jsonl)",
       "FILE"},
      {"resume", 0, 0, G_OPTION_ARG_FILENAME, &o->resume, "Go on with a journal: run what it lacks, repeat nothing",
       "FILE"},
      {"retry-failed", 0, 0, G_OPTION_ARG_NONE, &o->retry_failed, "With --resume: run again what did not end ok", NULL},
      {"dry-run", 'n', 0, G_OPTION_ARG_NONE, &o->dry_run, "Print the cells and stop (the same as `plan`)", NULL},
      {"strict", 0, 0, G_OPTION_ARG_NONE, &o->strict, "Skipped and unsupported cells fail: exit status 4", NULL},
      {"quiet", 'q', 0, G_OPTION_ARG_NONE, &o->quiet, "No progress and no closing line", NULL},
      {"plain", 0, 0, G_OPTION_ARG_NONE, &o->plain, "Progress as one line for each finished cell, even on a terminal",
       NULL},
      {"verbose", 'v', 0, G_OPTION_ARG_NONE, &o->verbose, "Show what plugins log, and a line for each finished cell",
       NULL},
      {"no-color", 0, 0, G_OPTION_ARG_NONE, &o->no_color, "No colours (NO_COLOR does the same)", NULL},
      {"no-table", 0, 0, G_OPTION_ARG_NONE, &o->no_table, "Print no table at the end", NULL},
      {NULL},
  };
  GOptionContext *context = g_option_context_new("MATRIX.yaml - run a matrix and print its results");
  g_option_context_add_main_entries(context, entries, NULL);
  bh_matrix_options_add(context, matrix);
  g_option_context_set_description(
      context,
      "The word run may be left out. Exit status: 0 all ok, 2 given up for noise or too small a budget, 3 wrong\n"
      "results, 4 cells that crashed, timed out, failed or ran out of memory, 64 bad usage or matrix, 70 a full disk,\n"
      "130 interrupted. See benchhost(1).");
  return context;
}

static int usage(const char *message) {
  fprintf(stderr, "benchhost: %s; see 'benchhost run --help'\n", message);
  return BH_EXIT_USAGE;
}

int bh_cmd_run(int argc, char **argv) {
  g_auto(RunOptions) o = {0};
  g_auto(BhMatrixOptions) changes = {0};
  g_auto(GStrv) original = g_strdupv(argv); /* for the journal: parsing takes its own apart */
  g_auto(GStrv) left = g_strdupv(argv);
  g_autoptr(GOptionContext) context = option_context(&o, &changes);
  g_autoptr(GError) error = NULL;
  (void)argc;
  if (!g_option_context_parse_strv(context, &left, &error))
    return bh_cli_fail(g_steal_pointer(&error));
  if (g_strv_length(left) != 2)
    return usage(g_strv_length(left) < 2 ? "no matrix given" : "one matrix at a time");
  if (o.output && o.resume)
    return usage("--output and --resume exclude each other: a resumed run goes on in its own journal");
  if (o.retry_failed && !o.resume)
    return usage("--retry-failed needs --resume FILE");
  g_autoptr(BhMatrix) matrix = bh_matrix_load(left[1], &changes, &error);
  if (!matrix)
    return bh_cli_fail(g_steal_pointer(&error));
  matrix->plan->strict |= o.strict;
  if (!o.quiet) {
    bh_matrix_print_notes(matrix->plan);
    bh_matrix_print_budget(matrix->plan);
  }
  if (o.dry_run) {
    g_autofree char *text = bh_matrix_plan_text(matrix->plan);
    fputs(text, stdout);
    return BH_EXIT_OK;
  }
  return run_plan(&o, matrix->plan, (const char *const *)original);
}
