/* SPDX-License-Identifier: MIT
 * Text for people: figures with units, suggestions for misspelt names. Locale-independent. */
#pragma once
#include <glib.h>

char *bh_text_duration(double ns);                       /* "1.234 ms": 4 significant digits; caller frees */
char *bh_text_bytes(double bytes);                       /* "64.00 KiB" */
char *bh_text_rate(double per_second, const char *unit); /* "1.234 M numbers/s" */
/* The one of `names` closest to `name` (edit distance at most a third of its length, at least 1), or NULL. */
const char *bh_text_closest(const char *name, const char *const *names);
/* ": did you mean 'prime'?" or "; known: a, b, c" (at most 12), for the end of an error message. Caller frees. */
char *bh_text_suggest(const char *name, const char *const *names);
/* printf of a double that round-trips, shortest form, '.' as decimal point whatever the locale. */
char *bh_text_double(double value);
/* A quotation of somebody's text for a message: at most 60 bytes, cut at a character, control characters and invalid
 * UTF-8 replaced. Caller frees. */
char *bh_text_shown(const char *text);
/* Appends `text` with everything that Markdown or HTML could read as markup made literal. */
void bh_text_put_markdown(GString *out, const char *text);
