/* SPDX-License-Identifier: MIT
 * Machines that exist only as files below a temporary folder, for the rooms that read /proc and /sys. */
#pragma once
#include <glib.h>
#include <glib/gstdio.h>

/* A new empty folder; made_up_free removes it with all that was put there. */
static inline char *made_up_new(void) {
  return g_dir_make_tmp("benchhost-made-up-XXXXXX", NULL);
}

static inline void made_up_put(const char *root, const char *path, const char *text) {
  g_autofree char *whole = g_strconcat(root, path, NULL);
  g_autofree char *folder = g_path_get_dirname(whole);
  g_assert_cmpint(g_mkdir_with_parents(folder, 0777), ==, 0);
  g_assert_true(g_file_set_contents(whole, text, -1, NULL));
}

static inline void made_up_remove(const char *path) {
  GDir *dir = g_file_test(path, G_FILE_TEST_IS_SYMLINK) ? NULL : g_dir_open(path, 0, NULL);
  const char *name;
  while (dir && (name = g_dir_read_name(dir))) {
    g_autofree char *child = g_build_filename(path, name, NULL);
    made_up_remove(child);
  }
  if (dir)
    g_dir_close(dir);
  g_remove(path);
}

static inline void made_up_free(char *root) {
  made_up_remove(root);
  g_free(root);
}
