/* SPDX-License-Identifier: MIT
 * Nodes of a matrix: reading YAML into them, walking them, and saying where something is wrong. */
#pragma once
#include "spec/spec.h"

#define BH_NODE_MOST 200000u /* nodes after aliases and sets are expanded */
#define BH_NODE_DEEPEST 64u
#define BH_MATRIX_LARGEST (8u << 20) /* bytes of a matrix file */

/* One YAML document. The text must be UTF-8; errors say file:line:column. */
BhNode *bh_yaml_parse(const char *text, gsize length, const char *file, GError **error);

const char *bh_node_intern(const char *file); /* for BhPosition.file */
BhNode *bh_node_new(BhNodeKind kind, BhPosition at);
BhNode *bh_node_new_scalar(BhPosition at, const char *text, gboolean quoted);
BhNode *bh_node_copy(const BhNode *node);
guint bh_node_count(const BhNode *node);                   /* itself and all below */
guint bh_node_height(const BhNode *node);                  /* 1: nothing below */
gboolean bh_node_is_null(const BhNode *node);              /* nothing, ~ or null, unquoted */
const char *bh_node_kind_name(const BhNode *node);         /* "a list", ... for messages */
BhNode *bh_node_get(const BhNode *map, const char *key);   /* NULL: no such key */
void bh_node_put(BhNode *map, BhNode *key, BhNode *value); /* takes ownership of both */

/* Sets `error` to "file:line:column: ...". */
void bh_node_error(GError **error, BhPosition at, const char *format, ...) G_GNUC_PRINTF(3, 4);
/* Puts the place in front of an error that knows none. */
void bh_node_prefix(GError **error, BhPosition at);
