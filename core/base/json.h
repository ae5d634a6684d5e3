/* SPDX-License-Identifier: MIT
 * JSON: members of objects that are null where there is nothing, and a tree as text. json-glib's own generator must not
 * be used for doubles: 1.6 writes 1e+17 as `1e+17.0`, which no parser takes. */
#pragma once
#include <json-glib/json-glib.h>

/* `indented`: for people, with a newline at the end; else one line without any. Doubles in their shortest form that
 * reads back the same; what is not finite becomes null, as JSON has no such numbers; invalid UTF-8 becomes U+FFFD.
 * Caller frees. */
char *bh_json_text(JsonNode *node, gboolean indented);
/* The same, indented; frees `root`. */
char *bh_json_put_out(JsonNode *root);

/* Members; null: what does not exist, or is not finite. */
void bh_json_put_number(JsonObject *object, const char *key, gboolean exists, double number);
void bh_json_put_interval(JsonObject *object, const char *key, gboolean exists, double low,
                          double high); /* [low, high] */
/* NULL: null. Text from outside (argv, paths, plugins) may be in any encoding: what is no UTF-8 is made so. */
void bh_json_put_text(JsonObject *object, const char *key, const char *text);
