/* SPDX-License-Identifier: MIT
 * Owns what an arm's text means and which plugin files a folder offers. */
#include "gate/arms.h"

#include "base/text.h"

#include <string.h>

#define DEEPEST 6       /* meson's plugins/NAME/NAME.so lies two below the build folder */
#define MOST_FILES 4096 /* a folder with more of them is no folder of plugins */

const char *bh_arm_kind_name(BhArmKind kind) {
  static const char *const names[] = {"installed", "folder", "file", "option"};
  return names[kind];
}

void bh_arm_free(BhArm *arm) {
  if (!arm)
    return;
  g_free(arm->given);
  g_free(arm->option);
  g_free(arm->qualifier);
  g_ptr_array_unref(arm->files);
  g_ptr_array_unref(arm->twice);
  g_free(arm);
}

/* ---- Folders ---- */

static int compare_texts(gconstpointer a, gconstpointer b) {
  return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Sorted paths of what is in `folder`. */
static GPtrArray *entries_of(const char *folder) {
  GPtrArray *paths = g_ptr_array_new_with_free_func(g_free);
  GDir *dir = g_dir_open(folder, 0, NULL);
  if (!dir)
    return paths;
  for (const char *name = g_dir_read_name(dir); name; name = g_dir_read_name(dir))
    if (name[0] != '.')
      g_ptr_array_add(paths, g_build_filename(folder, name, NULL));
  g_dir_close(dir);
  g_ptr_array_sort(paths, compare_texts);
  return paths;
}

/* Index of `name` in `files`, or the length. */
static guint find_name(const GPtrArray *files, const char *name) {
  guint i = 0;
  while (i < files->len && strcmp(files->pdata[i], name))
    i += 2;
  return i;
}

/* `before`: how many texts came from folders less deep; those win without a word. */
static void take_file(BhArm *arm, const char *path, guint before) {
  g_autofree char *name = g_path_get_basename(path);
  name[strlen(name) - strlen(".so")] = '\0';
  const guint at = find_name(arm->files, name);
  if (!*name || arm->files->len / 2 >= MOST_FILES || at < before)
    return;
  if (at < arm->files->len) {
    g_ptr_array_add(arm->twice, g_steal_pointer(&name));
    return;
  }
  g_ptr_array_add(arm->files, g_steal_pointer(&name));
  g_ptr_array_add(arm->files, g_strdup(path));
}

/* One depth after the other: a plugin on top of the folder comes before one of that name further down. */
static void search(BhArm *arm, const char *folder) {
  g_autoptr(GPtrArray) level = g_ptr_array_new_with_free_func(g_free);
  g_ptr_array_add(level, g_strdup(folder));
  for (guint depth = 0; depth <= DEEPEST && level->len; depth++) {
    g_autoptr(GPtrArray) next = g_ptr_array_new_with_free_func(g_free);
    const guint before = arm->files->len;
    for (guint i = 0; i < level->len; i++) {
      g_autoptr(GPtrArray) entries = entries_of(level->pdata[i]);
      for (guint k = 0; k < entries->len; k++) {
        const char *path = entries->pdata[k];
        if (g_str_has_suffix(path, ".so") && g_file_test(path, G_FILE_TEST_IS_REGULAR))
          take_file(arm, path, before);
        else if (g_file_test(path, G_FILE_TEST_IS_DIR) && !g_file_test(path, G_FILE_TEST_IS_SYMLINK) &&
                 !g_str_has_suffix(path, ".p")) /* meson's folders of object files */
          g_ptr_array_add(next, g_strdup(path));
      }
    }
    g_ptr_array_unref(g_steal_pointer(&level));
    level = g_steal_pointer(&next);
  }
}

/* ---- Parsing ---- */

static gboolean parse_folder(BhArm *arm, GError **error) {
  g_autofree char *folder = g_canonicalize_filename(arm->given, NULL);
  search(arm, folder);
  if (arm->files->len)
    return TRUE;
  g_set_error(error, BH_ERROR, BH_ERROR_USAGE,
              "%s: no plugin (NAME.so) in this folder or below it; give the folder that a build put its plugins into",
              arm->given);
  return FALSE;
}

static gboolean parse_file(BhArm *arm, GError **error) {
  g_autofree char *path = g_canonicalize_filename(arm->given, NULL);
  if (g_str_has_suffix(path, ".so")) {
    take_file(arm, path, 0);
    return TRUE;
  }
  g_set_error(error, BH_ERROR, BH_ERROR_USAGE,
              "%s: a file, but no plugin; expected a folder of plugins, NAME.so, or NAME=VALUE", arm->given);
  return FALSE;
}

static gboolean parse_option(BhArm *arm, GError **error) {
  const char *equals = strchr(arm->given, '='), *slash = strchr(arm->given, '/');
  if (!equals || equals == arm->given || !equals[1] || (slash && slash < equals)) {
    g_autofree char *shown = bh_text_shown(arm->given);
    g_set_error(error, BH_ERROR, BH_ERROR_USAGE,
                "'%s' is no folder, no plugin's file and no NAME=VALUE; expected one of these to compare, or . for the "
                "plugins as installed",
                shown);
    return FALSE;
  }
  g_autofree char *path = g_strndup(arm->given, (gsize)(equals - arm->given));
  const char *dot = strrchr(path, '.');
  arm->kind = BH_ARM_OPTION;
  arm->option = g_strdup(dot ? dot + 1 : path);
  arm->qualifier = dot ? g_strndup(path, (gsize)(dot - path)) : NULL;
  return TRUE;
}

BhArm *bh_arm_parse(const char *text, GError **error) {
  g_autoptr(BhArm) arm = g_new0(BhArm, 1);
  arm->given = g_strdup(text);
  arm->files = g_ptr_array_new_with_free_func(g_free);
  arm->twice = g_ptr_array_new_with_free_func(g_free);
  gboolean ok = TRUE;
  if (!strcmp(text, ".") || !strcmp(text, "-")) {
    arm->kind = BH_ARM_INSTALLED;
  } else if (g_file_test(text, G_FILE_TEST_IS_DIR)) {
    arm->kind = BH_ARM_FOLDER;
    ok = parse_folder(arm, error);
  } else if (g_file_test(text, G_FILE_TEST_EXISTS)) {
    arm->kind = BH_ARM_FILE;
    ok = parse_file(arm, error);
  } else {
    ok = parse_option(arm, error);
  }
  if (!ok)
    return NULL;
  g_ptr_array_add(arm->files, NULL);
  return g_steal_pointer(&arm);
}

/* ---- Against the plan ---- */

/* As --param's qualifiers. */
gboolean bh_arm_varies(const BhArm *arm, const BhPlugin *plugin, const char *name) {
  const char *kind = bh_plugin_kind_name(plugin->kind), *qualifier = arm->qualifier;
  return !g_strcmp0(arm->option, name) && (!qualifier || !strcmp(qualifier, kind) || !strcmp(qualifier, plugin->name));
}

gboolean bh_arm_has(const BhArm *arm, const BhPlugin *plugin) {
  for (guint i = 0; arm->files->pdata[i]; i += 2)
    if (!strcmp(arm->files->pdata[i + 1], plugin->path))
      return TRUE;
  return FALSE;
}

static char *names_used(const BhPlan *plan) {
  g_autoptr(GPtrArray) names = g_ptr_array_new();
  for (guint i = 0; i < plan->cells->len; i++) {
    const BhCell *cell = plan->cells->pdata[i];
    const BhPlugin *plugins[] = {cell->workload, cell->backend};
    for (guint k = 0; k < 2; k++)
      if (!g_ptr_array_find_with_equal_func(names, plugins[k]->name, g_str_equal, NULL))
        g_ptr_array_add(names, plugins[k]->name);
  }
  g_ptr_array_sort(names, compare_texts);
  g_ptr_array_add(names, NULL);
  return g_strjoinv(", ", (char **)names->pdata);
}

gboolean bh_arm_check(const BhArm *arm, const char *which, const BhPlan *plan, GError **error) {
  gboolean any = arm->kind != BH_ARM_FOLDER && arm->kind != BH_ARM_FILE;
  for (guint i = 0; i < plan->cells->len; i++) {
    const BhCell *cell = plan->cells->pdata[i];
    const BhPlugin *plugins[] = {cell->workload, cell->backend};
    for (guint k = 0; k < 2; k++) {
      if (!bh_arm_has(arm, plugins[k]))
        continue;
      any = TRUE;
      if (g_ptr_array_find_with_equal_func(arm->twice, plugins[k]->name, g_str_equal, NULL)) {
        g_set_error(error, BH_ERROR, BH_ERROR_USAGE,
                    "%s %s: more than one %s.so lies below this folder, %s among them; give a folder with one", which,
                    arm->given, plugins[k]->name, plugins[k]->path);
        return FALSE;
      }
    }
  }
  if (any)
    return TRUE;
  g_autofree char *used = names_used(plan);
  g_set_error(error, BH_ERROR, BH_ERROR_USAGE,
              "%s %s: holds no plugin that the matrix uses (%s); give the folder or the file of one of them", which,
              arm->given, used);
  return FALSE;
}
