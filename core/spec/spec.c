/* SPDX-License-Identifier: MIT
 * Owns the matrix's own grammar: the top-level keys, what each may hold, and how they are read. Knows no plugin. */
#include "base/text.h"
#include "base/value.h"
#include "spec/spec-internal.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct {
  const char *name;
  gboolean (*read)(BhSpec *spec, const BhNode *node, GError **error);
} Section;

static gboolean wrong_kind(const BhNode *node, const char *name, const char *expected, GError **error) {
  bh_node_error(error, node->at, "'%s' is %s; expected %s", name, bh_node_kind_name(node), expected);
  return FALSE;
}

static gboolean is_text(const BhNode *node) {
  return node->kind == BH_NODE_SCALAR && !bh_node_is_null(node);
}

/* ---- simple keys ---- */

static gboolean read_version(BhSpec *spec, const BhNode *node, GError **error) {
  (void)spec;
  if (!is_text(node))
    return wrong_kind(node, "benchhost", "the format's version: 'benchhost: 1'", error);
  if (!strcmp(node->text, "1"))
    return TRUE;
  g_autofree char *shown = bh_text_shown(node->text);
  bh_node_error(error, node->at, "the matrix is of format version '%s'; this benchhost reads version 1", shown);
  return FALSE;
}

static gboolean read_name(BhSpec *spec, const BhNode *node, GError **error) {
  if (!is_text(node) || !node->text[0])
    return wrong_kind(node, "name", "a text, like 'name: pools'", error);
  if (g_utf8_strlen(node->text, -1) > 100 || strpbrk(node->text, "\r\n")) {
    bh_node_error(error, node->at,
                  "the name is too long or has several lines; expected one line of at most 100 characters");
    return FALSE;
  }
  g_free(spec->name);
  spec->name = g_strdup(node->text);
  return TRUE;
}

static gboolean read_seed(BhSpec *spec, const BhNode *node, GError **error) {
  g_autoptr(GError) inner = NULL;
  gint64 seed = 0;
  if (!is_text(node))
    return wrong_kind(node, "seed", "a number, like 'seed: 42'", error);
  if (!bh_value_parse_int(node->text, &seed, &inner) || seed < 0) {
    bh_node_error(error, node->at, "'seed': %s", inner ? inner->message : "expected a number of at least 0");
    return FALSE;
  }
  spec->seed = (guint64)seed;
  return TRUE;
}

static gboolean read_strict(BhSpec *spec, const BhNode *node, GError **error) {
  if (node->kind == BH_NODE_SCALAR && (!strcmp(node->text, "true") || !strcmp(node->text, "false"))) {
    spec->strict = node->text[0] == 't';
    return TRUE;
  }
  g_autofree char *shown = bh_text_shown(node->kind == BH_NODE_SCALAR ? node->text : bh_node_kind_name(node));
  bh_node_error(error, node->at, "'strict' is '%s'; expected true or false", shown);
  return FALSE;
}

static gboolean read_data(BhSpec *spec, const BhNode *node, GError **error) {
  if (!is_text(node) || !node->text[0])
    return wrong_kind(node, "data", "a folder, like 'data: ../data'", error);
  g_autofree char *folder = g_path_get_dirname(spec->path);
  g_autofree char *joined =
      g_path_is_absolute(node->text) ? g_strdup(node->text) : g_build_filename(folder, node->text, NULL);
  spec->data_dir = g_canonicalize_filename(joined, NULL);
  if (g_file_test(spec->data_dir, G_FILE_TEST_EXISTS) && !g_file_test(spec->data_dir, G_FILE_TEST_IS_DIR)) {
    bh_node_error(error, node->at, "'%s' is no folder; 'data' names the folder that holds the input data",
                  spec->data_dir);
    return FALSE;
  }
  return TRUE;
}

static gboolean read_env(BhSpec *spec, const BhNode *node, GError **error) {
  return (spec->env = bh_spec_read_env(node, error)) != NULL;
}

static gboolean read_suite_measure(BhSpec *spec, const BhNode *node, const char *section, GError **error) {
  BhMeasurePatch patch = {0};
  if (!bh_measure_read(node, section, TRUE, &patch, error))
    return FALSE;
  bh_measure_apply(&spec->measure, &patch);
  spec->given |= patch.mask;
  return bh_measure_check(&spec->measure, patch.at, error);
}

static gboolean read_measure(BhSpec *spec, const BhNode *node, GError **error) {
  return read_suite_measure(spec, node, "measure", error);
}

static gboolean read_limits(BhSpec *spec, const BhNode *node, GError **error) {
  return read_suite_measure(spec, node, "limits", error);
}

gboolean bh_spec_set_fallback(BhSpec *spec, const char *assignment, GError **error) {
  BhMeasurePatch patch = {0};
  const char *equals = strchr(assignment, '=');
  g_return_val_if_fail(equals != NULL, FALSE);
  g_autofree char *name = g_strndup(assignment, (gsize)(equals - assignment));
  g_autoptr(BhNode) map = bh_node_new(BH_NODE_MAP, (BhPosition){.file = "fallback", .line = 1, .column = 1});
  bh_node_put(map, bh_node_new_scalar(map->at, name, FALSE), bh_node_new_scalar(map->at, equals + 1, FALSE));
  if (!bh_measure_read(map, "measure", TRUE, &patch, error))
    return FALSE;
  patch.mask &= ~spec->given;
  spec->soft |= patch.mask;
  bh_measure_apply(&spec->measure, &patch);
  bh_measure_reconcile(&spec->measure, spec->soft);
  return TRUE;
}

/* ---- what there is to run ---- */

static gboolean read_sets(BhSpec *spec, const BhNode *node, GError **error) {
  (void)spec, (void)node, (void)error; /* expanded, and checked, before */
  return TRUE;
}

static gboolean read_workloads(BhSpec *spec, const BhNode *node, GError **error) {
  return (spec->workloads = bh_spec_read_entries(spec, node, "workloads", error)) != NULL;
}

static gboolean read_backends(BhSpec *spec, const BhNode *node, GError **error) {
  return (spec->backends = bh_spec_read_entries(spec, node, "backends", error)) != NULL;
}

static gboolean check_pattern(const BhNode *node, const char *where, GError **error) {
  if (node->kind != BH_NODE_MAP)
    return wrong_kind(node, where, "a pattern, like '{workload: prime, backend: fork, n: [10, 20]}'", error);
  if (node->keys->len > 0)
    return TRUE;
  bh_node_error(error, node->at, "an empty pattern in '%s' would match every cell; say what it should match", where);
  return FALSE;
}

static gboolean read_baseline(BhSpec *spec, const BhNode *node, GError **error) {
  if (is_text(node)) { /* NAME is short for {backend: NAME} */
    BhNode *pattern = bh_node_new(BH_NODE_MAP, node->at);
    bh_node_put(pattern, bh_node_new_scalar(node->at, "backend", FALSE), bh_node_copy(node));
    g_ptr_array_add(spec->nodes, pattern);
    spec->baseline = pattern;
    return TRUE;
  }
  spec->baseline = node;
  return check_pattern(node, "baseline", error);
}

static gboolean need_list(const BhNode *node, const char *name, const char *example, GError **error) {
  if (node->kind == BH_NODE_LIST)
    return TRUE;
  g_autofree char *expected = g_strdup_printf("a list, like '%s: [%s]'", name, example);
  return wrong_kind(node, name, expected, error);
}

static gboolean read_exclude(BhSpec *spec, const BhNode *node, GError **error) {
  if (!need_list(node, "exclude", "{workload: prime, backend: fork}", error))
    return FALSE;
  for (guint i = 0; i < node->items->len; i++) {
    if (!check_pattern(node->items->pdata[i], "exclude", error))
      return FALSE;
    g_ptr_array_add(spec->excludes, node->items->pdata[i]);
  }
  return TRUE;
}

/* Only `names` may be in `map`. */
static gboolean check_keys(const BhNode *map, const char *const *names, const char *where, GError **error) {
  for (guint i = 0; i < map->keys->len; i++) {
    const BhNode *key = map->keys->pdata[i];
    if (g_strv_contains(names, key->text))
      continue;
    g_autofree char *shown = bh_text_shown(key->text), *hint = bh_text_suggest(key->text, names);
    bh_node_error(error, key->at, "unknown key '%s' in %s%s", shown, where, hint);
    return FALSE;
  }
  return TRUE;
}

static void free_include(BhInclude *include) {
  g_clear_pointer(&include->workloads, g_ptr_array_unref);
  g_clear_pointer(&include->backends, g_ptr_array_unref);
  g_free(include);
}

static gboolean read_include(BhSpec *spec, const BhNode *node, GError **error) {
  static const char *const keys[] = {"workload", "backend", NULL};
  if (!need_list(node, "include", "{workload: {prime: {n: 7}}, backend: serial}", error))
    return FALSE;
  for (guint i = 0; i < node->items->len; i++) {
    const BhNode *item = node->items->pdata[i];
    if (item->kind == BH_NODE_MAP && !check_keys(item, keys, "'include'", error))
      return FALSE;
    const BhNode *workload = bh_node_get(item, "workload"), *backend = bh_node_get(item, "backend");
    if (!workload || !backend) {
      bh_node_error(error, item->at,
                    "an item of 'include' needs both 'workload' and 'backend', like "
                    "'{workload: {prime: {n: 7}}, backend: serial}'");
      return FALSE;
    }
    BhInclude *include = g_new0(BhInclude, 1);
    g_ptr_array_add(spec->includes, include);
    include->workloads = bh_spec_read_entries(spec, workload, "workload", error);
    if (!include->workloads || !(include->backends = bh_spec_read_entries(spec, backend, "backend", error)))
      return FALSE;
  }
  return TRUE;
}

static void free_override(BhOverride *override) {
  bh_spec_clear_extras(&override->extras);
  g_free(override);
}

static gboolean read_overrides(BhSpec *spec, const BhNode *node, GError **error) {
  static const char *const keys[] = {"match", "measure", "limits", "env", NULL};
  if (!need_list(node, "overrides", "{match: {workload: sleep}, measure: {rounds: 3}}", error))
    return FALSE;
  for (guint i = 0; i < node->items->len; i++) {
    const BhNode *item = node->items->pdata[i];
    if (item->kind == BH_NODE_MAP && !check_keys(item, keys, "'overrides'", error))
      return FALSE;
    const BhNode *match = bh_node_get(item, "match");
    if (!match || item->keys->len < 2) {
      bh_node_error(error, item->at,
                    "an item of 'overrides' needs 'match' and at least one of 'measure', 'limits' and "
                    "'env', like '{match: {workload: sleep}, measure: {rounds: 3}}'");
      return FALSE;
    }
    BhOverride *override = g_new0(BhOverride, 1);
    g_ptr_array_add(spec->overrides, override);
    override->at = item->at;
    override->match = match;
    if (!check_pattern(match, "match", error) || !bh_spec_read_extras(item, &override->extras, error))
      return FALSE;
  }
  return TRUE;
}

/* In the order in which they are read: version first. */
static const Section sections[] = {
    {"benchhost", read_version},   {"name", read_name},         {"seed", read_seed},
    {"strict", read_strict},       {"measure", read_measure},   {"limits", read_limits},
    {"data", read_data},           {"env", read_env},           {"sets", read_sets},
    {"workloads", read_workloads}, {"backends", read_backends}, {"baseline", read_baseline},
    {"exclude", read_exclude},     {"include", read_include},   {"overrides", read_overrides},
};

static gboolean read_root(BhSpec *spec, GError **error) {
  const char *names[G_N_ELEMENTS(sections) + 1] = {NULL};
  for (guint i = 0; i < G_N_ELEMENTS(sections); i++)
    names[i] = sections[i].name;
  if (!check_keys(spec->root, names, "the matrix", error))
    return FALSE;
  if (!bh_node_get(spec->root, "benchhost")) {
    bh_node_error(error, spec->root->at, "the format's version is missing; begin the matrix with 'benchhost: 1'");
    return FALSE;
  }
  for (guint i = 0; i < G_N_ELEMENTS(sections); i++) {
    const BhNode *node = bh_node_get(spec->root, sections[i].name);
    if (node && !sections[i].read(spec, node, error))
      return FALSE;
  }
  static const char *const needed[] = {"workloads", "backends", NULL};
  for (guint i = 0; needed[i]; i++)
    if (!bh_node_get(spec->root, needed[i])) {
      bh_node_error(error, spec->root->at, "'%s' is missing; name at least one, like '%s: [NAME]' (`benchhost list` shows them)",
                    needed[i], needed[i]);
      return FALSE;
    }
  return TRUE;
}

/* ---- life ---- */

static BhSpec *spec_new(const char *text, gsize length, const char *path) {
  BhSpec *spec = g_new0(BhSpec, 1);
  spec->text = g_strndup(text, length);
  spec->path = g_strdup(path);
  spec->name = g_path_get_basename(path);
  for (guint i = 0; i < 2; i++)
    if (g_str_has_suffix(spec->name, i ? ".yml" : ".yaml"))
      spec->name[strlen(spec->name) - (i ? 4 : 5)] = '\0';
  spec->seed = 1;
  bh_measure_init(&spec->measure);
  spec->nodes = g_ptr_array_new_with_free_func((GDestroyNotify)bh_node_free);
  spec->excludes = g_ptr_array_new();
  spec->includes = g_ptr_array_new_with_free_func((GDestroyNotify)free_include);
  spec->overrides = g_ptr_array_new_with_free_func((GDestroyNotify)free_override);
  return spec;
}

void bh_spec_free(BhSpec *spec) {
  if (!spec)
    return;
  g_free(spec->text);
  g_free(spec->path);
  g_free(spec->name);
  g_free(spec->data_dir);
  g_clear_pointer(&spec->env, g_hash_table_unref);
  g_clear_pointer(&spec->workloads, g_ptr_array_unref);
  g_clear_pointer(&spec->backends, g_ptr_array_unref);
  g_ptr_array_unref(spec->excludes);
  g_ptr_array_unref(spec->includes);
  g_ptr_array_unref(spec->overrides);
  bh_node_free(spec->root);
  g_ptr_array_unref(spec->nodes);
  g_free(spec);
}

BhSpec *bh_spec_parse(const char *text, gsize length, const char *file, const char *const *overrides, GError **error) {
  g_autoptr(BhNode) root = bh_yaml_parse(text, length, file, error);
  if (!root)
    return NULL;
  if (root->kind != BH_NODE_MAP) {
    bh_node_error(error, root->at, "a matrix is a map that begins with 'benchhost: 1', but this is %s",
                  bh_node_kind_name(root));
    return NULL;
  }
  for (; overrides && *overrides; overrides++)
    if (!bh_spec_apply_override(root, *overrides, error))
      return NULL;
  if (!bh_spec_expand_sets(root, error))
    return NULL;
  g_autoptr(BhSpec) spec = spec_new(text, length, file);
  spec->root = g_steal_pointer(&root);
  return read_root(spec, error) ? g_steal_pointer(&spec) : NULL;
}

/* Reads at most one byte more than a matrix may have: devices and pipes end here too. */
static GString *read_bounded(const char *path, GError **error) {
  const int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) {
    g_set_error(error, BH_ERROR, BH_ERROR_USAGE, "%s: %s; give the path of a matrix file", path, g_strerror(errno));
    return NULL;
  }
  GString *text = g_string_new(NULL);
  char buffer[65536];
  ssize_t n = 0;
  while (text->len <= BH_MATRIX_LARGEST && ((n = read(fd, buffer, sizeof buffer)) > 0 || (n < 0 && errno == EINTR)))
    if (n > 0)
      g_string_append_len(text, buffer, n);
  const int saved = errno;
  close(fd);
  if (n < 0) {
    g_set_error(error, BH_ERROR, BH_ERROR_USAGE, "%s: %s; give the path of a matrix file", path, g_strerror(saved));
    g_string_free(text, TRUE);
    return NULL;
  }
  return text;
}

BhSpec *bh_spec_load(const char *path, const char *const *overrides, GError **error) {
  GString *text = read_bounded(path, error);
  if (!text)
    return NULL;
  BhSpec *spec = bh_spec_parse(text->str, text->len, path, overrides, error);
  g_string_free(text, TRUE);
  return spec;
}
