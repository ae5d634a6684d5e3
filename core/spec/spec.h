/* SPDX-License-Identifier: MIT
 * A matrix as written: parsed, checked against the matrix's own grammar, every node with its place in the file. Knows
 * no plugin; the plan does that. */
#pragma once
#include "base/error.h"
#include <glib.h>

typedef struct {
  const char *file;   /* lives as long as the process (bh_node_intern) */
  guint line, column; /* from 1 */
} BhPosition;

typedef enum { BH_NODE_SCALAR = 1, BH_NODE_LIST, BH_NODE_MAP } BhNodeKind;
typedef struct BhNode BhNode;
/* A YAML node with anchors, aliases and merge keys resolved. */
struct BhNode {
  BhNodeKind kind;
  BhPosition at;
  char *text;       /* scalar */
  gboolean quoted;  /* scalar: written in quotes, so neither nothing (null) nor the name of a set */
  GPtrArray *items; /* list: of BhNode; map: of BhNode, values */
  GPtrArray *keys;  /* map: of BhNode (scalars), parallel to items */
};
void bh_node_free(BhNode *node);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BhNode, bh_node_free)

/* How to measure. Suite-wide, or overridden for some cells. */
typedef struct {
  double
      precision; /* relative half width of the median's 95 % interval at which sampling stops; 0: never by precision */
  guint rounds;  /* fresh processes per cell, at least */
  guint max_rounds;               /* at most; 0: `rounds`, or with a budget as many as it pays for */
  guint min_samples, max_samples; /* per round */
  gint64 min_sample_ns;           /* inner repetitions until one sample lasts this long */
  gint64 warmup_ns;               /* the most that warm-up may take */
  gint64 max_time_ns;             /* sampling time of one cell in one round */
  gint64 budget_ns;               /* of the whole run; 0: none */
  gint64 deadline_ns;             /* a cell's process is killed after this; 0: none */
  gint64 memory_bytes;            /* limit for a cell's processes together; 0: what the machine has */
  /* Interned texts, as in bh_measure_keys: */
  const char *primary;  /* base/primary.h */
  const char *noise;    /* "flag", "reject", "abort" */
  const char *counters; /* groups, space-separated in the table's order; "none" */
} BhMeasure;

typedef struct BhSpec BhSpec; /* see spec-private parts in spec.c; plan.c reads it through spec-internal.h */

/* `overrides`: of "path=value" (--set), may be NULL. */
BhSpec *bh_spec_load(const char *path, const char *const *overrides, GError **error);
BhSpec *bh_spec_parse(const char *text, gsize length, const char *file, const char *const *overrides, GError **error);
/* "max_samples=12": a suite-wide setting of `measure` that takes the place of the default where neither the matrix nor
 * an override gives it. Before the spec becomes a plan. */
gboolean bh_spec_set_fallback(BhSpec *spec, const char *assignment, GError **error);
void bh_spec_free(BhSpec *spec);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BhSpec, bh_spec_free)
