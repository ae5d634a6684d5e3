/* SPDX-License-Identifier: MIT
 * Owns the SQLite file: opening, its tables, versions, transactions, and errors in words. */
#include "history/store-internal.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define APPLICATION_ID 0x62686869 /* "bhhi": PRAGMA application_id */
#define BUSY_MS 60000             /* how long to wait for another writer */

/* migrations[v] takes a file of version v to v + 1; never changed once released. */
static const char *const migrations[BH_STORE_VERSION] = {
    "CREATE TABLE machine ("
    "  id INTEGER PRIMARY KEY,"
    "  fingerprint TEXT NOT NULL UNIQUE,"
    "  pairs TEXT NOT NULL" /* JSON object: what the fingerprint stands for */
    ") STRICT;"
    "CREATE TABLE run ("
    "  id INTEGER PRIMARY KEY AUTOINCREMENT," /* never used again, so that a note about run 7 stays true */
    "  digest TEXT NOT NULL,"
    "  arm TEXT,"
    "  journal TEXT NOT NULL,"
    "  started TEXT NOT NULL,"
    "  added TEXT NOT NULL,"
    "  matrix TEXT NOT NULL,"
    "  matrix_digest TEXT NOT NULL,"
    "  benchhost TEXT NOT NULL,"
    "  machine INTEGER NOT NULL REFERENCES machine (id),"
    "  commit_id TEXT,"
    "  dirty INTEGER NOT NULL,"
    "  branch TEXT,"
    "  label TEXT,"
    "  finished INTEGER NOT NULL,"
    "  rounds INTEGER NOT NULL"
    ") STRICT;"
    "CREATE INDEX run_digest ON run (digest);"
    "CREATE INDEX run_machine ON run (machine);"
    "CREATE INDEX run_started ON run (started);"
    "CREATE TABLE cell ("
    "  id TEXT PRIMARY KEY,"
    "  label TEXT NOT NULL,"
    "  workload TEXT NOT NULL,"
    "  backend TEXT NOT NULL,"
    "  variant TEXT NOT NULL,"
    "  params TEXT NOT NULL," /* JSON objects */
    "  options TEXT NOT NULL"
    ") STRICT, WITHOUT ROWID;"
    "CREATE TABLE result ("
    "  run INTEGER NOT NULL REFERENCES run (id) ON DELETE CASCADE,"
    "  cell TEXT NOT NULL REFERENCES cell (id),"
    "  status TEXT NOT NULL,"
    "  reason TEXT,"
    "  figure TEXT NOT NULL,"
    "  unit TEXT NOT NULL,"
    "  better TEXT NOT NULL CHECK (better IN ('lower', 'higher')),"
    "  median REAL,"
    "  low REAL,"
    "  high REAL,"
    "  basis TEXT CHECK (basis IN ('rounds', 'samples'))," /* of low and high; NULL: none */
    "  n INTEGER NOT NULL,"
    "  rounds INTEGER NOT NULL,"
    "  round_values TEXT NOT NULL," /* JSON list: one number per round that has it */
    "  total_ns REAL,"
    "  PRIMARY KEY (run, cell)"
    ") STRICT, WITHOUT ROWID;"
    "CREATE INDEX result_cell ON result (cell, run);",
};

gboolean bh_store_fail(BhStore *store, GError **error) {
  const int code = sqlite3_errcode(store->db);
  const char *what = sqlite3_errmsg(store->db), *path = store->path;
  switch (code & 0xff) {
  case SQLITE_NOTADB:
    g_set_error(error, BH_ERROR, BH_ERROR_USAGE,
                "%s: is no SQLite file: expected a history that `benchhost history add` made", path);
    break;
  case SQLITE_CORRUPT:
    g_set_error(error, BH_ERROR, BH_ERROR_USAGE,
                "%s: is damaged (%s): put back a copy, or save what can be read with `sqlite3 FILE .recover`", path,
                what);
    break;
  case SQLITE_BUSY:
  case SQLITE_LOCKED:
    g_set_error(error, BH_ERROR, BH_ERROR_IO,
                "%s: another program has been writing to it for %d s: try again when it has ended", path,
                BUSY_MS / 1000);
    break;
  case SQLITE_FULL:
    g_set_error(error, BH_ERROR, BH_ERROR_IO, "%s: the disk is full; the history is as it was before", path);
    break;
  case SQLITE_READONLY:
  case SQLITE_PERM:
    g_set_error(error, BH_ERROR, BH_ERROR_IO,
                "%s: cannot be written (%s): the file and its folder must be writable; it is as it was before", path,
                what);
    break;
  case SQLITE_CANTOPEN:
    g_set_error(error, BH_ERROR, BH_ERROR_IO, "%s: cannot be opened: %s", path,
                g_strerror(sqlite3_system_errno(store->db)));
    break;
  case SQLITE_IOERR:
    g_set_error(error, BH_ERROR, BH_ERROR_IO, "%s: %s (%s); the history is as it was before", path, what,
                g_strerror(sqlite3_system_errno(store->db)));
    break;
  default:
    g_set_error(error, BH_ERROR, BH_ERROR_INTERNAL, "%s: SQLite: %s (%d)", path, what, code);
  }
  return FALSE;
}

gboolean bh_store_run_sql(BhStore *store, const char *sql, GError **error) {
  return sqlite3_exec(store->db, sql, NULL, NULL, NULL) == SQLITE_OK || bh_store_fail(store, error);
}

sqlite3_stmt *bh_store_prepare(BhStore *store, const char *sql, GError **error) {
  sqlite3_stmt *statement = NULL;
  if (sqlite3_prepare_v2(store->db, sql, -1, &statement, NULL) != SQLITE_OK)
    bh_store_fail(store, error);
  return statement;
}

gboolean bh_store_step(BhStore *store, sqlite3_stmt *statement, GError **error) {
  const gboolean ok = sqlite3_step(statement) == SQLITE_DONE || bh_store_fail(store, error);
  sqlite3_reset(statement);
  return ok;
}

gboolean bh_store_begin(BhStore *store, GError **error) {
  return bh_store_run_sql(store, "BEGIN IMMEDIATE", error);
}

gboolean bh_store_end(BhStore *store, gboolean commit, GError **error) {
  if (commit && bh_store_run_sql(store, "COMMIT", error))
    return TRUE;
  /* After some errors SQLite has rolled back by itself already. */
  if (!sqlite3_get_autocommit(store->db))
    sqlite3_exec(store->db, "ROLLBACK", NULL, NULL, NULL);
  return FALSE;
}

/* ---- versions ---- */

static gboolean read_number(BhStore *store, const char *sql, gint64 *ret, GError **error) {
  g_autoptr(BhStatement) statement = bh_store_prepare(store, sql, error);
  if (!statement)
    return FALSE;
  if (sqlite3_step(statement) != SQLITE_ROW)
    return bh_store_fail(store, error);
  *ret = sqlite3_column_int64(statement, 0);
  return TRUE;
}

/* Is it ours, and of which version? `ret` 0: empty, a new file. Within a transaction: between two of the questions
 * another program may make the tables. */
static gboolean read_version(BhStore *store, gint64 *ret, GError **error) {
  gint64 application = 0, tables = 0;
  if (!read_number(store, "PRAGMA application_id", &application, error) ||
      !read_number(store, "PRAGMA user_version", ret, error) ||
      !read_number(store, "SELECT count(*) FROM sqlite_schema", &tables, error))
    return FALSE;
  if (application != APPLICATION_ID && (application != 0 || tables > 0 || *ret != 0)) {
    g_set_error(error, BH_ERROR, BH_ERROR_USAGE,
                "%s: is an SQLite file of another program: expected a history that `benchhost history add` made",
                store->path);
    return FALSE;
  }
  if (*ret > BH_STORE_VERSION || *ret < 0) {
    g_set_error(error, BH_ERROR, BH_ERROR_USAGE,
                "%s: has version %" G_GINT64_FORMAT ", this program knows versions up to %d: use a newer benchhost",
                store->path, *ret, BH_STORE_VERSION);
    return FALSE;
  }
  return TRUE;
}

/* Asks again, as another program may just have done the same. */
static gboolean migrate(BhStore *store, GError **error) {
  gint64 version;
  if (!read_version(store, &version, error))
    return FALSE;
  for (; version < BH_STORE_VERSION; version++)
    if (!bh_store_run_sql(store, migrations[version], error))
      return FALSE;
  g_autofree char *sql =
      g_strdup_printf("PRAGMA application_id = %d; PRAGMA user_version = %d", APPLICATION_ID, BH_STORE_VERSION);
  return bh_store_run_sql(store, sql, error);
}

static gboolean prepare_file(BhStore *store, gboolean create, GError **error) {
  gint64 version;
  sqlite3_busy_timeout(store->db, BUSY_MS);
  sqlite3_extended_result_codes(store->db, 1);
  if (!bh_store_run_sql(store, "PRAGMA foreign_keys = ON", error) || !bh_store_run_sql(store, "BEGIN", error))
    return FALSE;
  const gboolean known = read_version(store, &version, error);
  bh_store_end(store, FALSE, NULL); /* nothing to commit */
  if (!known)
    return FALSE;
  if (version == BH_STORE_VERSION)
    return TRUE;
  if (version == 0 && !create) {
    g_set_error(error, BH_ERROR, BH_ERROR_USAGE, "%s: holds no run yet: `benchhost history add JOURNAL` adds one",
                store->path);
    return FALSE;
  }
  return bh_store_begin(store, error) && bh_store_end(store, migrate(store, error), error);
}

/* When a file cannot be made, SQLite tries to read it, and reports that it is not there. */
static void say_why_not_made(BhStore *store, GError **error) {
  g_autofree char *folder = g_path_get_dirname(store->path);
  const int code = access(folder, W_OK | X_OK) < 0 ? errno : sqlite3_system_errno(store->db);
  g_set_error(error, BH_ERROR, BH_ERROR_IO, "%s: cannot be made: %s", store->path, g_strerror(code));
}

BhStore *bh_store_open(const char *path, gboolean create, GError **error) {
  struct stat status;
  g_autoptr(BhStore) store = g_new0(BhStore, 1);
  store->path = g_strdup(path);
  const gboolean exists = stat(path, &status) == 0;
  if (!*path || (exists && !S_ISREG(status.st_mode))) {
    g_set_error(error, BH_ERROR, BH_ERROR_USAGE, "'%s': expected the path of a history file", path);
    return NULL;
  }
  if (!exists && !create) {
    g_set_error(error, BH_ERROR, BH_ERROR_USAGE,
                "%s: %s: `benchhost history add JOURNAL` makes a history; --db or BENCHHOST_HISTORY says where it is",
                path, g_strerror(errno));
    return NULL;
  }
  /* Names like ":memory:" mean files here. */
  g_autofree char *plain = g_path_is_absolute(path) ? g_strdup(path) : g_strconcat("./", path, NULL);
  const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | (create ? SQLITE_OPEN_CREATE : 0);
  if (sqlite3_open_v2(plain, &store->db, flags, NULL) != SQLITE_OK) {
    if (exists)
      bh_store_fail(store, error);
    else
      say_why_not_made(store, error);
    return NULL;
  }
  return prepare_file(store, create, error) ? g_steal_pointer(&store) : NULL;
}

void bh_store_free(BhStore *store) {
  if (!store)
    return;
  sqlite3_close(store->db);
  g_free(store->path);
  g_free(store);
}
