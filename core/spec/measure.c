/* SPDX-License-Identifier: MIT
 * Owns the settings of measuring: their names, limits and defaults. */
#include "spec/measure.h"
#include "base/primary.h"
#include "base/text.h"
#include "base/value.h"
#include "counters/counters.h"

#include <string.h>

#define SECOND 1e9
#define DAY (24 * 3600 * SECOND)
#define AT(member) G_STRUCT_OFFSET(BhMeasure, member)

static const char *read_primary(const char *text, GError **error) {
  BhPrimary primary;
  const gboolean known = bh_primary_parse(text, &primary);
  g_autofree char *shown = bh_text_shown(text);
  if (known && primary.kind == BH_PRIMARY_COUNTER && !bh_counters_group_of(primary.name)) {
    g_autofree char *hint = bh_text_suggest(primary.name, bh_counters_names());
    g_set_error(error, BH_ERROR, BH_ERROR_USAGE, "unknown counter %s%s; `benchhost list --counters` names all", shown,
                hint);
    return NULL;
  }
  if (known)
    return g_intern_string(text);
  g_set_error(error, BH_ERROR, BH_ERROR_USAGE,
              "unknown figure %s; expected wall, total, cpu, memory, counter:NAME or metric:NAME", shown);
  return NULL;
}

static const char *read_noise(const char *text, GError **error) {
  static const char *const policies[] = {"flag", "reject", "abort", NULL};
  if (g_strv_contains(policies, text))
    return g_intern_string(text);
  g_autofree char *shown = bh_text_shown(text), *hint = bh_text_suggest(text, policies);
  g_set_error(error, BH_ERROR, BH_ERROR_USAGE, "unknown policy %s; expected flag, reject or abort%s", shown, hint);
  return NULL;
}

/* Each group once, in this order, whatever order they are given in: the same groups are the same text. */
static const char *read_counters(const char *text, GError **error) {
  const char *const *groups = bh_counters_groups();
  g_auto(GStrv) words = g_strsplit_set(text, " ,+", -1);
  for (char **word = words; *word; word++) {
    if (!**word || !strcmp(*word, "none") || !strcmp(*word, "all") || g_strv_contains(groups, *word))
      continue;
    g_autofree char *shown = bh_text_shown(*word), *hint = bh_text_suggest(*word, groups);
    g_set_error(
        error, BH_ERROR, BH_ERROR_USAGE,
        "unknown group of counters %s; expected none, all, or some of cycles, caches, branches, kernel, energy%s",
        shown, hint);
    return NULL;
  }
  const gboolean all = g_strv_contains((const char *const *)words, "all");
  g_autoptr(GString) known = g_string_new(NULL);
  for (gsize i = 0; groups[i]; i++)
    if (all || g_strv_contains((const char *const *)words, groups[i]))
      g_string_append_printf(known, "%s%s", known->len ? " " : "", groups[i]);
  return g_intern_string(known->len ? known->str : "none");
}

const BhMeasureKey bh_measure_keys[] = {
    {"measure", "precision", BH_MEASURE_SHARE, AT(precision), 0, 0.5, "1%", FALSE,
     "half width of the median's 95 % interval, relative to the median, at which sampling stops; 0: never by "
     "precision"},
    {"measure", "rounds", BH_MEASURE_COUNT, AT(rounds), 1, 10000, "1", FALSE, "fresh processes per cell, at least"},
    {"measure", "max_rounds", BH_MEASURE_COUNT, AT(max_rounds), 0, 10000, "0", FALSE,
     "the most processes per cell, for cells that are not yet precise; 0: as many as `rounds`, or with a budget as it "
     "pays for"},
    {"measure", "min_samples", BH_MEASURE_COUNT, AT(min_samples), 1, 1e6, "10", FALSE,
     "samples per round that are always taken, also beyond max_time; only a budget may end it before"},
    {"measure", "max_samples", BH_MEASURE_COUNT, AT(max_samples), 1, 1e6, "200", FALSE, "the most samples per round"},
    {"measure", "min_sample", BH_MEASURE_DURATION, AT(min_sample_ns), 0, 3600 * SECOND, "1ms", FALSE,
     "a run is repeated inside one sample until the sample lasts this long"},
    {"measure", "warmup", BH_MEASURE_DURATION, AT(warmup_ns), 0, DAY, "1s", FALSE,
     "the most time that warm-up may take"},
    {"measure", "max_time", BH_MEASURE_DURATION, AT(max_time_ns), 1e6, DAY, "3s", FALSE,
     "sampling time of one cell in one round"},
    {"measure", "budget", BH_MEASURE_DURATION, AT(budget_ns), 0, 365 * DAY, "0", TRUE,
     "time for the whole run, shared by its cells; 0: no limit"},
    {"measure", "primary", BH_MEASURE_TEXT, AT(primary), 0, 0, "wall", FALSE,
     "the figure that decides when to stop and what ab compares: wall, total, cpu, memory, counter:NAME, metric:NAME",
     read_primary},
    {"measure", "noise", BH_MEASURE_TEXT, AT(noise), 0, 0, "flag", TRUE,
     "when something else disturbed a round (throttling, stolen time, suspend): flag it, reject and repeat it, or "
     "abort",
     read_noise},
    {"measure", "counters", BH_MEASURE_TEXT, AT(counters), 0, 0, "none", FALSE,
     "groups of counters to read: cycles caches branches kernel energy; all; none", read_counters},
    {"limits", "deadline", BH_MEASURE_DURATION, AT(deadline_ns), 0, 365 * DAY, "10min", FALSE,
     "a cell's process is killed after this; 0: never"},
    {"limits", "memory", BH_MEASURE_SIZE, AT(memory_bytes), 0, 9e18, "0", FALSE,
     "memory for a cell's processes together; 0: what the machine has"},
    {NULL},
};

static gboolean read_share(const char *text, double *ret, GError **error) {
  g_autofree char *number = g_strstrip(g_strdup(text));
  const gboolean percent = g_str_has_suffix(number, "%");
  if (percent) {
    number[strlen(number) - 1] = '\0';
    g_strchomp(number);
  }
  double value;
  if (!bh_value_parse_real(number, &value, error))
    return FALSE;
  *ret = percent ? value / 100 : value;
  return TRUE;
}

static gboolean read_number(const BhMeasureKey *key, const char *text, double *ret_share, gint64 *ret_whole,
                            GError **error) {
  switch (key->type) {
  case BH_MEASURE_SHARE:
    return read_share(text, ret_share, error);
  case BH_MEASURE_COUNT:
    return bh_value_parse_int(text, ret_whole, error);
  case BH_MEASURE_DURATION:
    return bh_value_parse_duration(text, ret_whole, error);
  case BH_MEASURE_SIZE:
    return bh_value_parse_size(text, ret_whole, error);
  case BH_MEASURE_TEXT:
    break;
  }
  return FALSE;
}

static char *limit_text(const BhMeasureKey *key, double limit) {
  if (key->type == BH_MEASURE_DURATION)
    return limit == 0 ? g_strdup("0") : bh_text_duration(limit);
  if (key->type == BH_MEASURE_SIZE)
    return bh_text_bytes(limit);
  if (key->type == BH_MEASURE_SHARE) {
    g_autofree char *percent = bh_text_double(limit * 100);
    return g_strconcat(percent, "%", NULL);
  }
  return bh_text_double(limit);
}

static gboolean read_value(const BhMeasureKey *key, const char *text, BhMeasure *values, GError **error) {
  double share = 0;
  gint64 whole = 0;
  if (key->type == BH_MEASURE_TEXT) {
    const char *read = key->read(text, error);
    G_STRUCT_MEMBER(const char *, values, key->offset) = read;
    return read != NULL;
  }
  if (!read_number(key, text, &share, &whole, error))
    return FALSE;
  const double value = key->type == BH_MEASURE_SHARE ? share : (double)whole;
  if (value < key->min || value > key->max) {
    g_autofree char *quoted = bh_text_shown(text), *low = limit_text(key, key->min), *high = limit_text(key, key->max);
    g_set_error(error, BH_ERROR, BH_ERROR_USAGE, "%s is out of range for '%s': expected %s to %s", quoted, key->name,
                low, high);
    return FALSE;
  }
  if (key->type == BH_MEASURE_SHARE)
    G_STRUCT_MEMBER(double, values, key->offset) = share;
  else if (key->type == BH_MEASURE_COUNT)
    G_STRUCT_MEMBER(guint, values, key->offset) = (guint)whole;
  else
    G_STRUCT_MEMBER(gint64, values, key->offset) = whole;
  return TRUE;
}

void bh_measure_init(BhMeasure *measure) {
  memset(measure, 0, sizeof *measure);
  for (const BhMeasureKey *key = bh_measure_keys; key->name; key++) {
    g_autoptr(GError) error = NULL;
    if (!read_value(key, key->fallback, measure, &error))
      g_error("default of %s: %s", key->name, error->message);
  }
}

static gboolean unknown_key(const BhNode *key, const char *section, GError **error) {
  const char *names[G_N_ELEMENTS(bh_measure_keys)] = {NULL};
  guint n = 0;
  g_autofree char *shown = bh_text_shown(key->text);
  for (const BhMeasureKey *known = bh_measure_keys; known->name; known++) {
    if (!strcmp(known->section, section))
      names[n++] = known->name;
    else if (!strcmp(known->name, key->text)) {
      bh_node_error(error, key->at, "'%s' belongs to '%s', not to '%s'; move it there", shown, known->section, section);
      return FALSE;
    }
  }
  g_autofree char *hint = bh_text_suggest(key->text, names);
  bh_node_error(error, key->at, "unknown key '%s' in '%s'%s", shown, section, hint);
  return FALSE;
}

static gboolean read_key(const BhNode *name, const BhNode *value, const char *section, gboolean suite,
                         BhMeasurePatch *patch, GError **error) {
  guint i = 0;
  while (bh_measure_keys[i].name &&
         (strcmp(bh_measure_keys[i].section, section) || strcmp(bh_measure_keys[i].name, name->text)))
    i++;
  const BhMeasureKey *key = &bh_measure_keys[i];
  if (!key->name)
    return unknown_key(name, section, error);
  if (key->suite_only && !suite) {
    bh_node_error(error, name->at, "'%s' is for the whole run; give it in the matrix's own '%s'", key->name, section);
    return FALSE;
  }
  if (value->kind != BH_NODE_SCALAR || bh_node_is_null(value)) {
    bh_node_error(error, value->at, "'%s' is one value, not %s; expected something like '%s: %s'", key->name,
                  bh_node_kind_name(value), key->name, key->fallback);
    return FALSE;
  }
  g_autoptr(GError) inner = NULL;
  if (!read_value(key, value->text, &patch->values, &inner)) {
    bh_node_error(error, value->at, "'%s': %s", key->name, inner->message);
    return FALSE;
  }
  patch->mask |= 1u << i;
  patch->at = value->at;
  return TRUE;
}

gboolean bh_measure_read(const BhNode *map, const char *section, gboolean suite, BhMeasurePatch *patch,
                         GError **error) {
  if (map->kind != BH_NODE_MAP) {
    bh_node_error(error, map->at, "'%s' is %s; expected a map, like '%s'", section, bh_node_kind_name(map),
                  strcmp(section, "measure") ? "limits: {deadline: 10min}" : "measure: {rounds: 10}");
    return FALSE;
  }
  for (guint i = 0; i < map->keys->len; i++)
    if (!read_key(map->keys->pdata[i], map->items->pdata[i], section, suite, patch, error))
      return FALSE;
  return TRUE;
}

void bh_measure_apply(BhMeasure *measure, const BhMeasurePatch *patch) {
  for (guint i = 0; bh_measure_keys[i].name; i++) {
    const BhMeasureKey *key = &bh_measure_keys[i];
    if (!(patch->mask & 1u << i))
      continue;
    if (key->type == BH_MEASURE_SHARE)
      G_STRUCT_MEMBER(double, measure, key->offset) = G_STRUCT_MEMBER(double, &patch->values, key->offset);
    else if (key->type == BH_MEASURE_COUNT)
      G_STRUCT_MEMBER(guint, measure, key->offset) = G_STRUCT_MEMBER(guint, &patch->values, key->offset);
    else if (key->type == BH_MEASURE_TEXT)
      G_STRUCT_MEMBER(const char *, measure, key->offset) = G_STRUCT_MEMBER(const char *, &patch->values, key->offset);
    else
      G_STRUCT_MEMBER(gint64, measure, key->offset) = G_STRUCT_MEMBER(gint64, &patch->values, key->offset);
  }
}

static gboolean is_in(guint mask, gsize offset) {
  for (guint i = 0; bh_measure_keys[i].name; i++)
    if (bh_measure_keys[i].offset == offset)
      return (mask & 1u << i) != 0;
  return FALSE;
}

void bh_measure_reconcile(BhMeasure *measure, guint soft) {
  if (measure->max_samples < measure->min_samples && is_in(soft, AT(max_samples)))
    measure->max_samples = measure->min_samples;
}

gboolean bh_measure_check(const BhMeasure *measure, BhPosition at, GError **error) {
  if (measure->max_rounds && measure->max_rounds < measure->rounds) {
    bh_node_error(error, at, "max_rounds (%u) is less than rounds (%u); raise one or lower the other",
                  measure->max_rounds, measure->rounds);
    return FALSE;
  }
  if (measure->max_samples >= measure->min_samples)
    return TRUE;
  bh_node_error(error, at, "max_samples (%u) is less than min_samples (%u); raise one or lower the other",
                measure->max_samples, measure->min_samples);
  return FALSE;
}

/* A measure that was never initialised has the defaults' texts. */
static const char *text_of(const BhMeasureKey *key, const BhMeasure *measure) {
  const char *text = G_STRUCT_MEMBER(const char *, measure, key->offset);
  return text ? text : key->fallback;
}

JsonObject *bh_measure_to_json(const BhMeasure *measure) {
  JsonObject *object = json_object_new();
  for (const BhMeasureKey *key = bh_measure_keys; key->name; key++) {
    if (key->type == BH_MEASURE_SHARE)
      json_object_set_double_member(object, key->name, G_STRUCT_MEMBER(double, measure, key->offset));
    else if (key->type == BH_MEASURE_COUNT)
      json_object_set_int_member(object, key->name, G_STRUCT_MEMBER(guint, measure, key->offset));
    else if (key->type == BH_MEASURE_TEXT)
      json_object_set_string_member(object, key->name, text_of(key, measure));
    else
      json_object_set_int_member(object, key->name, G_STRUCT_MEMBER(gint64, measure, key->offset));
  }
  return object;
}

static gboolean take_json(const BhMeasureKey *key, JsonNode *node, BhMeasure *ret, GError **error) {
  const GType type = node && JSON_NODE_HOLDS_VALUE(node) ? json_node_get_value_type(node) : G_TYPE_INVALID;
  if (key->type == BH_MEASURE_TEXT) {
    if (type == G_TYPE_STRING)
      return read_value(key, json_node_get_string(node), ret, error);
  } else if (key->type == BH_MEASURE_SHARE) {
    if (type == G_TYPE_DOUBLE || type == G_TYPE_INT64) {
      G_STRUCT_MEMBER(double, ret, key->offset) = json_node_get_double(node);
      return TRUE;
    }
  } else if (type == G_TYPE_INT64 && json_node_get_int(node) >= 0) {
    const gint64 whole = json_node_get_int(node);
    if (key->type != BH_MEASURE_COUNT) {
      G_STRUCT_MEMBER(gint64, ret, key->offset) = whole;
      return TRUE;
    }
    G_STRUCT_MEMBER(guint, ret, key->offset) = (guint)whole;
    if (whole <= G_MAXUINT32)
      return TRUE;
  }
  g_set_error(error, BH_ERROR, BH_ERROR_INTERNAL, "measure: '%s' is not %s", key->name,
              key->type == BH_MEASURE_TEXT ? "a text" : "a number that fits");
  return FALSE;
}

gboolean bh_measure_from_json(JsonObject *object, BhMeasure *ret, GError **error) {
  memset(ret, 0, sizeof *ret);
  for (const BhMeasureKey *key = bh_measure_keys; key->name; key++)
    if (!take_json(key, json_object_get_member(object, key->name), ret, error))
      return FALSE;
  return TRUE;
}

static char *value_text(const BhMeasureKey *key, const BhMeasure *measure) {
  if (key->type == BH_MEASURE_TEXT)
    return g_strdup(text_of(key, measure));
  if (key->type == BH_MEASURE_SHARE)
    return limit_text(key, G_STRUCT_MEMBER(double, measure, key->offset));
  if (key->type == BH_MEASURE_COUNT)
    return g_strdup_printf("%u", G_STRUCT_MEMBER(guint, measure, key->offset));
  return limit_text(key, (double)G_STRUCT_MEMBER(gint64, measure, key->offset));
}

char *bh_measure_difference(const BhMeasure *measure, const BhMeasure *base) {
  GString *text = g_string_new(NULL);
  for (const BhMeasureKey *key = bh_measure_keys; key->name; key++) {
    g_autofree char *now = value_text(key, measure), *before = value_text(key, base);
    if (strcmp(now, before))
      g_string_append_printf(text, "%s%s=%s", text->len ? " " : "", key->name, now);
  }
  return g_string_free(text, FALSE);
}
