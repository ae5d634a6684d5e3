/* SPDX-License-Identifier: MIT
 * Owns counting of what the process holds. */
#include "check/usage.h"

#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LEAST_CHUNK                                                                                                    \
  32 /* bytes: what one lost malloc costs at least; less than that per round is the allocator's noise */
#define WINDOWS 3

typedef struct {
  gint64 heap_bytes; /* -1: not known (a sanitizer's allocator) */
  gint descriptors, threads, children, shared_files;
} Usage;

static gint count_entries(const char *folder) {
  GDir *dir = g_dir_open(folder, 0, NULL);
  gint n = 0;
  if (!dir)
    return 0;
  while (g_dir_read_name(dir))
    n++;
  g_dir_close(dir);
  return n;
}

/* Other processes' files come and go as well: only those that bear this process's number are surely ours. */
static gint count_shared(void) {
  GDir *dir = g_dir_open("/dev/shm", 0, NULL);
  g_autofree char *own = g_strdup_printf("%d", (int)getpid());
  gint n = 0;
  for (const char *name = dir ? g_dir_read_name(dir) : NULL; name; name = g_dir_read_name(dir))
    n += strstr(name, own) != NULL;
  if (dir)
    g_dir_close(dir);
  return n;
}

static gint count_children(void) {
  g_autofree char *path = g_strdup_printf("/proc/self/task/%d/children", (int)getpid());
  g_autofree char *text = NULL;
  gint n = 0;
  if (g_file_get_contents(path, &text, NULL, NULL))
    for (const char *c = text; *c; c++)
      n += *c == ' ';
  return n;
}

static Usage usage_now(void) {
  malloc_trim(0);
  const struct mallinfo2 heap = mallinfo2();
  Usage usage = {
      .heap_bytes = heap.arena ? (gint64)(heap.uordblks + heap.hblkhd) : -1,
      .descriptors = count_entries("/proc/self/fd"),
      .threads = count_entries("/proc/self/task"),
      .children = count_children(),
      .shared_files = count_shared(),
  };
  return usage;
}

static void add(GString *text, gint64 grown, const char *what) {
  if (grown > 0)
    g_string_append_printf(text, "%s%" G_GINT64_FORMAT " %s", text->len ? ", " : "", grown, what);
}

static char *grown(const Usage *before, const Usage *after) {
  GString *text = g_string_new(NULL);
  add(text, after->descriptors - before->descriptors, "descriptors");
  add(text, after->threads - before->threads, "threads");
  add(text, after->children - before->children, "child processes");
  add(text, after->shared_files - before->shared_files, "files in /dev/shm");
  if (before->heap_bytes >= 0 && after->heap_bytes - before->heap_bytes >= LEAST_CHUNK * BH_USAGE_ROUNDS)
    add(text, after->heap_bytes - before->heap_bytes, "bytes of heap");
  if (text->len)
    return g_string_free(text, FALSE);
  g_string_free(text, TRUE);
  return NULL;
}

char *bh_usage_growth(gboolean (*life)(void *user), void *user) {
  for (guint i = 0; i < 4; i++)
    if (!life(user))
      return NULL;
  char *growth = NULL;
  Usage before = usage_now();
  for (guint window = 0; window < WINDOWS; window++) {
    for (guint i = 0; i < BH_USAGE_ROUNDS; i++)
      if (!life(user)) {
        g_free(growth);
        return NULL;
      }
    const Usage after = usage_now();
    g_free(growth);
    growth = grown(&before, &after);
    if (!growth)
      return NULL;
    before = after;
  }
  return growth;
}
