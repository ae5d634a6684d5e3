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
