/* SPDX-License-Identifier: MIT
 * Owns the environment of a cell's process. Variables that choose threads (OMP_*, and those of the BLAS libraries) are
 * removed: the matrix's `env` is how to set them, and then they are part of the cell. Variables that change how
 * programs load or allocate are kept, since a machine may need them, but they are named in the journal. */
#include "supervisor/cell-env.h"

#include <string.h>

extern char **environ;

static const char *const removed_prefixes[] = {
    "OMP_", "GOMP_", "KMP_", "LIBOMP_", "MKL_", "OPENBLAS_", "GOTO_NUM_THREADS", "BLIS_", "BENCHHOST_RUN", NULL};
static const char *const suspicious_prefixes[] = {
    "LD_PRELOAD",  "LD_LIBRARY_PATH", "LD_BIND_NOW", "LD_AUDIT",    "GLIBC_TUNABLES", "MALLOC_", "CUDA_VISIBLE",
    "CUDA_LAUNCH", "CUDA_DEVICE",     "CUDA_FORCE",  "CUDA_MODULE", "CUDA_DISABLE",   "HWLOC_",  NULL};
static const char *const one_thread[][2] = {{"OMP_NUM_THREADS", "1"},
                                            {"OPENBLAS_NUM_THREADS", "1"},
                                            {"MKL_NUM_THREADS", "1"},
                                            {"BLIS_NUM_THREADS", "1"},
                                            {"OMP_DYNAMIC", "FALSE"}};

static gboolean has_prefix(const char *text, const char *const *prefixes) {
  for (; *prefixes; prefixes++)
    if (g_str_has_prefix(text, *prefixes))
      return TRUE;
  return FALSE;
}

static int compare_texts(const void *a, const void *b) {
  return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Values may hold secrets: names only. */
static char **names_with(const char *const *prefixes) {
  g_autoptr(GPtrArray) names = g_ptr_array_new(); /* of char *, handed over */
  for (char **entry = environ; entry && *entry; entry++)
    if (has_prefix(*entry, prefixes))
      g_ptr_array_add(names, g_strndup(*entry, strcspn(*entry, "=")));
  g_ptr_array_sort(names, compare_texts);
  g_ptr_array_add(names, NULL);
  return (char **)g_ptr_array_steal(names, NULL);
}

char **bh_cell_env_removed(void) {
  return names_with(removed_prefixes);
}

char **bh_cell_env_suspicious(void) {
  return names_with(suspicious_prefixes);
}

/* A variable that a parameter stands for (OMP_WAIT_POLICY); an empty text for a choice means: leave unset. */
static char **set_from_params(char **env, const GPtrArray *table, const GPtrArray *values) {
  for (guint i = 0; table && values && i < table->len && i < values->len; i++) {
    const BhParam *param = table->pdata[i];
    const BhValue *value = values->pdata[i];
    if (!param->env)
      continue;
    const char *text = value->type == BH_TEXT ? value->s : value->text;
    if (param->type == BH_CHOICE && param->env_values) {
      const gint64 n = (gint64)g_strv_length(param->env_values);
      text = value->i >= 0 && value->i < n ? param->env_values[value->i] : "";
      if (!*text) {
        env = g_environ_unsetenv(env, param->env);
        continue;
      }
    }
    env = g_environ_setenv(env, param->env, text, TRUE);
  }
  return env;
}

char **bh_cell_env_new(const BhCell *cell, const char *mark) {
  g_autoptr(GStrvBuilder) kept = g_strv_builder_new();
  for (char **entry = environ; entry && *entry; entry++)
    if (!has_prefix(*entry, removed_prefixes))
      g_strv_builder_add(kept, *entry);
  char **env = g_strv_builder_end(kept);
  for (gsize i = 0; i < G_N_ELEMENTS(one_thread); i++)
    env = g_environ_setenv(env, one_thread[i][0], one_thread[i][1], TRUE);
  env = set_from_params(env, cell->workload->params, cell->params);
  env = set_from_params(env, cell->backend->params, cell->options);
  if (cell->env) {
    GHashTableIter iter;
    gpointer name, value;
    g_hash_table_iter_init(&iter, cell->env);
    while (g_hash_table_iter_next(&iter, &name, &value))
      env = g_environ_setenv(env, name, value, TRUE);
  }
  const char *equals = strchr(mark, '=');
  g_autofree char *mark_name = g_strndup(mark, (gsize)(equals - mark));
  return g_environ_setenv(env, mark_name, equals + 1, TRUE);
}
