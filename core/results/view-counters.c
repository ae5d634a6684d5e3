/* SPDX-License-Identifier: MIT
 * Owns the section of the final table that shows counters: a row per cell, a column per counter that could be read
 * anywhere, and what follows from two of them. */
#include "base/text.h"
#include "results/display.h"
#include "results/observed.h"
#include "results/view-internal.h"

#include <string.h>

#define MOST_COLUMNS 24

/* What two counters say together. */
static const struct {
  const char *name, *a, *b;
  gboolean percent;
} derived[] = {
    {"IPC", "instructions", "cycles", FALSE},
    {"cache miss", "cache-misses", "cache-references", TRUE},
    {"branch miss", "branch-misses", "branches", TRUE},
};

static char *count_text(double count) {
  g_autofree char *text = bh_text_rate(count, "");
  g_autofree char *figure = g_strndup(text, strlen(text) - strlen("/s"));
  return g_strdup(g_strstrip(figure));
}

static char *observed_text(const BhObserved *observed) {
  if (!observed->exists)
    return g_strdup("-");
  if (!strcmp(observed->unit, "ns"))
    return bh_text_duration(observed->median);
  if (!strcmp(observed->unit, ""))
    return count_text(observed->median);
  g_autofree char *figure = bh_view_ratio(observed->median);
  return g_strconcat(figure, " ", observed->unit, NULL);
}

/* Those of `names` that some cell of the group has. */
static GPtrArray *present(const GPtrArray *group, const GPtrArray *names) {
  GPtrArray *found = g_ptr_array_new();
  for (guint k = 0; k < names->len && found->len < MOST_COLUMNS; k++)
    for (guint i = 0; i < group->len; i++)
      if (bh_observed_counter(group->pdata[i], names->pdata[k]).exists) {
        g_ptr_array_add(found, names->pdata[k]);
        break;
      }
  return found;
}

static gboolean has_ratio(const GPtrArray *group, guint which) {
  double ratio;
  for (guint i = 0; i < group->len; i++)
    if (bh_observed_ratio(group->pdata[i], derived[which].a, derived[which].b, &ratio))
      return TRUE;
  return FALSE;
}

static char *ratio_text(const BhMerged *cell, guint which) {
  double ratio;
  if (!bh_observed_ratio(cell, derived[which].a, derived[which].b, &ratio))
    return g_strdup("-");
  return derived[which].percent ? bh_view_percent(ratio) : bh_view_ratio(ratio);
}

static void add_row(BhViewSection *section, const BhViewIdentity *identity, const GPtrArray *group,
                    const GPtrArray *shown, const BhMerged *cell, BhViewMarks *marks) {
  g_autoptr(GPtrArray) texts = g_ptr_array_new();
  bh_view_identity_texts(identity, cell, marks, texts);
  if (cell->status == BH_CELL_OK) {
    const BhObserved cpu = bh_observed_cpu(cell);
    g_ptr_array_add(texts, observed_text(&cpu));
    for (guint i = 0; i < shown->len; i++) {
      const BhObserved observed = bh_observed_counter(cell, shown->pdata[i]);
      g_ptr_array_add(texts, observed_text(&observed));
    }
    for (guint i = 0; i < G_N_ELEMENTS(derived); i++)
      if (has_ratio(group, i))
        g_ptr_array_add(texts, ratio_text(cell, i));
  }
  bh_view_add_row(section, cell, texts, marks);
}

BhViewSection *bh_view_counters(const GPtrArray *group, const char *title, BhViewMarks *marks) {
  g_autoptr(GPtrArray) names = bh_observed_counters(group);
  g_autoptr(GPtrArray) shown = present(group, names);
  if (!shown->len)
    return NULL;
  BhViewSection *section = bh_view_section_new();
  g_auto(BhViewIdentity) identity = {0};
  bh_view_identity_init(&identity, group);
  bh_view_identity_columns(&identity, section, marks);
  bh_view_add_column(section, "CPU time", TRUE, 0);
  for (guint i = 0; i < shown->len; i++) {
    g_autofree char *clean = bh_display_clean(shown->pdata[i], marks->ascii);
    g_autofree char *name = bh_display_cut(clean, 24);
    bh_view_add_column(section, name, TRUE, 1 + i);
  }
  for (guint i = 0; i < G_N_ELEMENTS(derived); i++)
    if (has_ratio(group, i))
      bh_view_add_column(section, derived[i].name, TRUE, 0);
  for (guint i = 0; i < group->len; i++)
    add_row(section, &identity, group, shown, group->pdata[i], marks);
  section->title = g_strconcat(title, ": counters, per run", NULL);
  return section;
}

/* "cycles, instructions: not available: this processor ..." */
void bh_view_counters_legend(const GPtrArray *cells, GPtrArray *legend, gboolean ascii) {
  g_autoptr(GPtrArray) names = bh_observed_counters(cells);
  g_autoptr(GPtrArray) reasons = g_ptr_array_new(); /* borrowed from records */
  g_autoptr(GPtrArray) lists =
      g_ptr_array_new_with_free_func((GDestroyNotify)g_ptr_array_unref); /* of names, likewise */
  for (guint k = 0; k < MIN(names->len, MOST_COLUMNS); k++) {
    const char *why = NULL;
    for (guint i = 0; !why && i < cells->len; i++) {
      const BhMerged *cell = cells->pdata[i];
      const BhObserved observed = bh_observed_counter(cell, names->pdata[k]);
      why = cell->status == BH_CELL_OK && !observed.exists ? observed.why : NULL;
    }
    guint at;
    if (!why)
      continue;
    if (!g_ptr_array_find_with_equal_func(reasons, why, g_str_equal, &at)) {
      at = reasons->len;
      g_ptr_array_add(reasons, (gpointer)why);
      g_ptr_array_add(lists, g_ptr_array_new());
    }
    g_ptr_array_add(lists->pdata[at], names->pdata[k]);
  }
  for (guint i = 0; i < reasons->len; i++) {
    g_ptr_array_add(lists->pdata[i], NULL);
    g_autofree char *list = g_strjoinv(", ", (char **)((GPtrArray *)lists->pdata[i])->pdata);
    g_autofree char *text = g_strconcat("not available: ", list, " (", reasons->pdata[i], ")", NULL);
    g_ptr_array_add(legend, bh_display_clean(text, ascii));
  }
}
