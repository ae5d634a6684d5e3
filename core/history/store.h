/* SPDX-License-Identifier: MIT
 * Runs kept over time in one SQLite file: what an `add` puts in is in whole or not at all, whatever is killed when;
 * writers wait for each other. Tables and their meaning: docs/history.md. */
#pragma once
#include "history/stored.h"

#define BH_STORE_VERSION 1 /* PRAGMA user_version */

typedef struct BhStore BhStore;
/* `create`: makes the file if there is none, else that is an error. Errors say what the file is instead. Not shared
 * between threads. */
BhStore *bh_store_open(const char *path, gboolean create, GError **error);
void bh_store_free(BhStore *store);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BhStore, bh_store_free)

/* What a journal does not know about the run; NULL: nothing. The base of a comparison gets neither commit nor branch:
 * it is what the tagged one was measured against. */
typedef struct {
  const char *commit, *branch, *label;
  gboolean dirty; /* the tree had changes that are in no commit */
  gboolean again; /* a journal that is there already is added once more */
} BhStoreTags;

/* All runs (of BhStored) or, with `error`, none. `ret_ids`: of gint64, appended. */
gboolean bh_store_add(BhStore *store, const GPtrArray *runs, const BhStoreTags *tags, GArray *ret_ids, GError **error);
/* All of them or none; cells and machines that nothing refers to any more go too. */
gboolean bh_store_remove(BhStore *store, const GArray *ids, GError **error);

typedef struct {
  gint64 id;
  char *digest, *journal, *arm, *started, *added, *matrix, *matrix_digest, *benchhost, *machine, *commit, *branch,
      *label; /* arm, commit, branch, label: NULL: none */
  gboolean dirty, finished;
  guint rounds, cells, cells_ok;
} BhStoreRun;
char *bh_store_commit_text(const BhStoreRun *run); /* "1234567890+" with changes, "-" without; caller frees */

typedef struct {
  const char *cell;    /* glob over labels, part of a label, or the beginning of an id (6 digits or more) */
  const char *machine; /* beginning of a fingerprint */
  const char *since;   /* ISO 8601, or its beginning: 2026-01 */
  const char *branch;
} BhStoreQuery; /* NULL: all */

/* Of BhStoreRun, by the time they were measured. `cell` of the query is ignored. */
GPtrArray *bh_store_runs(BhStore *store, const BhStoreQuery *query, GError **error);

typedef struct {
  const BhStoreRun *run; /* the list's */
  BhStoredCell *cell;    /* params, options, variant are not filled in */
} BhStorePoint;

/* One cell's one figure on one machine over time. */
typedef struct {
  char *id, *label, *machine, *figure, *arm; /* arm: NULL: none */
  GPtrArray *points;                         /* of BhStorePoint */
} BhStoreSeries;

typedef struct {
  GPtrArray *runs;   /* of BhStoreRun */
  GPtrArray *series; /* of BhStoreSeries, by label, machine, figure, arm */
} BhStoreHistory;

BhStoreHistory *bh_store_history(BhStore *store, const BhStoreQuery *query, GError **error);
void bh_store_history_free(BhStoreHistory *history);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BhStoreHistory, bh_store_history_free)
