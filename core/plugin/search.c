/* SPDX-License-Identifier: MIT
 * Owns the plugin search path. In a build tree (a folder with meson-private) the build's own plugin folders come before
 * the installed ones; the installed folder is also tried relative to the program, so that a staged install (DESTDIR)
 * runs. */
#include "plugin/search.h"

#include <string.h>

char *bh_search_self(void) {
  const char *other = g_getenv("BENCHHOST_SELF");
  if (other && *other)
    return g_strdup(other);
  char *self = g_file_read_link("/proc/self/exe", NULL);
  return self ? self : g_strdup("/proc/self/exe");
}

static void add_folder(GPtrArray *folders, char *folder) {
  if (g_file_test(folder, G_FILE_TEST_IS_DIR) && !g_ptr_array_find_with_equal_func(folders, folder, g_str_equal, NULL))
    g_ptr_array_add(folders, folder);
  else
    g_free(folder);
}

static int compare_texts(gconstpointer a, gconstpointer b) {
  return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Each folder inside `parent` may hold a plugin of its own. */
static void add_subfolders(GPtrArray *folders, const char *parent) {
  GDir *dir = g_dir_open(parent, 0, NULL);
  if (!dir)
    return;
  g_autoptr(GPtrArray) found = g_ptr_array_new();
  for (const char *name = g_dir_read_name(dir); name; name = g_dir_read_name(dir))
    if (!g_str_has_suffix(name, ".p"))
      g_ptr_array_add(found, g_build_filename(parent, name, NULL));
  g_dir_close(dir);
  g_ptr_array_sort(found, compare_texts);
  for (guint i = 0; i < found->len; i++)
    add_folder(folders, g_ptr_array_index(found, i));
}

/* PREFIX/`subfolder`/benchhost, where this program is PREFIX/bin/benchhost. */
static void add_staged(GPtrArray *folders, const char *home, const char *subfolder) {
  if (g_path_is_absolute(BH_BIN_SUBDIR) || g_path_is_absolute(subfolder) || !g_str_has_suffix(home, "/" BH_BIN_SUBDIR))
    return;
  g_autofree char *prefix = g_strndup(home, strlen(home) - strlen("/" BH_BIN_SUBDIR));
  add_folder(folders, g_build_filename(prefix, subfolder, "benchhost", NULL));
}

static void add_default_folders(GPtrArray *folders) {
  g_autofree char *self = bh_search_self();
  g_autofree char *home = g_path_get_dirname(self);
  g_autofree char *mark = g_build_filename(home, "meson-private", NULL);
  if (g_file_test(mark, G_FILE_TEST_IS_DIR)) {
    g_autofree char *backends = g_build_filename(home, "plugins", NULL);
    g_autofree char *workloads = g_build_filename(home, "workloads", NULL);
    add_subfolders(folders, backends);
    add_subfolders(folders, workloads);
    return;
  }
  add_staged(folders, home, BH_LIB_SUBDIR);
  add_folder(folders, g_strdup(BH_PLUGIN_DIR));
}

char **bh_search_folders(void) {
  g_autoptr(GPtrArray) folders = g_ptr_array_new();
  const char *path = g_getenv("BENCHHOST_PLUGIN_PATH");
  g_auto(GStrv) parts = path ? g_strsplit(path, ":", -1) : NULL;
  for (char **part = parts; part && *part; part++)
    if (**part)
      add_folder(folders, g_canonicalize_filename(*part, NULL));
  add_default_folders(folders);
  g_ptr_array_add(folders, NULL);
  return (char **)g_ptr_array_free(g_steal_pointer(&folders), FALSE);
}

gboolean bh_search_is_default(const char *folder) {
  g_autoptr(GPtrArray) folders = g_ptr_array_new_with_free_func(g_free);
  add_default_folders(folders);
  return g_ptr_array_find_with_equal_func(folders, folder, g_str_equal, NULL);
}

char *bh_search_find(const char *name_or_path) {
  if (strchr(name_or_path, '/')) {
    char *path = g_canonicalize_filename(name_or_path, NULL);
    if (g_file_test(path, G_FILE_TEST_EXISTS))
      return path;
    g_free(path);
    return NULL;
  }
  g_auto(GStrv) folders = bh_search_folders();
  g_autofree char *file = g_strconcat(name_or_path, ".so", NULL);
  for (char **folder = folders; *folder; folder++) {
    char *path = g_build_filename(*folder, file, NULL);
    /* A link to nothing is found too: the loader says what is the matter with it. */
    if (g_file_test(path, G_FILE_TEST_EXISTS) || g_file_test(path, G_FILE_TEST_IS_SYMLINK))
      return path;
    g_free(path);
  }
  return NULL;
}

char *bh_search_data(const char *file) {
  g_autoptr(GPtrArray) folders = g_ptr_array_new_with_free_func(g_free);
  g_auto(GStrv) plugins = bh_search_folders();
  g_autofree char *self = bh_search_self();
  g_autofree char *home = g_path_get_dirname(self);
  for (char **folder = plugins; *folder; folder++)
    g_ptr_array_add(folders, g_strdup(*folder));
  add_staged(folders, home, BH_DATA_SUBDIR);
  add_folder(folders, g_strdup(BH_DATA_DIR));
  for (guint i = 0; i < folders->len; i++) {
    char *path = g_build_filename(folders->pdata[i], file, NULL);
    if (g_file_test(path, G_FILE_TEST_IS_REGULAR))
      return path;
    g_free(path);
  }
  return NULL;
}

char **bh_search_names(void) {
  g_auto(GStrv) folders = bh_search_folders();
  g_autoptr(GPtrArray) names = g_ptr_array_new();
  for (char **folder = folders; *folder; folder++) {
    GDir *dir = g_dir_open(*folder, 0, NULL);
    if (!dir)
      continue;
    for (const char *file = g_dir_read_name(dir); file; file = g_dir_read_name(dir)) {
      if (!g_str_has_suffix(file, ".so"))
        continue;
      g_autofree char *name = g_strndup(file, strlen(file) - 3);
      if (*name && !g_ptr_array_find_with_equal_func(names, name, g_str_equal, NULL))
        g_ptr_array_add(names, g_steal_pointer(&name));
    }
    g_dir_close(dir);
  }
  g_ptr_array_sort(names, compare_texts);
  g_ptr_array_add(names, NULL);
  return (char **)g_ptr_array_free(g_steal_pointer(&names), FALSE);
}
