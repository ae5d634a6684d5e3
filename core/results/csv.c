/* SPDX-License-Identifier: MIT
 * Owns writing fields of CSV. */
#include "results/csv.h"
#include "base/text.h"

#include <math.h>
#include <string.h>

void bh_csv_raw(GString *out, gboolean *started, const char *text) {
  if (*started)
    g_string_append_c(out, ',');
  *started = TRUE;
  if (!strpbrk(text, ",\"\r\n")) {
    g_string_append(out, text);
    return;
  }
  g_string_append_c(out, '"');
  for (; *text; text++)
    g_string_append(out, *text == '"' ? "\"\"" : (char[]){*text, '\0'});
  g_string_append_c(out, '"');
}

void bh_csv_text(GString *out, gboolean *started, const char *text) {
  if (!text)
    text = "";
  g_autofree char *safe = *text && strchr("=+-@\t\r", *text) ? g_strconcat("'", text, NULL) : g_strdup(text);
  bh_csv_raw(out, started, safe);
}

void bh_csv_number(GString *out, gboolean *started, gboolean exists, double number) {
  g_autofree char *text = exists && isfinite(number) ? bh_text_double(number) : g_strdup("");
  bh_csv_raw(out, started, text);
}
