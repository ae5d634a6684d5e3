/* SPDX-License-Identifier: MIT
 * Owns the scratch folder: making, locking, sweeping, removing. Removal trusts nothing that a plugin may have put
 * there: links are not followed, mounts are not entered, folders without permission are opened up, depth costs no
 * stack. */
#include "supervisor/scratch.h"

#include "supervisor/tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define DEEPEST 64 /* levels of recursion, one descriptor each; what lies deeper is moved up first */
#define YOUNG_S 60 /* a folder without a lock file may just be in the making */

/* A folder that is neither a link nor on another mount; -1: it is not. */
static int open_folder(int at, const char *name) {
  struct open_how how = {.flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC,
                         .resolve = RESOLVE_NO_XDEV | RESOLVE_NO_SYMLINKS};
  int fd = (int)syscall(SYS_openat2, at, name, &how, sizeof how);
  if (fd >= 0 || (errno != ENOSYS && errno != EPERM && errno != EINVAL))
    return fd;
  fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC); /* kernels before 5.6 */
  struct stat inner, outer;
  if (fd >= 0 && (fstat(fd, &inner) != 0 || fstat(at, &outer) != 0 || inner.st_dev != outer.st_dev)) {
    close(fd);
    errno = EXDEV;
    return -1;
  }
  return fd;
}

static gboolean remove_entry(int at, const char *name, int top, guint depth);

/* Removes what is in the folder `fd`, which stays open; `top` is where too deep ones are moved to. */
static gboolean empty_folder(int fd, int top, guint depth) {
  gboolean all = TRUE, again = TRUE;
  for (guint pass = 0; again && pass < 10000; pass++) {
    again = FALSE;
    const int copy = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = copy >= 0 ? fdopendir(copy) : NULL;
    if (!dir) {
      if (copy >= 0)
        close(copy);
      return FALSE;
    }
    all = TRUE;
    struct dirent *entry;
    while ((entry = readdir(dir))) {
      if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
        continue;
      if (remove_entry(fd, entry->d_name, top, depth))
        again = TRUE; /* names may have been added at the top, or skipped by readdir */
      else
        all = FALSE;
    }
    closedir(dir);
  }
  return all;
}

static gboolean remove_entry(int at, const char *name, int top, guint depth) {
  if (unlinkat(at, name, 0) == 0 || errno == ENOENT)
    return TRUE;
  if (unlinkat(at, name, AT_REMOVEDIR) == 0)
    return TRUE;
  if (errno != ENOTEMPTY && errno != EEXIST && errno != EACCES)
    return FALSE;
  if (depth >= DEEPEST) {
    static guint64 moved;
    char up[48];
    snprintf(up, sizeof up, ".moved-%d-%" G_GUINT64_FORMAT, (int)getpid(), moved++);
    return renameat(at, name, top, up) == 0;
  }
  int fd = open_folder(at, name);
  if (fd < 0 && errno == EACCES && fchmodat(at, name, 0700, 0) == 0)
    fd = open_folder(at, name);
  if (fd < 0)
    return FALSE;
  (void)!fchmod(fd, 0700); /* a folder without write permission keeps its entries */
  const gboolean empty = empty_folder(fd, top, depth + 1);
  close(fd);
  return unlinkat(at, name, AT_REMOVEDIR) == 0 && empty;
}

gboolean bh_scratch_remove(const char *path) {
  g_autofree char *folder = g_path_get_dirname(path);
  g_autofree char *name = g_path_get_basename(path);
  const int at = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (at < 0)
    return errno == ENOENT;
  int top = open_folder(at, name);
  if (top < 0 && errno == EACCES && fchmodat(at, name, 0700, AT_SYMLINK_NOFOLLOW) == 0)
    top = open_folder(at, name);
  if (top >= 0) {
    (void)!fchmod(top, 0700);
    empty_folder(top, top, 0);
    close(top);
  }
  const gboolean gone = unlinkat(at, name, top >= 0 ? AT_REMOVEDIR : 0) == 0 || errno == ENOENT;
  close(at);
  return gone;
}

/* ---- Sweeping ---- */

static char *name_prefix(void) {
  return g_strdup_printf("benchhost-%u-", (unsigned)getuid());
}

static gboolean is_root_name(const char *name, const char *prefix) {
  const gsize length = strlen(prefix);
  if (strncmp(name, prefix, length) || strlen(name) != length + 6)
    return FALSE;
  for (const char *at = name + length; *at; at++)
    if (!g_ascii_isalnum(*at))
      return FALSE;
  return TRUE;
}

static gboolean sweep_one(const char *base, int base_fd, const char *name) {
  struct stat st;
  if (fstatat(base_fd, name, &st, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISDIR(st.st_mode) || st.st_uid != getuid())
    return FALSE;
  g_autofree char *lock_name = g_build_filename(name, "lock", NULL);
  const int lock = openat(base_fd, lock_name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
  if (lock < 0 && (errno != ENOENT || st.st_mtime + YOUNG_S > time(NULL)))
    return FALSE;
  gboolean gone = FALSE;
  if (lock < 0 || flock(lock, LOCK_EX | LOCK_NB) == 0) {
    g_autofree char *mark = g_strdup_printf("BENCHHOST_RUN=%s", name);
    g_autofree char *path = g_build_filename(base, name, NULL);
    bh_tree_end_marked(mark, NULL, 0);
    gone = bh_scratch_remove(path);
  }
  if (lock >= 0)
    close(lock);
  return gone;
}

guint bh_scratch_sweep(const char *base) {
  guint swept = 0;
  g_autofree char *prefix = name_prefix();
  DIR *dir = opendir(base);
  struct dirent *entry;
  while (dir && (entry = readdir(dir)))
    if (is_root_name(entry->d_name, prefix) && sweep_one(base, dirfd(dir), entry->d_name))
      swept++;
  if (dir)
    closedir(dir);
  return swept;
}

/* ---- Making ---- */

void bh_scratch_remove_dead(const char *root) {
  g_autofree char *path = g_build_filename(root, "lock", NULL);
  const struct timespec ms = {0, 1000000};
  const int lock = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
  if (lock < 0) {
    rmdir(root); /* made and not yet locked: then it is empty */
    return;
  }
  /* The owner's newest child has a copy of the descriptor until it is dead as well. */
  for (guint i = 0; i < 10000; i++) {
    if (flock(lock, LOCK_EX | LOCK_NB) == 0) {
      bh_scratch_remove(root);
      break;
    }
    nanosleep(&ms, NULL);
  }
  close(lock);
}

BhScratch *bh_scratch_choose(void) {
  static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
  const char *tmp = g_getenv("TMPDIR");
  g_autofree char *base = g_canonicalize_filename(tmp && *tmp ? tmp : "/tmp", NULL);
  g_autofree char *prefix = name_prefix();
  bh_scratch_sweep(base);
  g_autoptr(GString) name = g_string_new(prefix);
  for (guint i = 0; i < 6; i++)
    g_string_append_c(name, letters[g_random_int_range(0, (gint32)sizeof letters - 1)]);
  BhScratch *scratch = g_new0(BhScratch, 1);
  scratch->lock_fd = -1;
  scratch->root = g_build_filename(base, name->str, NULL);
  scratch->mark = g_strdup_printf("BENCHHOST_RUN=%s", name->str);
  return scratch;
}

/* FALSE: somebody was quicker to lock it, a sweep that took us for dead. */
static gboolean lock_root(BhScratch *scratch) {
  g_autofree char *path = g_build_filename(scratch->root, "lock", NULL);
  struct stat st;
  scratch->lock_fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (scratch->lock_fd >= 0 && flock(scratch->lock_fd, LOCK_EX | LOCK_NB) == 0 && fstat(scratch->lock_fd, &st) == 0 &&
      st.st_nlink > 0)
    return TRUE;
  if (scratch->lock_fd >= 0)
    close(scratch->lock_fd);
  scratch->lock_fd = -1;
  return FALSE;
}

gboolean bh_scratch_make(BhScratch *scratch, GError **error) {
  const struct timespec ms = {0, 1000000};
  int code = 0;
  for (guint attempt = 0; attempt < 100; attempt++) {
    const gboolean made = mkdir(scratch->root, 0700) == 0;
    code = errno;
    if (!made && !(scratch->made && code == EEXIST)) /* another's name, or no such place */
      break;
    scratch->made = TRUE;
    if (made && lock_root(scratch))
      return TRUE;
    nanosleep(&ms, NULL);
  }
  g_set_error(error, BH_ERROR, BH_ERROR_IO, "cannot make the scratch folder %s: %s; set TMPDIR to another place",
              scratch->root, g_strerror(code));
  return FALSE;
}

void bh_scratch_free(BhScratch *scratch) {
  if (!scratch)
    return;
  if (scratch->made)
    bh_scratch_remove(scratch->root);
  if (scratch->lock_fd >= 0)
    close(scratch->lock_fd);
  g_free(scratch->root);
  g_free(scratch->mark);
  g_free(scratch);
}
