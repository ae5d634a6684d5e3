/* SPDX-License-Identifier: MIT
 * Owns the way from a checked matrix to its cells: pairs every workload with every backend, expands sweeps, drops what
 * `exclude` matches and duplicates, applies overrides, marks the baseline, filters. */
#include "plan/plan.h"
#include "base/text.h"
#include "plan/cell.h"
#include "plan/filter.h"
#include "plan/pattern.h"

#include <string.h>

typedef struct {
  const BhSpec *spec;
  BhPlan *plan;
  BhSideContext context;
  GPtrArray *sides;     /* of BhSide, not owned: all of them */
  GPtrArray *excludes;  /* of BhPattern */
  GPtrArray *overrides; /* of BhPattern, parallel to the spec's */
  BhPattern *baseline;  /* NULL: none */
  GHashTable *ids;      /* of (char *, BhCell *) */
  guint baselines, excluded, duplicates;
} Builder;

/* What the plan keeps alive for its cells. */
static void own(BhPlan *plan, gpointer object, GDestroyNotify destroy) {
  g_ptr_array_add(plan->owned, object);
  g_ptr_array_add(plan->owned, (gpointer)(gsize)destroy);
}

static void free_owned(GPtrArray *owned) {
  for (guint i = 0; i + 1 < owned->len; i += 2)
    ((GDestroyNotify)(gsize)owned->pdata[i + 1])(owned->pdata[i]);
  g_ptr_array_unref(owned);
}

void bh_plan_free(BhPlan *plan) {
  if (!plan)
    return;
  g_free(plan->name);
  g_free(plan->matrix_text);
  g_free(plan->matrix_path);
  g_free(plan->data_dir);
  g_clear_pointer(&plan->cells, g_ptr_array_unref);
  g_clear_pointer(&plan->notes, g_ptr_array_unref);
  g_clear_pointer(&plan->owned, free_owned);
  g_free(plan);
}

static void add_note(BhPlan *plan, const char *format, ...) G_GNUC_PRINTF(2, 3);
static void add_note(BhPlan *plan, const char *format, ...) {
  va_list args;
  va_start(args, format);
  g_ptr_array_add(plan->notes, g_strdup_vprintf(format, args));
  va_end(args);
}

/* ---- entries ---- */

/* A cell is known by its plugins' names alone: two builds of one name would take each other's cells for their own. */
static gboolean check_name(const Builder *builder, const BhSide *side, GError **error) {
  for (guint i = 0; i < builder->sides->len; i++) {
    const BhPlugin *other = ((const BhSide *)builder->sides->pdata[i])->plugin, *plugin = side->plugin;
    if (other->kind != plugin->kind || strcmp(other->name, plugin->name) ||
        !g_strcmp0(other->build_id, plugin->build_id))
      continue;
    bh_node_error(error, side->entry->at,
                  "two different plugins are called '%s': %s and %s; run them one after the other, each with its own "
                  "--output, or give one another name",
                  plugin->name, other->path, plugin->path);
    return FALSE;
  }
  return TRUE;
}

static GPtrArray *sides_of(Builder *builder, const GPtrArray *entries, BhPluginKind kind, GError **error) {
  g_autoptr(GPtrArray) sides = g_ptr_array_new();
  guint64 total = 0;
  for (guint i = 0; i < entries->len; i++) {
    const BhEntry *entry = entries->pdata[i];
    BhSide *side = bh_side_new(&builder->context, entry, kind, error);
    if (!side)
      return NULL;
    own(builder->plan, side, (GDestroyNotify)bh_side_free);
    if (!check_name(builder, side, error))
      return NULL;
    g_ptr_array_add(builder->sides, side);
    g_ptr_array_add(sides, side);
    total += side->combinations;
    if (total > BH_PLAN_MOST_CELLS) {
      bh_node_error(error, entry->at, "the matrix has more than %u cells; sweep fewer values, or use 'zip'",
                    BH_PLAN_MOST_CELLS);
      return NULL;
    }
  }
  return g_steal_pointer(&sides);
}

static void prefetch(Builder *builder) {
  g_autoptr(GPtrArray) names = g_ptr_array_new();
  const BhSpec *spec = builder->spec;
  for (guint i = 0; i < spec->includes->len + 1; i++) {
    const BhInclude *include = i ? spec->includes->pdata[i - 1] : NULL;
    const GPtrArray *lists[] = {include ? include->workloads : spec->workloads,
                                include ? include->backends : spec->backends};
    for (guint k = 0; k < 2; k++)
      for (guint n = 0; n < lists[k]->len; n++)
        g_ptr_array_add(names, ((const BhEntry *)lists[k]->pdata[n])->name);
  }
  g_ptr_array_add(names, NULL);
  bh_catalog_prefetch(builder->plan->catalog, (const char *const *)names->pdata);
}

/* ---- cells ---- */

static void merge_env(GHashTable *into, GHashTable *from) {
  GHashTableIter iter;
  gpointer name, value;
  if (!from)
    return;
  g_hash_table_iter_init(&iter, from);
  while (g_hash_table_iter_next(&iter, &name, &value))
    g_hash_table_insert(into, g_strdup(name), g_strdup(value));
}

/* `soft`: the settings that nobody gave so far but a command, as its fallback. */
static void apply_extras(const BhExtras *extras, BhMeasure *measure, guint *soft, BhPosition *at, GHashTable *env) {
  bh_measure_apply(measure, &extras->patch);
  *soft &= ~extras->patch.mask;
  if (extras->patch.mask)
    *at = extras->patch.at;
  merge_env(env, extras->env);
}

/* Whole matrix, then workload, then backend, then overrides in their order: the later one wins. */
static gboolean settle_extras(Builder *builder, BhDraft *draft, BhMeasure *measure, GHashTable *env, GError **error) {
  BhPosition at = {0};
  guint soft = builder->spec->soft;
  *measure = builder->spec->measure;
  merge_env(env, builder->spec->env);
  for (guint s = 0; s < 2; s++)
    apply_extras(&draft->side[s]->entry->extras, measure, &soft, &at, env);
  for (guint i = 0; i < builder->overrides->len; i++) {
    GError *inner = NULL;
    const BhOverride *override = builder->spec->overrides->pdata[i];
    if (bh_pattern_matches(builder->overrides->pdata[i], draft, &inner))
      apply_extras(&override->extras, measure, &soft, &at, env);
    if (inner) {
      g_propagate_error(error, inner);
      return FALSE;
    }
  }
  bh_measure_reconcile(measure, soft);
  return bh_measure_check(measure, at, error);
}

static gboolean matches_any(GPtrArray *patterns, BhDraft *draft, gboolean *ret, GError **error) {
  *ret = FALSE;
  for (guint i = 0; i < patterns->len; i++) {
    GError *inner = NULL;
    *ret |= bh_pattern_matches(patterns->pdata[i], draft, &inner); /* all are asked: each counts its uses */
    if (inner) {
      g_propagate_error(error, inner);
      return FALSE;
    }
  }
  return TRUE;
}

static gboolean mark_baseline(Builder *builder, BhDraft *draft, BhCell *cell, GError **error) {
  GError *inner = NULL;
  if (!builder->baseline)
    return TRUE;
  cell->baseline = bh_pattern_matches(builder->baseline, draft, &inner);
  builder->baselines += cell->baseline;
  if (inner)
    g_propagate_error(error, inner);
  return !inner;
}

/* A value that cannot be computed is an error unless `exclude` takes the cell away. */
static gboolean add_cell(Builder *builder, BhDraft *draft, gboolean excludable, GError **error) {
  g_autoptr(GError) failed = NULL;
  gboolean excluded = FALSE;
  const gboolean complete = bh_draft_evaluate(draft, &failed);
  if (excludable && !matches_any(builder->excludes, draft, &excluded, error))
    return FALSE;
  if (excluded) {
    builder->excluded++;
    return TRUE;
  }
  if (!complete) {
    g_propagate_error(error, g_steal_pointer(&failed));
    return FALSE;
  }
  BhMeasure measure;
  g_autoptr(GHashTable) env = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
  if (!settle_extras(builder, draft, &measure, env, error))
    return FALSE;
  BhCell *cell = bh_cell_new(draft, env, builder->spec->env, &measure);
  if (g_hash_table_contains(builder->ids, cell->id)) {
    builder->duplicates++;
    if (builder->duplicates <= 5)
      add_note(builder->plan, "%s: the cell '%s' (%s) is there twice; the later one is dropped", builder->spec->path,
               cell->label, cell->id);
    bh_cell_free(cell);
    return TRUE;
  }
  g_hash_table_insert(builder->ids, cell->id, cell);
  g_ptr_array_add(builder->plan->cells, cell);
  return mark_baseline(builder, draft, cell, error);
}

static gboolean pair(Builder *builder, const BhSide *workload, const BhSide *backend, gboolean excludable,
                     GError **error) {
  BhDraft draft;
  gboolean ok = TRUE;
  bh_draft_init(&draft, workload, backend, &builder->context.machine);
  for (guint64 w = 0; ok && w < workload->combinations; w++)
    for (guint64 b = 0; ok && b < backend->combinations; b++) {
      bh_side_pick(workload, w, draft.terms[BH_WORKLOAD_SIDE]);
      bh_side_pick(backend, b, draft.terms[BH_BACKEND_SIDE]);
      ok = add_cell(builder, &draft, excludable, error);
    }
  bh_draft_clear(&draft);
  return ok;
}

static guint64 combinations(const GPtrArray *sides) {
  guint64 total = 0;
  for (guint i = 0; i < sides->len; i++)
    total += ((const BhSide *)sides->pdata[i])->combinations;
  return total;
}

static gboolean pair_all(Builder *builder, const GPtrArray *workloads, const GPtrArray *backends, gboolean excludable,
                         GError **error) {
  const guint64 total = combinations(workloads) * combinations(backends); /* each at most BH_PLAN_MOST_CELLS */
  if (builder->plan->cells->len + total > BH_PLAN_MOST_CELLS) {
    bh_node_error(error, ((const BhSide *)workloads->pdata[0])->entry->at,
                  "the matrix has %" G_GUINT64_FORMAT
                  " cells before 'exclude', more than %u; sweep fewer values, or use 'zip'",
                  builder->plan->cells->len + total, BH_PLAN_MOST_CELLS);
    return FALSE;
  }
  for (guint w = 0; w < workloads->len; w++)
    for (guint b = 0; b < backends->len; b++)
      if (!pair(builder, workloads->pdata[w], backends->pdata[b], excludable, error))
        return FALSE;
  return TRUE;
}

/* ---- the whole ---- */

static gboolean read_patterns(Builder *builder, GError **error) {
  const BhSpec *spec = builder->spec;
  const BhMachine *machine = &builder->context.machine;
  for (guint i = 0; i < spec->excludes->len; i++) {
    BhPattern *pattern = bh_pattern_new(spec->excludes->pdata[i], builder->sides, machine, error);
    if (!pattern)
      return FALSE;
    g_ptr_array_add(builder->excludes, pattern);
  }
  for (guint i = 0; i < spec->overrides->len; i++) {
    const BhOverride *override = spec->overrides->pdata[i];
    BhPattern *pattern = bh_pattern_new(override->match, builder->sides, machine, error);
    if (!pattern)
      return FALSE;
    g_ptr_array_add(builder->overrides, pattern);
  }
  if (spec->baseline && !(builder->baseline = bh_pattern_new(spec->baseline, builder->sides, machine, error)))
    return FALSE;
  return TRUE;
}

static gboolean check_replacements(const Builder *builder, GError **error) {
  for (guint i = 0; i < builder->context.replacements->len; i++) {
    const BhReplacement *replacement = builder->context.replacements->pdata[i];
    if (replacement->uses)
      continue;
    g_autoptr(GPtrArray) names = g_ptr_array_new();
    for (guint s = 0; s < builder->sides->len; s++)
      for (guint k = 0; k < bh_side_slots(builder->sides->pdata[s]); k++) {
        char *name = bh_side_param(builder->sides->pdata[s], k)->name;
        if (!g_ptr_array_find_with_equal_func(names, name, g_str_equal, NULL))
          g_ptr_array_add(names, name);
      }
    g_ptr_array_add(names, NULL);
    g_autofree char *hint = bh_text_suggest(replacement->name, (const char *const *)names->pdata);
    g_autofree char *name = bh_text_shown(replacement->name);
    g_autofree char *qualifier = bh_text_shown(replacement->qualifier ? replacement->qualifier : "");
    g_set_error(error, BH_ERROR, BH_ERROR_USAGE, "--param %s%s%s: no plugin in the matrix has such a parameter%s",
                qualifier, replacement->qualifier ? "." : "", name, hint);
    return FALSE;
  }
  return TRUE;
}

static void note_unused(Builder *builder, const GPtrArray *patterns, const char *what) {
  for (guint i = 0; i < patterns->len; i++) {
    const BhPosition at = bh_pattern_at(patterns->pdata[i]);
    if (!bh_pattern_uses(patterns->pdata[i]))
      add_note(builder->plan, "%s:%u:%u: this pattern of '%s' matches no cell", at.file, at.line, at.column, what);
  }
}

/* Included cells come last and are not excluded again. Every entry is read before any pattern: a pattern may name them
 * all. */
static gboolean build(Builder *builder, GError **error) {
  const BhSpec *spec = builder->spec;
  const guint n = spec->includes->len + 1;
  g_autoptr(GPtrArray) lists = g_ptr_array_new_with_free_func((GDestroyNotify)g_ptr_array_unref);
  for (guint i = 0; i < n; i++) {
    const BhInclude *include = i ? spec->includes->pdata[i - 1] : NULL;
    for (guint k = 0; k < 2; k++) {
      const GPtrArray *entries =
          k == 0 ? (include ? include->workloads : spec->workloads) : (include ? include->backends : spec->backends);
      GPtrArray *sides = sides_of(builder, entries, k == 0 ? BH_PLUGIN_WORKLOAD : BH_PLUGIN_BACKEND, error);
      if (!sides)
        return FALSE;
      g_ptr_array_add(lists, sides);
    }
  }
  if (!check_replacements(builder, error) || !read_patterns(builder, error))
    return FALSE;
  for (guint i = 0; i < n; i++)
    if (!pair_all(builder, lists->pdata[2 * i], lists->pdata[2 * i + 1], i == 0, error))
      return FALSE;
  return TRUE;
}

static gboolean check_result(Builder *builder, GError **error) {
  BhPlan *plan = builder->plan;
  if (plan->cells->len == 0) {
    bh_node_error(error, ((const BhNode *)builder->spec->excludes->pdata[0])->at,
                  "'exclude' drops all %u cells; narrow its patterns", builder->excluded);
    return FALSE;
  }
  if (builder->baseline && !builder->baselines) {
    bh_node_error(error, bh_pattern_at(builder->baseline),
                  "'baseline' matches none of the %u cells; name a backend of the "
                  "matrix, or a pattern like '{backend: serial}'",
                  plan->cells->len);
    return FALSE;
  }
  if (builder->duplicates > 5)
    add_note(plan, "%s: %u more cells were there twice and are dropped", builder->spec->path, builder->duplicates - 5);
  note_unused(builder, builder->excludes, "exclude");
  note_unused(builder, builder->overrides, "overrides");
  return TRUE;
}

static gboolean read_params(Builder *builder, const char *const *params, GError **error) {
  for (; params && *params; params++) {
    BhReplacement *replacement = bh_replacement_parse(*params, error);
    if (!replacement)
      return FALSE;
    g_ptr_array_add(builder->context.replacements, replacement);
  }
  return TRUE;
}

static BhPlan *plan_new(const BhSpec *spec, BhCatalog *catalog) {
  BhPlan *plan = g_new0(BhPlan, 1);
  plan->name = g_strdup(spec->name);
  plan->matrix_text = g_strdup(spec->text);
  plan->matrix_path = g_strdup(spec->path);
  plan->seed = spec->seed;
  plan->measure = spec->measure;
  plan->strict = spec->strict;
  plan->data_dir = g_strdup(spec->data_dir);
  plan->catalog = catalog;
  plan->cells = g_ptr_array_new_with_free_func((GDestroyNotify)bh_cell_free);
  plan->notes = g_ptr_array_new_with_free_func(g_free);
  plan->owned = g_ptr_array_new();
  return plan;
}

BhPlan *bh_plan_new(const BhSpec *spec, BhCatalog *catalog, const BhPlanOptions *options, GError **error) {
  g_autoptr(BhPlan) plan = plan_new(spec, catalog);
  Builder builder = {.spec = spec, .plan = plan};
  builder.context.catalog = catalog;
  builder.context.machine = (BhMachine){options->cores, options->memory_bytes};
  builder.context.replacements = g_ptr_array_new();
  own(plan, builder.context.replacements, (GDestroyNotify)g_ptr_array_unref);
  g_ptr_array_set_free_func(builder.context.replacements, (GDestroyNotify)bh_replacement_free);
  builder.sides = g_ptr_array_new();
  builder.excludes = g_ptr_array_new_with_free_func((GDestroyNotify)bh_pattern_free);
  builder.overrides = g_ptr_array_new_with_free_func((GDestroyNotify)bh_pattern_free);
  builder.ids = g_hash_table_new(g_str_hash, g_str_equal);
  prefetch(&builder);
  const gboolean ok = read_params(&builder, options->params, error) && build(&builder, error) &&
                      check_result(&builder, error) && bh_filter_apply(plan->cells, options->filters, error);
  g_ptr_array_unref(builder.sides);
  g_ptr_array_unref(builder.excludes);
  g_ptr_array_unref(builder.overrides);
  bh_pattern_free(builder.baseline);
  g_hash_table_unref(builder.ids);
  return ok ? g_steal_pointer(&plan) : NULL;
}
