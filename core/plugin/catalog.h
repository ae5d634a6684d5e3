/* SPDX-License-Identifier: MIT
 * What the supervisor knows of plugins without ever loading one: found on the search path by name, described by a child
 * process (`benchhost internal-probe PATH`), so that a plugin that crashes, hangs or exits costs one message.
 *
 * Search path: an explicit path (a name with a '/'), then each folder of BENCHHOST_PLUGIN_PATH, then (in a build tree)
 * the build's own plugin folders, then the installed folder. A file NAME.so found first wins. */
#pragma once
#include "base/value.h"
#include <json-glib/json-glib.h>

typedef enum { BH_PLUGIN_WORKLOAD = 1, BH_PLUGIN_BACKEND } BhPluginKind;
const char *bh_plugin_kind_name(BhPluginKind kind); /* "workload", "backend"; 0, either: "plugin" */

typedef struct {
  char *name, *path;
  BhPluginKind kind;
  char *version, *summary;
  char *build_id;    /* GNU build id in hex, else a SHA-256 of the file: says which build was measured */
  char *compiler;    /* what its file says of that; NULL: nothing */
  char **loaded;     /* files that came with it, as found ("libgomp.so.1.0.0"): their versions; may be empty */
  char *target;      /* backends: "host", ... */
  GPtrArray *params; /* of BhParam, in table order */
  gboolean runnable; /* its probe said BH_OK */
  char *reason;      /* why it is not runnable here; else NULL */
  char **libraries;  /* what it links, as its file names them ("libgomp.so.1"): its requirements; may be empty */
} BhPlugin;

void bh_plugin_free(BhPlugin *plugin);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BhPlugin, bh_plugin_free)
const BhParam *bh_plugin_param(const BhPlugin *plugin, const char *name, guint *ret_index); /* NULL: no such */

typedef struct BhCatalog BhCatalog; /* caches what it probed */
BhCatalog *bh_catalog_new(void);
void bh_catalog_free(BhCatalog *catalog);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BhCatalog, bh_catalog_free)

/* Finds and probes a plugin of this kind. NULL with `error`: not found (did you mean), refused and why, or of the other
 * kind. The result belongs to the catalog. */
const BhPlugin *bh_catalog_get(BhCatalog *catalog, BhPluginKind kind, const char *name_or_path, GError **error);
/* The same for a plugin of either kind. */
const BhPlugin *bh_catalog_find(BhCatalog *catalog, const char *name_or_path, GError **error);
/* Probes several at once (one child each, as many at a time as there are cores); errors come from the later
 * bh_catalog_get. */
void bh_catalog_prefetch(BhCatalog *catalog, const char *const *names_or_paths);
/* Names of all files on the search path, sorted, without probing. Caller frees with g_strfreev. */
char **bh_catalog_names(BhCatalog *catalog);

/* From now on NAME, and every path that ends in NAME.so, is this file and no other, wherever the search path leads:
 * what `ab` compares. Before anything of that name is asked for. */
void bh_catalog_place(BhCatalog *catalog, const char *name, const char *path);

/* Tests put hand-made plugins here; takes ownership. */
void bh_catalog_add(BhCatalog *catalog, BhPlugin *plugin);

/* Members that say which plugin it is: name, kind, path, version, build_id. */
void bh_plugin_put_identity(JsonObject *object, const BhPlugin *plugin);
/* The probing child's answer, both ways. */
JsonNode *bh_plugin_to_json(const BhPlugin *plugin);
BhPlugin *bh_plugin_from_json(JsonNode *node, GError **error);
