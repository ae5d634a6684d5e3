/* SPDX-License-Identifier: MIT
 * Owns what a comparison says in words: figures, changes, one sentence per cell, the closing paragraph. */
#include "gate/ab.h"
#include "gate/known.h"

#include "base/text.h"

#include <math.h>
#include <string.h>

/* "5.1": one digit behind the point, two below 1. */
static char *percent(double share) {
  char text[G_ASCII_DTOSTR_BUF_SIZE];
  g_ascii_formatd(text, sizeof text, fabs(share) < 0.00995 ? "%.2f" : "%.1f", share * 100);
  return g_strdup(text);
}

static char *signed_percent(double share) {
  g_autofree char *text = percent(share);
  return g_strconcat(share >= 0 ? "+" : "", text, NULL);
}

/* "2 %" for settings: as short as it can be. */
static char *setting(double share) {
  char text[G_ASCII_DTOSTR_BUF_SIZE];
  g_ascii_formatd(text, sizeof text, "%.4g", share * 100);
  return g_strconcat(text, " %", NULL);
}

char *bh_ab_figure_text(const BhAbCell *cell, double value) {
  if (!strcmp(cell->unit, "ns"))
    return bh_text_duration(value);
  if (!strcmp(cell->unit, "bytes"))
    return bh_text_bytes(value);
  char text[G_ASCII_DTOSTR_BUF_SIZE];
  g_ascii_formatd(text, sizeof text, "%.4g", value);
  return g_strconcat(text, *cell->unit ? " " : "", cell->unit, NULL);
}

gboolean bh_ab_change(const BhAbCell *cell, double *ret_change, double *ret_low, double *ret_high) {
  const BhDecision *d = &cell->decision;
  const double sign = cell->higher_is_better ? -1 : 1;
  /* + 0: no -0, which would be printed. */
  if (ret_low)
    *ret_low = cell->decided && d->has_interval ? expm1(cell->higher_is_better ? -d->high : d->low) + 0. : 0;
  if (ret_high)
    *ret_high = cell->decided && d->has_interval ? expm1(cell->higher_is_better ? -d->low : d->high) + 0. : 0;
  *ret_change = cell->decided ? expm1(sign * d->shift) + 0. : 0;
  return cell->decided;
}

char *bh_ab_change_text(const BhAbCell *cell) {
  double change, low, high;
  if (!bh_ab_change(cell, &change, &low, &high))
    return g_strdup("-");
  g_autofree char *middle = signed_percent(change);
  if (!cell->decision.has_interval)
    return g_strdup_printf("%s %%", middle);
  g_autofree char *from = signed_percent(low), *to = signed_percent(high);
  return g_strdup_printf("%s %% [%s, %s]", middle, from, to);
}

/* "10.2 % slower (95 %: 9.1 to 11.3 %)" */
static char *change_words(const BhAbCell *cell) {
  double change, low, high;
  bh_ab_change(cell, &change, &low, &high);
  const gboolean time = !strcmp(cell->unit, "ns"), more = change >= 0;
  const char *word = time ? (more ? "slower" : "faster") : more ? "larger" : "smaller";
  g_autofree char *middle = percent(fabs(change));
  if (!cell->decision.has_interval)
    return g_strdup_printf("%s %% %s", middle, word);
  g_autofree char *from = percent((more ? low : -high) + 0.), *to = percent((more ? high : -low) + 0.);
  return g_strdup_printf("%s %% %s (95 %%: %s to %s %%)", middle, word, from, to);
}

static const char *figure_name(const BhAbCell *cell) {
  return strcmp(cell->primary, "wall") ? cell->primary : "";
}

char *bh_ab_cell_sentence(const BhAbCell *cell) {
  GString *text = g_string_new(cell->label);
  const char *name = figure_name(cell);
  g_string_append_printf(text, ": %s%s%s", bh_ab_outcome_name(cell->outcome), *name ? " in " : "", name);
  if (cell->decided) {
    g_autofree char *words = change_words(cell);
    g_string_append_printf(text, ", %s", words);
  }
  if (cell->decided && cell->side[0].has_median && cell->side[1].has_median) {
    g_autofree char *base = bh_ab_figure_text(cell, cell->side[0].median);
    g_autofree char *candidate = bh_ab_figure_text(cell, cell->side[1].median);
    g_string_append_printf(text, ", %s to %s", base, candidate);
  }
  if (cell->reason)
    g_string_append_printf(text, "; %s", cell->reason);
  return g_string_free(text, FALSE);
}

char *bh_ab_counts_text(const BhAbReport *report) {
  static const BhAbOutcome order[] = {BH_AB_REGRESSED, BH_AB_IMPROVED, BH_AB_EQUIVALENT, BH_AB_INCONCLUSIVE,
                                      BH_AB_WRONG,     BH_AB_BROKEN,   BH_AB_SKIPPED};
  GString *text = g_string_new(NULL);
  for (guint i = 0; i < G_N_ELEMENTS(order); i++)
    if (report->count[order[i]])
      g_string_append_printf(text, "%s%u %s", text->len ? ", " : "", report->count[order[i]],
                             bh_ab_outcome_name(order[i]));
  return g_string_free(text, FALSE);
}

/* ---- Closing ---- */

static void add_rule(GString *text, const BhAbReport *report) {
  const BhRule *rule = &report->rule;
  BhKnown known;
  g_autofree char *shift = setting(rule->screen_shift), *margin = setting(rule->margin), *q = setting(rule->q);
  g_autofree char *zone = setting(rule->equivalence), *near = setting(rule->equivalent_shift);
  g_string_append_printf(
      text,
      "The rule: cells more than %s off after %u screening rounds are measured in %u fresh rounds; "
      "regressed means that "
      "an exact signed-rank test there puts the change beyond %s at a false discovery rate of %s, "
      "and that the estimate "
      "is at least as large; equivalent means that the 90 %% interval lies within +-%s, the estimate "
      "within +-%s, and that both arms' times are spread alike. ",
      shift, rule->screen_rounds, rule->confirm_rounds, margin, q, zone, near);
  if (!bh_rule_known(rule, &known)) {
    g_string_append(text, "How often the rule errs with these settings has not been measured (docs/calibration.md). ");
    return;
  }
  g_autofree char *wrong = setting(known.false_runs), *high = setting(known.false_runs_high);
  g_autofree char *five = setting(known.found_5), *ten = setting(known.found_10);
  g_string_append_printf(text,
                         "Known of it (%s, %u runs of %u cells, docs/calibration.md): it shows a regression in %s of "
                         "unchanged runs (at most %s), and finds %s of slowdowns by 5 %% and %s of those by 10 %%. ",
                         known.conditions, known.runs, known.cells, wrong, high, five, ten);
}

static void add_control(GString *text, const BhAbControl *control) {
  if (control->state == BH_CONTROL_NONE) {
    g_string_append_printf(text, "There was no A/A control: %s. ", control->why);
    return;
  }
  g_autofree char *change = bh_ab_change_text(control->cell);
  g_string_append_printf(text, "A/A control (base against a copy of itself, %s): %s, %s. ", control->cell->label,
                         bh_ab_outcome_name(control->cell->outcome), change);
  if (control->state == BH_CONTROL_FLAGGED)
    g_string_append(text, "It shows a change where there is none: nothing that this run says can be relied on. ");
}

static void add_environment(GString *text, const BhAbReport *report) {
  const GPtrArray *bad = report->environment_bad;
  if (!bad->len) {
    g_string_append(text, "Environment: nothing bad was found. ");
    return;
  }
  g_string_append(text, "Environment, bad: ");
  for (guint i = 0; i < bad->len; i++) {
    const BhAbFact *fact = bad->pdata[i];
    g_string_append_printf(text, "%s%s", i ? ", " : "", fact->name);
    if (fact->value && strlen(fact->value) <= 40)
      g_string_append_printf(text, " (%s)", fact->value);
  }
  g_string_append(text, ". ");
}

static guint count_rejected(const BhAbReport *report) {
  guint n = report->control.cell ? report->control.cell->rejected : 0;
  for (guint i = 0; i < report->cells->len; i++)
    n += ((const BhAbCell *)report->cells->pdata[i])->rejected;
  return n;
}

static void add_ending(GString *text, const BhAbReport *report) {
  const guint rejected = count_rejected(report);
  if (report->same_files)
    g_string_append(text, "Base and candidate are the same builds with the same values: an A/A run. ");
  if (report->interrupted)
    g_string_append(text, "It was interrupted: decided as far as possible, and not complete. ");
  else if (report->out_of_time)
    g_string_append(text, "The time budget ended it: cells without all their pairs are inconclusive unless a change "
                          "was already beyond doubt. ");
  if (report->invalid)
    g_string_append_printf(text, "The environment was invalid: %s. ", report->invalid);
  if (rejected)
    g_string_append_printf(text, "%u pair%s struck and measured again. ", rejected, rejected == 1 ? " was" : "s were");
}

char *bh_ab_closing_text(const BhAbReport *report) {
  GString *text = g_string_new(NULL);
  g_autofree char *counts = bh_ab_counts_text(report);
  g_string_append_printf(text, "%s: %s. ", counts, report->exit_why);
  add_ending(text, report);
  add_control(text, &report->control);
  add_rule(text, report);
  add_environment(text, report);
  return g_strchomp(g_string_free(text, FALSE));
}
