/* SPDX-License-Identifier: MIT
 * Owns how the report's figures look in a terminal. */
#include "parallel/sheet.h"
#include "base/text.h"
#include "results/display.h"
#include "results/fields.h"
#include "results/grid.h"

#include <math.h>

#define PLAIN_WIDTH 100

struct BhSheet {
  BhGrid *grid;
  GPtrArray *notes; /* of char * */
  guint columns, width;
  gboolean ascii;
};

BhSheet *bh_sheet_new(const char *const *names, guint width, gboolean ascii) {
  BhSheet *sheet = g_new0(BhSheet, 1);
  sheet->grid = bh_grid_new(ascii);
  sheet->notes = g_ptr_array_new_with_free_func(g_free);
  sheet->width = width;
  sheet->ascii = ascii;
  for (; names[sheet->columns]; sheet->columns++)
    bh_grid_column(sheet->grid, names[sheet->columns], sheet->columns > 0, 0);
  return sheet;
}

void bh_sheet_free(BhSheet *sheet) {
  if (!sheet)
    return;
  bh_grid_free(sheet->grid);
  g_ptr_array_unref(sheet->notes);
  g_free(sheet);
}

void bh_sheet_add(BhSheet *sheet, ...) {
  va_list args;
  va_start(args, sheet);
  bh_grid_row(sheet->grid);
  for (guint c = 0; c < sheet->columns; c++)
    bh_grid_take(sheet->grid, va_arg(args, char *));
  va_end(args);
}

void bh_sheet_note(BhSheet *sheet, const char *text) {
  if (sheet && !g_ptr_array_find_with_equal_func(sheet->notes, text, g_str_equal, NULL))
    g_ptr_array_add(sheet->notes, g_strdup(text));
}

void bh_sheet_draw(const BhSheet *sheet, GString *out) {
  if (bh_grid_rows(sheet->grid))
    bh_grid_draw(sheet->grid, out, sheet->width, FALSE);
  for (guint i = 0; i < sheet->notes->len; i++) {
    g_autofree char *clean = bh_display_clean(sheet->notes->pdata[i], sheet->ascii);
    g_string_append(out, "  ");
    bh_display_wrap(out, clean, 2, sheet->width ? sheet->width : PLAIN_WIDTH, 4);
    g_string_append_c(out, '\n');
  }
}

static char *interval_end(BhSheet *sheet, JsonArray *interval, guint i, BhNumberText format) {
  JsonNode *node = i < json_array_get_length(interval) ? json_array_get_element(interval, i) : NULL;
  if (node && JSON_NODE_HOLDS_VALUE(node))
    return format(json_node_get_double(node));
  bh_sheet_note(sheet, "< and > in an interval: this end lies outside what was measured");
  return g_strdup(i ? ">" : "<");
}

char *bh_sheet_figure(BhSheet *sheet, JsonObject *parent, const char *key, BhNumberText format) {
  JsonObject *figure = bh_fields_object(parent, key);
  double value = 0;
  const gboolean exists = bh_fields_number(figure, "value", &value);
  JsonArray *interval = bh_fields_array(figure, "ci");
  if (!exists) {
    g_autofree char *note = g_strdup_printf("-: %s", bh_fields_string(figure, "reason"));
    bh_sheet_note(sheet, note);
  }
  g_autofree char *text = exists ? format(value) : g_strdup("-");
  if (!interval) {
    const char *why = bh_fields_string(figure, "ci_reason");
    g_autofree char *note = exists && why ? g_strdup_printf("no interval: %s", why) : NULL;
    if (note)
      bh_sheet_note(sheet, note);
    return g_steal_pointer(&text);
  }
  g_autofree char *low = interval_end(sheet, interval, 0, format), *high = interval_end(sheet, interval, 1, format);
  return g_strdup_printf("%s [%s, %s]", text, low, high);
}

char *bh_sheet_short(double x) {
  char buffer[G_ASCII_DTOSTR_BUF_SIZE];
  const double size = fabs(x);
  const char *format = size >= 1e6 || (size < 1e-4 && size > 0) ? "%.2e"
                       : size >= 99.95                          ? "%.0f"
                       : size >= 9.995                          ? "%.1f"
                       : size >= 0.0995 || size == 0            ? "%.2f"
                       : size >= 0.00995                        ? "%.3f"
                       : size >= 0.000995                       ? "%.4f"
                                                                : "%.5f";
  return g_strdup(g_ascii_formatd(buffer, sizeof buffer, format, x));
}

char *bh_sheet_size(double x) {
  char buffer[G_ASCII_DTOSTR_BUF_SIZE];
  return g_strdup(g_ascii_formatd(buffer, sizeof buffer, fabs(x) < 1e7 && x == floor(x) ? "%.0f" : "%.4g", x));
}

char *bh_sheet_percent(double x) {
  char buffer[G_ASCII_DTOSTR_BUF_SIZE];
  const double percent = x * 100;
  g_autofree char *digits =
      g_strdup(g_ascii_formatd(buffer, sizeof buffer, fabs(percent) < 9.95 ? "%.1f" : "%.0f", percent));
  return g_strconcat(digits, "%", NULL);
}

char *bh_sheet_time(double ns) {
  return bh_text_duration(ns);
}
