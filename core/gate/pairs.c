/* SPDX-License-Identifier: MIT
 * Owns the pairing of two plans. Ids cannot do it: a build with one parameter more gives its cells other ids. */
#include "gate/pairs.h"

#include "base/text.h"
#include "plan/cell.h"

#include <string.h>

#define MOST_LISTED 5

typedef struct {
  const BhArm *const *arms;
  GPtrArray *notes;
} Pairing;

static gboolean is_varied(const Pairing *pairing, const BhPlugin *plugin, const char *name) {
  return bh_arm_varies(pairing->arms[0], plugin, name) || bh_arm_varies(pairing->arms[1], plugin, name);
}

static int compare_texts(gconstpointer a, gconstpointer b) {
  return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void add_values(GPtrArray *parts, const Pairing *pairing, char side, const BhPlugin *plugin,
                       const GPtrArray *values) {
  for (guint i = 0; i < values->len; i++) {
    const BhParam *param = plugin->params->pdata[i];
    const BhValue *value = values->pdata[i];
    if (value->given && !is_varied(pairing, plugin, param->name))
      g_ptr_array_add(parts, g_strdup_printf("%c%s=%s", side, param->name, value->text));
  }
}

/* Equal for cells that belong together. Caller frees. */
static char *key_of(const Pairing *pairing, const BhCell *cell) {
  g_autoptr(GPtrArray) parts = g_ptr_array_new_with_free_func(g_free);
  add_values(parts, pairing, 'w', cell->workload, cell->params);
  add_values(parts, pairing, 'b', cell->backend, cell->options);
  GHashTableIter iter;
  gpointer name, value;
  g_hash_table_iter_init(&iter, cell->env);
  while (g_hash_table_iter_next(&iter, &name, &value))
    g_ptr_array_add(parts, g_strdup_printf("e%s=%s", (char *)name, (char *)value));
  g_ptr_array_sort(parts, compare_texts);
  GString *key = g_string_new(NULL);
  g_string_append_printf(key, "%s\n%s\n%s", cell->workload->name, cell->backend->name,
                         is_varied(pairing, cell->workload, "variant") ? "" : cell->variant);
  for (guint i = 0; i < parts->len; i++)
    g_string_append_printf(key, "\n%s", (char *)parts->pdata[i]);
  return g_string_free(key, FALSE);
}

static char **keys_of(const Pairing *pairing, const BhPlan *plan) {
  char **keys = g_new0(char *, plan->cells->len + 1);
  for (guint i = 0; i < plan->cells->len; i++)
    keys[i] = key_of(pairing, plan->cells->pdata[i]);
  return keys;
}

/* ---- Labels ---- */

/* `from`: where in the label the plugin's part begins. */
static void cut_option(GString *label, const char *from, const char *name, const char *value_text) {
  g_autofree char *part = g_strdup_printf(" %s=%s", name, value_text);
  const char *at = strstr(from, part);
  const char after = at ? at[strlen(part)] : 'x';
  if (after == ' ' || after == '\0')
    g_string_erase(label, at - label->str, (gssize)strlen(part));
}

static void cut_options(GString *label, const Pairing *pairing, const BhPlugin *plugin, const GPtrArray *values) {
  for (guint i = 0; i < values->len; i++) {
    const BhParam *param = plugin->params->pdata[i];
    g_autofree char *text = bh_cell_value_text(values->pdata[i]);
    const char *bar = plugin->kind == BH_PLUGIN_BACKEND ? strstr(label->str, " | ") : NULL;
    if (is_varied(pairing, plugin, param->name))
      cut_option(label, bar ? bar : label->str, param->name, text);
  }
}

static BhAbPair *pair_new(const Pairing *pairing, const BhCell *base, const BhCell *candidate) {
  BhAbPair *pair = g_new0(BhAbPair, 1);
  pair->side[BH_SIDE_BASE] = base;
  pair->side[BH_SIDE_CANDIDATE] = candidate;
  GString *label = g_string_new(base->label);
  cut_options(label, pairing, base->workload, base->params);
  cut_options(label, pairing, base->backend, base->options);
  if (is_varied(pairing, base->workload, "variant"))
    cut_option(label, label->str, "variant", base->variant);
  pair->label = g_string_free(label, FALSE);
  return pair;
}

static void pair_free(gpointer data) {
  BhAbPair *pair = data;
  g_free(pair->label);
  g_free(pair);
}

/* ---- What differs ---- */

static void note(const Pairing *pairing, char *text) {
  if (!g_ptr_array_find_with_equal_func(pairing->notes, text, g_str_equal, NULL))
    g_ptr_array_add(pairing->notes, text);
  else
    g_free(text);
}

static void note_values(const Pairing *pairing, const BhPlugin *base, const GPtrArray *base_values,
                        const BhPlugin *candidate, const GPtrArray *candidate_values) {
  for (guint i = 0; i < base->params->len; i++) {
    const char *name = ((const BhParam *)base->params->pdata[i])->name;
    guint k;
    if (is_varied(pairing, base, name))
      continue;
    if (!bh_plugin_param(candidate, name, &k)) {
      note(pairing, g_strdup_printf("%s: the candidate has no parameter %s", base->name, name));
      continue;
    }
    const BhValue *a = base_values->pdata[i], *b = candidate_values->pdata[k];
    if (strcmp(a->text, b->text))
      note(pairing, g_strdup_printf("%s: %s differs too: %s in the base, %s in the candidate", base->name, name,
                                    a->text, b->text));
  }
  for (guint k = 0; k < candidate->params->len; k++) {
    const char *name = ((const BhParam *)candidate->params->pdata[k])->name;
    if (!bh_plugin_param(base, name, NULL))
      note(pairing, g_strdup_printf("%s: the base has no parameter %s", base->name, name));
  }
}

/* A folder without a plugin that the other one has: another file stands in, maybe the very one that it is compared
 * with. */
static void note_stand_in(const Pairing *pairing, const BhPlugin *const plugins[2]) {
  static const char *const which[2] = {"base", "candidate"};
  const gboolean has[2] = {bh_arm_has(pairing->arms[0], plugins[0]), bh_arm_has(pairing->arms[1], plugins[1])};
  if (pairing->arms[0]->kind != BH_ARM_FOLDER || pairing->arms[1]->kind != BH_ARM_FOLDER || has[0] == has[1])
    return;
  const guint lacking = has[0] ? 1 : 0;
  note(pairing, g_strdup_printf(
                    "%s: the %s's folder has none, so the %s runs %s%s", plugins[0]->name, which[lacking],
                    which[lacking], plugins[lacking]->path,
                    g_strcmp0(plugins[0]->build_id, plugins[1]->build_id) ? "" : ", the same build as the other arm"));
}

static void note_differences(const Pairing *pairing, const BhAbPair *pair) {
  const BhCell *a = pair->side[0], *b = pair->side[1];
  note_stand_in(pairing, (const BhPlugin *const[]){a->workload, b->workload});
  note_stand_in(pairing, (const BhPlugin *const[]){a->backend, b->backend});
  note_values(pairing, a->workload, a->params, b->workload, b->params);
  note_values(pairing, a->backend, a->options, b->backend, b->options);
}

/* ---- Pairing ---- */

/* NULL: some cell has no partner. Equal keys go in order. */
static GPtrArray *by_key(const Pairing *pairing, const BhPlan *base, const BhPlan *candidate, char **base_keys,
                         char **candidate_keys) {
  g_autoptr(GPtrArray) pairs = g_ptr_array_new_with_free_func(pair_free);
  g_autoptr(GHashTable) places =
      g_hash_table_new_full(g_str_hash, g_str_equal, NULL, (GDestroyNotify)g_queue_free); /* of (key, GQueue) */
  if (base->cells->len != candidate->cells->len)
    return NULL;
  for (guint i = 0; i < candidate->cells->len; i++) {
    GQueue *queue = g_hash_table_lookup(places, candidate_keys[i]);
    if (!queue)
      g_hash_table_insert(places, candidate_keys[i], queue = g_queue_new());
    g_queue_push_tail(queue, candidate->cells->pdata[i]);
  }
  for (guint i = 0; i < base->cells->len; i++) {
    GQueue *queue = g_hash_table_lookup(places, base_keys[i]);
    const BhCell *partner = queue ? g_queue_pop_head(queue) : NULL;
    if (!partner)
      return NULL;
    g_ptr_array_add(pairs, pair_new(pairing, base->cells->pdata[i], partner));
  }
  return g_steal_pointer(&pairs);
}

static gboolean same_environment(const BhCell *a, const BhCell *b) {
  GHashTableIter iter;
  gpointer name, value;
  g_hash_table_iter_init(&iter, a->env);
  while (g_hash_table_iter_next(&iter, &name, &value))
    if (g_strcmp0(value, g_hash_table_lookup(b->env, name)))
      return FALSE;
  return g_hash_table_size(a->env) == g_hash_table_size(b->env);
}

/* Names of the values that differ, sorted, joined. Caller frees. */
static char *differing_names(const Pairing *pairing, const BhCell *a, const BhCell *b) {
  g_autoptr(GPtrArray) names = g_ptr_array_new();
  const GPtrArray *values[2][2] = {{a->params, b->params}, {a->options, b->options}};
  const BhPlugin *plugins[2][2] = {{a->workload, b->workload}, {a->backend, b->backend}};
  for (guint s = 0; s < 2; s++)
    for (guint i = 0; i < values[s][0]->len; i++) {
      char *name = ((const BhParam *)plugins[s][0]->params->pdata[i])->name;
      guint k;
      const BhValue *mine = values[s][0]->pdata[i];
      if (mine->given && !is_varied(pairing, plugins[s][0], name) && bh_plugin_param(plugins[s][1], name, &k) &&
          strcmp(mine->text, ((const BhValue *)values[s][1]->pdata[k])->text))
        g_ptr_array_add(names, name);
    }
  g_ptr_array_add(names, NULL);
  return g_strjoinv(" ", (char **)names->pdata);
}

/* Where a given value is an expression of the varied option, it differs too: in every pair the same names. NULL: the
 * difference is another one. */
static GPtrArray *by_place(const Pairing *pairing, const BhPlan *base, const BhPlan *candidate) {
  g_autoptr(GPtrArray) pairs = g_ptr_array_new_with_free_func(pair_free);
  g_autofree char *common = NULL;
  if (base->cells->len != candidate->cells->len || (!pairing->arms[0]->option && !pairing->arms[1]->option))
    return NULL;
  for (guint i = 0; i < base->cells->len; i++) {
    const BhCell *a = base->cells->pdata[i], *b = candidate->cells->pdata[i];
    g_autofree char *names = differing_names(pairing, a, b);
    if (strcmp(a->workload->name, b->workload->name) || strcmp(a->backend->name, b->backend->name) ||
        (strcmp(a->variant, b->variant) && !is_varied(pairing, a->workload, "variant")) || !same_environment(a, b))
      return NULL;
    if (*names && common && strcmp(common, names))
      return NULL;
    if (*names && !common)
      common = g_steal_pointer(&names);
    g_ptr_array_add(pairs, pair_new(pairing, a, b));
  }
  return g_steal_pointer(&pairs);
}

/* How often `key` is among the first `n` of `keys`. */
static guint count_key(char **keys, guint n, const char *key) {
  guint count = 0;
  for (guint i = 0; i < n; i++)
    count += !strcmp(keys[i], key);
  return count;
}

static void list_lonely(GString *out, const char *whose, const BhPlan *plan, char **keys, char **others) {
  guint n = 0;
  for (guint i = 0; i < plan->cells->len; i++) {
    if (count_key(keys, i, keys[i]) < count_key(others, g_strv_length(others), keys[i]))
      continue;
    if (n++ < MOST_LISTED)
      g_string_append_printf(out, "%s'%s'", n == 1 ? "" : ", ", ((const BhCell *)plan->cells->pdata[i])->label);
  }
  if (n > MOST_LISTED)
    g_string_append_printf(out, " and %u more", n - MOST_LISTED);
  if (n)
    g_string_append_printf(out, " only in the %s; ", whose);
}

static void set_different(GError **error, const BhPlan *base, const BhPlan *candidate, char **base_keys,
                          char **candidate_keys) {
  g_autoptr(GString) list = g_string_new(NULL);
  list_lonely(list, "base", base, base_keys, candidate_keys);
  list_lonely(list, "candidate", candidate, candidate_keys, base_keys);
  g_set_error(error, BH_ERROR, BH_ERROR_USAGE,
              "base and candidate expand the matrix to different cells (%u and %u): %sgive --filter or --param so that "
              "both have the same",
              base->cells->len, candidate->cells->len, list->str);
}

GPtrArray *bh_ab_pairs_new(const BhPlan *base, const BhPlan *candidate, const BhArm *const arms[2], GPtrArray *notes,
                           GError **error) {
  const Pairing pairing = {.arms = arms, .notes = notes};
  g_auto(GStrv) base_keys = keys_of(&pairing, base);
  g_auto(GStrv) candidate_keys = keys_of(&pairing, candidate);
  GPtrArray *pairs = by_key(&pairing, base, candidate, base_keys, candidate_keys);
  if (!pairs)
    pairs = by_place(&pairing, base, candidate);
  if (!pairs)
    set_different(error, base, candidate, base_keys, candidate_keys);
  for (guint i = 0; pairs && i < pairs->len; i++)
    note_differences(&pairing, pairs->pdata[i]);
  return pairs;
}

static gboolean same_values(const GPtrArray *a, const GPtrArray *b) {
  for (guint i = 0; i < a->len && i < b->len; i++)
    if (strcmp(((const BhValue *)a->pdata[i])->text, ((const BhValue *)b->pdata[i])->text))
      return FALSE;
  return a->len == b->len;
}

gboolean bh_ab_pairs_same(const GPtrArray *pairs) {
  for (guint i = 0; i < pairs->len; i++) {
    const BhCell *a = ((const BhAbPair *)pairs->pdata[i])->side[0], *b = ((const BhAbPair *)pairs->pdata[i])->side[1];
    if (g_strcmp0(a->workload->build_id, b->workload->build_id) ||
        g_strcmp0(a->backend->build_id, b->backend->build_id) || !same_values(a->params, b->params) ||
        !same_values(a->options, b->options) || strcmp(a->variant, b->variant))
      return FALSE;
  }
  return TRUE;
}
