/* SPDX-License-Identifier: MIT
 * Owns reading small files below a prefix, and the hook by which tests put a made-up machine there. */
#include "environment/files.h"

#include <stdlib.h>
#include <string.h>

#define MOST_CPUS 65536

const char *bh_files_root(void) {
  const char *root = g_getenv("BENCHHOST_TEST_ROOT");
  return root ? root : "";
}

char *bh_files_read(const char *root, const char *path) {
  g_autofree char *whole = g_strconcat(root, path, NULL);
  char *text = NULL;
  return g_file_get_contents(whole, &text, NULL, NULL) ? g_strchomp(text) : NULL;
}

char *bh_files_readf(const char *root, const char *format, ...) {
  va_list args;
  va_start(args, format);
  g_autofree char *path = g_strdup_vprintf(format, args);
  va_end(args);
  return bh_files_read(root, path);
}

gboolean bh_files_int(const char *root, const char *path, gint64 *ret) {
  g_autofree char *text = bh_files_read(root, path);
  char *end = NULL;
  const gint64 value = text ? g_ascii_strtoll(text, &end, 10) : 0;
  if (!text || end == text)
    return FALSE;
  *ret = value;
  return TRUE;
}

char *bh_files_value(const char *text, const char *key) {
  const gsize length = strlen(key);
  for (const char *line = text; line && *line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL) {
    const gsize whole = strcspn(line, "\n");
    const char *colon = memchr(line, ':', whole);
    if (!colon || strncmp(line, key, length) || strspn(line + length, " \t") != (gsize)(colon - line) - length)
      continue;
    return g_strstrip(g_strndup(colon + 1, whole - (gsize)(colon + 1 - line)));
  }
  return NULL;
}

GArray *bh_files_cpu_list(const char *text) {
  GArray *cpus = g_array_new(FALSE, FALSE, sizeof(int));
  while (text && g_ascii_isdigit(*text)) {
    char *end;
    const long first = strtol(text, &end, 10);
    long last = first;
    if (*end == '-' && g_ascii_isdigit(end[1]))
      last = strtol(end + 1, &end, 10);
    for (long cpu = first; cpu <= last && cpu < MOST_CPUS; cpu++) {
      const int number = (int)cpu;
      g_array_append_val(cpus, number);
    }
    text = *end == ',' ? end + 1 : NULL;
  }
  return cpus;
}
