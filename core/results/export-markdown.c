/* SPDX-License-Identifier: MIT
 * Owns the Markdown export: the final table as GitHub's tables, all columns. Texts from plugins cannot become markup.
 */
#include "results/display.h"
#include "results/report.h"
#include "results/view.h"

static void put_header(GString *out, const BhViewSection *section) {
  g_string_append_c(out, '|');
  for (guint c = 0; c < section->columns->len; c++) {
    g_string_append_c(out, ' ');
    bh_display_escape(out, ((BhViewColumn *)g_ptr_array_index(section->columns, c))->name);
    g_string_append(out, " |");
  }
  g_string_append(out, "\n|");
  for (guint c = 0; c < section->columns->len; c++)
    g_string_append(out, ((BhViewColumn *)g_ptr_array_index(section->columns, c))->right ? "---:|" : "---|");
  g_string_append_c(out, '\n');
}

static void put_row(GString *out, const BhViewSection *section, const BhViewRow *row) {
  g_string_append_c(out, '|');
  for (guint c = 0; c < section->columns->len; c++) {
    g_string_append_c(out, ' ');
    if (row->texts[c])
      bh_display_escape(out, row->texts[c]);
    if (c == section->status_at && row->reason) {
      g_string_append(out, ": ");
      bh_display_escape(out, row->reason);
    }
    g_string_append(out, " |");
  }
  g_string_append_c(out, '\n');
}

static void put_list(GString *out, const GPtrArray *paragraphs) {
  if (paragraphs->len)
    g_string_append_c(out, '\n');
  for (guint i = 0; i < paragraphs->len; i++) {
    g_string_append(out, "* ");
    bh_display_escape(out, paragraphs->pdata[i]);
    g_string_append_c(out, '\n');
  }
}

char *bh_report_markdown(const BhResults *results) {
  g_autoptr(GPtrArray) cells = bh_merge_cells(results);
  g_autoptr(BhView) view = bh_view_new(results, cells, FALSE);
  GString *out = g_string_new("# ");
  bh_display_escape(out, view->heading);
  g_string_append_c(out, '\n');
  for (guint i = 0; i < view->sections->len; i++) {
    const BhViewSection *section = g_ptr_array_index(view->sections, i);
    g_string_append(out, "\n## ");
    bh_display_escape(out, section->title);
    g_string_append(out, "\n\n");
    put_header(out, section);
    for (guint r = 0; r < section->rows->len; r++)
      put_row(out, section, g_ptr_array_index(section->rows, r));
    if (section->base) {
      g_string_append_c(out, '\n');
      bh_display_escape(out, section->base);
      g_string_append_c(out, '\n');
    }
  }
  put_list(out, view->legend);
  put_list(out, view->summary);
  return g_string_free(out, FALSE);
}
