/* SPDX-License-Identifier: MIT
 * Owns the options of `benchhost ab`. */
#include "cli/ab-options.h"

#include "base/primary.h"
#include "base/text.h"
#include "base/value.h"

#include <string.h>

#define MOST_ROUNDS 1000 /* the exact test's distribution is computed for so many pairs at most */
#define LEAST_SCREEN 6   /* with fewer there is no 95 % interval */

void bh_ab_options_clear(BhAbOptions *o) {
  bh_matrix_options_clear(&o->matrix);
  g_free(o->output);
  g_free(o->json);
  g_free(o->junit);
  g_free(o->markdown);
  g_free(o->from);
  g_free(o->resume);
  g_free(o->control);
  g_free(o->primary);
  g_free(o->raw.margin);
  g_free(o->raw.equivalence);
  g_free(o->raw.fdr);
  g_free(o->raw.screen_shift);
  g_free(o->raw.budget);
  g_free(o->raw.inconclusive);
  g_free(o->raw.seed);
  g_strfreev(o->raw.measures);
}

static void add_deciding(GOptionContext *context, BhAbOptions *o) {
  const GOptionEntry entries[] = {
      {"screen-rounds", 0, 0, G_OPTION_ARG_INT, &o->raw.screen_rounds, "Rounds over all cells (default: 10)", "N"},
      {"confirm-rounds", 0, 0, G_OPTION_ARG_INT, &o->raw.confirm_rounds,
       "Fresh rounds over cells that looked changed (default: 30)", "N"},
      {"screen-shift", 0, 0, G_OPTION_ARG_STRING, &o->raw.screen_shift,
       "What looks changed after screening (default: 1%)", "SHARE"},
      {"margin", 0, 0, G_OPTION_ARG_STRING, &o->raw.margin, "The smallest change that counts (default: 2%)", "SHARE"},
      {"equivalence", 0, 0, G_OPTION_ARG_STRING, &o->raw.equivalence,
       "Half the width of the zone of what is unchanged (default: 5%)", "SHARE"},
      {"fdr", 'q', 0, G_OPTION_ARG_STRING, &o->raw.fdr, "False discovery rate over the suspects (default: 5%)",
       "SHARE"},
      {"primary", 0, 0, G_OPTION_ARG_STRING, &o->primary,
       "The figure to compare: wall, total, cpu, memory, counter:NAME, metric:NAME (default: the matrix's)", "FIGURE"},
      {"inconclusive", 0, 0, G_OPTION_ARG_STRING, &o->raw.inconclusive,
       "Exit status of cells that are merely inconclusive: pass (0, default) or fail (2)", "WHAT"},
      {"strict", 0, 0, G_OPTION_ARG_NONE, &o->strict, "Inconclusive cells fail (2), skipped ones too (4)", NULL},
      {"no-control", 0, 0, G_OPTION_ARG_NONE, &o->no_control, "Measure no A/A control", NULL},
      {"control", 0, 0, G_OPTION_ARG_STRING, &o->control,
       "The A/A control is the cheapest cell whose label matches (default: drawn among the cheaper half)", "GLOB"},
      {NULL},
  };
  g_option_context_add_main_entries(context, entries, NULL);
}

static void add_running(GOptionContext *context, BhAbOptions *o) {
  const GOptionEntry entries[] = {
      {"measure", 0, 0, G_OPTION_ARG_STRING_ARRAY, &o->raw.measures,
       "A setting of measuring, for all cells that do not give their own: max_samples=20 (repeatable)", "KEY=VALUE"},
      {"seed", 0, 0, G_OPTION_ARG_STRING, &o->raw.seed, "Seed of the order and of the inputs (default: the matrix's)",
       "N"},
      {"budget", 0, 0, G_OPTION_ARG_STRING, &o->raw.budget,
       "End after this time; what is not decided by then is inconclusive", "DURATION"},
      {"output", 'o', 0, G_OPTION_ARG_FILENAME, &o->output, "Journal to write (default: results/NAME-ab-DATE.jsonl)",
       "FILE"},
      {"json", 0, 0, G_OPTION_ARG_FILENAME, &o->json, "Write the result as JSON; - is standard output, without a table",
       "FILE"},
      {"junit", 0, 0, G_OPTION_ARG_FILENAME, &o->junit, "Write the result as JUnit XML, a test for each cell", "FILE"},
      {"markdown", 0, 0, G_OPTION_ARG_FILENAME, &o->markdown, "Write the result as Markdown", "FILE"},
      {"github", 0, 0, G_OPTION_ARG_NONE, &o->github,
       "Print annotations for GitHub, and append the Markdown to the job's summary (GITHUB_STEP_SUMMARY)", NULL},
      {"from", 0, 0, G_OPTION_ARG_FILENAME, &o->from, "Decide and print again from a journal; measures nothing",
       "JOURNAL"},
      {"resume", 0, 0, G_OPTION_ARG_FILENAME, &o->resume, "Go on with a journal: measure what it lacks", "JOURNAL"},
      {"dry-run", 'n', 0, G_OPTION_ARG_NONE, &o->dry_run, "Print the pairs and stop", NULL},
      {"quiet", 0, 0, G_OPTION_ARG_NONE, &o->quiet, "No progress and no closing line", NULL},
      {"plain", 0, 0, G_OPTION_ARG_NONE, &o->plain, "Progress as one line for each round, even on a terminal", NULL},
      {"verbose", 'v', 0, G_OPTION_ARG_NONE, &o->verbose, "A line for each visit, and what plugins log", NULL},
      {"no-color", 0, 0, G_OPTION_ARG_NONE, &o->no_color, "No colours (NO_COLOR does the same)", NULL},
      {"no-table", 0, 0, G_OPTION_ARG_NONE, &o->no_table, "Print no table at the end", NULL},
      {NULL},
  };
  g_option_context_add_main_entries(context, entries, NULL);
}

GOptionContext *bh_ab_options_context(BhAbOptions *o) {
  o->raw.screen_rounds = o->raw.confirm_rounds = G_MININT;
  GOptionContext *context = g_option_context_new("BASE CANDIDATE MATRIX.yaml - is the candidate slower than the base?");
  add_deciding(context, o);
  add_running(context, o);
  bh_matrix_options_add(context, &o->matrix);
  g_option_context_set_description(
      context,
      "BASE and CANDIDATE are each a folder of plugins, one plugin's file (NAME.so), one parameter's value\n"
      "(NAME=VALUE or backend.NAME=VALUE), or . for the plugins as installed.\n"
      "Exit status: 0 no regression, 1 a regression, 2 inconclusive, 3 wrong results, 4 cells that crashed,\n"
      "timed out, failed or ran out of memory, 64 bad usage, 70 a full disk, 130 interrupted. See benchhost(1).");
  return context;
}

/* ---- Reading ---- */

static gboolean bad(const char *option, const char *text, const char *expected, GError **error) {
  g_autofree char *shown = bh_text_shown(text);
  g_set_error(error, BH_ERROR, BH_ERROR_USAGE, "--%s '%s': expected %s", option, shown, expected);
  return FALSE;
}

/* "2%" or "0.02"; NULL leaves `ret` alone. Both ends are exclusive but `low` 0. */
static gboolean read_share(const char *option, const char *text, double high, double *ret, GError **error) {
  if (!text)
    return TRUE;
  g_autofree char *number = g_strstrip(g_strdup(text));
  const gboolean percent = g_str_has_suffix(number, "%");
  double value;
  if (percent)
    number[strlen(number) - 1] = '\0';
  g_autofree char *expected = g_strdup_printf("a share above 0 and below %g %%, like 2%% or 0.02", high * 100);
  if (!bh_value_parse_real(number, &value, NULL))
    return bad(option, text, expected, error);
  value = percent ? value / 100 : value;
  if (!(value > 0 && value < high))
    return bad(option, text, expected, error);
  *ret = value;
  return TRUE;
}

static gboolean read_rounds(const char *option, gint given, gint least, guint *ret, GError **error) {
  if (given == G_MININT)
    return TRUE;
  if (given < least || given > MOST_ROUNDS) {
    g_set_error(error, BH_ERROR, BH_ERROR_USAGE, "--%s %d: expected %d to %d rounds", option, given, least,
                MOST_ROUNDS);
    return FALSE;
  }
  *ret = (guint)given;
  return TRUE;
}

static gboolean settle_rule(BhAbOptions *o, GError **error) {
  const BhRule shipped = bh_rule_default();
  o->rule = o->from ? (BhRule){0} : shipped; /* 0: as the journal has it */
  if (!(read_rounds("screen-rounds", o->raw.screen_rounds, LEAST_SCREEN, &o->rule.screen_rounds, error) &&
        read_rounds("confirm-rounds", o->raw.confirm_rounds, LEAST_SCREEN, &o->rule.confirm_rounds, error) &&
        read_share("screen-shift", o->raw.screen_shift, 1, &o->rule.screen_shift, error) &&
        read_share("margin", o->raw.margin, 1, &o->rule.margin, error) &&
        read_share("equivalence", o->raw.equivalence, 1, &o->rule.equivalence, error) &&
        read_share("fdr", o->raw.fdr, 0.5, &o->rule.q, error)))
    return FALSE;
  /* What reaches the margin is never called unchanged. */
  o->rule.equivalent_shift = MIN(shipped.equivalent_shift, o->rule.margin);
  return TRUE;
}

static gboolean settle_texts(BhAbOptions *o, GError **error) {
  BhPrimary primary;
  if (o->raw.inconclusive && strcmp(o->raw.inconclusive, "pass") && strcmp(o->raw.inconclusive, "fail"))
    return bad("inconclusive", o->raw.inconclusive, "pass or fail", error);
  o->inconclusive_fails = !g_strcmp0(o->raw.inconclusive, "fail");
  if (o->primary && !bh_primary_parse(o->primary, &primary))
    return bad("primary", o->primary, "wall, total, cpu, memory, counter:NAME or metric:NAME", error);
  if (o->raw.budget && (!bh_value_parse_duration(o->raw.budget, &o->budget_ns, NULL) || o->budget_ns <= 0))
    return bad("budget", o->raw.budget, "a time above 0, like 10min", error);
  if (o->raw.seed && !g_ascii_string_to_unsigned(o->raw.seed, 10, 0, G_MAXINT64, &o->seed, NULL))
    return bad("seed", o->raw.seed, "a whole number of at least 0", error);
  o->has_seed = o->raw.seed != NULL;
  return TRUE;
}

/* --measure K=V is --set measure.K=V. */
static gboolean settle_measures(BhAbOptions *o, GError **error) {
  g_autoptr(GPtrArray) sets = g_ptr_array_new();
  for (char **measure = o->raw.measures; measure && *measure; measure++)
    if (!strchr(*measure, '=') || **measure == '=')
      return bad("measure", *measure, "KEY=VALUE, like max_samples=20", error);
  for (char **set = o->matrix.sets; set && *set; set++)
    g_ptr_array_add(sets, g_strdup(*set));
  for (char **measure = o->raw.measures; measure && *measure; measure++)
    g_ptr_array_add(sets, g_strconcat("measure.", *measure, NULL));
  g_ptr_array_add(sets, NULL);
  g_strfreev(o->matrix.sets);
  o->matrix.sets = (char **)g_ptr_array_free(g_steal_pointer(&sets), FALSE);
  return TRUE;
}

static gboolean refuse(GError **error, const char *message) {
  g_set_error_literal(error, BH_ERROR, BH_ERROR_USAGE, message);
  return FALSE;
}

static gboolean settle_from(const BhAbOptions *o, guint n_arguments, GError **error) {
  if (n_arguments)
    return refuse(error, "ab --from JOURNAL measures nothing: it takes no BASE, CANDIDATE and MATRIX");
  if (o->resume || o->output || o->budget_ns || o->has_seed || o->no_control || o->control || o->dry_run ||
      o->raw.measures || o->matrix.sets || o->matrix.params || o->matrix.filters || o->matrix.data)
    return refuse(error, "ab --from JOURNAL measures nothing: of the options only those that decide and print go with "
                         "it (--margin, --equivalence, --fdr, --screen-shift, --primary, --json ...)");
  if (o->raw.screen_rounds != G_MININT || o->raw.confirm_rounds != G_MININT)
    return refuse(error, "ab --from JOURNAL has the rounds that were measured: --screen-rounds and --confirm-rounds "
                         "cannot change them");
  return TRUE;
}

gboolean bh_ab_options_settle(BhAbOptions *o, guint n_arguments, GError **error) {
  if (!settle_rule(o, error) || !settle_texts(o, error))
    return FALSE;
  if (o->from)
    return settle_from(o, n_arguments, error);
  if (o->output && o->resume)
    return refuse(error, "--output and --resume exclude each other: a resumed comparison goes on in its own journal");
  if (o->control && o->no_control)
    return refuse(error, "--control and --no-control exclude each other");
  if (n_arguments != 3)
    return refuse(error, "ab: expected BASE CANDIDATE MATRIX.yaml; see 'benchhost ab --help'");
  return settle_measures(o, error);
}
