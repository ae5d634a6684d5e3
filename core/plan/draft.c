/* SPDX-License-Identifier: MIT
 * Owns dependent values: names inside expressions are looked up among the parameters of the same cell, and those are
 * computed first; a circle is an error. */
#include "plan/draft.h"
#include "base/text.h"

#include <string.h>

enum { UNSEEN = 0, OPEN, DONE };

typedef struct {
  BhDraft *draft;
  guint side; /* whose parameter the expression is: its names come first */
} Scope;

void bh_draft_init(BhDraft *draft, const BhSide *workload, const BhSide *backend, const BhMachine *machine) {
  memset(draft, 0, sizeof *draft);
  draft->side[BH_WORKLOAD_SIDE] = workload;
  draft->side[BH_BACKEND_SIDE] = backend;
  draft->machine = machine;
  for (guint s = 0; s < 2; s++) {
    const guint n = bh_side_slots(draft->side[s]) + 1; /* a plugin without parameters has none */
    draft->terms[s] = g_new0(const BhTerm *, n);
    draft->values[s] = g_new0(const BhValue *, n);
    draft->states[s] = g_new0(guint8, n);
  }
}

void bh_draft_clear(BhDraft *draft) {
  for (guint s = 0; s < 2; s++) {
    g_clear_pointer(&draft->terms[s], g_free);
    g_clear_pointer(&draft->values[s], g_free);
    g_clear_pointer(&draft->states[s], g_free);
  }
}

static gboolean find(const BhDraft *draft, guint side, const char *name, guint *ret_slot) {
  return bh_plugin_param(draft->side[side]->plugin, name, ret_slot) != NULL;
}

static const BhValue *value_of(BhDraft *draft, guint side, guint slot, GError **error);

static gboolean number_of(BhDraft *draft, guint side, guint slot, BhNumber *ret, GError **error) {
  const BhParam *param = bh_side_param(draft->side[side], slot);
  if (draft->states[side][slot] == OPEN) {
    g_set_error(error, BH_ERROR, BH_ERROR_USAGE, "'%s' depends on itself; break the circle with a plain value",
                param->name);
    return FALSE;
  }
  const BhValue *value = value_of(draft, side, slot, error);
  if (!value)
    return FALSE;
  if (bh_sweep_number(value, ret))
    return TRUE;
  g_set_error(error, BH_ERROR, BH_ERROR_USAGE, "'%s' is a %s; only numbers, sizes and durations can be computed with",
              param->name, bh_type_name(param->type));
  return FALSE;
}

static gboolean unknown(const Scope *scope, const char *name, GError **error) {
  g_autoptr(GPtrArray) names = g_ptr_array_new();
  for (guint s = 0; s < 2; s++)
    for (guint i = 0; i < scope->draft->side[s]->plugin->params->len; i++)
      g_ptr_array_add(names, bh_side_param(scope->draft->side[s], i)->name);
  g_ptr_array_add(names, (gpointer) "cores");
  g_ptr_array_add(names, (gpointer) "memory");
  g_ptr_array_add(names, NULL);
  const char *plain = strchr(name, '.') ? strchr(name, '.') + 1 : name;
  g_autofree char *hint = bh_text_suggest(plain, (const char *const *)names->pdata), *shown = bh_text_shown(name);
  g_set_error(error, BH_ERROR, BH_ERROR_USAGE,
              "unknown name '%s': neither workload '%s' nor backend '%s' has such a parameter%s%s", shown,
              scope->draft->side[BH_WORKLOAD_SIDE]->plugin->name, scope->draft->side[BH_BACKEND_SIDE]->plugin->name,
              hint, strchr(name, '-') ? " (to subtract, put blanks around '-')" : "");
  return FALSE;
}

static gboolean look_up(void *user, const char *name, BhNumber *ret, GError **error) {
  const Scope *scope = user;
  BhDraft *draft = scope->draft;
  guint slot;
  if (bh_machine_lookup(draft->machine, name, ret))
    return TRUE;
  const gboolean in_workload = g_str_has_prefix(name, "workload."), in_backend = g_str_has_prefix(name, "backend.");
  if (in_workload || in_backend) {
    const char *plain = strchr(name, '.') + 1;
    if (find(draft, in_workload ? BH_WORKLOAD_SIDE : BH_BACKEND_SIDE, plain, &slot))
      return number_of(draft, in_workload ? BH_WORKLOAD_SIDE : BH_BACKEND_SIDE, slot, ret, error);
  } else {
    if (find(draft, scope->side, name, &slot))
      return number_of(draft, scope->side, slot, ret, error);
    if (find(draft, !scope->side, name, &slot))
      return number_of(draft, !scope->side, slot, ret, error);
  }
  /* A backend that has no such parameter works alone. */
  if (!strcmp(name, "workers") || !strcmp(name, "backend.workers")) {
    *ret = (BhNumber){.exact = TRUE, .i = 1};
    return TRUE;
  }
  return unknown(scope, name, error);
}

const BhValue *bh_draft_term(BhDraft *draft, guint side, const BhParam *param, const BhTerm *term, GError **error) {
  if (term->value)
    return term->value;
  Scope scope = {draft, side};
  BhNumber number;
  if (!bh_expr_eval(term->expr, look_up, &scope, &number, error))
    return NULL;
  GError *inner = NULL;
  g_autoptr(BhValue) value = bh_sweep_value(param, &number, &inner);
  if (!value) {
    g_prefix_error(&inner, "'%s': ", param->name);
    bh_node_prefix(&inner, term->at);
    g_propagate_error(error, inner);
    return NULL;
  }
  value->given = term->at.file != NULL; /* a default has no place */
  BhTerm *mutable = (BhTerm *)term;     /* the cache is no part of what the term means */
  if (!mutable->results)
    mutable->results = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, (GDestroyNotify)bh_value_free);
  BhValue *known = g_hash_table_lookup(mutable->results, value->text);
  if (known)
    return known;
  known = g_steal_pointer(&value);
  g_hash_table_insert(mutable->results, known->text, known);
  return known;
}

static const BhValue *value_of(BhDraft *draft, guint side, guint slot, GError **error) {
  if (draft->states[side][slot] == UNSEEN) {
    draft->states[side][slot] = OPEN;
    draft->values[side][slot] =
        bh_draft_term(draft, side, bh_side_param(draft->side[side], slot), draft->terms[side][slot], error);
    draft->states[side][slot] = DONE;
  }
  const BhValue *value = draft->values[side][slot];
  if (!value && error && !*error)
    g_set_error(error, BH_ERROR, BH_ERROR_USAGE, "'%s' has no value", bh_side_param(draft->side[side], slot)->name);
  return value;
}

gboolean bh_draft_evaluate(BhDraft *draft, GError **error) {
  g_autoptr(GError) first = NULL;
  for (guint s = 0; s < 2; s++) {
    const guint n = bh_side_slots(draft->side[s]);
    memset(draft->values[s], 0, n * sizeof *draft->values[s]);
    memset(draft->states[s], UNSEEN, n);
  }
  for (guint s = 0; s < 2; s++)
    for (guint i = 0; i < bh_side_slots(draft->side[s]); i++) {
      g_autoptr(GError) inner = NULL;
      if (value_of(draft, s, i, &inner) || first)
        continue;
      bh_node_prefix(&inner, draft->terms[s][i]->at.file ? (BhPosition){0} : draft->side[s]->entry->at);
      first = g_steal_pointer(&inner);
    }
  if (!first)
    return TRUE;
  g_propagate_error(error, g_steal_pointer(&first));
  return FALSE;
}
