/* SPDX-License-Identifier: MIT
 * Owns typed parameter values: from text to value and back. Integers, sizes and durations are computed exactly, in
 * whole units: "0.1 s" is 100000000 ns, and what is no whole number is refused rather than rounded. */
#include "base/value.h"
#include "base/text.h"

#include <math.h>
#include <string.h>

#define MOST_DIGITS 24 /* significant ones; with the largest unit (2^42) it still fits in 128 bits */

typedef struct {
  const char *name;
  gint64 factor;
} Unit;

static const Unit size_units[] = {
    {"", 1},
    {"B", 1},
    {"kB", 1000},
    {"KB", 1000},
    {"KiB", 1024},
    {"MB", 1000000},
    {"MiB", 1048576},
    {"GB", 1000000000},
    {"GiB", 1073741824},
    {"TB", 1000000000000},
    {"TiB", 1099511627776},
    {NULL, 0},
};
static const Unit duration_units[] = {
    {"", 1000000000},     {"ns", 1},         {"us", 1000},         {"\302\265s", 1000},
    {"ms", 1000000},      {"s", 1000000000}, {"min", 60000000000}, {"m", 60000000000},
    {"h", 3600000000000}, {NULL, 0},
};
static const Unit no_units[] = {{"", 1}, {NULL, 0}};

static void set_error(GError **error, const char *format, ...) G_GNUC_PRINTF(2, 3);
static void set_error(GError **error, const char *format, ...) {
  va_list args;
  va_start(args, format);
  g_autofree char *message = g_strdup_vprintf(format, args);
  va_end(args);
  g_set_error_literal(error, BH_ERROR, BH_ERROR_USAGE, message);
}

/* A decimal number taken apart: value = mantissa * 10^exponent, negated or not. */
typedef struct {
  gboolean negative;
  unsigned __int128 mantissa;
  gint64 exponent;
  const char *rest; /* what follows the number */
} Decimal;

typedef enum { READ_OK, READ_NO_NUMBER, READ_TOO_LONG } ReadResult;

/* Digits with single '_' between them; counts what it drops or adds into `exponent`. */
static ReadResult read_digits(const char **at, gboolean fraction, guint *significant, guint *zeros, Decimal *d) {
  const char *p = *at;
  while (g_ascii_isdigit(*p) || (*p == '_' && p > *at && g_ascii_isdigit(p[-1]) && g_ascii_isdigit(p[1]))) {
    const char c = *p++;
    if (c == '_')
      continue;
    if (fraction)
      d->exponent--;
    if (c == '0') { /* zeros at the end cost no precision: kept aside until another digit follows */
      (*zeros)++;
      continue;
    }
    if (*significant > 0 || d->mantissa > 0)
      *significant += *zeros;
    *significant += 1;
    if (*significant > MOST_DIGITS)
      return READ_TOO_LONG;
    for (; d->mantissa > 0 && *zeros > 0; (*zeros)--)
      d->mantissa *= 10;
    *zeros = 0;
    d->mantissa = d->mantissa * 10 + (unsigned)(c - '0');
  }
  *at = p;
  return READ_OK;
}

static ReadResult read_decimal(const char *text, Decimal *d) {
  memset(d, 0, sizeof *d);
  const char *p = text;
  if (*p == '-' || *p == '+')
    d->negative = *p++ == '-';
  if (!g_ascii_isdigit(*p) && !(*p == '.' && g_ascii_isdigit(p[1])))
    return READ_NO_NUMBER;
  guint significant = 0, zeros = 0;
  ReadResult result = read_digits(&p, FALSE, &significant, &zeros, d);
  if (result == READ_OK && *p == '.' && g_ascii_isdigit(p[1])) {
    p++;
    result = read_digits(&p, TRUE, &significant, &zeros, d);
  }
  if (result != READ_OK)
    return result;
  d->exponent += zeros;
  if ((*p == 'e' || *p == 'E') && (g_ascii_isdigit(p[1]) || ((p[1] == '-' || p[1] == '+') && g_ascii_isdigit(p[2])))) {
    gint64 exponent = 0;
    p++;
    const gboolean down = *p == '-';
    if (*p == '-' || *p == '+')
      p++;
    for (; g_ascii_isdigit(*p); p++)
      exponent = MIN(exponent * 10 + (*p - '0'), 1000000);
    d->exponent += down ? -exponent : exponent;
  }
  d->rest = p;
  return READ_OK;
}

typedef enum { WHOLE_OK, WHOLE_TOO_LARGE, WHOLE_FRACTION } WholeResult;

static WholeResult to_whole(const Decimal *d, gint64 factor, gint64 *ret) {
  unsigned __int128 value = d->mantissa * (unsigned __int128)factor; /* < 10^24 * 2^42 < 2^122 */
  gint64 exponent = d->exponent;
  if (value == 0)
    exponent = 0;
  for (; exponent > 0; exponent--) {
    if (value > (unsigned __int128)G_MAXINT64)
      return WHOLE_TOO_LARGE;
    value *= 10;
  }
  for (; exponent < 0; exponent++) {
    if (value % 10 != 0)
      return WHOLE_FRACTION;
    value /= 10;
  }
  if (value > (unsigned __int128)G_MAXINT64)
    return WHOLE_TOO_LARGE;
  *ret = d->negative ? -(gint64)value : (gint64)value;
  return WHOLE_OK;
}

static char *unit_names(const Unit *units) {
  GString *names = g_string_new(NULL);
  for (; units->name; units++)
    if (units->name[0] && g_ascii_isalpha(units->name[0]))
      g_string_append_printf(names, "%s%s", names->len ? ", " : "", units->name);
  return g_string_free(names, FALSE);
}

/* `text` = a number, optional blanks, a unit: whole multiples of the smallest unit. */
static gboolean parse_whole(const char *text, const Unit *units, const char *what, const char *example, gint64 *ret,
                            GError **error) {
  g_autofree char *stripped = g_strstrip(g_strdup(text));
  g_autofree char *quoted = bh_text_shown(text);
  Decimal d;
  const ReadResult result = read_decimal(stripped, &d);
  if (result == READ_NO_NUMBER) {
    set_error(error, "'%s' is not %s; expected something like %s", quoted, what, example);
    return FALSE;
  }
  if (result == READ_TOO_LONG) {
    set_error(error, "'%s' has too many digits for %s; at most %d count", quoted, what, MOST_DIGITS);
    return FALSE;
  }
  while (*d.rest == ' ')
    d.rest++;
  const Unit *unit = units;
  while (unit->name && strcmp(unit->name, d.rest))
    unit++;
  if (!unit->name) {
    g_autofree char *rest = bh_text_shown(d.rest);
    g_autofree char *names = unit_names(units);
    if (names[0])
      set_error(error, "'%s' is not %s: unknown unit '%s'; known: %s", quoted, what, rest, names);
    else
      set_error(error, "'%s' is not %s: '%s' follows the number; expected something like %s", quoted, what, rest,
                example);
    return FALSE;
  }
  switch (to_whole(&d, unit->factor, ret)) {
  case WHOLE_TOO_LARGE:
    set_error(error, "'%s' is too large for %s; the largest is %" G_GINT64_FORMAT, quoted, what, G_MAXINT64);
    return FALSE;
  case WHOLE_FRACTION:
    set_error(error, "'%s' is not %s: it is no whole number%s; expected something like %s", quoted, what,
              units == size_units       ? " of bytes"
              : units == duration_units ? " of nanoseconds"
                                        : "",
              example);
    return FALSE;
  case WHOLE_OK:
    break;
  }
  return TRUE;
}

gboolean bh_value_parse_int(const char *text, gint64 *ret, GError **error) {
  return parse_whole(text, no_units, "an integer", "12, 1e6 or 1_000_000", ret, error);
}

gboolean bh_value_parse_size(const char *text, gint64 *ret_bytes, GError **error) {
  gint64 bytes;
  if (!parse_whole(text, size_units, "a size", "64KiB or '500 MB'", &bytes, error))
    return FALSE;
  if (bytes < 0) {
    set_error(error, "a size cannot be negative");
    return FALSE;
  }
  *ret_bytes = bytes;
  return TRUE;
}

gboolean bh_value_parse_duration(const char *text, gint64 *ret_ns, GError **error) {
  gint64 ns;
  if (!parse_whole(text, duration_units, "a duration", "10ms, 1.5s or '2 min'", &ns, error))
    return FALSE;
  if (ns < 0) {
    set_error(error, "a duration cannot be negative");
    return FALSE;
  }
  *ret_ns = ns;
  return TRUE;
}

gboolean bh_value_parse_real(const char *text, double *ret, GError **error) {
  g_autofree char *stripped = g_strstrip(g_strdup(text));
  g_autofree char *quoted = bh_text_shown(text);
  GString *digits = g_string_new(NULL);
  for (const char *p = stripped; *p; p++)
    if (*p != '_' || p == stripped || !g_ascii_isdigit(p[-1]) || !g_ascii_isdigit(p[1]))
      g_string_append_c(digits, *p);
  g_autofree char *plain = g_string_free(digits, FALSE);
  char *end = NULL;
  const double value = g_ascii_strtod(plain, &end);
  /* strtod also reads nan, inf and hexadecimal: none of them belongs in a matrix. */
  if (end == plain || *end || strpbrk(plain, "xXnN")) {
    set_error(error, "'%s' is not a real number; expected something like 0.5 or 1e-3", quoted);
    return FALSE;
  }
  if (!isfinite(value)) {
    set_error(error, "'%s' is too large for a real number", quoted);
    return FALSE;
  }
  *ret = value;
  return TRUE;
}

const char *bh_type_name(bh_type type) {
  switch (type) {
  case BH_BOOL:
    return "boolean";
  case BH_INT:
    return "integer";
  case BH_REAL:
    return "real";
  case BH_SIZE:
    return "size";
  case BH_DURATION:
    return "duration";
  case BH_TEXT:
    return "text";
  case BH_CHOICE:
    return "choice";
  case BH_WORDS:
    return "words";
  }
  return "unknown";
}

/* ---- parameters ---- */

void bh_param_free(BhParam *param) {
  if (!param)
    return;
  g_free(param->name);
  g_free(param->fallback);
  g_strfreev(param->choices);
  g_free(param->unit);
  g_free(param->help);
  g_free(param->env);
  g_strfreev(param->env_values);
  g_free(param);
}

static char *limit_text(bh_type type, double limit) {
  if (type == BH_DURATION)
    return bh_text_duration(limit);
  if (type == BH_SIZE)
    return bh_text_bytes(limit);
  return bh_text_double(limit);
}

static gboolean check_limits(const BhParam *param, double value, const char *text, GError **error) {
  if (param->min == 0 && param->max == 0)
    return TRUE;
  const gboolean has_min = param->min > -BH_UNBOUNDED, has_max = param->max < BH_UNBOUNDED;
  if ((!has_min || value >= param->min) && (!has_max || value <= param->max))
    return TRUE;
  g_autofree char *quoted = bh_text_shown(text);
  g_autofree char *low = limit_text(param->type, param->min);
  g_autofree char *high = limit_text(param->type, param->max);
  if (has_min && has_max)
    set_error(error, "%s is out of range for '%s': expected %s to %s", quoted, param->name, low, high);
  else if (has_min)
    set_error(error, "%s is out of range for '%s': expected at least %s", quoted, param->name, low);
  else
    set_error(error, "%s is out of range for '%s': expected at most %s", quoted, param->name, high);
  return FALSE;
}

/* ---- values ---- */

void bh_value_free(BhValue *value) {
  if (!value)
    return;
  g_free(value->s);
  g_strfreev(value->words);
  g_free(value->text);
  g_free(value);
}

static char *words_text(char *const *words) {
  GString *text = g_string_new(NULL);
  for (guint i = 0; words[i]; i++) {
    g_autofree char *quoted = g_shell_quote(words[i]);
    /* Plain words stay readable. */
    const gboolean plain = words[i][0] && strspn(words[i], "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                                           "0123456789_-+=./:,@%") == strlen(words[i]);
    g_string_append_printf(text, "%s%s", i ? " " : "", plain ? words[i] : quoted);
  }
  return g_string_free(text, FALSE);
}

static gboolean parse_bool(BhValue *value, const char *text, GError **error) {
  g_autofree char *stripped = g_strstrip(g_strdup(text));
  if (!strcmp(stripped, "true") || !strcmp(stripped, "false")) {
    value->i = stripped[0] == 't';
    value->text = g_steal_pointer(&stripped);
    return TRUE;
  }
  g_autofree char *quoted = bh_text_shown(text);
  set_error(error, "'%s' is not a boolean; expected true or false", quoted);
  return FALSE;
}

static gboolean parse_choice(const BhParam *param, BhValue *value, const char *text, GError **error) {
  g_autofree char *stripped = g_strstrip(g_strdup(text));
  for (guint i = 0; param->choices && param->choices[i]; i++)
    if (!strcmp(stripped, param->choices[i])) {
      value->i = i;
      value->s = g_strdup(stripped);
      value->text = g_steal_pointer(&stripped);
      return TRUE;
    }
  g_autofree char *quoted = bh_text_shown(text);
  g_autofree char *hint = bh_text_suggest(stripped, (const char *const *)param->choices);
  set_error(error, "'%s' is not a choice of '%s'%s", quoted, param->name, hint);
  return FALSE;
}

static gboolean parse_words(BhValue *value, const char *text, GError **error) {
  g_autoptr(GError) inner = NULL;
  if (!g_shell_parse_argv(text, NULL, &value->words, &inner)) {
    if (!g_error_matches(inner, G_SHELL_ERROR, G_SHELL_ERROR_EMPTY_STRING)) {
      g_autofree char *quoted = bh_text_shown(text);
      set_error(error, "'%s' cannot be split into words: %s", quoted, inner->message);
      return FALSE;
    }
    value->words = g_new0(char *, 1);
  }
  value->text = words_text(value->words);
  return TRUE;
}

static gboolean parse_number(const BhParam *param, BhValue *value, const char *text, GError **error) {
  gboolean ok;
  if (param->type == BH_REAL)
    ok = bh_value_parse_real(text, &value->r, error);
  else if (param->type == BH_SIZE)
    ok = bh_value_parse_size(text, &value->i, error);
  else if (param->type == BH_DURATION)
    ok = bh_value_parse_duration(text, &value->i, error);
  else
    ok = bh_value_parse_int(text, &value->i, error);
  if (!ok || !check_limits(param, param->type == BH_REAL ? value->r : (double)value->i, text, error))
    return FALSE;
  if (param->type == BH_REAL)
    value->text = bh_text_double(value->r == 0 ? 0 : value->r); /* -0 and 0 are one value */
  else
    value->text = g_strdup_printf("%" G_GINT64_FORMAT "%s", value->i, param->type == BH_DURATION ? "ns" : "");
  return TRUE;
}

BhValue *bh_value_parse(const BhParam *param, const char *text, GError **error) {
  g_autoptr(BhValue) value = g_new0(BhValue, 1);
  value->type = param->type;
  value->given = TRUE;
  if (!g_utf8_validate(text, -1, NULL)) {
    set_error(error, "the value of '%s' is not valid UTF-8", param->name);
    return NULL;
  }
  gboolean ok = TRUE;
  switch (param->type) {
  case BH_BOOL:
    ok = parse_bool(value, text, error);
    break;
  case BH_CHOICE:
    ok = parse_choice(param, value, text, error);
    break;
  case BH_WORDS:
    ok = parse_words(value, text, error);
    break;
  case BH_TEXT:
    value->s = g_strdup(text);
    value->text = g_strdup(text);
    break;
  default:
    ok = parse_number(param, value, text, error);
  }
  return ok ? g_steal_pointer(&value) : NULL;
}

BhValue *bh_value_new_words(const BhParam *param, const char *const *words, GError **error) {
  if (param->type != BH_WORDS) {
    set_error(error, "'%s' takes one %s, not a list of words", param->name, bh_type_name(param->type));
    return NULL;
  }
  for (guint i = 0; words[i]; i++)
    if (!g_utf8_validate(words[i], -1, NULL)) {
      set_error(error, "word %u of '%s' is not valid UTF-8", i + 1, param->name);
      return NULL;
    }
  BhValue *value = g_new0(BhValue, 1);
  value->type = BH_WORDS;
  value->given = TRUE;
  value->words = g_strdupv((char **)words);
  value->text = words_text(value->words);
  return value;
}

bh_value bh_value_view(const BhValue *value) {
  return (bh_value){.i = value->i,
                    .r = value->r,
                    .s = value->s,
                    .words = (const char *const *)value->words,
                    .given = value->given ? 1 : 0};
}
