/* SPDX-License-Identifier: MIT
 * Typed parameter values: one parser for matrices, defaults, --param and what the supervisor hands to a worker.
 * Numbers: 12, 1e6, 1_000_000; sizes: 64KiB, "500 MB" (1000s), B, kB, KiB, MB, MiB, GB, GiB, TB, TiB; durations: ns us ms s
 * min h (a bare number is seconds); booleans: true/false; words: shell-like quoting (g_shell_parse_argv). */
#pragma once
#include "base/error.h"
#include <benchhost/plugin.h>

/* A parameter as the supervisor knows it: copied out of a plugin's table by a probing child. */
typedef struct {
  char *name;
  bh_type type;
  char *fallback; /* NULL: required */
  char **choices; /* NULL-terminated; NULL unless BH_CHOICE */
  char *unit, *help;
  double min, max; /* both 0: no limits */
  char *env;
  char **env_values;
} BhParam;

typedef struct {
  bh_type type;
  gint64 i;
  double r;
  char *s;
  char **words;
  char *text;     /* canonical: parses back to the same value; what identifies a cell. Sizes in bytes, durations in ns+"ns" */
  gboolean given; /* FALSE: the default. Parsing sets TRUE; whoever parses a default sets it back */
} BhValue;

void bh_param_free(BhParam *param);
void bh_value_free(BhValue *value);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BhParam, bh_param_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BhValue, bh_value_free)

/* Parses `text` as a value of `param` and checks type, choices (did you mean) and limits. No expressions here. */
BhValue *bh_value_parse(const BhParam *param, const char *text, GError **error);
BhValue *bh_value_new_words(const BhParam *param, const char *const *words, GError **error);
/* For a plugin: points into `value`, which must outlive it. */
bh_value bh_value_view(const BhValue *value);

/* Bare scalars, used by the matrix's own keys too. */
gboolean bh_value_parse_size(const char *text, gint64 *ret_bytes, GError **error);
gboolean bh_value_parse_duration(const char *text, gint64 *ret_ns, GError **error);
gboolean bh_value_parse_int(const char *text, gint64 *ret, GError **error);
gboolean bh_value_parse_real(const char *text, double *ret, GError **error); /* finite */

const char *bh_type_name(bh_type type); /* "integer", "size", ... for help and errors */
