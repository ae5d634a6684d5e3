/* SPDX-License-Identifier: MIT
 * Owns the machine's record: what can be known without root and matters when figures are compared. Neither host name
 * nor boot id nor any value of an environment variable is kept: journals are shared. */
#include "environment/record.h"

#include "environment/field.h"
#include "environment/files.h"

#include <gnu/libc-version.h>
#include <hwloc.h>
#include <yaml.h>

static void add_build(JsonObject *record) {
  const char *compiler =
#ifdef __clang__
      "clang " __clang_version__;
#else
      "gcc " __VERSION__;
#endif
  bh_field_text(record, "compiler", compiler, NULL, NULL);
  bh_field_text(record, "compiler_flags", BH_COMPILER_FLAGS, NULL, NULL);
#ifdef __OPTIMIZE__
  const gboolean optimized = TRUE;
#else
  const gboolean optimized = FALSE;
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  const char *bad = "built with a sanitizer: figures mean nothing";
#else
  const char *bad = optimized ? NULL : "built without optimization";
#endif
  bh_field_text(record, "build", optimized ? "optimized" : "not optimized", bad, NULL);
}

static void add_libraries(JsonObject *record) {
  JsonObject *versions = json_object_new();
  g_autofree char *glib = g_strdup_printf("%u.%u.%u", glib_major_version, glib_minor_version, glib_micro_version);
  const unsigned api = hwloc_get_api_version();
  g_autofree char *hwloc = g_strdup_printf("%u.%u.%u", api >> 16, (api >> 8) & 255, api & 255);
  json_object_set_string_member(versions, "glibc", gnu_get_libc_version());
  json_object_set_string_member(versions, "glib", glib);
  json_object_set_string_member(versions, "hwloc", hwloc);
  json_object_set_string_member(versions, "libyaml", yaml_get_version_string());
  json_object_set_string_member(versions, "json-glib", JSON_VERSION_S);
  JsonNode *node = json_node_init_object(json_node_alloc(), versions);
  json_object_unref(versions);
  bh_field_node(record, "libraries", node, NULL);
}

JsonNode *bh_record_capture(const char *root, const char *const *removed, const char *const *kept) {
  JsonObject *record = json_object_new();
  bh_record_add_processor(record, root);
  bh_record_add_kernel(record, root);
  add_build(record);
  add_libraries(record);
  bh_field_texts(record, "variables_removed", removed,
                 "set by the shell, not passed on to cells: use the matrix's `env`");
  bh_field_texts(record, "variables_kept", kept, "passed on to cells: they can change how programs load and run");
  if (*root)
    bh_field_text(record, BH_RECORD_MADE_UP, "BENCHHOST_TEST_ROOT", NULL, NULL);
  JsonNode *node = json_node_init_object(json_node_alloc(), record);
  json_object_unref(record);
  return node;
}
