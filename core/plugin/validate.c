/* SPDX-License-Identifier: MIT
 * Owns the rules that a plugin's exported object must keep before any of its code may run. */
#include "plugin/validate.h"
#include "base/text.h"

#include <math.h>
#include <string.h>

#define REFUSE(...) (g_set_error(error, BH_ERROR, BH_ERROR_PLUGIN, __VA_ARGS__), FALSE)

/* Keys of the matrix that mean the same for every plugin, so that no parameter may take their name. */
static const char *const reserved_names[] = {"variant", "measure", "limits", "env", "zip", NULL};

gboolean bh_validate_is_name(const char *name) {
  if (!name || !g_ascii_islower(name[0]) || strlen(name) > 64)
    return FALSE;
  for (const char *c = name; *c; c++)
    if (!g_ascii_islower(*c) && !g_ascii_isdigit(*c) && *c != '-')
      return FALSE;
  return TRUE;
}

static gboolean is_env_name(const char *name) {
  if (!g_ascii_isalpha(name[0]) && name[0] != '_')
    return FALSE;
  for (const char *c = name; *c; c++)
    if (!g_ascii_isalnum(*c) && *c != '_')
      return FALSE;
  /* These change what is loaded, or how the host itself behaves: not a plugin's to set. */
  return !g_str_has_prefix(name, "LD_") && !g_str_has_prefix(name, "BENCHHOST") && strcmp(name, "PATH") != 0;
}

/* A default may be an expression in the machine's own figures, which only the plan can work out. */
static gboolean is_expression(const BhParam *param) {
  const gboolean number = param->type == BH_INT || param->type == BH_REAL || param->type == BH_SIZE;
  return number && (strstr(param->fallback, "cores") || strstr(param->fallback, "memory"));
}

static gboolean check_choices(const BhParam *param, const bh_param *row, GError **error) {
  if (param->type != BH_CHOICE)
    return row->choices ? REFUSE("parameter '%s' has choices but is no BH_CHOICE", param->name) : TRUE;
  if (!param->choices || !param->choices[0])
    return REFUSE("parameter '%s' is a BH_CHOICE without choices: give \"a|b|c\"", param->name);
  for (guint i = 0; param->choices[i]; i++) {
    if (!param->choices[i][0])
      return REFUSE("parameter '%s' has an empty choice in \"%s\"", param->name, row->choices);
    if (g_strv_contains((const char *const *)param->choices + i + 1, param->choices[i]))
      return REFUSE("parameter '%s' has the choice '%s' twice", param->name, param->choices[i]);
  }
  return TRUE;
}

static gboolean check_env(const BhParam *param, GError **error) {
  if (!param->env)
    return param->env_values ? REFUSE("parameter '%s' has env_values but no env", param->name) : TRUE;
  if (!is_env_name(param->env))
    return REFUSE("parameter '%s' may not set the environment variable '%s'", param->name, param->env);
  if (!param->env_values)
    return TRUE;
  if (param->type != BH_CHOICE)
    return REFUSE("parameter '%s' has env_values but is no BH_CHOICE", param->name);
  if (g_strv_length(param->env_values) != g_strv_length(param->choices))
    return REFUSE("parameter '%s' has %u choices but %u env_values", param->name, g_strv_length(param->choices),
                  g_strv_length(param->env_values));
  return TRUE;
}

static gboolean check_default(const BhParam *param, GError **error) {
  if (!param->fallback || is_expression(param))
    return TRUE;
  g_autoptr(GError) why = NULL;
  g_autoptr(BhValue) value = bh_value_parse(param, param->fallback, &why);
  return value
             ? TRUE
             : REFUSE("parameter '%s': its default '%s' is not valid: %s", param->name, param->fallback, why->message);
}

static gboolean all_utf8(const bh_param *row) {
  const char *const texts[] = {row->fallback, row->choices, row->unit, row->help, row->env, row->env_values};
  for (guint i = 0; i < G_N_ELEMENTS(texts); i++)
    if (texts[i] && !g_utf8_validate(texts[i], -1, NULL))
      return FALSE;
  return TRUE;
}

static gboolean check_row(const bh_param *row, guint index, GError **error) {
  if (!bh_validate_is_name(row->name)) {
    g_autofree char *shown = g_utf8_make_valid(row->name, (gssize)strnlen(row->name, 80));
    return REFUSE("parameter %u is named '%s': only lower-case letters, digits and '-', starting with a letter", index,
                  shown);
  }
  if (g_strv_contains(reserved_names, row->name))
    return REFUSE("parameter '%s' takes a name that the matrix uses itself (variant, measure, limits, env, zip)",
                  row->name);
  if ((int)row->type < BH_BOOL || (int)row->type > BH_WORDS)
    return REFUSE("parameter '%s' has the unknown type %d", row->name, (int)row->type);
  if (!all_utf8(row))
    return REFUSE("parameter '%s' has text that is not UTF-8", row->name);
  if (isnan(row->min) || isnan(row->max) || row->min > row->max)
    return REFUSE("parameter '%s' has limits %g..%g: the smaller one comes first", row->name, row->min, row->max);
  return TRUE;
}

BhParam *bh_validate_param(const bh_param *row, guint index, GError **error) {
  if (!check_row(row, index, error))
    return NULL;
  g_autoptr(BhParam) param = g_new0(BhParam, 1);
  param->name = g_strdup(row->name);
  param->type = row->type;
  param->fallback = g_strdup(row->fallback);
  param->choices = row->choices ? g_strsplit(row->choices, "|", -1) : NULL;
  param->unit = g_strdup(row->unit);
  param->help = g_strdup(row->help);
  param->min = row->min;
  param->max = row->max;
  param->env = g_strdup(row->env);
  if (row->env_values) /* g_strsplit("") gives no element at all, but an empty text is one value here */
    param->env_values =
        row->env_values[0] ? g_strsplit(row->env_values, "|", -1) : g_strdupv((char *[]){(char *)"", NULL});
  if (!check_choices(param, row, error) || !check_env(param, error) || !check_default(param, error))
    return NULL;
  return g_steal_pointer(&param);
}

GPtrArray *bh_validate_params(const bh_param *rows, GError **error) {
  g_autoptr(GPtrArray) params = g_ptr_array_new_with_free_func((GDestroyNotify)bh_param_free);
  for (guint i = 0; rows && rows[i].name; i++) {
    if (i == BH_VALIDATE_MAX_PARAMS)
      return g_set_error(error, BH_ERROR, BH_ERROR_PLUGIN,
                         "the parameter table has more than %d rows: is its last row {0} missing?",
                         BH_VALIDATE_MAX_PARAMS),
             NULL;
    BhParam *param = bh_validate_param(&rows[i], i, error);
    if (!param)
      return NULL;
    for (guint j = 0; j < params->len; j++)
      if (!strcmp(((BhParam *)g_ptr_array_index(params, j))->name, param->name)) {
        g_set_error(error, BH_ERROR, BH_ERROR_PLUGIN, "two parameters are named '%s'", param->name);
        bh_param_free(param);
        return NULL;
      }
    g_ptr_array_add(params, param);
  }
  return g_steal_pointer(&params);
}

static gboolean check_head(const void *object, gsize symbol_bytes, GError **error) {
  guint32 head[4]; /* magic, size, abi, reserved */
  if (symbol_bytes && symbol_bytes < sizeof head)
    return REFUSE("its bh_plugin is an object of %zu bytes, too small to be a bh_plugin_info", symbol_bytes);
  memcpy(head, object, sizeof head);
  if (head[0] == GUINT32_SWAP_LE_BE(BH_MAGIC))
    return REFUSE("its magic is byte-swapped: it was built for a machine of the other byte order");
  if (head[0] != BH_MAGIC)
    return REFUSE(
        "wrong magic 0x%08x, expected 0x%08x: its bh_plugin is no bh_plugin_info (start it with BH_PLUGIN_HEAD)",
        head[0], BH_MAGIC);
  if (head[2] != BH_ABI)
    return REFUSE("built for benchhost ABI %u.%u, this host speaks %u.%u: rebuild it", head[2] >> 16, head[2] & 0xffff,
                  BH_ABI_MAJOR, BH_ABI_MINOR);
  if (head[1] < sizeof(bh_plugin_info))
    return REFUSE("its bh_plugin_info has %u bytes, %zu are needed: rebuild it", head[1], sizeof(bh_plugin_info));
  if (head[1] > BH_VALIDATE_MAX_STRUCT)
    return REFUSE("its bh_plugin_info says that it has %u bytes, which cannot be", head[1]);
  if (symbol_bytes && symbol_bytes < head[1])
    return REFUSE("its bh_plugin_info says that it has %u bytes but the object has %zu", head[1], symbol_bytes);
  return TRUE;
}

static gboolean check_texts(const bh_plugin_info *info, const char *expected_name, GError **error) {
  if (!info->name)
    return REFUSE("it has no name");
  if (!bh_validate_is_name(info->name)) {
    g_autofree char *shown = g_utf8_make_valid(info->name, (gssize)strnlen(info->name, 80));
    return REFUSE("its name '%s' is not legal: only lower-case letters, digits and '-', starting with a letter", shown);
  }
  if (strcmp(info->name, expected_name) != 0)
    return REFUSE("it calls itself '%s' but its file is named '%s.so': the two must agree", info->name, expected_name);
  if (!info->version || !info->summary)
    return REFUSE("it has no %s", info->version ? "summary" : "version");
  if (!g_utf8_validate(info->version, -1, NULL) || !g_utf8_validate(info->summary, -1, NULL))
    return REFUSE("its version or summary is not UTF-8");
  return TRUE;
}

static gboolean copy_struct(void *into, gsize ours, const void *from, const char *what, GError **error) {
  guint32 theirs;
  memcpy(&theirs, from, sizeof theirs);
  if (theirs < ours)
    return REFUSE("its %s has %u bytes, %zu are needed: set .size = sizeof(%s), or rebuild it", what, theirs, ours,
                  what);
  if (theirs > BH_VALIDATE_MAX_STRUCT)
    return REFUSE("its %s says that it has %u bytes, which cannot be", what, theirs);
  memcpy(into, from, ours);
  *(guint32 *)into = (guint32)ours;
  return TRUE;
}

static gboolean check_workload(const bh_plugin_info *info, BhLoaded *loaded, GError **error) {
  bh_workload *w = &loaded->workload;
  if (!copy_struct(w, sizeof *w, info->workload, "bh_workload", error))
    return FALSE;
  const char *missing = !w->open ? "open" : !w->verify ? "verify" : !w->close ? "close" : NULL;
  return missing ? REFUSE("its workload has no '%s' callback, which is mandatory", missing) : TRUE;
}

static gboolean check_backend(const bh_plugin_info *info, BhLoaded *loaded, GError **error) {
  bh_backend *b = &loaded->backend;
  if (!copy_struct(b, sizeof *b, info->backend, "bh_backend", error))
    return FALSE;
  const char *missing = !b->accept                     ? "accept"
                        : !b->open                     ? "open"
                        : !b->alloc                    ? "alloc"
                        : !b->close                    ? "close"
                        : !b->run_loop && !b->run_team ? "run_loop' or 'run_team"
                                                       : NULL;
  if (missing)
    return REFUSE("its backend has no '%s' callback, which is mandatory", missing);
  if (!b->target || !bh_validate_is_name(b->target))
    return REFUSE("its backend has no legal 'target': \"host\", \"cuda\", ...");
  return TRUE;
}

gboolean bh_validate_info(const void *object, gsize symbol_bytes, const char *expected_name, BhLoaded *loaded,
                          GError **error) {
  if (!check_head(object, symbol_bytes, error))
    return FALSE;
  bh_plugin_info *info = &loaded->info;
  memcpy(info, object, sizeof *info);
  info->size = sizeof *info;
  if (!check_texts(info, expected_name, error))
    return FALSE;
  if (!info->workload == !info->backend)
    return REFUSE("it must be a workload or a backend, and is %s", info->workload ? "both" : "neither");
  if (info->workload ? !check_workload(info, loaded, error) : !check_backend(info, loaded, error))
    return FALSE;
  g_autoptr(GPtrArray) params = bh_validate_params(info->params, error);
  return params != NULL;
}
