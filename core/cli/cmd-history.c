/* SPDX-License-Identifier: MIT
 * Owns `benchhost history`: runs kept over time in an SQLite file, and what they say. */
#include "base/text.h"
#include "cli/cli.h"
#include "history/revision.h"
#include "history/timeline.h"
#include "results/display.h"
#include "results/report.h"

#include <stdio.h>
#include <string.h>

#define DEFAULT_PATH "benchhost-history.sqlite"
#define NOT_GIVEN G_MININT

typedef struct {
  char *db, *commit, *branch, *label, *machine, *since;
  gboolean again, csv, json, no_color;
  gint permutations, seed;
  char *alpha_text;
} Options;

static void clear_options(Options *options) {
  char *texts[] = {options->db,    options->commit,  options->branch,    options->label,
                   options->since, options->machine, options->alpha_text};
  for (guint i = 0; i < G_N_ELEMENTS(texts); i++)
    g_free(texts[i]);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Options, clear_options)

static const char *path_of(const Options *options) {
  const char *variable = g_getenv("BENCHHOST_HISTORY");
  return options->db ? options->db : variable && *variable ? variable : DEFAULT_PATH;
}

static BhStoreQuery query_of(const Options *options, const char *cell) {
  return (BhStoreQuery){.cell = cell, .machine = options->machine, .since = options->since, .branch = options->branch};
}

static BhTimelineLook look_of(const Options *options) {
  return (BhTimelineLook){
      .width = bh_report_width(), .color = !options->no_color && bh_report_color(), .ascii = bh_display_ascii()};
}

/* ---- actions; `arguments` are those after the action's name, NULL-terminated ---- */

static void say_unfinished(const GPtrArray *runs) {
  for (guint i = 0; i < runs->len; i++) {
    const BhStored *run = runs->pdata[i], *before = i ? runs->pdata[i - 1] : NULL;
    if (!run->finished && !(before && !strcmp(before->digest, run->digest))) /* once for both arms of one */
      fprintf(stderr, "benchhost: history: %s: the run was not finished; what it has is added\n", run->name);
  }
}

/* Given by hand, it says all; else it is the current folder's. */
static gboolean read_tags(const Options *options, const BhRevision *revision, BhStoreTags *ret, GError **error) {
  const char *given[] = {options->commit, options->branch, options->label};
  for (guint i = 0; i < G_N_ELEMENTS(given); i++)
    if (given[i] && (strlen(given[i]) > 200 || !g_utf8_validate(given[i], -1, NULL))) {
      g_set_error(error, BH_ERROR, BH_ERROR_USAGE,
                  "history: --commit, --branch and --label: expected at most 200 bytes of UTF-8");
      return FALSE;
    }
  *ret = (BhStoreTags){.commit = options->commit && *options->commit ? options->commit : NULL,
                       .branch = options->branch && *options->branch ? options->branch : NULL,
                       .label = options->label && *options->label ? options->label : NULL,
                       .again = options->again};
  if (options->commit)
    return TRUE;
  ret->commit = revision->commit;
  ret->dirty = revision->dirty;
  if (!options->branch)
    ret->branch = revision->branch;
  return TRUE;
}

static int add(const Options *options, char **arguments) {
  GError *error = NULL;
  g_auto(BhRevision) revision = {0};
  BhStoreTags tags;
  g_autoptr(GArray) ids = g_array_new(FALSE, FALSE, sizeof(gint64));
  if (!options->commit)
    revision = bh_revision_read();
  if (!read_tags(options, &revision, &tags, &error))
    return bh_cli_fail(error);
  g_autoptr(GPtrArray) runs = bh_stored_open_all(arguments, NULL, &error);
  if (!runs)
    return bh_cli_fail(error);
  say_unfinished(runs);
  g_autoptr(BhStore) store = bh_store_open(path_of(options), TRUE, &error);
  if (!store || !bh_store_add(store, runs, &tags, ids, &error))
    return bh_cli_fail(error);
  for (guint i = 0; i < ids->len; i++) {
    const BhStored *run = runs->pdata[i];
    const gboolean tagged = tags.commit && g_strcmp0(run->arm, "base"); /* as bh_store_add does */
    g_autofree char *title = bh_stored_title(run);
    g_autofree char *clean = bh_display_clean(title, FALSE);
    printf("run %" G_GINT64_FORMAT ": %s, %u cells, machine %s, commit %s%s\n", g_array_index(ids, gint64, i), clean,
           run->cells->len, run->machine, tagged ? tags.commit : "none",
           tagged && tags.dirty ? " (with changes that are not committed)" : "");
  }
  return BH_EXIT_OK;
}

/* What means nothing must not look like an empty history. */
static gboolean check_query(const BhStoreQuery *query, GError **error) {
  const char *since = query->since;
  gsize digits = 0;
  while (since && g_ascii_isdigit(since[digits]))
    digits++;
  if (since && (digits != 4 || strspn(since, "0123456789-:TZ") != strlen(since))) {
    g_autofree char *shown = bh_text_shown(since);
    g_set_error(error, BH_ERROR, BH_ERROR_USAGE,
                "history: --since '%s': expected a date, or its beginning: 2026-01-31, 2026-01", shown);
    return FALSE;
  }
  if (query->cell && !g_utf8_validate(query->cell, -1, NULL)) {
    g_set_error(error, BH_ERROR, BH_ERROR_USAGE, "history: the cell: expected a text in UTF-8");
    return FALSE;
  }
  return TRUE;
}

static int list(const Options *options, char **arguments) {
  (void)arguments;
  GError *error = NULL;
  const BhStoreQuery query = query_of(options, NULL);
  if (!check_query(&query, &error))
    return bh_cli_fail(error);
  g_autoptr(BhStore) store = bh_store_open(path_of(options), FALSE, &error);
  g_autoptr(GPtrArray) runs = store ? bh_store_runs(store, &query, &error) : NULL;
  if (!runs)
    return bh_cli_fail(error);
  const BhTimelineLook look = look_of(options);
  g_autofree char *text = bh_timeline_runs_text(runs, &look);
  fputs(text, stdout);
  return BH_EXIT_OK;
}

/* Nothing found is an error: a glob with a typing error must not look like a cell without a past. */
static BhStoreHistory *read_history(const Options *options, const char *cell, GError **error) {
  const BhStoreQuery query = query_of(options, cell);
  if (!check_query(&query, error))
    return NULL;
  g_autoptr(BhStore) store = bh_store_open(path_of(options), FALSE, error);
  g_autoptr(BhStoreHistory) history = store ? bh_store_history(store, &query, error) : NULL;
  if (!history || history->series->len > 0)
    return g_steal_pointer(&history);
  g_autofree char *shown = bh_text_shown(cell ? cell : "*");
  g_set_error(error, BH_ERROR, BH_ERROR_USAGE,
              "history: no run%s has a cell that matches '%s': expected a glob over labels, part of a label or the "
              "beginning of an id",
              options->machine || options->since || options->branch ? " that was asked for" : "", shown);
  return NULL;
}

static int show(const Options *options, char **arguments) {
  GError *error = NULL;
  g_autoptr(BhStoreHistory) history = read_history(options, arguments[0], &error);
  if (!history)
    return bh_cli_fail(error);
  const BhTimelineLook look = look_of(options);
  g_autofree char *text = bh_timeline_series_text(history, &look);
  fputs(text, stdout);
  return BH_EXIT_OK;
}

static gboolean read_test(const Options *options, BhTimelineTest *ret, GError **error) {
  char *end = NULL;
  *ret = bh_timeline_test_default();
  if (options->alpha_text)
    ret->alpha = g_ascii_strtod(options->alpha_text, &end);
  if (options->permutations != NOT_GIVEN)
    ret->permutations = (guint)MAX(options->permutations, 0);
  if (options->seed != NOT_GIVEN)
    ret->seed = (guint64)options->seed;
  if ((end && (*end || end == options->alpha_text)) || !(ret->alpha > 0) || !(ret->alpha < 1)) {
    g_set_error(error, BH_ERROR, BH_ERROR_USAGE, "history: --alpha: expected a probability between 0 and 1, like 0.05");
    return FALSE;
  }
  if (options->seed != NOT_GIVEN && options->seed < 0) {
    g_set_error(error, BH_ERROR, BH_ERROR_USAGE, "history: --seed: expected a whole number of at least 0");
    return FALSE;
  }
  if (ret->permutations < 99 || ret->permutations > 99999 || 1.0 / (ret->permutations + 1) > ret->alpha) {
    g_set_error(error, BH_ERROR, BH_ERROR_USAGE,
                "history: --permutations: expected 99 to 99999, and more than 1/alpha - 1: p is never below 1/(N+1)");
    return FALSE;
  }
  return TRUE;
}

static int changes(const Options *options, char **arguments) {
  GError *error = NULL;
  BhTimelineTest test;
  if (!read_test(options, &test, &error))
    return bh_cli_fail(error);
  g_autoptr(BhStoreHistory) history = read_history(options, arguments[0], &error);
  if (!history)
    return bh_cli_fail(error);
  guint tested;
  const BhTimelineLook look = look_of(options);
  g_autoptr(GPtrArray) found = bh_timeline_changes(history, &test, &tested);
  g_autofree char *text = options->json ? bh_timeline_changes_json(found, tested, &test)
                                        : bh_timeline_changes_text(found, tested, &test, &look);
  fputs(text, stdout);
  return BH_EXIT_OK;
}

static int rm(const Options *options, char **arguments) {
  GError *error = NULL;
  g_autoptr(GArray) ids = g_array_new(FALSE, FALSE, sizeof(gint64));
  for (; *arguments; arguments++) {
    gint64 id;
    if (!g_ascii_string_to_signed(*arguments, 10, 1, G_MAXINT64, &id, NULL)) {
      g_autofree char *shown = bh_text_shown(*arguments);
      fprintf(stderr, "benchhost: history: '%s' is no run: expected a number of `benchhost history list`\n", shown);
      return BH_EXIT_USAGE;
    }
    g_array_append_val(ids, id);
  }
  g_autoptr(BhStore) store = bh_store_open(path_of(options), FALSE, &error);
  if (!store || !bh_store_remove(store, ids, &error))
    return bh_cli_fail(error);
  printf("removed %u run%s\n", ids->len, ids->len == 1 ? "" : "s");
  return BH_EXIT_OK;
}

static int export(const Options *options, char **arguments) {
  GError *error = NULL;
  if (options->csv == options->json) {
    fputs("benchhost: history: export: expected --csv or --json\n", stderr);
    return BH_EXIT_USAGE;
  }
  g_autoptr(BhStoreHistory) history = read_history(options, arguments[0], &error);
  if (!history)
    return bh_cli_fail(error);
  g_autofree char *text = options->csv ? bh_timeline_csv(history) : bh_timeline_json(history);
  fputs(text, stdout);
  return BH_EXIT_OK;
}

/* ---- which options and arguments go with which action ---- */

enum { O_ADD = 1, O_QUERY = 2, O_TEST = 4, O_CSV = 8, O_JSON = 16, O_BRANCH = 32 };

static const struct {
  const char *name;
  int (*run)(const Options *options, char **arguments);
  guint least, most; /* arguments */
  guint options;
  const char *expected;
} actions[] = {
    {"add", add, 1, G_MAXINT, O_ADD | O_BRANCH, "a journal (*.jsonl) or more"},
    {"list", list, 0, 0, O_QUERY | O_BRANCH, "no argument"},
    {"show", show, 1, 1, O_QUERY | O_BRANCH, "one cell: a glob over labels, or an id"},
    {"changes", changes, 0, 1, O_QUERY | O_BRANCH | O_TEST | O_JSON, "at most one cell: a glob over labels, or an id"},
    {"rm", rm, 1, G_MAXINT, 0, "the number of a run or more"},
    {"export", export, 0, 1, O_QUERY | O_BRANCH | O_CSV | O_JSON, "at most one cell: a glob over labels, or an id"},
};

static const char *misplaced(const Options *options, guint allowed) {
  const struct {
    gboolean given;
    guint needs;
    const char *name;
  } table[] = {{options->commit != NULL, O_ADD, "--commit"},
               {options->label != NULL, O_ADD, "--label"},
               {options->again, O_ADD, "--again"},
               {options->branch != NULL, O_BRANCH, "--branch"},
               {options->machine != NULL, O_QUERY, "--machine"},
               {options->since != NULL, O_QUERY, "--since"},
               {options->alpha_text != NULL, O_TEST, "--alpha"},
               {options->permutations != NOT_GIVEN, O_TEST, "--permutations"},
               {options->seed != NOT_GIVEN, O_TEST, "--seed"},
               {options->csv, O_CSV, "--csv"},
               {options->json, O_JSON, "--json"}};
  for (guint i = 0; i < G_N_ELEMENTS(table); i++)
    if (table[i].given && !(allowed & table[i].needs))
      return table[i].name;
  return NULL;
}

static int dispatch(const Options *options, int argc, char **argv) {
  const char *names[G_N_ELEMENTS(actions) + 1] = {NULL};
  for (guint i = 0; i < G_N_ELEMENTS(actions); i++) {
    names[i] = actions[i].name;
    if (argc < 2 || strcmp(argv[1], actions[i].name))
      continue;
    const char *wrong = misplaced(options, actions[i].options);
    const guint given = (guint)argc - 2;
    if (!wrong && given >= actions[i].least && given <= actions[i].most)
      return actions[i].run(options, argv + 2);
    if (wrong)
      fprintf(stderr, "benchhost: history: %s does not go with `%s`; try 'benchhost history --help'\n", wrong, argv[1]);
    else
      fprintf(stderr, "benchhost: history: %s: expected %s, got %u arguments; try 'benchhost history --help'\n",
              argv[1], actions[i].expected, given);
    return BH_EXIT_USAGE;
  }
  g_autofree char *shown = bh_text_shown(argc < 2 ? "" : argv[1]);
  g_autofree char *hint = bh_text_suggest(shown, names);
  fprintf(stderr, "benchhost: history: expected add, list, show, changes, rm or export, got '%s'%s\n", shown,
          g_str_has_prefix(hint, ": did") ? hint : "");
  return BH_EXIT_USAGE;
}

static const char description[] = "Actions:\n"
                                  "  add JOURNAL...          add runs: all or none\n"
                                  "  list                    the runs\n"
                                  "  show CELL               a cell over time, per machine\n"
                                  "  changes [CELL]          where figures changed (advisory), per machine\n"
                                  "  rm RUN...               remove runs, by their numbers\n"
                                  "  export [CELL]           everything, as --csv or --json\n"
                                  "\nCELL is a glob over labels, part of a label, or the beginning of a cell's id (6 "
                                  "digits or more). The history is\n"
                                  "--db, else $BENCHHOST_HISTORY, else " DEFAULT_PATH " in the current folder.";

int bh_cmd_history(int argc, char **argv) {
  g_auto(Options) options = {.permutations = NOT_GIVEN, .seed = NOT_GIVEN};
  GOptionEntry entries[] = {
      {"db", 0, 0, G_OPTION_ARG_FILENAME, &options.db, "The history's file", "FILE"},
      {"commit", 0, 0, G_OPTION_ARG_STRING, &options.commit,
       "add: what was measured; default: the commit of the current folder, by git; empty: none", "ID"},
      {"branch", 0, 0, G_OPTION_ARG_STRING, &options.branch, "add: likewise; others: only runs of this branch", "NAME"},
      {"label", 0, 0, G_OPTION_ARG_STRING, &options.label, "add: a word about the run", "TEXT"},
      {"again", 0, 0, G_OPTION_ARG_NONE, &options.again, "add: also journals that are there already", NULL},
      {"machine", 0, 0, G_OPTION_ARG_STRING, &options.machine, "Only runs on this machine (beginning of a fingerprint)",
       "FINGERPRINT"},
      {"since", 0, 0, G_OPTION_ARG_STRING, &options.since, "Only runs started then or later: 2026-01-31, 2026-01",
       "DATE"},
      {"alpha", 0, 0, G_OPTION_ARG_STRING, &options.alpha_text, "changes: the permutation tests' level (0.05)", "P"},
      {"permutations", 0, 0, G_OPTION_ARG_INT, &options.permutations, "changes: how many (999)", "N"},
      {"seed", 0, 0, G_OPTION_ARG_INT, &options.seed, "changes: of the permutations (42)", "SEED"},
      {"csv", 0, 0, G_OPTION_ARG_NONE, &options.csv, "export: one row per run and cell", NULL},
      {"json", 0, 0, G_OPTION_ARG_NONE, &options.json, "export, changes: as JSON", NULL},
      {"no-color", 0, 0, G_OPTION_ARG_NONE, &options.no_color, "No colours, also on a terminal", NULL},
      {NULL},
  };
  g_autoptr(GOptionContext) context = g_option_context_new("ACTION [ARGUMENTS] - keep runs over time, and look back");
  g_option_context_add_main_entries(context, entries, NULL);
  g_option_context_set_description(context, description);
  GError *error = NULL;
  if (!g_option_context_parse(context, &argc, &argv, &error))
    return bh_cli_fail(error);
  return dispatch(&options, argc, argv);
}
