/* SPDX-License-Identifier: MIT
 * Owns how the report's figures look in a terminal. */
#include "parallel/sheet.h"
#include "base/text.h"
#include "results/display.h"
#include "results/fields.h"

#include <math.h>
#include <string.h>

#define PLAIN_WIDTH 100

BhSheet *bh_sheet_new(const char *const *names, guint width, gboolean ascii) {
  BhSheet *grid = g_new0(BhSheet, 1);
  grid->rows = g_ptr_array_new_with_free_func((GDestroyNotify)g_strfreev);
  grid->notes = g_ptr_array_new_with_free_func(g_free);
  grid->columns = g_strv_length((char **)names);
  grid->width = width;
  grid->ascii = ascii;
  g_ptr_array_add(grid->rows, g_strdupv((char **)names));
  return grid;
}

void bh_sheet_free(BhSheet *grid) {
  if (!grid)
    return;
  g_ptr_array_unref(grid->rows);
  g_ptr_array_unref(grid->notes);
  g_free(grid);
}

void bh_sheet_add(BhSheet *grid, ...) {
  char **row = g_new0(char *, grid->columns + 1);
  va_list args;
  va_start(args, grid);
  for (guint c = 0; c < grid->columns; c++) {
    g_autofree char *text = va_arg(args, char *);
    row[c] = text ? bh_display_clean(text, grid->ascii) : g_strdup("");
  }
  va_end(args);
  g_ptr_array_add(grid->rows, row);
}

void bh_sheet_note(BhSheet *grid, const char *text) {
  if (grid && !g_ptr_array_find_with_equal_func(grid->notes, text, g_str_equal, NULL))
    g_ptr_array_add(grid->notes, bh_display_clean(text, grid->ascii));
}

static void draw_row(const BhSheet *grid, GString *out, char **row, const guint *widths) {
  const gsize start = out->len;
  for (guint c = 0; c < grid->columns; c++) {
    if (c)
      g_string_append(out, "  ");
    bh_display_pad(out, row[c], widths[c], c > 0);
  }
  while (out->len > start && out->str[out->len - 1] == ' ')
    g_string_truncate(out, out->len - 1);
  g_string_append_c(out, '\n');
}

void bh_sheet_draw(const BhSheet *grid, GString *out) {
  g_autofree guint *widths = g_new0(guint, grid->columns);
  for (guint r = 0; r < grid->rows->len; r++)
    for (guint c = 0; c < grid->columns; c++)
      widths[c] = MAX(widths[c], bh_display_width(((char **)grid->rows->pdata[r])[c]));
  for (guint r = 0; r < grid->rows->len; r++)
    draw_row(grid, out, grid->rows->pdata[r], widths);
  for (guint i = 0; i < grid->notes->len; i++) {
    g_string_append(out, "  ");
    bh_display_wrap(out, grid->notes->pdata[i], 2, grid->width ? grid->width : PLAIN_WIDTH, 4);
    g_string_append_c(out, '\n');
  }
}

static char *interval_end(BhSheet *grid, JsonArray *interval, guint i, BhNumberText format) {
  JsonNode *node = i < json_array_get_length(interval) ? json_array_get_element(interval, i) : NULL;
  if (node && JSON_NODE_HOLDS_VALUE(node))
    return format(json_node_get_double(node));
  bh_sheet_note(grid, "< and > in an interval: this end lies outside what was measured");
  return g_strdup(i ? ">" : "<");
}

char *bh_sheet_figure(BhSheet *grid, JsonObject *parent, const char *key, BhNumberText format) {
  JsonObject *figure = bh_fields_object(parent, key);
  double value = 0;
  const gboolean exists = bh_fields_number(figure, "value", &value);
  JsonArray *interval = bh_fields_array(figure, "ci");
  if (!exists) {
    g_autofree char *note = g_strdup_printf("-: %s", bh_fields_string(figure, "reason"));
    bh_sheet_note(grid, note);
  }
  g_autofree char *text = exists ? format(value) : g_strdup("-");
  if (!interval) {
    const char *why = bh_fields_string(figure, "ci_reason");
    g_autofree char *note = exists && why ? g_strdup_printf("no interval: %s", why) : NULL;
    if (note)
      bh_sheet_note(grid, note);
    return g_steal_pointer(&text);
  }
  g_autofree char *low = interval_end(grid, interval, 0, format), *high = interval_end(grid, interval, 1, format);
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
