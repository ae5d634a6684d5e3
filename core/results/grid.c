/* SPDX-License-Identifier: MIT
 * Owns drawing plain tables. */
#include "results/grid.h"
#include "results/display.h"

#include <string.h>

#define GAP 2 /* blanks between columns */

typedef struct {
  char *name;
  gboolean right;
  guint spare;
} Column;

typedef struct {
  char *text;
  const char *style; /* static, or NULL */
} Text;

typedef struct {
  GArray *texts; /* of Text, as many as columns at most */
  char *rest;    /* instead of the texts that are missing; NULL: blanks */
} Row;

struct BhGrid {
  gboolean ascii;
  GArray *columns; /* of Column */
  GPtrArray *rows; /* of Row */
};

static void clear_column(gpointer data) {
  g_free(((Column *)data)->name);
}

static void clear_text(gpointer data) {
  g_free(((Text *)data)->text);
}

static void row_free(gpointer data) {
  Row *row = data;
  g_array_unref(row->texts);
  g_free(row->rest);
  g_free(row);
}

BhGrid *bh_grid_new(gboolean ascii) {
  BhGrid *grid = g_new0(BhGrid, 1);
  grid->ascii = ascii;
  grid->columns = g_array_new(FALSE, TRUE, sizeof(Column));
  g_array_set_clear_func(grid->columns, clear_column);
  grid->rows = g_ptr_array_new_with_free_func(row_free);
  return grid;
}

void bh_grid_free(BhGrid *grid) {
  if (!grid)
    return;
  g_array_unref(grid->columns);
  g_ptr_array_unref(grid->rows);
  g_free(grid);
}

void bh_grid_column(BhGrid *grid, const char *name, gboolean right, guint spare) {
  Column column = {.name = bh_display_clean(name, grid->ascii), .right = right, .spare = spare};
  g_array_append_val(grid->columns, column);
}

void bh_grid_row(BhGrid *grid) {
  Row *row = g_new0(Row, 1);
  row->texts = g_array_new(FALSE, TRUE, sizeof(Text));
  g_array_set_clear_func(row->texts, clear_text);
  g_ptr_array_add(grid->rows, row);
}

static Row *last_row(const BhGrid *grid) {
  g_return_val_if_fail(grid->rows->len > 0, NULL);
  return grid->rows->pdata[grid->rows->len - 1];
}

void bh_grid_put(BhGrid *grid, const char *text) {
  Row *row = last_row(grid);
  g_return_if_fail(row && row->texts->len < grid->columns->len);
  Text one = {.text = bh_display_clean(text ? text : "", grid->ascii)};
  g_array_append_val(row->texts, one);
}

void bh_grid_take(BhGrid *grid, char *text) {
  bh_grid_put(grid, text);
  g_free(text);
}

void bh_grid_style(BhGrid *grid, const char *ansi) {
  Row *row = last_row(grid);
  if (row && row->texts->len)
    g_array_index(row->texts, Text, row->texts->len - 1).style = ansi;
}

void bh_grid_rest(BhGrid *grid, const char *text) {
  Row *row = last_row(grid);
  g_return_if_fail(row);
  g_free(row->rest);
  row->rest = bh_display_clean(text, grid->ascii);
}

guint bh_grid_rows(const BhGrid *grid) {
  return grid->rows->len;
}

static const Column *column_at(const BhGrid *grid, guint at) {
  return &g_array_index(grid->columns, Column, at);
}

static const Text *text_at(const Row *row, guint at) {
  return at < row->texts->len ? &g_array_index(row->texts, Text, at) : NULL;
}

static guint total_of(const guint *widths, guint n) {
  guint total = 0;
  for (guint c = 0; c < n; c++)
    total += widths[c] ? widths[c] + GAP : 0;
  return total - MIN((guint)GAP, total);
}

/* Columns' widths; 0: left out. Caller frees. */
static guint *fit(const BhGrid *grid, guint width, gboolean *ret_left_out) {
  const guint n = grid->columns->len;
  guint *widths = g_new0(guint, n + 1);
  for (guint c = 0; c < n; c++) {
    gboolean any = FALSE;
    widths[c] = bh_display_width(column_at(grid, c)->name);
    for (guint r = 0; r < grid->rows->len; r++) {
      const Text *text = text_at(grid->rows->pdata[r], c);
      any |= text && *text->text;
      widths[c] = MAX(widths[c], text ? bh_display_width(text->text) : 0);
    }
    if (!any) /* says nothing */
      widths[c] = 0;
  }
  *ret_left_out = FALSE;
  while (width > 0 && total_of(widths, n) > width) {
    guint worst = n;
    for (guint c = 0; c < n; c++)
      if (widths[c] && column_at(grid, c)->spare > (worst < n ? column_at(grid, worst)->spare : 0))
        worst = c;
    if (worst == n)
      break;
    widths[worst] = 0;
    *ret_left_out = TRUE;
  }
  return widths;
}

static void trim(GString *out) {
  while (out->len && out->str[out->len - 1] == ' ')
    g_string_truncate(out, out->len - 1);
}

static void draw_row(const BhGrid *grid, const Row *row, const guint *widths, GString *out, guint width,
                     gboolean color) {
  guint at = 0;
  for (guint c = 0; c < grid->columns->len; c++) {
    const Text *text = text_at(row, c);
    if (!text && row->rest) {
      bh_display_wrap(out, row->rest, at, width ? width : G_MAXINT, at + 2);
      break;
    }
    if (!widths[c])
      continue;
    const gboolean styled = color && text && text->style;
    if (styled)
      g_string_append(out, text->style);
    bh_display_pad(out, text ? text->text : "", widths[c], column_at(grid, c)->right);
    if (styled)
      g_string_append(out, "\033[0m");
    g_string_append_printf(out, "%*s", GAP, "");
    at += widths[c] + GAP;
  }
  trim(out);
  g_string_append_c(out, '\n');
}

gboolean bh_grid_draw(const BhGrid *grid, GString *out, guint width, gboolean color) {
  gboolean left_out;
  g_autofree guint *widths = fit(grid, width, &left_out);
  g_autoptr(GString) header = g_string_new(NULL);
  for (guint c = 0; c < grid->columns->len; c++)
    if (widths[c]) {
      bh_display_pad(header, column_at(grid, c)->name, widths[c], column_at(grid, c)->right);
      g_string_append_printf(header, "%*s", GAP, "");
    }
  trim(header);
  g_string_append_printf(out, "%s%s%s\n", color ? "\033[2m" : "", header->str, color ? "\033[0m" : "");
  for (guint r = 0; r < grid->rows->len; r++)
    draw_row(grid, grid->rows->pdata[r], widths, out, width, color);
  return left_out;
}

void bh_grid_markdown(const BhGrid *grid, GString *out) {
  g_string_append_c(out, '|');
  for (guint c = 0; c < grid->columns->len; c++) {
    g_string_append_c(out, ' ');
    bh_display_escape(out, column_at(grid, c)->name);
    g_string_append(out, " |");
  }
  g_string_append(out, "\n|");
  for (guint c = 0; c < grid->columns->len; c++)
    g_string_append(out, column_at(grid, c)->right ? "---:|" : "---|");
  g_string_append_c(out, '\n');
  for (guint r = 0; r < grid->rows->len; r++) {
    const Row *row = grid->rows->pdata[r];
    g_string_append_c(out, '|');
    for (guint c = 0; c < grid->columns->len; c++) {
      const Text *text = text_at(row, c);
      g_string_append_c(out, ' ');
      if (text || (c == row->texts->len && row->rest))
        bh_display_escape(out, text ? text->text : row->rest);
      g_string_append(out, " |");
    }
    g_string_append_c(out, '\n');
  }
}
