/* SPDX-License-Identifier: MIT
 * Owns a comparison's table on a terminal. */
#include "gate/ab.h"

#include "results/display.h"

#define LABEL_LEAST 20  /* columns that a label keeps */
#define PLAIN_WIDTH 100 /* of paragraphs where there is no terminal */

enum { LABEL, BASE, CANDIDATE, CHANGE, VERDICT, DETECTABLE, PAIRS, FLAGS, N_COLUMNS };
static const char *const titles[N_COLUMNS] = {"cell",    "base",       "candidate", "change [95 %]",
                                              "verdict", "detectable", "pairs",     "flags"};
/* Columns are left out in this order where the terminal is too narrow. */
static const guint spare[] = {FLAGS, PAIRS, DETECTABLE, BASE, CANDIDATE};

typedef struct {
  char *text[N_COLUMNS];
  const BhAbCell *cell;
} Row;

static void row_free(gpointer data) {
  Row *row = data;
  for (guint i = 0; i < N_COLUMNS; i++)
    g_free(row->text[i]);
  g_free(row);
}

static char *flags_text(const BhAbCell *cell) {
  g_autoptr(GPtrArray) flags = g_ptr_array_new();
  for (guint i = 0; i < cell->flags->len; i++)
    g_ptr_array_add(flags, cell->flags->pdata[i]);
  if (cell->cut_short)
    g_ptr_array_add(flags, (gpointer) "cut-short");
  g_ptr_array_add(flags, NULL);
  return g_strjoinv(" ", (char **)flags->pdata);
}

static char *detectable_text(const BhAbCell *cell) {
  char number[G_ASCII_DTOSTR_BUF_SIZE];
  if (!cell->decided || !(cell->decision.detectable > 0))
    return g_strdup("-");
  if (cell->decision.detectable >= 10)
    return g_strdup("> 1000 %");
  g_ascii_formatd(number, sizeof number, "%.1f", cell->decision.detectable * 100);
  return g_strdup_printf("%s %%", number);
}

static char *side_text(const BhAbCell *cell, BhAbSide side) {
  return cell->side[side].has_median ? bh_ab_figure_text(cell, cell->side[side].median) : g_strdup("-");
}

static Row *row_new(const BhAbCell *cell, gboolean control, gboolean ascii) {
  Row *row = g_new0(Row, 1);
  row->cell = cell;
  g_autofree char *label = control ? g_strconcat("A/A control: ", cell->label, NULL) : g_strdup(cell->label);
  row->text[LABEL] = bh_display_clean(label, ascii);
  for (guint side = 0; side < 2; side++) {
    g_autofree char *figure = side_text(cell, side);
    row->text[BASE + side] = bh_display_clean(figure, ascii);
  }
  row->text[CHANGE] = bh_ab_change_text(cell);
  row->text[VERDICT] = g_strdup(bh_ab_outcome_name(cell->outcome));
  row->text[DETECTABLE] = detectable_text(cell);
  row->text[PAIRS] = cell->n_confirm ? g_strdup_printf("%u+%u", cell->n_screen, cell->n_confirm)
                                     : g_strdup_printf("%u", cell->n_screen);
  g_autofree char *flags = flags_text(cell);
  row->text[FLAGS] = bh_display_clean(flags, ascii);
  return row;
}

static guint total_width(const guint *widths) {
  guint total = 0;
  for (guint c = 0; c < N_COLUMNS; c++)
    total += widths[c] ? widths[c] + 2 : 0;
  return total - 2;
}

static void fit(guint *widths, guint width) {
  for (guint i = 0; width && i < G_N_ELEMENTS(spare) && total_width(widths) > width; i++) {
    const guint over = total_width(widths) - width;
    if (widths[LABEL] >= LABEL_LEAST + over && i > 1)
      break; /* shortening labels a little is better than losing a figure */
    widths[spare[i]] = 0;
  }
  if (width && total_width(widths) > width) {
    const guint over = total_width(widths) - width;
    widths[LABEL] = widths[LABEL] > over + LABEL_LEAST ? widths[LABEL] - over : MIN(widths[LABEL], LABEL_LEAST);
  }
}

static const char *style_of(BhAbOutcome outcome) {
  switch (outcome) {
  case BH_AB_EQUIVALENT:
    return "";
  case BH_AB_IMPROVED:
    return "\033[32m";
  case BH_AB_INCONCLUSIVE:
  case BH_AB_SKIPPED:
    return "\033[33m";
  case BH_AB_REGRESSED:
  case BH_AB_WRONG:
  case BH_AB_BROKEN:
    return "\033[31m";
  }
  return "";
}

static void put_row(GString *out, const Row *row, const guint *widths, gboolean color) {
  const gsize start = out->len;
  for (guint c = 0; c < N_COLUMNS; c++) {
    if (!widths[c])
      continue;
    const gboolean right = c != LABEL && c != VERDICT && c != FLAGS && c != CHANGE;
    g_autofree char *text = bh_display_cut(row->cell ? row->text[c] : titles[c], widths[c]);
    const char *style = color && c == VERDICT && row->cell ? style_of(row->cell->outcome) : "";
    g_string_append(out, style);
    bh_display_pad(out, text, widths[c], right);
    g_string_append_printf(out, "%s  ", *style ? "\033[0m" : "");
  }
  while (out->len > start && out->str[out->len - 1] == ' ')
    g_string_truncate(out, out->len - 1);
  g_string_append_c(out, '\n');
}

static void put_paragraph(GString *out, const char *text, guint width, guint indent, gboolean ascii) {
  g_autofree char *clean = bh_display_clean(text, ascii);
  g_string_append_printf(out, "%*s", (int)indent, "");
  bh_display_wrap(out, clean, indent, width ? width : PLAIN_WIDTH, indent);
  g_string_append_c(out, '\n');
}

static void put_arm(GString *out, const char *which, const BhAbArm *arm, guint width, gboolean ascii) {
  static const char *const kinds[] = {"plugins as installed", "plugins of a folder", "one plugin", "a value"};
  g_autofree char *text = arm->kind == BH_ARM_INSTALLED
                              ? g_strdup_printf("%s: %s", which, kinds[arm->kind])
                              : g_strdup_printf("%s: %s (%s)", which, arm->given, kinds[arm->kind]);
  put_paragraph(out, text, width, 0, ascii);
}

char *bh_ab_table(const BhAbReport *report, gboolean color, guint width, gboolean ascii) {
  GString *out = g_string_new(NULL);
  g_autoptr(GPtrArray) rows = g_ptr_array_new_with_free_func(row_free);
  guint widths[N_COLUMNS];
  for (guint i = 0; i < report->cells->len; i++)
    g_ptr_array_add(rows, row_new(report->cells->pdata[i], FALSE, ascii));
  if (report->control.cell)
    g_ptr_array_add(rows, row_new(report->control.cell, TRUE, ascii));
  for (guint c = 0; c < N_COLUMNS; c++) {
    gboolean any = c != FLAGS;
    widths[c] = bh_display_width(titles[c]);
    for (guint i = 0; i < rows->len; i++) {
      const char *text = ((const Row *)rows->pdata[i])->text[c];
      widths[c] = MAX(widths[c], bh_display_width(text));
      any |= *text != '\0';
    }
    widths[c] = any ? widths[c] : 0;
  }
  fit(widths, width);
  put_arm(out, "base", &report->arm[BH_SIDE_BASE], width, ascii);
  put_arm(out, "candidate", &report->arm[BH_SIDE_CANDIDATE], width, ascii);
  g_string_append_c(out, '\n');
  put_row(out, &(Row){0}, widths, FALSE);
  for (guint i = 0; i < rows->len; i++) {
    const Row *row = rows->pdata[i];
    put_row(out, row, widths, color);
    if (row->cell->reason)
      put_paragraph(out, row->cell->reason, width, 4, ascii);
  }
  g_string_append_c(out, '\n');
  for (guint i = 0; i < report->notes->len; i++) {
    g_autofree char *note = g_strconcat("Note: ", report->notes->pdata[i], NULL);
    put_paragraph(out, note, width, 0, ascii);
  }
  g_autofree char *closing = bh_ab_closing_text(report);
  put_paragraph(out, closing, width, 0, ascii);
  return g_string_free(out, FALSE);
}
