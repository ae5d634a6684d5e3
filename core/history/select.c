/* SPDX-License-Identifier: MIT
 * Owns choosing stored cells by filters. */
#include "history/select.h"
#include "results/fields.h"

#include <string.h>

typedef struct {
  GPatternSpec *glob; /* over labels; NULL: KEY=VALUE */
  char *key;
  char **values;
} Filter;

struct BhSelect {
  GPtrArray *filters; /* of Filter */
};

static void filter_free(gpointer data) {
  Filter *filter = data;
  g_clear_pointer(&filter->glob, g_pattern_spec_free);
  g_free(filter->key);
  g_strfreev(filter->values);
  g_free(filter);
}

void bh_select_free(BhSelect *select) {
  if (!select)
    return;
  g_ptr_array_unref(select->filters);
  g_free(select);
}

static gboolean is_key(const char *text, gsize length) {
  for (gsize i = 0; i < length; i++)
    if (!g_ascii_isalnum(text[i]) && !strchr("-._", text[i]))
      return FALSE;
  return length > 0;
}

BhSelect *bh_select_new(const char *const *filters, GError **error) {
  g_autoptr(BhSelect) select = g_new0(BhSelect, 1);
  select->filters = g_ptr_array_new_with_free_func(filter_free);
  for (; filters && *filters; filters++) {
    const char *equals = strchr(*filters, '=');
    if (!**filters || !g_utf8_validate(*filters, -1, NULL)) {
      g_set_error(error, BH_ERROR, BH_ERROR_USAGE,
                  "a filter: expected a text of labels, like 'prime*pthread*', or KEY=VALUE, like backend=fork");
      return NULL;
    }
    Filter *filter = g_new0(Filter, 1);
    g_ptr_array_add(select->filters, filter);
    if (equals && is_key(*filters, (gsize)(equals - *filters))) {
      filter->key = g_strndup(*filters, (gsize)(equals - *filters));
      filter->values = g_strsplit(equals + 1, ",", -1);
    } else {
      g_autofree char *within = g_strdup_printf("*%s*", *filters);
      filter->glob = g_pattern_spec_new(strpbrk(*filters, "*?") ? *filters : within);
    }
  }
  return g_steal_pointer(&select);
}

static gboolean text_matches(char *const *patterns, const char *text) {
  for (; *patterns; patterns++)
    if (g_pattern_match_simple(*patterns, text))
      return TRUE;
  return FALSE;
}

/* `name` of `object`, if KEY says so ("n", "workload.n", "prime.n"). */
static gboolean side_matches(const Filter *filter, const char *kind, const char *plugin, JsonObject *object) {
  const char *dot = strrchr(filter->key, '.'), *name = dot ? dot + 1 : filter->key;
  const gsize length = dot ? (gsize)(dot - filter->key) : 0;
  if (dot && (strncmp(filter->key, kind, length) || kind[length]) &&
      (strncmp(filter->key, plugin, length) || plugin[length]))
    return FALSE;
  JsonNode *node = json_object_get_member(object, name);
  g_autofree char *text = node ? bh_fields_text(node) : NULL;
  return text && text_matches(filter->values, text);
}

static gboolean filter_matches(const Filter *filter, const BhStoredCell *cell) {
  if (filter->glob)
    return g_pattern_spec_match_string(filter->glob, cell->label);
  const struct {
    const char *key, *value;
  } fields[] = {{"workload", cell->workload}, {"backend", cell->backend}, {"variant", cell->variant}, {"id", cell->id}};
  for (guint i = 0; i < G_N_ELEMENTS(fields); i++)
    if (!strcmp(filter->key, fields[i].key))
      return text_matches(filter->values, fields[i].value);
  return side_matches(filter, "workload", cell->workload, cell->params) ||
         side_matches(filter, "backend", cell->backend, cell->options);
}

gboolean bh_select_matches(const BhSelect *select, const BhStoredCell *cell) {
  for (guint i = 0; i < select->filters->len; i++)
    if (!filter_matches(select->filters->pdata[i], cell))
      return FALSE;
  return TRUE;
}
