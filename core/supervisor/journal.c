/* SPDX-License-Identifier: MIT
 * Owns the journal's file: created once, locked against a second writer, appended to line by line, each line whole and
 * synced or not there at all. What the lines say is journal-lines.c's and cell-line.c's business. */
#include "supervisor/journal.h"

#include "base/json.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

struct BhJournal {
  char *path;
  int fd;
  off_t good_bytes;   /* everything before is whole lines, on the disk */
  gboolean created;   /* by us: an empty one is taken away again */
  gboolean discarded; /* so is this one */
  gboolean broken;    /* a line could not be written: nothing more may follow it */
};

static BhJournal *fail(BhJournal *journal, GError **error, const char *doing, int code) {
  g_set_error(error, BH_ERROR, BH_ERROR_IO, "%s: cannot %s the journal: %s", journal->path, doing, g_strerror(code));
  bh_journal_close(journal);
  return NULL;
}

static BhJournal *locked(BhJournal *journal, GError **error) {
  if (flock(journal->fd, LOCK_EX | LOCK_NB) == 0)
    return journal;
  if (errno != EWOULDBLOCK)
    return fail(journal, error, "lock", errno);
  g_set_error(error, BH_ERROR, BH_ERROR_USAGE,
              "%s: another benchhost is writing to this journal; wait for it, or give another --output", journal->path);
  bh_journal_close(journal);
  return NULL;
}

/* So that the name itself survives a power cut. */
static void sync_folder(const char *path) {
  g_autofree char *folder = g_path_get_dirname(path);
  const int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0)
    return;
  (void)!fsync(fd);
  close(fd);
}

static BhJournal *journal_new(const char *path) {
  /* A file size limit then shows as an error of write(), which we can report. Workers get the default back. */
  signal(SIGXFSZ, SIG_IGN);
  BhJournal *journal = g_new0(BhJournal, 1);
  journal->path = g_strdup(path);
  journal->fd = -1;
  return journal;
}

BhJournal *bh_journal_create(const char *path, GError **error) {
  BhJournal *journal = journal_new(path);
  g_autofree char *folder = g_path_get_dirname(path);
  if (g_mkdir_with_parents(folder, 0777) != 0) {
    g_set_error(error, BH_ERROR, BH_ERROR_USAGE, "%s: cannot create the folder %s: %s", path, folder,
                g_strerror(errno));
    bh_journal_close(journal);
    return NULL;
  }
  journal->fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC | O_NOCTTY, 0666);
  if (journal->fd < 0) {
    if (errno == EEXIST)
      g_set_error(error, BH_ERROR, BH_ERROR_USAGE,
                  "%s: exists already; go on with it by --resume %s, or give another --output", path, path);
    else
      g_set_error(error, BH_ERROR, BH_ERROR_USAGE, "%s: cannot create the journal: %s", path, g_strerror(errno));
    bh_journal_close(journal);
    return NULL;
  }
  journal->created = TRUE;
  sync_folder(path);
  return locked(journal, error);
}

/* A whole JSON line behind what was read: someone else has written since. */
static gboolean has_whole_line(int fd, off_t from, off_t to) {
  const gsize length = (gsize)MIN(to - from, (off_t)1 << 26);
  g_autofree char *text = g_malloc(length + 1);
  const ssize_t n = pread(fd, text, length, from);
  if (n <= 0)
    return FALSE;
  text[n] = 0;
  char *end = memchr(text, '\n', (gsize)n);
  if (!end)
    return FALSE;
  *end = 0;
  g_autoptr(JsonNode) node = json_from_string(text, NULL);
  return node && JSON_NODE_HOLDS_OBJECT(node);
}

BhJournal *bh_journal_resume(const char *path, goffset good_bytes, GError **error) {
  BhJournal *journal = journal_new(path);
  journal->fd = open(path, O_RDWR | O_APPEND | O_CLOEXEC | O_NOCTTY);
  if (journal->fd < 0) {
    g_set_error(error, BH_ERROR, BH_ERROR_USAGE, "%s: cannot open the journal to resume it: %s", path,
                g_strerror(errno));
    bh_journal_close(journal);
    return NULL;
  }
  if (!locked(journal, error))
    return NULL;
  struct stat st;
  if (fstat(journal->fd, &st) != 0)
    return fail(journal, error, "examine", errno);
  if (!S_ISREG(st.st_mode) || st.st_size < good_bytes || has_whole_line(journal->fd, good_bytes, st.st_size)) {
    g_set_error(error, BH_ERROR, BH_ERROR_USAGE,
                "%s: the journal changed while it was being read (another benchhost?); try again", path);
    bh_journal_close(journal);
    return NULL;
  }
  if (st.st_size > good_bytes && (ftruncate(journal->fd, good_bytes) != 0 || fdatasync(journal->fd) != 0))
    return fail(journal, error, "cut the torn last line off", errno);
  journal->good_bytes = good_bytes;
  return journal;
}

gboolean bh_journal_append(BhJournal *journal, JsonObject *line, GError **error) {
  g_autoptr(JsonNode) node = json_node_new(JSON_NODE_OBJECT);
  json_node_set_object(node, line);
  g_autofree char *json = bh_json_text(node, FALSE);
  g_autofree char *text = g_strconcat(json, "\n", NULL);
  const gsize length = strlen(text);
  int code = journal->broken ? EIO : 0;
  if (!code) {
    ssize_t written;
    do
      written = write(journal->fd, text, length);
    while (written < 0 && errno == EINTR);
    if (written < 0)
      code = errno;
    else if ((gsize)written < length)
      code = ENOSPC; /* a regular file takes less only when there is no more room, by disk, quota or limit */
    else if (fdatasync(journal->fd) != 0 && errno != EINVAL && errno != EROFS)
      code = errno;
  }
  if (!code) {
    journal->good_bytes += (off_t)length;
    return TRUE;
  }
  journal->broken = TRUE;
  const gboolean cut = ftruncate(journal->fd, journal->good_bytes) == 0;
  const gboolean full = code == ENOSPC || code == EDQUOT || code == EFBIG;
  if (journal->good_bytes == 0)
    g_set_error(error, BH_ERROR, BH_ERROR_IO, "%s: cannot write the journal's first line: %s", journal->path,
                g_strerror(code));
  else
    g_set_error(error, BH_ERROR, BH_ERROR_IO,
                "%s: cannot append to the journal: %s; results so far are kept in %s%s; %s and go on with --resume %s",
                journal->path, g_strerror(code), journal->path,
                cut ? "" : " (its last line is torn, which does no harm)", full ? "free space" : "mend the disk",
                journal->path);
  return FALSE;
}

void bh_journal_discard(BhJournal *journal) {
  journal->discarded = !journal->broken;
}

const char *bh_journal_path(const BhJournal *journal) {
  return journal->path;
}

void bh_journal_close(BhJournal *journal) {
  if (!journal)
    return;
  if (journal->fd >= 0) {
    /* while the lock is still held, so that nobody else's file is taken */
    if (journal->created && (journal->good_bytes == 0 || journal->discarded))
      unlink(journal->path);
    close(journal->fd);
  }
  g_free(journal->path);
  g_free(journal);
}
