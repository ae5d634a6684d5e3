/* SPDX-License-Identifier: MIT
 * Owns --filter: a glob over labels, or KEY=VALUE[,VALUE...] over a cell's workload, backend, variant, id and
 * parameters. */
#include "plan/filter.h"
#include "base/text.h"

#include <string.h>

typedef struct {
  const char *text;
  GPatternSpec *glob; /* over labels; NULL: KEY=VALUE */
  char *key;
  char **values;
  gboolean known; /* some cell has KEY */
} Filter;

static void clear_filter(Filter *filter) {
  g_clear_pointer(&filter->glob, g_pattern_spec_free);
  g_clear_pointer(&filter->key, g_free);
  g_clear_pointer(&filter->values, g_strfreev);
}

static gboolean is_key(const char *text, gsize length) {
  for (gsize i = 0; i < length; i++)
    if (!g_ascii_isalnum(text[i]) && text[i] != '-' && text[i] != '.' && text[i] != '_')
      return FALSE;
  return length > 0;
}

static gboolean read_filter(const char *text, Filter *filter, GError **error) {
  const char *equals = strchr(text, '=');
  memset(filter, 0, sizeof *filter);
  filter->text = text;
  if (!*text || !g_utf8_validate(text, -1, NULL)) {
    g_set_error(error, BH_ERROR, BH_ERROR_USAGE,
                "--filter: expected a text of labels, like 'prime*pthread*', or KEY=VALUE, like backend=fork");
    return FALSE;
  }
  if (equals && is_key(text, (gsize)(equals - text))) {
    filter->key = g_strndup(text, (gsize)(equals - text));
    filter->values = g_strsplit(equals + 1, ",", -1);
    return TRUE;
  }
  g_autofree char *within = g_strdup_printf("*%s*", text);
  filter->glob = g_pattern_spec_new(strpbrk(text, "*?") ? text : within);
  return TRUE;
}

static gboolean text_matches(char *const *patterns, const char *text) {
  for (; *patterns; patterns++)
    if (g_pattern_match_simple(*patterns, text))
      return TRUE;
  return FALSE;
}

static gboolean value_matches(char *const *patterns, const BhParam *param, const BhValue *value) {
  if (text_matches(patterns, value->text))
    return TRUE;
  for (; *patterns; patterns++) { /* 64KiB is 65536 */
    g_autoptr(BhValue) wanted = bh_value_parse(param, *patterns, NULL);
    if (wanted && !strcmp(wanted->text, value->text))
      return TRUE;
  }
  return FALSE;
}

/* Does the cell's plugin have the parameter that KEY names ("n", "workload.n", "prime.n")? */
static gboolean side_matches(Filter *filter, const BhPlugin *plugin, const GPtrArray *values) {
  const char *dot = strrchr(filter->key, '.');
  const char *kind = bh_plugin_kind_name(plugin->kind);
  const gsize length = dot ? (gsize)(dot - filter->key) : 0;
  guint index;
  if (dot && (strncmp(filter->key, kind, length) || kind[length]) &&
      (strncmp(filter->key, plugin->name, length) || plugin->name[length]))
    return FALSE;
  if (!bh_plugin_param(plugin, dot ? dot + 1 : filter->key, &index))
    return FALSE;
  filter->known = TRUE;
  return value_matches(filter->values, plugin->params->pdata[index], values->pdata[index]);
}

static gboolean cell_matches(Filter *filter, const BhCell *cell) {
  if (filter->glob)
    return g_pattern_spec_match_string(filter->glob, cell->label);
  const struct {
    const char *key, *value;
  } fields[] = {{"workload", cell->workload->name},
                {"backend", cell->backend->name},
                {"variant", cell->variant},
                {"id", cell->id}};
  for (guint i = 0; i < G_N_ELEMENTS(fields); i++)
    if (!strcmp(filter->key, fields[i].key)) {
      filter->known = TRUE;
      return text_matches(filter->values, fields[i].value);
    }
  const gboolean in_workload = side_matches(filter, cell->workload, cell->params);
  return side_matches(filter, cell->backend, cell->options) || in_workload;
}

static gboolean nothing_left(const Filter *filter, const GPtrArray *cells, GError **error) {
  g_autofree char *shown = bh_text_shown(filter->text);
  if (filter->glob || filter->known) {
    const BhCell *example = cells->pdata[0];
    g_set_error(error, BH_ERROR, BH_ERROR_USAGE, "--filter '%s' matches none of %u cells; labels look like '%s'", shown,
                cells->len, example->label);
    return FALSE;
  }
  g_autoptr(GHashTable) known = g_hash_table_new(g_str_hash, g_str_equal);
  static const char *const fields[] = {"workload", "backend", "variant", "id", NULL};
  for (guint i = 0; fields[i]; i++)
    g_hash_table_add(known, (gpointer)fields[i]);
  for (guint i = 0; i < cells->len; i++) {
    const BhCell *cell = cells->pdata[i];
    for (guint k = 0; k < cell->params->len; k++)
      g_hash_table_add(known, ((const BhParam *)cell->workload->params->pdata[k])->name);
    for (guint k = 0; k < cell->options->len; k++)
      g_hash_table_add(known, ((const BhParam *)cell->backend->params->pdata[k])->name);
  }
  g_autofree gpointer *names = g_hash_table_get_keys_as_array(known, NULL);
  g_autofree char *hint = bh_text_suggest(filter->key, (const char *const *)names);
  g_set_error(error, BH_ERROR, BH_ERROR_USAGE, "--filter '%s': no cell has '%s'%s", shown, filter->key, hint);
  return FALSE;
}

static gboolean apply_one(GPtrArray *cells, const char *text, GError **error) {
  Filter filter;
  if (!read_filter(text, &filter, error))
    return FALSE;
  g_autofree gboolean *keep = g_new0(gboolean, cells->len);
  guint kept = 0;
  for (guint i = 0; i < cells->len; i++)
    kept += keep[i] = cell_matches(&filter, cells->pdata[i]);
  const gboolean ok = kept > 0 || nothing_left(&filter, cells, error);
  clear_filter(&filter);
  if (!ok)
    return FALSE;
  gsize n;
  g_autofree gpointer *items = g_ptr_array_steal(cells, &n);
  for (gsize i = 0; i < n; i++)
    if (keep[i])
      g_ptr_array_add(cells, items[i]);
    else
      bh_cell_free(items[i]);
  return TRUE;
}

gboolean bh_filter_apply(GPtrArray *cells, const char *const *filters, GError **error) {
  for (; filters && *filters; filters++)
    if (!apply_one(cells, *filters, error))
      return FALSE;
  return TRUE;
}
