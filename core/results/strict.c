/* SPDX-License-Identifier: MIT
 * Owns the check of one line of JSON by RFC 8259's grammar: no recursion, no allocation, one pass. */
#include "results/strict.h"

#include <math.h>
#include <string.h>

typedef struct {
  const char *start, *at, *end;
  guint depth;
  guint64 members;
  gboolean in_object[BH_STRICT_DEPTH];
  BhStrict verdict;
  const char *problem;
} Scan;

static gboolean stop(Scan *scan, BhStrict verdict, const char *problem) {
  scan->verdict = verdict;
  scan->problem = problem;
  return FALSE;
}

static void skip_blanks(Scan *scan) {
  while (scan->at < scan->end && strchr(" \t\r", *scan->at))
    scan->at++;
}

static gboolean next_is(Scan *scan, char c) {
  return scan->at < scan->end && *scan->at == c;
}

/* The four hex digits after \u; -1: not there. */
static int hex4(Scan *scan) {
  if (scan->end - scan->at < 4)
    return -1;
  int code = 0;
  for (int i = 0; i < 4; i++) {
    const int digit = g_ascii_xdigit_value(scan->at[i]);
    if (digit < 0)
      return -1;
    code = code * 16 + digit;
  }
  scan->at += 4;
  return code;
}

static gboolean scan_escape(Scan *scan) {
  scan->at++;
  if (scan->at >= scan->end)
    return stop(scan, BH_STRICT_SYNTAX, "the text ends inside an escape");
  const char c = *scan->at++;
  if (c != 'u')
    return strchr("\"\\/bfnrt", c) && c ? TRUE : stop(scan, BH_STRICT_SYNTAX, "an escape that JSON does not have");
  const int code = hex4(scan);
  if (code < 0)
    return stop(scan, BH_STRICT_SYNTAX, "expected four hex digits after \\u");
  if (code == 0)
    return stop(scan, BH_STRICT_LIMIT, "a NUL character in a text");
  if (code >= 0xDC00 && code <= 0xDFFF)
    return stop(scan, BH_STRICT_LIMIT, "half of a surrogate pair");
  if (code >= 0xD800 && code <= 0xDBFF) {
    if (scan->end - scan->at < 2 || scan->at[0] != '\\' || scan->at[1] != 'u')
      return stop(scan, BH_STRICT_LIMIT, "half of a surrogate pair");
    scan->at += 2;
    const int low = hex4(scan);
    if (low < 0xDC00 || low > 0xDFFF)
      return stop(scan, BH_STRICT_LIMIT, "half of a surrogate pair");
  }
  return TRUE;
}

static gboolean scan_string(Scan *scan) {
  if (!next_is(scan, '"'))
    return stop(scan, BH_STRICT_SYNTAX, "expected a text in double quotes");
  scan->at++;
  while (scan->at < scan->end && *scan->at != '"') {
    if ((guchar)*scan->at < 0x20)
      return stop(scan, BH_STRICT_SYNTAX, "a control character in a text");
    if (*scan->at == '\\') {
      if (!scan_escape(scan))
        return FALSE;
    } else {
      scan->at++;
    }
  }
  if (scan->at >= scan->end)
    return stop(scan, BH_STRICT_SYNTAX, "the text has no closing quote");
  scan->at++;
  return TRUE;
}

static gsize scan_digits(Scan *scan) {
  const char *first = scan->at;
  while (scan->at < scan->end && g_ascii_isdigit(*scan->at))
    scan->at++;
  return (gsize)(scan->at - first);
}

static gboolean scan_number(Scan *scan) {
  const char *first = scan->at;
  gboolean whole = TRUE;
  if (next_is(scan, '-'))
    scan->at++;
  const gboolean zero = next_is(scan, '0');
  const gsize digits = scan_digits(scan);
  if (digits == 0 || (zero && digits > 1))
    return stop(scan, BH_STRICT_SYNTAX, "expected a value: an object, a list, a text, a number, true, false or null");
  if (next_is(scan, '.')) {
    whole = FALSE;
    scan->at++;
    if (scan_digits(scan) == 0)
      return stop(scan, BH_STRICT_SYNTAX, "expected digits after the decimal point");
  }
  if (next_is(scan, 'e') || next_is(scan, 'E')) {
    whole = FALSE;
    scan->at++;
    if (next_is(scan, '+') || next_is(scan, '-'))
      scan->at++;
    if (scan_digits(scan) == 0)
      return stop(scan, BH_STRICT_SYNTAX, "expected digits in the exponent");
  }
  char buffer[400];
  const gsize length = (gsize)(scan->at - first);
  if (length >= sizeof buffer)
    return stop(scan, BH_STRICT_LIMIT, "a number of more than 399 characters");
  memcpy(buffer, first, length);
  buffer[length] = '\0';
  if (whole && !g_ascii_string_to_signed(buffer, 10, G_MININT64, G_MAXINT64, NULL, NULL))
    return stop(scan, BH_STRICT_LIMIT, "a whole number that does not fit 64 bits");
  if (!whole && !isfinite(g_ascii_strtod(buffer, NULL)))
    return stop(scan, BH_STRICT_LIMIT, "a number that is too large");
  return TRUE;
}

static gboolean scan_word(Scan *scan) {
  static const char *const words[] = {"true", "false", "null"};
  for (guint i = 0; i < G_N_ELEMENTS(words); i++) {
    const gsize length = strlen(words[i]);
    if ((gsize)(scan->end - scan->at) >= length && !memcmp(scan->at, words[i], length)) {
      scan->at += length;
      return TRUE;
    }
  }
  return stop(scan, BH_STRICT_SYNTAX, "expected a value: an object, a list, a text, a number, true, false or null");
}

static gboolean scan_key(Scan *scan) {
  skip_blanks(scan);
  if (!scan_string(scan))
    return FALSE;
  scan->members++;
  skip_blanks(scan);
  if (!next_is(scan, ':'))
    return stop(scan, BH_STRICT_SYNTAX, "expected ':' after a key");
  scan->at++;
  return TRUE;
}

/* Starts a value; `ret_open`: it is a container whose first element comes next. */
static gboolean scan_value(Scan *scan, gboolean *ret_open) {
  skip_blanks(scan);
  *ret_open = FALSE;
  if (scan->at >= scan->end)
    return stop(scan, BH_STRICT_SYNTAX, "the line ends where a value was expected");
  const char c = *scan->at;
  if (c == '"')
    return scan_string(scan);
  if (c != '{' && c != '[')
    return c == '-' || g_ascii_isdigit(c) ? scan_number(scan) : scan_word(scan);
  if (scan->depth == BH_STRICT_DEPTH)
    return stop(scan, BH_STRICT_LIMIT, "nested deeper than 64 levels");
  scan->at++;
  skip_blanks(scan);
  if (next_is(scan, c == '{' ? '}' : ']')) {
    scan->at++;
    return TRUE;
  }
  scan->in_object[scan->depth++] = c == '{';
  *ret_open = TRUE;
  return c == '[' || scan_key(scan);
}

/* After a value: closes what ends here; FALSE with verdict OK: nothing is open any more. */
static gboolean scan_after(Scan *scan) {
  while (scan->depth > 0) {
    const gboolean object = scan->in_object[scan->depth - 1];
    skip_blanks(scan);
    if (next_is(scan, ',')) {
      scan->at++;
      return !object || scan_key(scan);
    }
    if (!next_is(scan, object ? '}' : ']'))
      return stop(scan, BH_STRICT_SYNTAX, object ? "expected ',' or '}'" : "expected ',' or ']'");
    scan->at++;
    scan->depth--;
  }
  return FALSE;
}

BhStrict bh_strict_check(const char *text, gsize length, guint64 *ret_members, GError **error) {
  Scan scan = {.start = text, .at = text, .end = text + length};
  const char *bad;
  gboolean open;
  if (!g_utf8_validate_len(text, length, &bad)) {
    scan.at = bad;
    stop(&scan, BH_STRICT_SYNTAX, *bad ? "a byte that is no UTF-8" : "a NUL byte");
  } else {
    do {
      do
        if (!scan_value(&scan, &open))
          break;
      while (open);
    } while (scan.verdict == BH_STRICT_OK && scan_after(&scan));
    skip_blanks(&scan);
    if (scan.verdict == BH_STRICT_OK && scan.at < scan.end)
      stop(&scan, BH_STRICT_SYNTAX, "expected the end of the line after the object");
  }
  if (scan.verdict != BH_STRICT_OK)
    g_set_error(error, BH_ERROR, BH_ERROR_USAGE, "column %" G_GSIZE_FORMAT ": %s", (gsize)(scan.at - text) + 1,
                scan.problem);
  *ret_members = scan.members;
  return scan.verdict;
}
