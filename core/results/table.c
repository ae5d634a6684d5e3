/* SPDX-License-Identifier: MIT
 * Owns the final table on a terminal: widths, what is left out when there is too little room, colours. */
#include "results/display.h"
#include "results/report.h"
#include "results/view.h"

#include <unistd.h>

#define KEPT_BY_GAP 3   /* columns as dispensable as this or less are worth more than two blanks between columns */
#define PLAIN_WIDTH 100 /* of paragraphs where there is no terminal */

typedef struct {
  GString *out;
  guint width; /* of the terminal; 0: no limit */
  gboolean color;
  gboolean *left_out; /* any column was */
} Draw;

static const char *status_color(BhCellStatus status) {
  return status == BH_CELL_OK                                         ? "\033[32m"
         : status == BH_CELL_SKIPPED || status == BH_CELL_UNSUPPORTED ? "\033[33m"
                                                                      : "\033[31m";
}

static void styled(const Draw *draw, const char *style, const char *text) {
  g_string_append_printf(draw->out, "%s%s%s", draw->color ? style : "", text, draw->color ? "\033[0m" : "");
}

static guint *column_widths(const BhViewSection *section) {
  guint *widths = g_new0(guint, section->columns->len);
  for (guint c = 0; c < section->columns->len; c++) {
    widths[c] = bh_display_width(((BhViewColumn *)g_ptr_array_index(section->columns, c))->name);
    for (guint r = 0; r < section->rows->len; r++) {
      const BhViewRow *row = g_ptr_array_index(section->rows, r);
      /* A status without figures goes on with its reason: it needs no room in its column. */
      if (row->texts[c] && !(c == section->status_at && row->cell->status != BH_CELL_OK))
        widths[c] = MAX(widths[c], bh_display_width(row->texts[c]));
    }
  }
  /* Without any figure, the columns for them say nothing. */
  gboolean figures = FALSE;
  for (guint r = 0; r < section->rows->len; r++)
    figures |= ((const BhViewRow *)g_ptr_array_index(section->rows, r))->cell->status == BH_CELL_OK;
  for (guint c = section->status_at + 1; !figures && c < section->columns->len; c++)
    widths[c] = 0;
  return widths;
}

static guint total_width(const BhViewSection *section, const guint *widths, guint gap) {
  guint total = 0;
  for (guint c = 0; c < section->columns->len; c++)
    total += widths[c] ? widths[c] + gap : 0;
  return total - MIN(gap, total);
}

/* Sets widths of columns that do not fit to 0, the most dispensable first; returns how many blanks go between columns.
 */
static guint leave_out(const Draw *draw, const BhViewSection *section, guint *widths) {
  guint gap = 2;
  while (draw->width > 0 && total_width(section, widths, gap) > draw->width) {
    guint spare = 0, worst = 0;
    for (guint c = 0; c < section->columns->len; c++) {
      const BhViewColumn *column = g_ptr_array_index(section->columns, c);
      if (widths[c] && column->spare > spare) {
        spare = column->spare;
        worst = c;
      }
    }
    if (spare <= KEPT_BY_GAP && gap > 1) {
      gap = 1;
    } else if (spare == 0) {
      break;
    } else {
      widths[worst] = 0;
      *draw->left_out = TRUE;
    }
  }
  return gap;
}

static void trim(GString *out) {
  while (out->len && out->str[out->len - 1] == ' ')
    g_string_truncate(out, out->len - 1);
}

static void draw_header(const Draw *draw, const BhViewSection *section, const guint *widths, guint gap) {
  g_autoptr(GString) line = g_string_new(NULL);
  for (guint c = 0; c < section->columns->len; c++) {
    const BhViewColumn *column = g_ptr_array_index(section->columns, c);
    if (widths[c]) {
      bh_display_pad(line, column->name, widths[c], column->right);
      g_string_append_printf(line, "%*s", (int)gap, "");
    }
  }
  trim(line);
  styled(draw, "\033[2m", line->str);
  g_string_append_c(draw->out, '\n');
}

static void draw_row(const Draw *draw, const BhViewSection *section, const BhViewRow *row, const guint *widths,
                     guint gap) {
  guint at = 0;
  for (guint c = 0; c < section->columns->len; c++) {
    const BhViewColumn *column = g_ptr_array_index(section->columns, c);
    if (!widths[c])
      continue;
    if (c == section->status_at && row->cell->status != BH_CELL_OK) {
      styled(draw, status_color(row->cell->status), row->texts[c]);
      g_string_append(draw->out, ": ");
      bh_display_wrap(draw->out, row->reason, at + bh_display_width(row->texts[c]) + 2,
                      draw->width ? draw->width : G_MAXINT, at + 2);
      break;
    }
    if (c == section->status_at && draw->color)
      g_string_append(draw->out, status_color(row->cell->status));
    bh_display_pad(draw->out, row->texts[c] ? row->texts[c] : "", widths[c], column->right);
    if (c == section->status_at && draw->color)
      g_string_append(draw->out, "\033[0m");
    g_string_append_printf(draw->out, "%*s", (int)gap, "");
    at += widths[c] + gap;
  }
  trim(draw->out);
  g_string_append_c(draw->out, '\n');
}

static void draw_section(const Draw *draw, const BhViewSection *section) {
  g_autofree guint *widths = column_widths(section);
  const guint gap = leave_out(draw, section, widths);
  g_string_append_c(draw->out, '\n');
  styled(draw, "\033[1m", section->title);
  g_string_append_c(draw->out, '\n');
  draw_header(draw, section, widths, gap);
  for (guint r = 0; r < section->rows->len; r++)
    draw_row(draw, section, g_ptr_array_index(section->rows, r), widths, gap);
  if (section->base) {
    styled(draw, "\033[2m", section->base);
    g_string_append_c(draw->out, '\n');
  }
}

static void draw_paragraphs(const Draw *draw, const GPtrArray *paragraphs) {
  if (paragraphs->len)
    g_string_append_c(draw->out, '\n');
  for (guint i = 0; i < paragraphs->len; i++) {
    bh_display_wrap(draw->out, paragraphs->pdata[i], 0, draw->width ? draw->width : PLAIN_WIDTH, 2);
    g_string_append_c(draw->out, '\n');
  }
}

char *bh_report_table_width(const BhResults *results, gboolean color, guint width, gboolean ascii) {
  g_autoptr(GPtrArray) cells = bh_merge_cells(results);
  g_autoptr(BhView) view = bh_view_new(results, cells, ascii);
  gboolean left_out = FALSE;
  Draw draw = {.out = g_string_new(NULL), .width = width, .color = color, .left_out = &left_out};
  styled(&draw, "\033[1m", view->heading);
  g_string_append_c(draw.out, '\n');
  for (guint i = 0; i < view->sections->len; i++)
    draw_section(&draw, g_ptr_array_index(view->sections, i));
  if (left_out)
    g_ptr_array_add(view->legend,
                    g_strdup("Some columns are left out, as the terminal is narrow: `benchhost report JOURNAL | "
                             "less -S` shows all."));
  draw_paragraphs(&draw, view->legend);
  draw_paragraphs(&draw, view->summary);
  return g_string_free(draw.out, FALSE);
}

guint bh_report_width(void) {
  const char *columns = g_getenv("COLUMNS");
  guint64 width = bh_display_terminal(STDOUT_FILENO);
  if (width == 0 && columns && !g_ascii_string_to_unsigned(columns, 10, 20, 10000, &width, NULL))
    width = 0;
  return (guint)width;
}

char *bh_report_table(const BhResults *results, gboolean color) {
  return bh_report_table_width(results, color, bh_report_width(), bh_display_ascii());
}
