/* SPDX-License-Identifier: MIT
 * Between store.c, store-add.c and store-read.c. */
#pragma once
#include "history/store.h"

#include <sqlite3.h>

struct BhStore {
  sqlite3 *db;
  char *path;
};

/* Sets `error` from the database's last one, in words; FALSE. */
gboolean bh_store_fail(BhStore *store, GError **error);
gboolean bh_store_run_sql(BhStore *store, const char *sql, GError **error);
sqlite3_stmt *bh_store_prepare(BhStore *store, const char *sql, GError **error);
/* Runs a statement that gives no rows, then resets it. */
gboolean bh_store_step(BhStore *store, sqlite3_stmt *statement, GError **error);
/* BEGIN IMMEDIATE: waits for other writers. End with TRUE: COMMIT, else, or when that fails, ROLLBACK. */
gboolean bh_store_begin(BhStore *store, GError **error);
gboolean bh_store_end(BhStore *store, gboolean commit, GError **error);

typedef sqlite3_stmt BhStatement;
static inline void bh_statement_free(BhStatement *statement) {
  sqlite3_finalize(statement); /* NULL is harmless */
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BhStatement, bh_statement_free)
