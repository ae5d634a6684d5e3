/* SPDX-License-Identifier: MIT
 * Fields of CSV (RFC 4180, UTF-8). */
#pragma once
#include <glib.h>

/* Appends a field; `started`: the row has one already. Ends of rows are the caller's: CR LF. */
void bh_csv_raw(GString *out, gboolean *started, const char *text);
/* Somebody's text; NULL: empty. What a spreadsheet would run as a formula (it begins with = + - @, a tab or a carriage
 * return) gets an apostrophe in front. */
void bh_csv_text(GString *out, gboolean *started, const char *text);
/* What does not exist or is not finite is empty. */
void bh_csv_number(GString *out, gboolean *started, gboolean exists, double number);
