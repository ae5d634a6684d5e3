/* SPDX-License-Identifier: MIT
 * Owns `benchhost peaks`: runs the matrix of peaks that is installed beside the plugins, and prints what it found as
 * roofs. There is one for backends that work on this machine's processors and one for all others, whose caches and
 * numbers of processors the host's say nothing about. Which workload measures peaks is those matrices' affair. */
#include "base/json.h"
#include "cli/cli.h"
#include "cli/matrix-options.h"
#include "cli/run-end.h"
#include "parallel/analyze.h"
#include "plugin/search.h"
#include "results/display.h"
#include "results/progress.h"
#include "results/report.h"

#include <glib/gstdio.h>
#include <stdio.h>
#include <string.h>

#define HOST_MATRIX "peaks.yaml"
#define DEVICE_MATRIX "peaks-device.yaml"
#define ALL_WORKERS "[1..cores x2, cores]"

typedef struct {
  char *backend, *workers, *output;
  gboolean json, quiet;
} PeaksOptions;

static void peaks_options_clear(PeaksOptions *o) {
  g_free(o->backend);
  g_free(o->workers);
  g_free(o->output);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(PeaksOptions, peaks_options_clear)

static char **prepend(char **list, char *first) {
  const guint n = list ? g_strv_length(list) : 0;
  char **longer = g_new0(char *, n + 2);
  longer[0] = first;
  for (guint i = 0; i < n; i++)
    longer[i + 1] = list[i];
  g_free(list);
  return longer;
}

static const BhPlugin *find_backend(BhCatalog *catalog, const PeaksOptions *o, GError **error) {
  if (strpbrk(o->backend, "\"\\\n")) {
    g_set_error(error, BH_ERROR, BH_ERROR_USAGE, "peaks: --backend: expected the name of a backend, or a path to one");
    return NULL;
  }
  const BhPlugin *plugin = bh_catalog_get(catalog, BH_PLUGIN_BACKEND, o->backend, error);
  if (plugin && o->workers && !bh_plugin_param(plugin, "workers", NULL)) {
    g_set_error(error, BH_ERROR, BH_ERROR_USAGE, "peaks: --workers=%s: the backend '%s' has no such option", o->workers,
                o->backend);
    return NULL;
  }
  return plugin;
}

/* The matrix's `backends` as one entry, with those options of the common vocabulary that this backend has. How many
 * workers a device takes is its own affair: the host's cores are no measure of it. */
static char *backend_entry(const PeaksOptions *o, const BhPlugin *plugin, gboolean on_host) {
  const char *workers = o->workers                                            ? o->workers
                        : on_host && bh_plugin_param(plugin, "workers", NULL) ? ALL_WORKERS
                                                                              : NULL;
  const gboolean pin = workers && bh_plugin_param(plugin, "pin", NULL);
  g_autofree char *path = strchr(o->backend, '/') ? g_canonicalize_filename(o->backend, NULL) : g_strdup(o->backend);
  return g_strdup_printf("backends=[\"%s\": {%s%s%s}]", path, workers ? "workers: " : "", workers ? workers : "",
                         pin ? ", pin: compact" : "");
}

/* Its matrix; `changes` get the entry of the backend that was asked for. NULL: there is no such backend. */
static const char *choose_matrix(const PeaksOptions *o, BhMatrixOptions *changes, GError **error) {
  if (!o->backend) {
    if (o->workers)
      changes->params = prepend(changes->params, g_strconcat("workers=", o->workers, NULL));
    return HOST_MATRIX;
  }
  g_autoptr(BhCatalog) catalog = bh_catalog_new();
  const BhPlugin *plugin = find_backend(catalog, o, error);
  if (!plugin)
    return NULL;
  const gboolean on_host = g_strcmp0(plugin->target, "host") == 0;
  changes->sets = prepend(changes->sets, backend_entry(o, plugin, on_host));
  return on_host ? HOST_MATRIX : DEVICE_MATRIX;
}

static BhMatrix *load(const PeaksOptions *o, BhMatrixOptions *changes, GError **error) {
  const char *matrix = choose_matrix(o, changes, error);
  if (!matrix)
    return NULL;
  g_autofree char *path = bh_search_data(matrix);
  if (!path) {
    g_set_error(error, BH_ERROR, BH_ERROR_USAGE,
                "peaks: %s was not found beside the plugins: install benchhost as a whole, or name the folder "
                "that has it in BENCHHOST_PLUGIN_PATH",
                matrix);
    return NULL;
  }
  return bh_matrix_load(path, changes, error);
}

static gboolean run_all(const PeaksOptions *o, const BhPlan *plan, const char *path, const char *const *argv,
                        BhResults *results, BhRunSummary *ret_summary, GError **error) {
  g_autoptr(BhJournal) journal = bh_journal_create(path, error);
  if (!journal)
    return FALSE;
  g_autoptr(JsonObject) run = bh_journal_run_line(plan, argv);
  if (!bh_journal_append(journal, run, error) || !bh_results_add(results, run, error))
    return FALSE;
  g_autoptr(BhProgress) progress = bh_progress_new(o->quiet ? BH_PROGRESS_QUIET : BH_PROGRESS_AUTO, FALSE);
  const gboolean whole = bh_engine_run(plan, journal, results, bh_progress_watcher(progress), ret_summary, error) &&
                         bh_run_end_append(journal, results, ret_summary, error);
  if (!whole && !results->records->len)
    bh_journal_discard(journal);
  return whole;
}

/* Cells that are not ok are no roofs; that they are not is said on stderr, as the table has roofs only. */
static void say_failures(const BhResults *results) {
  g_autoptr(GHashTable) said = g_hash_table_new(g_str_hash, g_str_equal);
  for (guint i = 0; i < results->records->len; i++) {
    const BhCellRecord *record = g_ptr_array_index(results->records, i);
    if (record->status != BH_CELL_OK && g_hash_table_add(said, record->id))
      fprintf(stderr, "benchhost: %s: %s: %s\n", record->label, bh_cell_status_name(record->status), record->reason);
  }
}

static int show(const PeaksOptions *o, const BhResults *results) {
  const BhAnalyzeOptions options = {.metrics = BH_METRIC_ROOFLINE};
  GError *error = NULL;
  say_failures(results);
  if (!results->records->len)
    return BH_EXIT_OK;
  g_autoptr(JsonNode) report = bh_analyze(results, &options, &error);
  if (!report)
    return bh_cli_fail(error);
  g_autofree char *text =
      o->json ? bh_json_text(report, TRUE) : bh_analyze_text(report, bh_report_width(), bh_display_ascii());
  fputs(text, stdout);
  return bh_analyze_exit_status(report, &options);
}

static int run_and_show(const PeaksOptions *o, const BhPlan *plan, const char *const *argv) {
  GError *error = NULL;
  g_autofree char *folder = o->output ? NULL : g_dir_make_tmp("benchhost-XXXXXX", &error);
  if (!o->output && !folder)
    return bh_cli_fail(error);
  g_autofree char *path = o->output ? g_strdup(o->output) : g_build_filename(folder, "peaks.jsonl", NULL);
  g_autoptr(BhResults) results = bh_results_new();
  BhRunSummary summary = {0};
  const gboolean whole = run_all(o, plan, path, argv, results, &summary, &error);
  if (folder) {
    g_unlink(path);
    g_rmdir(folder);
  } else if (whole) {
    results->path = g_strdup(path);
  }
  if (!whole)
    return bh_cli_fail(error);
  const int status = show(o, results);
  bh_run_end_say(&summary, o->quiet, FALSE);
  return MAX(status, bh_run_end_status(results, &summary, plan->strict));
}

static GOptionContext *option_context(PeaksOptions *o, BhMatrixOptions *changes) {
  const GOptionEntry entries[] = {
      {"backend", 'b', 0, G_OPTION_ARG_STRING, &o->backend, "Measure with this backend (default: the matrix's own)",
       "NAME"},
      {"workers", 'w', 0, G_OPTION_ARG_STRING, &o->workers,
       "Numbers of workers: 4, [1, 2], 1..cores (default: 1, 2, 4, ... and all cores; on a device: its backend's)",
       "RANGE"},
      {"json", 0, 0, G_OPTION_ARG_NONE, &o->json, "Print JSON (schemas/analyze.schema.json)", NULL},
      {"output", 'o', 0, G_OPTION_ARG_FILENAME, &o->output, "Keep the journal (default: it is removed)", "FILE"},
      {"quiet", 'q', 0, G_OPTION_ARG_NONE, &o->quiet, "No progress", NULL},
      {NULL},
  };
  GOptionContext *context =
      g_option_context_new("- measure this machine's peaks: flop/s and byte/s for 1 to all cores");
  g_option_context_add_main_entries(context, entries, NULL);
  bh_matrix_options_add(context, changes);
  g_option_context_set_description(
      context,
      "Arrays are four times the size of the last-level caches, on a device 1 GiB; a triad has three of them:\n"
      "--param bytes=256MiB where that is too much.\n"
      "Exit status: 0 all ok, 2 not all could be measured, 3 wrong results, 4 cells that failed, 64 bad usage,\n"
      "130 interrupted.");
  return context;
}

int bh_cmd_peaks(int argc, char **argv) {
  g_auto(PeaksOptions) o = {0};
  g_auto(BhMatrixOptions) changes = {0};
  g_auto(GStrv) original = g_strdupv(argv); /* for the journal: parsing takes its own apart */
  g_autoptr(GOptionContext) context = option_context(&o, &changes);
  GError *error = NULL;
  if (!g_option_context_parse(context, &argc, &argv, &error))
    return bh_cli_fail(error);
  if (argc != 1) {
    fprintf(stderr, "benchhost: peaks: expected no argument, got '%s'; try 'benchhost peaks --help'\n", argv[1]);
    return BH_EXIT_USAGE;
  }
  g_autoptr(BhMatrix) matrix = load(&o, &changes, &error);
  if (!matrix)
    return bh_cli_fail(error);
  return run_and_show(&o, matrix->plan, (const char *const *)original);
}
