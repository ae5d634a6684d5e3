/* SPDX-License-Identifier: MIT
 * Owns the reading of control groups. A group's folder is the mount's folder plus the path in /proc/self/cgroup; inside
 * a container that path may not exist there, so every ancestor down to the mount itself is tried and what is missing is
 * passed over. */
#include "machine/cgroup.h"

#include <stdlib.h>
#include <string.h>

static char *slurp(const char *folder, const char *file) {
  g_autofree char *path = g_build_filename(folder, file, NULL);
  char *text = NULL;
  return g_file_get_contents(path, &text, NULL, NULL) ? text : NULL;
}

static gboolean slurp_number(const char *folder, const char *file, gint64 *ret) {
  g_autofree char *text = slurp(folder, file);
  return text && g_ascii_string_to_signed(g_strstrip(text), 10, G_MININT64, G_MAXINT64, ret, NULL);
}

/* Value after `key` in lines "key value"; FALSE: not there. */
static gboolean keyed_number(const char *text, const char *key, guint64 *ret) {
  const gsize length = strlen(key);
  for (const char *line = text; line && *line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL)
    if (!strncmp(line, key, length) && line[length] == ' ') {
      *ret = g_ascii_strtoull(line + length + 1, NULL, 10);
      return TRUE;
    }
  return FALSE;
}

/* The group's path for a v1 controller, or for v2 with NULL. Caller frees; NULL: none. */
static char *group_path(const char *root, const char *controller) {
  g_autofree char *text = slurp(root, "/proc/self/cgroup");
  g_auto(GStrv) lines = g_strsplit(text ? text : "", "\n", -1);
  for (char **line = lines; *line; line++) {
    g_auto(GStrv) fields = g_strsplit(*line, ":", 3);
    if (g_strv_length(fields) < 3)
      continue;
    if (!controller && !strcmp(fields[0], "0"))
      return g_strdup(fields[2]);
    g_auto(GStrv) names = g_strsplit(fields[1], ",", -1);
    if (controller && g_strv_contains((const char *const *)names, controller))
      return g_strdup(fields[2]);
  }
  return NULL;
}

/* Where a v1 controller, or v2 with NULL, is mounted. Caller frees; NULL: nowhere. */
static char *mount_folder(const char *root, const char *controller) {
  g_autofree char *text = slurp(root, "/proc/self/mounts");
  g_auto(GStrv) lines = g_strsplit(text ? text : "", "\n", -1);
  for (char **line = lines; *line; line++) {
    g_auto(GStrv) fields = g_strsplit(*line, " ", 5);
    if (g_strv_length(fields) < 4)
      continue;
    if (!controller && !strcmp(fields[2], "cgroup2"))
      return g_strconcat(root, fields[1], NULL);
    g_auto(GStrv) options = g_strsplit(fields[3], ",", -1);
    if (controller && !strcmp(fields[2], "cgroup") && g_strv_contains((const char *const *)options, controller))
      return g_strconcat(root, fields[1], NULL);
  }
  return NULL;
}

/* Folders from the group itself up to the mount, NULL-terminated; empty when the controller is not there. */
static char **group_folders(const char *root, const char *controller) {
  g_autoptr(GStrvBuilder) folders = g_strv_builder_new();
  g_autofree char *mount = mount_folder(root, controller);
  g_autofree char *path = group_path(root, controller);
  if (mount) {
    while (path && *path) {
      g_autofree char *folder = g_strconcat(mount, path, NULL);
      if (strcmp(path, "/") && !strstr(path, ".."))
        g_strv_builder_add(folders, folder);
      *strrchr(path, '/') = 0;
    }
    g_strv_builder_add(folders, mount);
  }
  return g_strv_builder_end(folders);
}

static double tighter(double a, double b) {
  return a > 0 && (b <= 0 || a < b) ? a : b;
}

double bh_cgroup_cpu_quota(const char *root) {
  double cores = 0;
  g_auto(GStrv) unified = group_folders(root, NULL);
  for (char **folder = unified; *folder; folder++) {
    g_autofree char *text = slurp(*folder, "cpu.max");
    char *rest = NULL;
    const double quota = text ? (double)g_ascii_strtoull(text, &rest, 10) : 0; /* "max 100000": nothing parsed */
    const double period = rest && rest != text ? (double)g_ascii_strtoull(rest, NULL, 10) : 0;
    if (quota > 0 && period > 0)
      cores = tighter(quota / period, cores);
  }
  g_auto(GStrv) cpu = group_folders(root, "cpu");
  for (char **folder = cpu; *folder; folder++) {
    gint64 quota = 0, period = 0;
    if (slurp_number(*folder, "cpu.cfs_quota_us", &quota) && slurp_number(*folder, "cpu.cfs_period_us", &period) &&
        quota > 0 && period > 0)
      cores = tighter((double)quota / (double)period, cores);
  }
  return cores;
}

/* One group's limit and use; FALSE: it has no limit. */
static gboolean group_memory(const char *folder, const char *limit_file, const char *use_file, const char *cache_key,
                             guint64 *ret_limit, guint64 *ret_free) {
  gint64 limit = 0, use = 0;
  /* v1 writes "no limit" as a huge number, v2 as "max" */
  if (!slurp_number(folder, limit_file, &limit) || limit <= 0 || limit >= G_MAXINT64 / 2)
    return FALSE;
  slurp_number(folder, use_file, &use);
  g_autofree char *stat = slurp(folder, "memory.stat");
  guint64 cache = 0;
  keyed_number(stat, cache_key, &cache);
  const guint64 used = (guint64)use > cache ? (guint64)use - cache : 0;
  *ret_limit = (guint64)limit;
  *ret_free = (guint64)limit > used ? (guint64)limit - used : 0;
  return TRUE;
}

guint64 bh_cgroup_memory_limit(const char *root, guint64 *ret_free_bytes) {
  guint64 tightest = 0;
  const struct {
    const char *controller, *limit, *use, *cache;
  } kinds[] = {{NULL, "memory.max", "memory.current", "inactive_file"},
               {"memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"}};
  guint64 least_free = G_MAXUINT64;
  for (guint i = 0; i < G_N_ELEMENTS(kinds); i++) {
    g_auto(GStrv) folders = group_folders(root, kinds[i].controller);
    for (char **folder = folders; *folder; folder++) {
      guint64 limit = 0, unused = 0;
      if (!group_memory(*folder, kinds[i].limit, kinds[i].use, kinds[i].cache, &limit, &unused))
        continue;
      tightest = tightest ? MIN(tightest, limit) : limit;
      least_free = MIN(least_free, unused);
    }
  }
  if (tightest)
    *ret_free_bytes = least_free;
  return tightest;
}

guint64 bh_cgroup_oom_kills(const char *root) {
  guint64 kills = 0;
  g_auto(GStrv) unified = group_folders(root, NULL);
  g_autofree char *events = *unified ? slurp(*unified, "memory.events") : NULL;
  if (keyed_number(events, "oom_kill", &kills))
    return kills;
  g_auto(GStrv) memory = group_folders(root, "memory");
  g_autofree char *control = *memory ? slurp(*memory, "memory.oom_control") : NULL;
  if (keyed_number(control, "oom_kill", &kills))
    return kills;
  g_autofree char *vmstat = slurp(root, "/proc/vmstat");
  keyed_number(vmstat, "oom_kill", &kills);
  return kills;
}

/* Whether the group in `folder` has a CPU quota of its own. */
static gboolean has_quota(const char *folder) {
  g_autofree char *max = slurp(folder, "cpu.max");
  gint64 quota = 0;
  return (max && g_ascii_isdigit(*max)) || (slurp_number(folder, "cpu.cfs_quota_us", &quota) && quota > 0);
}

char **bh_cgroup_cpu_stat_paths(const char *root) {
  g_autoptr(GStrvBuilder) paths = g_strv_builder_new();
  g_autofree char *innermost = NULL;
  gboolean any = FALSE;
  for (guint kind = 0; kind < 2 && !any; kind++) {
    g_auto(GStrv) folders = group_folders(root, kind ? "cpu" : NULL);
    for (char **folder = folders; *folder; folder++) {
      g_autofree char *path = g_build_filename(*folder, "cpu.stat", NULL);
      g_autofree char *text = slurp(*folder, "cpu.stat");
      guint64 times, us;
      if (!bh_cgroup_parse_throttling(text, &times, &us))
        continue;
      if (has_quota(*folder)) {
        g_strv_builder_add(paths, path);
        any = TRUE;
      }
      if (!innermost)
        innermost = g_steal_pointer(&path);
    }
  }
  if (!any && innermost)
    g_strv_builder_add(paths, innermost);
  return g_strv_builder_end(paths);
}

gboolean bh_cgroup_parse_throttling(const char *text, guint64 *ret_nr_throttled, guint64 *ret_throttled_usec) {
  guint64 ns = 0;
  if (!keyed_number(text, "nr_throttled", ret_nr_throttled))
    return FALSE;
  if (keyed_number(text, "throttled_usec", ret_throttled_usec))
    return TRUE;
  if (!keyed_number(text, "throttled_time", &ns)) /* v1, in ns */
    return FALSE;
  *ret_throttled_usec = ns / 1000;
  return TRUE;
}

gboolean bh_cgroup_throttling(const char *root, guint64 *ret_nr_throttled, guint64 *ret_throttled_usec) {
  g_auto(GStrv) paths = bh_cgroup_cpu_stat_paths(root);
  g_autofree char *text = NULL;
  if (*paths)
    g_file_get_contents(*paths, &text, NULL, NULL);
  return bh_cgroup_parse_throttling(text, ret_nr_throttled, ret_throttled_usec);
}
