/* SPDX-License-Identifier: MIT
 * What `ab` compares, as given on the command line: plugins as installed, a folder of plugins, one plugin's file, or
 * one parameter's value. Internal to gate/ and the command. */
#pragma once
#include "gate/ab.h"
#include "plan/plan.h"

typedef struct {
  BhArmKind kind;
  char *given;      /* as on the command line */
  char *option;     /* OPTION: the parameter's name without its qualifier; else NULL */
  char *qualifier;  /* OPTION: "workload", "backend" or a plugin's name; NULL: none */
  GPtrArray *files; /* of char *: name, path, name, path ..., NULL; what bh_catalog_place takes. May be just NULL */
  GPtrArray *twice; /* of char *: names that the folder has more than once, at the same depth */
} BhArm;

/* "." and "-": as installed. A folder is searched with all below it, so that a meson build tree is one. */
BhArm *bh_arm_parse(const char *text, GError **error);
void bh_arm_free(BhArm *arm);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BhArm, bh_arm_free)
/* Is this the parameter that the arm gives a value to? `plugin`: whose it is. */
gboolean bh_arm_varies(const BhArm *arm, const BhPlugin *plugin, const char *name);
/* Is the plugin's file one of this arm's folder, or its file? */
gboolean bh_arm_has(const BhArm *arm, const BhPlugin *plugin);
/* Does the plan use a plugin of this arm, and only files that the arm names once? `which`: "base" or "candidate". */
gboolean bh_arm_check(const BhArm *arm, const char *which, const BhPlan *plan, GError **error);
