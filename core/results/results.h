/* SPDX-License-Identifier: MIT
 * Results as everybody downstream sees them: read back from a journal, or added one by one while a run goes on. Tables,
 * exports, comparisons and resume stand on this and on nothing else. */
#pragma once
#include "base/error.h"
#include <json-glib/json-glib.h>

typedef enum {
  BH_CELL_OK = 0,
  BH_CELL_SKIPPED,
  BH_CELL_UNSUPPORTED,
  BH_CELL_WRONG,
  BH_CELL_CRASHED,
  BH_CELL_TIMEOUT,
  BH_CELL_OUT_OF_MEMORY,
  BH_CELL_FAILED,
} BhCellStatus;
const char *bh_cell_status_name(BhCellStatus status); /* "ok", "out-of-memory", ... as in the journal */
gboolean bh_cell_status_parse(const char *name, BhCellStatus *ret);

/* One journal line of type `cell`: one cell in one round. */
typedef struct {
  char *id, *label, *workload, *backend, *variant;
  JsonObject *params, *options; /* as in the journal: typed JSON values */
  guint round;
  const char *arm; /* of a comparison: "base", "candidate", ...; NULL: a run. Interned */
  BhCellStatus status;
  char *reason;
  GArray
      *steady_ns;  /* of double: per-run time of each sample (already divided by inner repetitions); empty unless ok */
  double total_ns; /* from cold, once per process; NaN when there is none (never written to JSON) */
  gboolean baseline;
  double items, flops, bytes; /* the cost model of one run; 0 unknown */
  char *item_unit;
  GPtrArray *flags;   /* of char *; `disturbed-round` too, where a later line says so */
  JsonObject *record; /* the whole line */
} BhCellRecord;

/* All rounds of one cell, and of one arm where the journal is that of a comparison. */
typedef struct {
  char *id;
  const char *arm; /* NULL: a run. Interned */
  char *key;       /* of both; its own */
  GPtrArray *rounds; /* of BhCellRecord, not owned */
  guint place;       /* in the matrix; G_MAXUINT: the run line has no plan, or not this cell */
} BhCellResult;

typedef struct {
  JsonObject *run;        /* the first line; NULL until it was read */
  JsonObject *end;        /* the last line; NULL: the run was cut short */
  GPtrArray *records;     /* of BhCellRecord, owned, in file order */
  GPtrArray *cells;       /* of BhCellResult, in the matrix's order; else of first appearance */
  GPtrArray *round_lines; /* of JsonObject: what happened on the machine, a line a round; owned, in file order */
  GPtrArray *notes;       /* of char *, owned: the texts of `note` lines */
  guint span_from;        /* records from this one on came after the last `round` or `resume` line; its own */
  goffset good_bytes;     /* length of the file's whole lines: what --resume truncates to */
  gboolean torn;          /* the last line was incomplete */
  char *path;             /* the journal, for people; NULL: not known. Owned */
  GHashTable *index;      /* of (key, BhCellResult); its own */
  GPtrArray *struck;      /* of BhCellRecord, owned: by `retry` lines; they count no more */
  GHashTable *places;     /* of (id, place + 1): the run line's plan; its own */
} BhResults;

BhResults *bh_results_new(void);
void bh_results_free(BhResults *results);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BhResults, bh_results_free)
/* Errors name file and line. A torn last line (no newline at its end, or no JSON) is no error and is not among the
 * records; garbage before it is. An (id, arm, round) that comes twice is an error: a resumed run repeats nothing. A file
 * without any whole line gives empty results with `run` NULL: --resume starts over, readers refuse it
 * (bh_results_open). */
BhResults *bh_results_load(const char *path, GError **error);
BhResults *bh_results_parse(const char *text, gsize length, const char *name, GError **error);
/* For people who want to see results: as bh_results_load, but a file without a `run` line or without cells is an error.
 */
BhResults *bh_results_open(const char *path, GError **error);
/* The record of this cell in this round, or NULL. */
const BhCellRecord *bh_results_find(const BhResults *results, const char *id, guint round);
/* The same in one arm of a comparison; `arm` NULL: bh_results_find. */
const BhCellRecord *bh_results_find_arm(const BhResults *results, const char *id, const char *arm, guint round);
/* A comparison's journal (`benchhost ab`): its cells have arms. */
gboolean bh_results_is_ab(const BhResults *results);
/* One parsed journal line of any type; what is unknown is kept and ignored. */
gboolean bh_results_add(BhResults *results, JsonObject *line, GError **error);
