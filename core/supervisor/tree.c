/* SPDX-License-Identifier: MIT
 * Owns the reading of /proc about processes and the ending of whole trees. Reads are small and few: this runs beside a
 * measurement. */
#include "supervisor/tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define CLEAN_LOOKS                                                                                                    \
  3 /* in a row, before nothing is believed to be left: one who forks and ends hides its child from one look */
#define ROUNDS 2000 /* of killing, 1 ms apart, until a tree that keeps forking is given up */

/* A /proc file into `buffer`, NUL-terminated; its length, or -1. */
static ssize_t read_proc(const char *path, char *buffer, size_t size) {
  const int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0)
    return -1;
  size_t n = 0;
  while (n + 1 < size) {
    const ssize_t got = read(fd, buffer + n, size - 1 - n);
    if (got <= 0)
      break;
    n += (size_t)got;
  }
  close(fd);
  buffer[n] = 0;
  return (ssize_t)n;
}

/* Field `index` (from 3, as in proc(5): 3 = state, 4 = parent, 6 = session) of /proc/PID/stat; 0: gone. */
static long stat_field(pid_t pid, int index) {
  char path[64], text[1024];
  snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
  if (read_proc(path, text, sizeof text) <= 0)
    return 0;
  const char *at = strrchr(text, ')'); /* the name before may hold anything */
  if (!at)
    return 0;
  at += 2;
  if (index == 3)
    return *at;
  for (int i = 3; i < index && at; i++) {
    at = strchr(at, ' ');
    at = at ? at + 1 : NULL;
  }
  return at ? atol(at) : 0;
}

static pid_t *list_processes(guint *ret_n) {
  guint n = 0, room = 256;
  pid_t *pids = malloc(room * sizeof *pids);
  DIR *dir = opendir("/proc");
  struct dirent *entry;
  while (dir && (entry = readdir(dir))) {
    const int pid = atoi(entry->d_name);
    if (pid <= 0)
      continue;
    if (n == room)
      pids = realloc(pids, (room *= 2) * sizeof *pids);
    pids[n++] = pid;
  }
  if (dir)
    closedir(dir);
  *ret_n = n;
  return pids;
}

/* Children of one thread, as the kernel lists them; FALSE: it does not. */
static gboolean thread_children(pid_t pid, const char *thread, GArray *children) {
  g_autofree char *path = g_strdup_printf("/proc/%d/task/%s/children", (int)pid, thread);
  g_autofree char *text = g_malloc(1 << 16);
  if (read_proc(path, text, 1 << 16) < 0)
    return FALSE;
  for (char *at = text, *end; *at; at = end) {
    const pid_t child = (pid_t)strtol(at, &end, 10);
    if (end == at)
      break;
    g_array_append_val(children, child);
    while (*end == ' ')
      end++;
  }
  return TRUE;
}

/* Kernels built without CONFIG_PROC_CHILDREN. */
static void scan_children(pid_t pid, GArray *children) {
  guint n;
  pid_t *pids = list_processes(&n);
  for (guint i = 0; i < n; i++)
    if (stat_field(pids[i], 4) == pid)
      g_array_append_val(children, pids[i]);
  free(pids);
}

static void append_children(pid_t pid, GArray *children) {
  char path[64];
  snprintf(path, sizeof path, "/proc/%d/task", (int)pid);
  DIR *dir = opendir(path);
  if (!dir)
    return;
  gboolean listed = TRUE;
  struct dirent *entry;
  while ((entry = readdir(dir)))
    if (entry->d_name[0] != '.' && !thread_children(pid, entry->d_name, children) && access(path, F_OK) == 0)
      listed = FALSE;
  closedir(dir);
  if (!listed)
    scan_children(pid, children);
}

static gboolean holds(const GArray *pids, pid_t pid) {
  for (guint i = 0; pids && i < pids->len; i++)
    if (g_array_index(pids, pid_t, i) == pid)
      return TRUE;
  return FALSE;
}

/* Without those in `spare` and all that descends from them. */
static GArray *descendants_but(pid_t root, const GArray *spare) {
  GArray *all = g_array_new(FALSE, FALSE, sizeof(pid_t));
  append_children(root, all);
  for (guint i = 0; i < all->len; i++) {
    const pid_t pid = g_array_index(all, pid_t, i);
    if (holds(spare, pid)) {
      g_array_remove_index(all, i--);
      continue;
    }
    if (i < 100000) /* a fork bomb is ended in several turns */
      append_children(pid, all);
  }
  return all;
}

GArray *bh_tree_descendants(pid_t root) {
  return descendants_but(root, NULL);
}

/* ---- Memory ---- */

/* A "Key:   123 kB" field in bytes; 0: not there. */
static guint64 field_bytes(const char *text, const char *key) {
  const char *at = strstr(text, key);
  return at ? g_ascii_strtoull(at + strlen(key), NULL, 10) * 1024 : 0;
}

static void add_memory(pid_t pid, guint64 *anonymous, guint64 *shared) {
  char path[64], text[4096];
  snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
  if (read_proc(path, text, sizeof text) <= 0)
    return;
  *anonymous += field_bytes(text, "\nRssAnon:") + field_bytes(text, "\nHugetlbPages:");
  const guint64 mine = field_bytes(text, "\nRssShmem:");
  *shared = MAX(*shared, mine);
}

guint64 bh_tree_memory_bytes(pid_t root, guint *ret_n) {
  guint64 anonymous = 0, shared = 0;
  g_autoptr(GArray) all = bh_tree_descendants(root);
  add_memory(root, &anonymous, &shared);
  for (guint i = 0; i < all->len; i++)
    add_memory(g_array_index(all, pid_t, i), &anonymous, &shared);
  if (ret_n)
    *ret_n = all->len + 1;
  return anonymous + shared;
}

static guint64 exact_bytes(pid_t pid) {
  char path[64], text[4096];
  snprintf(path, sizeof path, "/proc/%d/smaps_rollup", (int)pid);
  if (read_proc(path, text, sizeof text) <= 0)
    return 0;
  return field_bytes(text, "\nPss_Anon:") + field_bytes(text, "\nPss_Shmem:") + field_bytes(text, "\nPrivate_Hugetlb:");
}

guint64 bh_tree_memory_exact_bytes(pid_t root) {
  g_autoptr(GArray) all = bh_tree_descendants(root);
  guint64 sum = exact_bytes(root);
  for (guint i = 0; i < all->len; i++)
    sum += exact_bytes(g_array_index(all, pid_t, i));
  return sum;
}

guint64 bh_tree_peak_bytes(pid_t pid) {
  char path[64], text[4096];
  snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
  if (read_proc(path, text, sizeof text) <= 0)
    return 0;
  return field_bytes(text, "\nVmHWM:");
}

/* ---- Ending ---- */

static void pause_1ms(void) {
  const struct timespec ms = {0, 1000000};
  nanosleep(&ms, NULL);
}

guint bh_tree_end_all(const GArray *spare, pid_t keep) {
  const pid_t self = getpid();
  guint killed = 0, clean = 0;
  for (guint round = 0; clean < CLEAN_LOOKS && round < ROUNDS; round++) {
    g_autoptr(GArray) all = descendants_but(self, spare);
    guint alive = 0;
    for (guint i = 0; i < all->len; i++) {
      const pid_t pid = g_array_index(all, pid_t, i);
      const long state = stat_field(pid, 3);
      if (state && state != 'Z' && state != 'X') {
        alive++;
        if (kill(pid, SIGKILL) == 0 && round == 0)
          killed++;
      }
    }
    for (guint i = 0; i < all->len; i++) {
      const pid_t pid = g_array_index(all, pid_t, i);
      if (pid != keep)
        while (waitpid(pid, NULL, WNOHANG) < 0 && errno == EINTR)
          ;
    }
    clean = !alive && (!all->len || (all->len == 1 && g_array_index(all, pid_t, 0) == keep)) ? clean + 1 : 0;
    if (alive)
      pause_1ms();
  }
  return killed;
}

/* Whether NAME=VALUE is one of the strings in a process's initial environment. */
static gboolean is_marked(pid_t pid, const char *mark, char *buffer, size_t size) {
  char path[64];
  snprintf(path, sizeof path, "/proc/%d/environ", (int)pid);
  const ssize_t n = read_proc(path, buffer, size);
  const size_t length = strlen(mark) + 1;
  for (const char *at = buffer; n > 0 && at + length <= buffer + n + 1; at += strlen(at) + 1)
    if (!memcmp(at, mark, length))
      return TRUE;
  return FALSE;
}

/* The descriptor pins the process: its number cannot be given to another between looking and killing. */
static gboolean end_if_ours(pid_t pid, const char *mark, const pid_t *sessions, guint n_sessions, char *buffer,
                            size_t size) {
  const int fd = (int)syscall(SYS_pidfd_open, pid, 0);
  if (fd < 0)
    return FALSE;
  const long state = stat_field(pid, 3);
  gboolean ours = state && state != 'Z' && state != 'X' && is_marked(pid, mark, buffer, size);
  const long session = stat_field(pid, 6);
  for (guint i = 0; i < n_sessions && state && state != 'Z' && !ours; i++)
    ours = session == sessions[i];
  if (ours)
    syscall(SYS_pidfd_send_signal, fd, SIGKILL, NULL, 0);
  close(fd);
  return ours;
}

guint bh_tree_end_marked(const char *mark, const pid_t *sessions, guint n_sessions) {
  const size_t size = 1 << 18;
  char *buffer = malloc(size);
  guint killed = 0, clean = 0;
  for (guint round = 0; clean < CLEAN_LOOKS && round < ROUNDS; round++) {
    guint n, found = 0;
    pid_t *pids = list_processes(&n);
    for (guint i = 0; i < n; i++)
      if (pids[i] != getpid() && end_if_ours(pids[i], mark, sessions, n_sessions, buffer, size))
        found++;
    free(pids);
    killed += found;
    clean = found ? 0 : clean + 1;
    if (clean < CLEAN_LOOKS)
      pause_1ms();
  }
  free(buffer);
  return killed;
}
