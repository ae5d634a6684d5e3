/* SPDX-License-Identifier: MIT
 * `benchhost new workload|backend NAME`: writes a small complete project. What it writes are the projects in examples/,
 * which the tests build and run, with the example's name replaced. */
#include "cli/cli.h"
#include "cli/templates.h"
#include "plugin/validate.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <stdio.h>
#include <string.h>

static const char *example_name(const char *kind) {
  return !strcmp(kind, "workload") ? "my-histogram" : "my-threads";
}

static char *replace(const char *text, const char *from, const char *to) {
  g_auto(GStrv) parts = g_strsplit(text, from, -1);
  return g_strjoinv(to, parts);
}

static gboolean write_project(const char *kind, const char *name, const char *folder, GError **error) {
  if (g_mkdir(folder, 0777) != 0) {
    const int number = errno;
    g_set_error(error, BH_ERROR, number == EEXIST ? BH_ERROR_USAGE : BH_ERROR_IO, "%s: %s", folder,
                number == EEXIST ? "exists already; nothing was written" : g_strerror(number));
    return FALSE;
  }
  g_autoptr(GPtrArray) written = g_ptr_array_new_with_free_func(g_free); /* of char *, paths */
  GError *inner = NULL;
  for (const BhTemplate *template = bh_templates; template->kind && !inner; template ++) {
    if (strcmp(template->kind, kind) != 0)
      continue;
    g_autofree char *file = replace(template->file, example_name(kind), name);
    g_autofree char *text = replace(template->text, example_name(kind), name);
    char *path = g_build_filename(folder, file, NULL);
    g_ptr_array_add(written, path);
    g_file_set_contents(path, text, -1, &inner);
  }
  if (!inner)
    return TRUE;
  for (guint i = 0; i < written->len; i++)
    g_unlink(written->pdata[i]);
  g_rmdir(folder);
  g_set_error(error, BH_ERROR, BH_ERROR_IO, "%s: cannot be written, and is gone again: %s", folder, inner->message);
  g_error_free(inner);
  return FALSE;
}

static gboolean check_name(const char *kind, const char *name, GError **error) {
  if (strcmp(kind, "workload") != 0 && strcmp(kind, "backend") != 0) {
    g_set_error(error, BH_ERROR, BH_ERROR_USAGE, "'%s' is no kind of plugin: say workload or backend", kind);
    return FALSE;
  }
  if (!bh_validate_is_name(name)) {
    g_set_error(error, BH_ERROR, BH_ERROR_USAGE,
                "'%s' is not a legal name: lower-case letters, digits and '-', starting with a letter, at most 64",
                name);
    return FALSE;
  }
  return TRUE;
}

int bh_cmd_new(int argc, char **argv) {
  g_autofree char *dir = NULL;
  const GOptionEntry entries[] = {
      {"dir", 0, 0, G_OPTION_ARG_FILENAME, &dir, "The folder to write (default: NAME in the current folder)", "FOLDER"},
      {NULL}};
  g_autoptr(GOptionContext) context =
      g_option_context_new("workload|backend NAME - write a new plugin project, ready to build");
  g_option_context_set_summary(context, "A workload's kernel, NAME.k.h, runs on processors, OpenCL and CUDA as it is.");
  g_option_context_add_main_entries(context, entries, NULL);
  GError *error = NULL;
  if (!g_option_context_parse(context, &argc, &argv, &error))
    return bh_cli_fail(error);
  if (argc != 3) {
    fprintf(stderr, "benchhost new: say 'workload NAME' or 'backend NAME'\n");
    return BH_EXIT_USAGE;
  }
  const char *kind = argv[1], *name = argv[2], *folder = dir ? dir : name;
  if (!check_name(kind, name, &error) || !write_project(kind, name, folder, &error))
    return bh_cli_fail(error);
  printf("%s/ is a complete %s. Next:\n"
         "  cd %s\n"
         "  meson setup build && meson compile -C build\n"
         "  benchhost check build/%s.so\n"
         "  BENCHHOST_PLUGIN_PATH=build benchhost matrix.yaml\n",
         folder, kind, folder, name);
  return BH_EXIT_OK;
}
