/* SPDX-License-Identifier: MIT
 * What must be equal on two machines for their figures to be comparable, out of a journal's `environment`: a short list
 * and a digest. Reads only that JSON. */
#pragma once
#include <json-glib/json-glib.h>

typedef struct {
  const char *name; /* as people read it, static: "CPU model" */
  char *text;       /* "unknown": not recorded, or unavailable there */
} BhFingerprintField;

typedef struct {
  GPtrArray *fields; /* of BhFingerprintField, owned; always the same names in the same order */
  char digest[13];   /* 12 hex digits over names and texts */
} BhFingerprint;

/* `environment`: of a journal's `run` line; NULL: all unknown. Never fails. */
BhFingerprint *bh_fingerprint_new(JsonObject *environment);
void bh_fingerprint_free(BhFingerprint *fingerprint); /* accepts NULL */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BhFingerprint, bh_fingerprint_free)
/* "governor: powersave, then performance", one for each field that differs; empty: comparable. "unknown" differs from
 * what is known, since nobody can say that it was the same. Caller frees (g_strfreev). */
char **bh_fingerprint_diff(const BhFingerprint *before, const BhFingerprint *after);
