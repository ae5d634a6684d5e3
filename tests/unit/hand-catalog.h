/* SPDX-License-Identifier: MIT
 * A catalog made by hand for tests of the plan: workloads `prime` (n, cost) and `mixed` (one parameter of each type,
 * and `chunk`, which backends have too), backends `serial` (nothing), `pool` (workers, schedule, chunk) and `bare`
 * (needs `k`). */
#pragma once
#include "plugin/catalog.h"

static inline BhPlugin *hand_plugin(BhCatalog *catalog, const char *name, BhPluginKind kind) {
  BhPlugin *plugin = g_new0(BhPlugin, 1);
  plugin->name = g_strdup(name);
  plugin->path = g_strconcat("/plugins/", name, ".so", NULL);
  plugin->kind = kind;
  plugin->version = g_strdup("1");
  plugin->summary = g_strdup("made by hand");
  plugin->build_id = g_strdup("00");
  plugin->target = kind == BH_PLUGIN_BACKEND ? g_strdup("host") : NULL;
  plugin->params = g_ptr_array_new_with_free_func((GDestroyNotify)bh_param_free);
  plugin->runnable = TRUE;
  bh_catalog_add(catalog, plugin);
  return plugin;
}

static inline BhParam *hand_param(BhPlugin *plugin, const char *name, bh_type type, const char *fallback, double min,
                                  double max) {
  BhParam *param = g_new0(BhParam, 1);
  param->name = g_strdup(name);
  param->type = type;
  param->fallback = g_strdup(fallback);
  param->min = min;
  param->max = max;
  g_ptr_array_add(plugin->params, param);
  return param;
}

static inline void hand_choice(BhPlugin *plugin, const char *name, const char *fallback, const char *choices) {
  BhParam *param = hand_param(plugin, name, BH_CHOICE, fallback, 0, 0);
  param->choices = g_strsplit(choices, "|", -1);
}

static inline BhCatalog *hand_catalog(void) {
  BhCatalog *catalog = bh_catalog_new();
  BhPlugin *prime = hand_plugin(catalog, "prime", BH_PLUGIN_WORKLOAD);
  hand_param(prime, "n", BH_INT, "1000", 0, 1e9);
  hand_choice(prime, "cost", "equal", "equal|variable");
  BhPlugin *mixed = hand_plugin(catalog, "mixed", BH_PLUGIN_WORKLOAD);
  hand_param(mixed, "count", BH_INT, "1", 0, 0);
  hand_param(mixed, "size", BH_SIZE, "4KiB", 0, 0);
  hand_param(mixed, "share", BH_REAL, "0.5", 0, 1);
  hand_param(mixed, "pause", BH_DURATION, "1ms", 0, 0);
  hand_param(mixed, "text", BH_TEXT, "", 0, 0);
  hand_param(mixed, "argv", BH_WORDS, "true", 0, 0);
  hand_param(mixed, "flag", BH_BOOL, "false", 0, 0);
  hand_param(mixed, "chunk", BH_INT, "1", 0, 0);
  hand_plugin(catalog, "serial", BH_PLUGIN_BACKEND);
  BhPlugin *pool = hand_plugin(catalog, "pool", BH_PLUGIN_BACKEND);
  hand_param(pool, "workers", BH_INT, "cores", 1, 1024);
  hand_choice(pool, "schedule", "static", "static|dynamic|guided");
  hand_param(pool, "chunk", BH_INT, "0", 0, BH_UNBOUNDED);
  hand_param(hand_plugin(catalog, "bare", BH_PLUGIN_BACKEND), "k", BH_INT, NULL, 1, 10);
  return catalog;
}
