/* SPDX-License-Identifier: MIT
 * Owns the copies that the A/A control runs. */
#include "gate/control.h"

#include "base/error.h"
#include "plugin/probe.h"

#include <sys/stat.h>

struct BhControl {
  BhCell cell;         /* the base's, with these plugins */
  BhPlugin plugins[2]; /* the base's, with other paths */
  char *paths[2];
};

void bh_control_free(BhControl *control) {
  if (!control)
    return;
  g_free(control->paths[0]);
  g_free(control->paths[1]);
  g_free(control);
}

static char *copy_file(const char *from, const char *folder, GError **error) {
  g_autofree char *base = g_path_get_basename(from);
  char *to = g_build_filename(folder, base, NULL);
  g_autofree char *bytes = NULL;
  gsize length = 0;
  g_autoptr(GError) inner = NULL;
  if (g_file_get_contents(from, &bytes, &length, &inner) &&
      g_file_set_contents_full(to, bytes, (gssize)length, G_FILE_SET_CONTENTS_NONE, 0700, &inner))
    return to;
  g_set_error(error, BH_ERROR, BH_ERROR_IO, "cannot copy %s for the A/A control: %s", from, inner->message);
  g_free(to);
  return NULL;
}

/* NULL: all can be loaded. Caller frees. */
static char *probe_problem(char *const paths[2]) {
  BhPlugin *plugins[2] = {NULL, NULL};
  GError *errors[2] = {NULL, NULL};
  char *problem = NULL;
  bh_probe_files((const char *const *)paths, 2, plugins, errors);
  for (guint i = 0; i < 2; i++) {
    if (errors[i] && !problem)
      problem = g_strdup(errors[i]->message);
    bh_plugin_free(plugins[i]);
    g_clear_error(&errors[i]);
  }
  return problem;
}

BhControl *bh_control_new(const BhCell *cell, const char *folder, char **ret_note, GError **error) {
  static const char *const parts[2] = {"control-workload", "control-backend"};
  const BhPlugin *plugins[2] = {cell->workload, cell->backend};
  g_autoptr(BhControl) control = g_new0(BhControl, 1);
  *ret_note = NULL;
  for (guint i = 0; i < 2; i++) {
    g_autofree char *own = g_build_filename(folder, parts[i], NULL); /* two plugins may have one file name */
    if (g_mkdir_with_parents(own, 0700) != 0) {
      g_set_error(error, BH_ERROR, BH_ERROR_IO, "cannot make the folder %s for the A/A control", own);
      return NULL;
    }
    control->paths[i] = copy_file(plugins[i]->path, own, error);
    if (!control->paths[i])
      return NULL;
    control->plugins[i] = *plugins[i];
    control->plugins[i].path = control->paths[i];
  }
  g_autofree char *problem = probe_problem(control->paths);
  if (problem)
    *ret_note = g_strdup_printf(
        "the A/A control loads the base's own files, as copies of them cannot be loaded from another folder (%s)",
        problem);
  control->cell = *cell;
  control->cell.workload = problem ? cell->workload : &control->plugins[0];
  control->cell.backend = problem ? cell->backend : &control->plugins[1];
  return g_steal_pointer(&control);
}

const BhCell *bh_control_cell(const BhControl *control) {
  return &control->cell;
}
