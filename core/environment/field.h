/* SPDX-License-Identifier: MIT
 * One field of the machine's record: {"state", "value", "note"}. Internal to environment/. `bad`: how it disturbs or
 * distorts, NULL: it does not. `none`: why there is no value. */
#pragma once
#include <json-glib/json-glib.h>

void bh_field_node(JsonObject *record, const char *name, JsonNode *value, const char *bad); /* takes `value` */
void bh_field_none(JsonObject *record, const char *name, const char *none);
/* `text` NULL: unavailable. */
void bh_field_text(JsonObject *record, const char *name, const char *text, const char *bad, const char *none);
void bh_field_int(JsonObject *record, const char *name, gint64 value, const char *bad);
void bh_field_double(JsonObject *record, const char *name, double value, const char *bad);
void bh_field_texts(JsonObject *record, const char *name, const char *const *texts, const char *bad);

/* The parts of the record, each in a file of its own; `root` as in environment/files.h. */
void bh_record_add_processor(JsonObject *record, const char *root);
void bh_record_add_kernel(JsonObject *record, const char *root);
