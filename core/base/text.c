/* SPDX-License-Identifier: MIT
 * Owns text for people: figures with units, and suggestions for misspelt names. Never uses the locale. */
#include "base/text.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define LONGEST_NAME 64 /* names beyond this are no typing errors; also bounds the cost of hostile input */
#define MOST_LISTED 12
#define SHOWN_BYTES 60

/* Four significant digits of 0 <= x < 9999.5, plain notation. */
static char *four_digits(double x) {
  char buffer[G_ASCII_DTOSTR_BUF_SIZE];
  int decimals = 0;
  if (x > 0) {
    /* The exponent after rounding: 9.9996 counts as 10.00. */
    g_ascii_formatd(buffer, sizeof buffer, "%.3e", x);
    const int exponent = atoi(strchr(buffer, 'e') + 1);
    decimals = CLAMP(3 - exponent, 0, 12);
  }
  const char format[] = {'%', '.', (char)('0' + decimals / 10), (char)('0' + decimals % 10), 'f', '\0'};
  return g_strdup(g_ascii_formatd(buffer, sizeof buffer, format, x));
}

/* `x` in the largest unit in which it rounds to at least 1. `steps[i]` is unit i in terms of unit 0. */
static char *scaled(double x, const double *steps, const char *const *units, guint n, gboolean whole_first) {
  if (!isfinite(x))
    return g_strdup("-");
  const double size = fabs(x);
  guint at = 0;
  while (at + 1 < n && size >= steps[at + 1] * 0.99995)
    at++;
  const double in_unit = size / steps[at];
  g_autofree char *digits = NULL;
  if ((at == 0 && whole_first && in_unit == floor(in_unit)) || in_unit >= 9999.5) {
    char buffer[G_ASCII_DTOSTR_BUF_SIZE];
    digits = g_strdup(g_ascii_formatd(buffer, sizeof buffer, in_unit < 1e15 ? "%.0f" : "%.4g", in_unit));
  } else {
    digits = four_digits(in_unit);
  }
  return g_strconcat(x < 0 ? "-" : "", digits, " ", units[at], NULL);
}

char *bh_text_duration(double ns) {
  static const double steps[] = {1, 1e3, 1e6, 1e9};
  static const char *const units[] = {"ns", "us", "ms", "s"};
  return scaled(ns, steps, units, G_N_ELEMENTS(steps), FALSE);
}

char *bh_text_bytes(double bytes) {
  static const double steps[] = {1, 1024., 1024. * 1024, 1024. * 1024 * 1024, 1024. * 1024 * 1024 * 1024};
  static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
  return scaled(bytes, steps, units, G_N_ELEMENTS(steps), TRUE);
}

char *bh_text_rate(double per_second, const char *unit) {
  static const double steps[] = {1, 1e3, 1e6, 1e9, 1e12};
  static const char *const prefixes[] = {"", "k ", "M ", "G ", "T "};
  g_autofree char *figure = scaled(per_second, steps, prefixes, G_N_ELEMENTS(steps), FALSE);
  return g_strconcat(figure, unit ? unit : "items", "/s", NULL);
}

/* Edit distance with transpositions of neighbours (optimal string alignment), letters' case ignored. */
static guint edit_distance(const char *a, gsize n, const char *b, gsize m) {
  guint rows[3][LONGEST_NAME + 1];
  guint *before = rows[0], *last = rows[1], *row = rows[2];
  for (gsize j = 0; j <= m; j++)
    last[j] = (guint)j;
  for (gsize i = 1; i <= n; i++) {
    row[0] = (guint)i;
    for (gsize j = 1; j <= m; j++) {
      const char x = g_ascii_tolower(a[i - 1]), y = g_ascii_tolower(b[j - 1]);
      guint best = last[j - 1] + (x != y);
      best = MIN(best, last[j] + 1);
      best = MIN(best, row[j - 1] + 1);
      if (i > 1 && j > 1 && x == g_ascii_tolower(b[j - 2]) && g_ascii_tolower(a[i - 2]) == y)
        best = MIN(best, before[j - 2] + 1);
      row[j] = best;
    }
    guint *free_row = before;
    before = last;
    last = row;
    row = free_row;
  }
  return last[m];
}

const char *bh_text_closest(const char *name, const char *const *names) {
  const gsize length = strlen(name);
  if (length == 0 || length > LONGEST_NAME || !names)
    return NULL;
  const char *closest = NULL;
  guint best = MAX(1u, (guint)length / 3) + 1;
  for (; *names; names++) {
    const gsize other = strlen(*names);
    if (other == 0 || other > LONGEST_NAME || (other > length ? other - length : length - other) >= best)
      continue;
    const guint distance = edit_distance(name, length, *names, other);
    /* One letter for another is no misspelling when nothing is left in common. */
    if (distance < best && distance < MAX(length, other)) {
      best = distance;
      closest = *names;
    }
  }
  return closest;
}

char *bh_text_suggest(const char *name, const char *const *names) {
  const char *closest = bh_text_closest(name, names);
  if (closest)
    return g_strdup_printf(": did you mean '%s'?", closest);
  if (!names || !*names)
    return g_strdup("");
  GString *text = g_string_new("; known: ");
  for (guint i = 0; names[i]; i++) {
    if (i == MOST_LISTED) {
      g_string_append(text, ", ...");
      break;
    }
    g_string_append_printf(text, "%s%s", i ? ", " : "", names[i]);
  }
  return g_string_free(text, FALSE);
}

char *bh_text_double(double value) {
  static const char *const formats[] = {"%.15g", "%.16g", "%.17g"};
  char buffer[G_ASCII_DTOSTR_BUF_SIZE];
  for (guint i = 0; i < G_N_ELEMENTS(formats); i++) {
    g_ascii_formatd(buffer, sizeof buffer, formats[i], value);
    if (g_ascii_strtod(buffer, NULL) == value)
      break;
  }
  return g_strdup(buffer);
}

char *bh_text_shown(const char *text) {
  g_autofree char *head = g_strndup(text, SHOWN_BYTES + 1); /* a hostile text may be megabytes long */
  g_autofree char *valid = g_utf8_make_valid(head, -1);
  GString *result = g_string_new(NULL);
  for (const char *at = valid; *at; at = g_utf8_next_char(at)) {
    const gunichar c = g_utf8_get_char(at);
    const gsize bytes = (gsize)(g_utf8_next_char(at) - at);
    if (result->len + bytes > SHOWN_BYTES) {
      g_string_append(result, "...");
      break;
    }
    if (g_unichar_iscntrl(c))
      g_string_append_c(result, ' ');
    else
      g_string_append_len(result, at, (gssize)bytes);
  }
  return g_string_free(result, FALSE);
}

void bh_text_put_markdown(GString *out, const char *text) {
  for (; *text; text++) {
    if (*text == '<')
      g_string_append(out, "&lt;");
    else if (*text == '&')
      g_string_append(out, "&amp;");
    else {
      if (strchr("\\`*_[]|#~", *text))
        g_string_append_c(out, '\\');
      g_string_append_c(out, *text);
    }
  }
}
