/* SPDX-License-Identifier: MIT
 * The keys of `measure` and `limits`: one table for reading, checking, defaults and the schema. */
#pragma once
#include "spec/node.h"

#include <json-glib/json-glib.h>

typedef enum {
  BH_MEASURE_SHARE = 1,
  BH_MEASURE_COUNT,
  BH_MEASURE_DURATION,
  BH_MEASURE_SIZE,
  BH_MEASURE_TEXT, /* an interned text; `read` checks it */
} BhMeasureType;

typedef struct {
  const char *section, *name; /* "measure" or "limits" */
  BhMeasureType type;
  gsize offset;         /* in BhMeasure */
  double min, max;      /* inclusive; durations in ns */
  const char *fallback; /* as written in a matrix */
  gboolean suite_only;
  const char *help;
  /* Texts only: the interned canonical form, or NULL with `error` (what was expected). */
  const char *(*read)(const char *text, GError **error);
} BhMeasureKey;

extern const BhMeasureKey bh_measure_keys[]; /* ends with a NULL name */

/* Some of the settings, each with its place. */
typedef struct {
  guint mask; /* bit i: bh_measure_keys[i] is given */
  BhMeasure values;
  BhPosition at; /* of the last key read */
} BhMeasurePatch;

void bh_measure_init(BhMeasure *measure); /* the defaults */
/* Reads a `measure` or `limits` map into `patch`. `suite`: keys for the whole run are allowed. */
gboolean bh_measure_read(const BhNode *map, const char *section, gboolean suite, BhMeasurePatch *patch, GError **error);
/* What the patch gives replaces what is there. */
void bh_measure_apply(BhMeasure *measure, const BhMeasurePatch *patch);
/* A fallback (`soft`: a mask as in BhMeasurePatch) that contradicts what somebody gave yields to it. */
void bh_measure_reconcile(BhMeasure *measure, guint soft);
/* Do the settings, all patches applied, make sense together? `at`: where the last of them was given. */
gboolean bh_measure_check(const BhMeasure *measure, BhPosition at, GError **error);
/* Keys as in the matrix, times in ns, shares as fractions: in requests and journals. Caller unrefs. */
JsonObject *bh_measure_to_json(const BhMeasure *measure);
/* What bh_measure_to_json wrote; every key must be there. The error names the one that is not as expected. */
gboolean bh_measure_from_json(JsonObject *object, BhMeasure *ret, GError **error);
/* "rounds=3 deadline=60s": what differs from `base`; "" when nothing does. Caller frees. */
char *bh_measure_difference(const BhMeasure *measure, const BhMeasure *base);
