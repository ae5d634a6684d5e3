/* SPDX-License-Identifier: MIT
 * Loads a plugin into THIS process: probing children, cell workers and `check` only. Never unloads (RTLD_NODELETE:
 * OpenMP's threads outlive a dlclose). Refuses, each with its own message: not a shared object, unresolved symbols, no
 * `bh_plugin`, wrong magic, abi, size, missing callback, bad parameter table, a name that differs from the file's, a
 * file or folder that others can write (as root, or from the default path). */
#pragma once
#include "plugin/catalog.h"

typedef struct {
  bh_plugin_info info;  /* copied: min(theirs, ours), rest zero */
  bh_workload workload; /* copied likewise; zero when it is a backend */
  bh_backend backend;
  char *path;
  void *library;        /* dlopen's handle; never closed */
  guint objects_before; /* shared objects in the process before it was loaded: the others came with it */
} BhLoaded;

BhLoaded *bh_loader_open(const char *path, GError **error);
void bh_loader_free(BhLoaded *loaded); /* the library itself stays */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BhLoaded, bh_loader_free)
/* Copies what the catalog needs; does not call the plugin's probe. */
BhPlugin *bh_loader_describe(const BhLoaded *loaded, GError **error);
