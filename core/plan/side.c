/* SPDX-License-Identifier: MIT
 * Owns the meeting of a matrix's entry and its plugin's parameter table: unknown names, sweeps, zip groups, --param. */
#include "plan/side.h"
#include "base/text.h"

#include <string.h>

/* The variant sweeps like any parameter. */
const BhParam bh_variant_param = {.name = (char *)"variant", .type = BH_TEXT, .fallback = (char *)"portable"};

static void free_axis(BhAxis *axis) {
  g_array_unref(axis->slots);
  g_free(axis);
}

static void free_terms(gpointer terms) {
  if (terms) /* NULL: an error came before this slot was read */
    g_ptr_array_unref(terms);
}

void bh_side_free(BhSide *side) {
  if (!side)
    return;
  g_clear_pointer(&side->terms, g_ptr_array_unref);
  g_clear_pointer(&side->replaced, g_array_unref);
  g_clear_pointer(&side->axes, g_ptr_array_unref);
  g_free(side);
}

guint bh_side_slots(const BhSide *side) {
  return side->plugin->params->len + (side->plugin->kind == BH_PLUGIN_WORKLOAD);
}

const BhParam *bh_side_param(const BhSide *side, guint slot) {
  return slot < side->plugin->params->len ? side->plugin->params->pdata[slot] : &bh_variant_param;
}

static gboolean find_slot(const BhSide *side, const char *name, guint *ret_slot) {
  for (guint i = 0; i < bh_side_slots(side); i++)
    if (!strcmp(bh_side_param(side, i)->name, name)) {
      *ret_slot = i;
      return TRUE;
    }
  return FALSE;
}

static GPtrArray *terms_at(const BhSide *side, guint slot) {
  return side->terms->pdata[slot];
}

/* ---- --param ---- */

void bh_replacement_free(BhReplacement *replacement) {
  if (!replacement)
    return;
  g_free(replacement->qualifier);
  g_free(replacement->name);
  bh_node_free(replacement->value);
  g_free(replacement);
}

BhReplacement *bh_replacement_parse(const char *text, GError **error) {
  const char *equals = strchr(text, '=');
  g_autofree char *shown = bh_text_shown(text);
  if (!g_utf8_validate(text, -1, NULL) || !equals || equals == text || !equals[1]) {
    g_set_error(error, BH_ERROR, BH_ERROR_USAGE, "--param '%s': expected NAME=VALUE, like n=1000 or 'prime.n=[10, 20]'",
                shown);
    return NULL;
  }
  g_autofree char *path = g_strndup(text, (gsize)(equals - text));
  g_autofree char *file = g_strdup_printf("--param %s", path);
  BhNode *value = bh_yaml_parse(equals + 1, strlen(equals + 1), file, error);
  if (!value)
    return NULL;
  BhReplacement *replacement = g_new0(BhReplacement, 1);
  char *dot = strrchr(path, '.'); /* a qualifier may be a plugin's path */
  replacement->name = g_strdup(dot ? dot + 1 : path);
  replacement->qualifier = dot ? g_strndup(path, (gsize)(dot - path)) : NULL;
  replacement->value = value;
  return replacement;
}

static gboolean is_meant(const BhReplacement *replacement, const BhSide *side) {
  const char *qualifier = replacement->qualifier;
  return !qualifier || !strcmp(qualifier, side->plugin->name) || !strcmp(qualifier, side->entry->name) ||
         !strcmp(qualifier, bh_plugin_kind_name(side->plugin->kind));
}

/* ---- reading ---- */

static BhAxis *axis_new(BhSide *side, guint slot, guint length) {
  BhAxis *axis = g_new0(BhAxis, 1);
  axis->slots = g_array_new(FALSE, FALSE, sizeof(guint));
  g_array_append_val(axis->slots, slot);
  axis->length = length;
  g_ptr_array_add(side->axes, axis);
  return axis;
}

static gboolean unknown_name(const BhSide *side, const BhNode *key, GError **error) {
  g_autoptr(GPtrArray) names = g_ptr_array_new();
  for (guint i = 0; i < bh_side_slots(side); i++)
    g_ptr_array_add(names, bh_side_param(side, i)->name);
  for (guint i = 0; bh_spec_entry_keys[i]; i++)
    if (strcmp(bh_spec_entry_keys[i], "variant"))
      g_ptr_array_add(names, (gpointer)bh_spec_entry_keys[i]);
  g_ptr_array_add(names, NULL);
  g_autofree char *hint = bh_text_suggest(key->text, (const char *const *)names->pdata);
  g_autofree char *shown = bh_text_shown(key->text);
  bh_node_error(error, key->at, "'%s' is not a parameter of %s '%s'%s", shown, bh_plugin_kind_name(side->plugin->kind),
                side->plugin->name, hint);
  return FALSE;
}

static gboolean set_terms(BhSide *side, guint slot, const BhNode *node, const BhMachine *machine, GError **error) {
  GPtrArray *terms = bh_sweep_terms(bh_side_param(side, slot), node, machine, error);
  if (!terms)
    return FALSE;
  if (side->terms->pdata[slot])
    g_ptr_array_unref(side->terms->pdata[slot]);
  side->terms->pdata[slot] = terms;
  return TRUE;
}

static gboolean read_replacements(BhSide *side, BhSideContext *context, GError **error) {
  for (guint i = 0; i < context->replacements->len; i++) {
    BhReplacement *replacement = context->replacements->pdata[i];
    guint slot;
    if (!is_meant(replacement, side) || !find_slot(side, replacement->name, &slot))
      continue;
    replacement->uses++;
    if (!set_terms(side, slot, replacement->value, &context->machine, error))
      return FALSE;
    g_array_index(side->replaced, gboolean, slot) = TRUE;
  }
  return TRUE;
}

static gboolean read_plain(BhSide *side, BhSideContext *context, GError **error) {
  const BhNode *settings = side->entry->settings;
  for (guint i = 0; settings && i < settings->keys->len; i++) {
    const BhNode *key = settings->keys->pdata[i];
    guint slot;
    if (bh_spec_is_entry_key(key->text) && strcmp(key->text, "variant"))
      continue;
    if (!find_slot(side, key->text, &slot))
      return unknown_name(side, key, error);
    if (!g_array_index(side->replaced, gboolean, slot) &&
        !set_terms(side, slot, settings->items->pdata[i], &context->machine, error))
      return FALSE;
  }
  return TRUE;
}

static gboolean zip_member(BhSide *side, BhSideContext *context, const BhNode *key, const BhNode *value, BhAxis **axis,
                           const char **first, GError **error) {
  guint slot;
  if (!find_slot(side, key->text, &slot))
    return unknown_name(side, key, error);
  if (g_array_index(side->replaced, gboolean, slot))
    return TRUE;
  if (side->terms->pdata[slot]) {
    bh_node_error(error, key->at, "'%s' is given twice: here in 'zip' and elsewhere in the entry; keep one", key->text);
    return FALSE;
  }
  if (!set_terms(side, slot, value, &context->machine, error))
    return FALSE;
  const guint length = terms_at(side, slot)->len;
  if (!*axis) {
    *axis = axis_new(side, slot, length);
    *first = key->text;
    return TRUE;
  }
  if ((*axis)->length != length) {
    bh_node_error(error, value->at,
                  "zip: '%s' has %u value%s but '%s' has %u; parameters that advance together need "
                  "equally many",
                  *first, (*axis)->length, (*axis)->length == 1 ? "" : "s", key->text, length);
    return FALSE;
  }
  g_array_append_val((*axis)->slots, slot);
  return TRUE;
}

static gboolean read_zip(BhSide *side, BhSideContext *context, GError **error) {
  const BhNode *zip = side->entry->zip;
  if (!zip)
    return TRUE;
  const guint n = zip->kind == BH_NODE_LIST ? zip->items->len : 1;
  for (guint i = 0; i < n; i++) {
    const BhNode *group = zip->kind == BH_NODE_LIST ? zip->items->pdata[i] : zip;
    BhAxis *axis = NULL;
    const char *first = NULL;
    for (guint k = 0; k < group->keys->len; k++)
      if (!zip_member(side, context, group->keys->pdata[k], group->items->pdata[k], &axis, &first, error))
        return FALSE;
  }
  return TRUE;
}

static gboolean is_zipped(const BhSide *side, guint slot) {
  for (guint i = 0; i < side->axes->len; i++) {
    const BhAxis *axis = side->axes->pdata[i];
    for (guint k = 0; k < axis->slots->len; k++)
      if (g_array_index(axis->slots, guint, k) == slot)
        return TRUE;
  }
  return FALSE;
}

static guint first_slot(const BhAxis *axis) {
  guint first = G_MAXUINT;
  for (guint i = 0; i < axis->slots->len; i++)
    first = MIN(first, g_array_index(axis->slots, guint, i));
  return first;
}

static int compare_axes(gconstpointer a, gconstpointer b) {
  const guint x = first_slot(*(BhAxis *const *)a), y = first_slot(*(BhAxis *const *)b);
  return x < y ? -1 : x > y;
}

/* The table's order, not the file's: cells come in the same order however the keys are written. */
static gboolean read_axes(BhSide *side, GError **error) {
  for (guint i = 0; i < bh_side_slots(side); i++) {
    if (!side->terms->pdata[i]) {
      BhTerm *term = bh_sweep_fallback(bh_side_param(side, i), side->plugin->name, side->entry->at, error);
      if (!term)
        return FALSE;
      side->terms->pdata[i] = g_ptr_array_new_with_free_func((GDestroyNotify)bh_term_free);
      g_ptr_array_add(side->terms->pdata[i], term);
    } else if (terms_at(side, i)->len > 1 && !is_zipped(side, i)) {
      axis_new(side, i, terms_at(side, i)->len);
    }
  }
  g_ptr_array_sort(side->axes, compare_axes);
  side->combinations = 1;
  for (guint i = 0; i < side->axes->len; i++) {
    side->combinations *= ((const BhAxis *)side->axes->pdata[i])->length;
    if (side->combinations > BH_PLAN_MOST_CELLS) {
      bh_node_error(error, side->entry->at,
                    "the parameters of '%s' have more than %u combinations; sweep fewer values, or use 'zip'",
                    side->plugin->name, BH_PLAN_MOST_CELLS);
      return FALSE;
    }
  }
  return TRUE;
}

static gboolean check_reserved(const BhSide *side, GError **error) {
  for (guint i = 0; i < side->plugin->params->len; i++) {
    const BhParam *param = side->plugin->params->pdata[i];
    if (!bh_spec_is_entry_key(param->name))
      continue;
    bh_node_error(error, side->entry->at,
                  "plugin '%s' has a parameter named '%s', which matrices use for themselves; the "
                  "plugin must rename it",
                  side->plugin->name, param->name);
    return FALSE;
  }
  return TRUE;
}

BhSide *bh_side_new(BhSideContext *context, const BhEntry *entry, BhPluginKind kind, GError **error) {
  g_autoptr(BhSide) side = g_new0(BhSide, 1);
  GError *inner = NULL;
  side->entry = entry;
  side->plugin = bh_catalog_get(context->catalog, kind, entry->name, &inner);
  if (!side->plugin) {
    bh_node_prefix(&inner, entry->at);
    g_propagate_error(error, inner);
    return NULL;
  }
  side->terms = g_ptr_array_new_with_free_func(free_terms);
  g_ptr_array_set_size(side->terms, (gint)bh_side_slots(side));
  side->axes = g_ptr_array_new_with_free_func((GDestroyNotify)free_axis);
  side->replaced = g_array_new(FALSE, TRUE, sizeof(gboolean));
  g_array_set_size(side->replaced, bh_side_slots(side));
  const gboolean ok = check_reserved(side, error) && read_replacements(side, context, error) &&
                      read_plain(side, context, error) && read_zip(side, context, error) && read_axes(side, error);
  return ok ? g_steal_pointer(&side) : NULL;
}

void bh_side_pick(const BhSide *side, guint64 index, const BhTerm **ret_terms) {
  for (guint i = 0; i < side->terms->len; i++)
    ret_terms[i] = terms_at(side, i)->pdata[0];
  for (guint i = side->axes->len; i-- > 0;) {
    const BhAxis *axis = side->axes->pdata[i];
    const guint at = (guint)(index % axis->length);
    index /= axis->length;
    for (guint k = 0; k < axis->slots->len; k++) {
      const guint slot = g_array_index(axis->slots, guint, k);
      ret_terms[slot] = terms_at(side, slot)->pdata[at];
    }
  }
}
