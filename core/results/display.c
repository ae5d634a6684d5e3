/* SPDX-License-Identifier: MIT
 * Owns fitting text into a terminal's columns, and what may be sent to a terminal at all. */
#include "results/display.h"

#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

static guint char_width(gunichar c) {
  return g_unichar_iszerowidth(c) ? 0 : g_unichar_iswide(c) ? 2 : 1;
}

guint bh_display_width(const char *text) {
  guint width = 0;
  for (const char *at = text; *at; at = g_utf8_next_char(at))
    width += char_width(g_utf8_get_char(at));
  return width;
}

/* Bytes of the longest head of `text` that is at most `columns` wide. */
static gsize head_bytes(const char *text, guint columns) {
  const char *at = text;
  for (guint width = 0; *at; at = g_utf8_next_char(at)) {
    width += char_width(g_utf8_get_char(at));
    if (width > columns)
      break;
  }
  return (gsize)(at - text);
}

char *bh_display_cut(const char *text, guint columns) {
  if (bh_display_width(text) <= columns)
    return g_strdup(text);
  if (columns <= 3)
    return g_strndup("...", columns);
  g_autofree char *head = g_strndup(text, head_bytes(text, columns - 3));
  return g_strconcat(head, "...", NULL);
}

char *bh_display_clean(const char *text, gboolean ascii) {
  GString *out = g_string_new(NULL);
  g_autofree char *valid = g_utf8_make_valid(text, -1);
  for (const char *at = valid; *at; at = g_utf8_next_char(at)) {
    const gunichar c = g_utf8_get_char(at);
    const GUnicodeType type = g_unichar_type(c);
    if (type == G_UNICODE_CONTROL || type == G_UNICODE_FORMAT || type == G_UNICODE_LINE_SEPARATOR ||
        type == G_UNICODE_PARAGRAPH_SEPARATOR)
      g_string_append_c(out, ' ');
    else if (c == 0xFFFD || (ascii && c > 126))
      g_string_append_c(out, '?');
    else
      g_string_append_unichar(out, c);
  }
  return g_string_free(out, FALSE);
}

void bh_display_escape(GString *out, const char *text) {
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

void bh_display_pad(GString *out, const char *text, guint columns, gboolean right) {
  const guint width = bh_display_width(text), blanks = width < columns ? columns - width : 0;
  if (right)
    g_string_append_printf(out, "%*s", (int)blanks, "");
  g_string_append(out, text);
  if (!right)
    g_string_append_printf(out, "%*s", (int)blanks, "");
}

void bh_display_wrap(GString *out, const char *text, guint first_column, guint columns, guint indent) {
  guint room = columns > first_column + 20 ? columns - first_column : 20;
  while (*text) {
    gsize bytes = head_bytes(text, room);
    if (text[bytes]) { /* not the last line: break after the last blank that fits */
      gsize blank = bytes;
      while (blank > 0 && text[blank] != ' ')
        blank--;
      bytes = blank > 0 ? blank : MAX(bytes, (gsize)(g_utf8_next_char(text) - text));
    }
    g_string_append_len(out, text, (gssize)bytes);
    text += bytes;
    while (*text == ' ')
      text++;
    if (*text)
      g_string_append_printf(out, "\n%*s", (int)indent, "");
    room = columns > indent + 20 ? columns - indent : 20;
  }
}

guint bh_display_terminal(int fd) {
  struct winsize size;
  if (!isatty(fd))
    return 0;
  if (ioctl(fd, TIOCGWINSZ, &size) < 0 || size.ws_col == 0)
    return 80;
  return size.ws_col;
}

gboolean bh_display_ascii(void) {
  return !g_get_charset(NULL);
}

gboolean bh_display_colors(int fd) {
  const char *no_color = g_getenv("NO_COLOR"), *term = g_getenv("TERM");
  return isatty(fd) && !(no_color && *no_color) && term && *term && strcmp(term, "dumb") != 0;
}
