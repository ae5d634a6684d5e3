/* SPDX-License-Identifier: MIT
 * Owns the choice of what makes two machines comparable. Memory counts by its size class only: two machines of one
 * model differ by a few pages. */
#include "environment/fingerprint.h"

#include "environment/record.h"

#include <math.h>
#include <string.h>

static JsonObject *object_of(JsonObject *object, const char *key) {
  JsonNode *node = object ? json_object_get_member(object, key) : NULL;
  return node && JSON_NODE_HOLDS_OBJECT(node) ? json_node_get_object(node) : NULL;
}

static JsonNode *value_of(JsonObject *environment, const char *name) {
  JsonObject *field = object_of(environment, name);
  JsonNode *value = field ? json_object_get_member(field, "value") : NULL;
  return value && !JSON_NODE_HOLDS_NULL(value) ? value : NULL;
}

static char *scalar_text(JsonNode *value) {
  if (!value || !JSON_NODE_HOLDS_VALUE(value))
    return NULL;
  const GType type = json_node_get_value_type(value);
  if (type == G_TYPE_STRING)
    return g_strdup(json_node_get_string(value));
  if (type == G_TYPE_INT64)
    return g_strdup_printf("%" G_GINT64_FORMAT, json_node_get_int(value));
  if (type == G_TYPE_BOOLEAN)
    return g_strdup(json_node_get_boolean(value) ? "yes" : "no");
  if (type != G_TYPE_DOUBLE)
    return NULL;
  char text[G_ASCII_DTOSTR_BUF_SIZE];
  return g_strdup(g_ascii_dtostr(text, sizeof text, json_node_get_double(value)));
}

static char *plain(JsonObject *environment, const char *name) {
  return scalar_text(value_of(environment, name));
}

/* "6.1" of "6.1.0-18-amd64": patch levels change scheduling rarely enough. */
static char *kernel(JsonObject *environment, const char *name) {
  char *text = plain(environment, name);
  if (text) {
    char *dot = strchr(text, '.');
    if (dot)
      dot[1 + strspn(dot + 1, "0123456789")] = 0;
  }
  return text;
}

/* The power of two of GiB next to it: "16 GiB" for 15.6 GiB. */
static char *memory(JsonObject *environment, const char *name) {
  JsonNode *value = value_of(environment, name);
  if (!value || !JSON_NODE_HOLDS_VALUE(value) || json_node_get_value_type(value) != G_TYPE_INT64)
    return NULL;
  const double gib = (double)json_node_get_int(value) / 1073741824.0;
  if (!(gib > 0))
    return NULL;
  char number[G_ASCII_DTOSTR_BUF_SIZE];
  g_ascii_formatd(number, sizeof number, "%g", exp2(round(log2(gib))));
  return g_strdup_printf("about %s GiB", number);
}

static char *libc(JsonObject *environment, const char *name) {
  JsonNode *value = value_of(environment, name);
  JsonObject *libraries = value && JSON_NODE_HOLDS_OBJECT(value) ? json_node_get_object(value) : NULL;
  JsonNode *version = libraries ? json_object_get_member(libraries, "glibc") : NULL;
  g_autofree char *text = scalar_text(version);
  return text ? g_strdup_printf("glibc %s", text) : NULL;
}

/* Not there in a run on real files: only what differs from that is worth a word. */
static char *made_up(JsonObject *environment, const char *name) {
  char *text = plain(environment, name);
  return text ? text : g_strdup("no");
}

static const struct {
  const char *title, *name; /* for people; in the record */
  char *(*text)(JsonObject *environment, const char *name);
} choice[] = {
    {"CPU model", "cpu_model", plain},
    {"architecture", "machine", plain},
    {"cores used", "cores", plain},
    {"CPU quota", "cgroup_cpu_quota", plain},
    {"governor", "governor", plain},
    {"turbo", "turbo", plain},
    {"SMT", "smt", plain},
    {"NUMA nodes", "numa_nodes", plain},
    {"kernel", "kernel", kernel},
    {"virtual machine", "hypervisor", plain},
    {"memory", "memory_total_bytes", memory},
    {"libc", "libraries", libc},
    {"compiler", "compiler", plain},
    {"compiler flags", "compiler_flags", plain},
    {"build", "build", plain},
    {"ASLR", "aslr", plain},
    {"made-up files", BH_RECORD_MADE_UP, made_up},
};

static void field_free(gpointer data) {
  BhFingerprintField *field = data;
  g_free(field->text);
  g_free(field);
}

BhFingerprint *bh_fingerprint_new(JsonObject *environment) {
  BhFingerprint *fingerprint = g_new0(BhFingerprint, 1);
  fingerprint->fields = g_ptr_array_new_with_free_func(field_free);
  g_autoptr(GChecksum) sum = g_checksum_new(G_CHECKSUM_SHA256);
  for (guint i = 0; i < G_N_ELEMENTS(choice); i++) {
    BhFingerprintField *field = g_new0(BhFingerprintField, 1);
    field->name = choice[i].title;
    field->text = choice[i].text(environment, choice[i].name);
    if (!field->text)
      field->text = g_strdup("unknown");
    g_ptr_array_add(fingerprint->fields, field);
    g_checksum_update(sum, (const guchar *)field->name, (gssize)strlen(field->name) + 1);
    g_checksum_update(sum, (const guchar *)field->text, (gssize)strlen(field->text) + 1);
  }
  g_strlcpy(fingerprint->digest, g_checksum_get_string(sum), sizeof fingerprint->digest);
  return fingerprint;
}

void bh_fingerprint_free(BhFingerprint *fingerprint) {
  if (!fingerprint)
    return;
  g_ptr_array_unref(fingerprint->fields);
  g_free(fingerprint);
}
