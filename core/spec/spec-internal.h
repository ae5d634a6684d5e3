/* SPDX-License-Identifier: MIT
 * A matrix's parts as spec.c leaves them for plan.c: grammar checked, plugins' parameters still nodes. All nodes belong
 * to the spec's tree. */
#pragma once
#include "spec/measure.h"
#include "spec/node.h"

/* What an entry or an override says besides parameters. */
typedef struct {
  BhMeasurePatch patch;
  GHashTable *env; /* of (char *, char *); NULL: none */
} BhExtras;

/* One item of `workloads` or `backends`. */
typedef struct {
  char *name; /* of a plugin; a relative path is made absolute from the matrix's folder */
  BhPosition at;
  const BhNode *settings; /* a map with everything given; NULL: nothing */
  const BhNode *variant;  /* workloads: value or list; NULL: not given */
  const BhNode *zip;      /* list of maps; NULL: none */
  BhExtras extras;
} BhEntry;

typedef struct {
  GPtrArray *workloads, *backends; /* of BhEntry */
} BhInclude;

typedef struct {
  BhPosition at;
  const BhNode *match; /* a pattern: a map that is not empty */
  BhExtras extras;
} BhOverride;

struct BhSpec {
  char *text, *path; /* as read; `path` as given */
  BhNode *root;
  GPtrArray *nodes;      /* of BhNode: owned, no part of the tree */
  char *name, *data_dir; /* absolute, or NULL */
  guint64 seed;
  gboolean strict;
  BhMeasure measure;
  guint given, soft;               /* masks as in BhMeasurePatch: what the matrix says; what bh_spec_set_fallback set */
  GHashTable *env;                 /* of (char *, char *) */
  GPtrArray *workloads, *backends; /* of BhEntry */
  GPtrArray *excludes;             /* of BhNode, not owned: patterns */
  GPtrArray *includes;             /* of BhInclude */
  GPtrArray *overrides;            /* of BhOverride */
  const BhNode *baseline;          /* a pattern; NULL: none */
};

/* Keys of an entry that are no plugin's parameters; NULL-terminated. */
extern const char *const bh_spec_entry_keys[];
gboolean bh_spec_is_entry_key(const char *name);

/* spec-entry.c */
GPtrArray *bh_spec_read_entries(BhSpec *spec, const BhNode *node, const char *section, GError **error); /* of BhEntry */
gboolean bh_spec_read_extras(const BhNode *map, BhExtras *extras, GError **error);
GHashTable *bh_spec_read_env(const BhNode *node, GError **error);
void bh_spec_clear_extras(BhExtras *extras);

/* spec-set.c: `$name` is replaced by the set's value wherever it stands. */
gboolean bh_spec_expand_sets(BhNode *root, GError **error);
/* spec-path.c: "path=value" changes the tree before anything else looks at it. */
gboolean bh_spec_apply_override(BhNode *root, const char *assignment, GError **error);
