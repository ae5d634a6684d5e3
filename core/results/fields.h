/* SPDX-License-Identifier: MIT
 * Typed looks into a journal's JSON objects that never assert: a key that is missing or of another type is "not there".
 * Plus the calling line's complaint in one form. For rooms that read journals. */
#pragma once
#include "base/error.h"
#include <json-glib/json-glib.h>

/* FALSE: missing, null or not a number. A number is always finite (the reader refuses others). */
gboolean bh_fields_number(JsonObject *object, const char *key, double *ret);
gboolean bh_fields_int(JsonObject *object, const char *key, gint64 *ret); /* a whole number, also when written as 3.0 */
/* NULL: missing, null or of another type. The object's. */
const char *bh_fields_string(JsonObject *object, const char *key);
JsonObject *bh_fields_object(JsonObject *object, const char *key);
JsonArray *bh_fields_array(JsonObject *object, const char *key);
gboolean bh_fields_true(JsonObject *object, const char *key); /* present and true */
/* A scalar as text for people and for keys: text as it is, numbers shortest, lists joined by blanks; "-" for null. */
char *bh_fields_text(JsonNode *node);
