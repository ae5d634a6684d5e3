/* SPDX-License-Identifier: MIT
 * What is kept of a run when it is compared or filed: one status and one figure per cell, the figure's numbers per
 * round (the replicates), the machine's fingerprint. Made from a journal; the store keeps exactly this. */
#pragma once
#include "base/primary.h"
#include "results/merge.h"
#include "results/results.h"

#include <benchhost/plugin.h>

typedef struct {
  char *id, *label, *workload, *backend, *variant;
  JsonObject *params, *options; /* as in the journal */
  BhCellStatus status;          /* the worst of all rounds */
  char *reason;                 /* NULL for ok */
  char *figure;                 /* "wall", "metric:frames": base/primary.h */
  char *unit;                   /* "ns", "bytes", what a metric says; "": a plain number */
  bh_better better;
  gboolean exists;  /* FALSE: not ok, or no such figure; nothing below up to `rounds` counts then */
  const char *why;  /* why there is no figure, or no interval; static; NULL: there is one */
  double median;    /* over rounds, or with fewer than 6 of wall time over samples */
  double low, high; /* its 95 % interval, unless basis is NONE */
  BhBasis basis;
  guint n;        /* samples (wall time), else values */
  guint rounds;   /* how many rounds there were */
  GArray *values; /* of double: one per round that has it, in order; empty unless `exists` */
  gboolean has_total;
  double total_ns; /* median over rounds, from cold */
} BhStoredCell;

typedef struct {
  char *name;                                         /* the journal's path, for people */
  char *arm;                                          /* of a journal of two arms: "base", "candidate"; else NULL */
  char *digest;                                       /* SHA-256 of the whole journal */
  char *started, *matrix, *matrix_digest, *benchhost; /* "" where the journal does not say */
  gboolean finished;                                  /* it has its `end` line, and was not interrupted */
  guint rounds;
  char *machine;           /* the fingerprint */
  GHashTable *machine_set; /* of (char *, char *): what the fingerprint stands for */
  JsonObject *run;         /* the journal's first line; NULL when it comes from a store */
  GPtrArray *cells;        /* of BhStoredCell, in the order for people */
} BhStored;

/* The journals at `paths` (NULL-terminated), in this order: of each one BhStored, or one per arm. `primary` NULL: each
 * cell's own. NULL with `error` when one cannot be read, is no journal or holds no cell. Caller unrefs (of BhStored).
 */
GPtrArray *bh_stored_open_all(char *const *paths, const BhPrimary *primary, GError **error);
/* The same of one journal's text. */
GPtrArray *bh_stored_parse(const char *text, gsize length, const char *name, const BhPrimary *primary, GError **error);
void bh_stored_cell_free(BhStoredCell *cell);
/* "1.234 ms", "64.00 KiB", "12.5 frames", by the figure's unit. Caller frees. */
char *bh_stored_figure_text(const BhStoredCell *cell, double value);
/* Half of its interval, as a share of the median: "0.5%", "0.5%'" within one process, "-": none. Caller frees. */
char *bh_stored_half_text(const BhStoredCell *cell);
/* "FILE" or "FILE (base)". Caller frees. */
char *bh_stored_title(const BhStored *stored);
