/* SPDX-License-Identifier: MIT
 * What two runs must share to be comparable at all, out of their journals: the machine and how it was set, and what
 * else differs (plugins' builds, settings). */
#pragma once
#include "history/stored.h"

/* The fingerprint of a journal's `environment` (NULL: none) and the names and values behind it. Caller frees, unrefs.
 */
char *bh_machine_fingerprint(JsonObject *environment);
GHashTable *bh_machine_set(JsonObject *environment); /* of (char *, char *) */

typedef enum { BH_DIFFERS_MACHINE = 0, BH_DIFFERS_PROGRAM, BH_DIFFERS_PLUGIN, BH_DIFFERS_SETTING } BhDiffersKind;
const char *bh_differs_name(BhDiffersKind kind); /* "machine", "program", "plugin", "setting" */

typedef struct {
  BhDiffersKind kind;
  char *name, *old, *now; /* NULL: unknown there */
} BhDiffers;

/* Of BhDiffers, sorted by kind, then name; empty: nothing that is recorded differs. Both from journals. */
GPtrArray *bh_machine_differences(const BhStored *old, const BhStored *now);
gboolean bh_machine_differ(const GPtrArray *differences); /* any of the kind MACHINE */
