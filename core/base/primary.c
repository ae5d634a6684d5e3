/* SPDX-License-Identifier: MIT
 * Owns the names of primary figures. */
#include "base/primary.h"

#include <string.h>

gboolean bh_primary_parse(const char *text, BhPrimary *ret) {
  static const struct {
    const char *text;
    BhPrimaryKind kind;
    gboolean named;
  } known[] = {{"wall", BH_PRIMARY_WALL, FALSE},       {"total", BH_PRIMARY_TOTAL, FALSE},
               {"cpu", BH_PRIMARY_CPU, FALSE},         {"memory", BH_PRIMARY_MEMORY, FALSE},
               {"counter:", BH_PRIMARY_COUNTER, TRUE}, {"metric:", BH_PRIMARY_METRIC, TRUE}};
  *ret = (BhPrimary){.kind = BH_PRIMARY_WALL};
  for (gsize i = 0; i < G_N_ELEMENTS(known); i++) {
    const gsize length = strlen(known[i].text);
    if (known[i].named ? strncmp(text, known[i].text, length) || !text[length] : strcmp(text, known[i].text))
      continue;
    *ret = (BhPrimary){.kind = known[i].kind, .name = known[i].named ? g_intern_string(text + length) : NULL};
    return TRUE;
  }
  return FALSE;
}

gboolean bh_primary_per_sample(const BhPrimary *primary) {
  return primary->kind != BH_PRIMARY_TOTAL && primary->kind != BH_PRIMARY_MEMORY;
}
