/* SPDX-License-Identifier: MIT
 * One entry of a matrix with its plugin: which values each parameter takes, and which parameters advance together. */
#pragma once
#include "plan/plan.h"
#include "plan/sweep.h"
#include "spec/spec-internal.h"

/* Parameters that advance together: one swept parameter, or a zip group. */
typedef struct {
  GArray *slots; /* of guint */
  guint length;
} BhAxis;

/* Slots are the plugin's parameters in table order, then (workloads) the variant. */
typedef struct {
  const BhEntry *entry;
  const BhPlugin *plugin;
  GPtrArray *terms; /* of GPtrArray of BhTerm, per slot */
  GArray *replaced; /* of gboolean, per slot: --param gave it */
  GPtrArray *axes;  /* of BhAxis, ordered by first slot: the last one turns fastest */
  guint64 combinations;
} BhSide;

/* --param NAME=VALUE, read once and applied to every side that has NAME. */
typedef struct {
  char *qualifier; /* "workload", "backend", a plugin's name; NULL: any */
  char *name;
  BhNode *value;
  guint uses;
} BhReplacement;

typedef struct {
  BhCatalog *catalog;
  BhMachine machine;
  GPtrArray *replacements; /* of BhReplacement */
} BhSideContext;

extern const BhParam bh_variant_param;

BhSide *bh_side_new(BhSideContext *context, const BhEntry *entry, BhPluginKind kind, GError **error);
void bh_side_free(BhSide *side);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BhSide, bh_side_free)
guint bh_side_slots(const BhSide *side);
const BhParam *bh_side_param(const BhSide *side, guint slot);
/* The terms of combination `index` (0 .. combinations-1), one per slot. */
void bh_side_pick(const BhSide *side, guint64 index, const BhTerm **ret_terms);

BhReplacement *bh_replacement_parse(const char *text, GError **error);
void bh_replacement_free(BhReplacement *replacement);
