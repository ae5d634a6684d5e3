/* SPDX-License-Identifier: MIT
 * Text in columns of a terminal: display width, cutting, padding, and taking out what would move the cursor. For
 * results/ and the rooms that print tables of their own. */
#pragma once
#include <glib.h>

guint bh_display_width(const char *text); /* columns; valid UTF-8 */
/* At most `columns` wide; what was cut ends in "...". Caller frees. */
char *bh_display_cut(const char *text, guint columns);
/* Control characters, newlines and invisible direction marks become blanks, invalid UTF-8 becomes '?'; `ascii`:
 * everything else that is not ASCII too. Text of plugins and journals passes through here before it meets a terminal.
 * Caller frees. */
char *bh_display_clean(const char *text, gboolean ascii);
/* Appends `text` with everything that Markdown or HTML could read as markup made literal. */
void bh_display_escape(GString *out, const char *text);
void bh_display_pad(GString *out, const char *text, guint columns, gboolean right);
/* Lines of at most `columns`, broken at blanks where possible, each after the first indented by `indent`. No final
 * newline. */
void bh_display_wrap(GString *out, const char *text, guint first_column, guint columns, guint indent);
guint bh_display_terminal(int fd); /* columns of the terminal behind `fd`; 0: none */
gboolean bh_display_ascii(void);   /* the locale's character set is not UTF-8 */
/* A terminal that shows colours and wants them: TERM is not dumb, NO_COLOR is unset or empty. */
gboolean bh_display_colors(int fd);
