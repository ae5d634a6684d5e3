/* SPDX-License-Identifier: MIT
 * Owns the loading of a plugin into this process: who may have written the file, dlopen, and the copy of what it
 * exports. */
#include "plugin/loader.h"
#include "plugin/build-id.h"
#include "plugin/search.h"
#include "plugin/validate.h"

#include <dlfcn.h>
#include <link.h>
#include <pwd.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define REFUSE(...) (g_set_error(error, BH_ERROR, BH_ERROR_PLUGIN, __VA_ARGS__), FALSE)

/* A group may write when it is root's, this process's own, or its owner's private one (umask 002 with a group per user
 * is common): then the group says nothing about other people. */
static gboolean group_is_own(const struct stat *st) {
  if (st->st_gid == 0 || st->st_gid == getegid())
    return TRUE;
  const struct passwd *owner = getpwuid(st->st_uid);
  return owner && owner->pw_gid == st->st_gid;
}

/* The sticky bit does not help: others may still put a file of that name there before we do. */
static gboolean check_not_writable(const char *path, const char *what, GError **error) {
  struct stat st;
  if (stat(path, &st) != 0)
    return REFUSE("%s: cannot look at it: %s", path, g_strerror(errno));
  if (st.st_mode & S_IWOTH)
    return REFUSE("%s: this %s can be written by anybody, so the plugin is not loaded: chmod o-w '%s'%s", path, what,
                  path, S_ISDIR(st.st_mode) ? ", or move the plugin to a folder of its own" : "");
  if ((st.st_mode & S_IWGRP) && !group_is_own(&st))
    return REFUSE("%s: this %s can be written by group %u, so the plugin is not loaded: chmod g-w '%s'", path, what,
                  (guint)st.st_gid, path);
  return TRUE;
}

static gboolean check_trust(const char *path, const char *real, GError **error) {
  g_autofree char *folder = g_path_get_dirname(path);
  g_autofree char *real_folder = g_path_get_dirname(real);
  if (geteuid() != 0 && !bh_search_is_default(folder))
    return TRUE;
  return check_not_writable(real, "file", error) && check_not_writable(real_folder, "folder", error) &&
         (!strcmp(folder, real_folder) || check_not_writable(folder, "folder", error));
}

/* dlerror's text starts with the path, or with that of another library; the path is ours to name once. */
static const char *strip_path(const char *message, const char *path) {
  if (message && g_str_has_prefix(message, path) && g_str_has_prefix(message + strlen(path), ": "))
    return message + strlen(path) + 2;
  return message ? message : "unknown error";
}

static const void *find_object(void *library, const char *path, gsize *ret_bytes, GError **error) {
  const void *object = dlsym(library, "bh_plugin");
  if (!object) {
    g_set_error(
        error, BH_ERROR, BH_ERROR_PLUGIN,
        "%s: it exports no 'bh_plugin': define `BH_EXPORT const bh_plugin_info bh_plugin = {BH_PLUGIN_HEAD, ...}`",
        path);
    return NULL;
  }
  Dl_info where;
  const ElfW(Sym) *symbol = NULL;
  if (dladdr1(object, &where, (void **)&symbol, RTLD_DL_SYMENT) && symbol) {
    /* A plugin that links another one, or none of its own, must not pass as it. */
    const struct link_map *map = NULL;
    if (dlinfo(library, RTLD_DI_LINKMAP, &map) == 0 && map && where.dli_fbase && map->l_name && where.dli_fname &&
        strcmp(map->l_name, where.dli_fname) != 0) {
      g_set_error(error, BH_ERROR, BH_ERROR_PLUGIN, "%s: its 'bh_plugin' comes from another library: %s", path,
                  where.dli_fname);
      return NULL;
    }
    if (ELF64_ST_TYPE(symbol->st_info) != STT_OBJECT) {
      g_set_error(error, BH_ERROR, BH_ERROR_PLUGIN, "%s: its 'bh_plugin' is not a data object but code", path);
      return NULL;
    }
    *ret_bytes = symbol->st_size;
  }
  return object;
}

static int count_object(struct dl_phdr_info *info, size_t size, void *data) {
  (void)info;
  (void)size;
  ++*(guint *)data;
  return 0;
}

typedef struct {
  guint skip;
  const char *own;
  GPtrArray *names; /* of char * */
} Newcomers;

static int add_object(struct dl_phdr_info *info, size_t size, void *data) {
  Newcomers *newcomers = data;
  (void)size;
  if (newcomers->skip) {
    newcomers->skip--;
    return 0;
  }
  g_autofree char *real = info->dlpi_name && *info->dlpi_name ? realpath(info->dlpi_name, NULL) : NULL;
  if (real && strcmp(info->dlpi_name, newcomers->own) != 0)
    g_ptr_array_add(newcomers->names, g_path_get_basename(real));
  return 0;
}

/* Shared objects behind the first `before`: new ones are appended. The file behind a soname has the version. */
static char **newcomers(guint before, const char *own) {
  Newcomers found = {before, own, g_ptr_array_new()};
  dl_iterate_phdr(add_object, &found);
  g_ptr_array_add(found.names, NULL);
  return (char **)g_ptr_array_free(found.names, FALSE);
}

BhLoaded *bh_loader_open(const char *path, GError **error) {
  g_autofree char *full = g_canonicalize_filename(path, NULL);
  g_autofree char *real = realpath(full, NULL);
  if (!real) {
    g_set_error(error, BH_ERROR, BH_ERROR_PLUGIN, "%s: %s", path, g_strerror(errno));
    return NULL;
  }
  if (!g_file_test(real, G_FILE_TEST_IS_REGULAR)) {
    g_set_error(error, BH_ERROR, BH_ERROR_PLUGIN, "%s: not a file", path);
    return NULL;
  }
  g_autofree char *base = g_path_get_basename(full);
  if (!g_str_has_suffix(base, ".so")) {
    g_set_error(error, BH_ERROR, BH_ERROR_PLUGIN, "%s: a plugin's file is named NAME.so", path);
    return NULL;
  }
  base[strlen(base) - 3] = '\0';
  if (!check_trust(full, real, error))
    return NULL;
  guint before = 0;
  dl_iterate_phdr(count_object, &before);
  void *library = dlopen(full, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
  if (!library) {
    g_set_error(error, BH_ERROR, BH_ERROR_PLUGIN, "%s: cannot be loaded: %s", path, strip_path(dlerror(), full));
    return NULL;
  }
  gsize symbol_bytes = 0;
  const void *object = find_object(library, path, &symbol_bytes, error);
  if (!object)
    return NULL;
  g_autoptr(BhLoaded) loaded = g_new0(BhLoaded, 1);
  loaded->path = g_strdup(full);
  loaded->library = library;
  loaded->objects_before = before;
  if (!bh_validate_info(object, symbol_bytes, base, loaded, error)) {
    g_prefix_error(error, "%s: ", path);
    return NULL;
  }
  return g_steal_pointer(&loaded);
}

void bh_loader_free(BhLoaded *loaded) {
  if (!loaded)
    return;
  g_free(loaded->path);
  g_free(loaded);
}

/* The libraries that the file itself asks for (DT_NEEDED), libc left out. */
static char **needed_libraries(void *library) {
  g_autoptr(GPtrArray) names = g_ptr_array_new();
  const struct link_map *map = NULL;
  const char *strings = NULL;
  if (dlinfo(library, RTLD_DI_LINKMAP, &map) == 0)
    for (const ElfW(Dyn) *entry = map->l_ld; entry->d_tag != DT_NULL; entry++)
      if (entry->d_tag == DT_STRTAB)
        strings = (const char *)entry->d_un.d_ptr;
  for (const ElfW(Dyn) *entry = strings ? map->l_ld : NULL; entry && entry->d_tag != DT_NULL; entry++)
    if (entry->d_tag == DT_NEEDED && !g_str_has_prefix(strings + entry->d_un.d_val, "libc.so."))
      g_ptr_array_add(names, g_strdup(strings + entry->d_un.d_val));
  g_ptr_array_add(names, NULL);
  return (char **)g_ptr_array_free(g_steal_pointer(&names), FALSE);
}

BhPlugin *bh_loader_describe(const BhLoaded *loaded, GError **error) {
  g_autoptr(BhPlugin) plugin = g_new0(BhPlugin, 1);
  plugin->params = bh_validate_params(loaded->info.params, error);
  if (!plugin->params)
    return NULL;
  plugin->build_id = bh_build_id_read(loaded->path, error);
  if (!plugin->build_id)
    return NULL;
  plugin->name = g_strdup(loaded->info.name);
  plugin->path = g_strdup(loaded->path);
  plugin->version = g_strdup(loaded->info.version);
  plugin->summary = g_strdup(loaded->info.summary);
  plugin->kind = loaded->info.workload ? BH_PLUGIN_WORKLOAD : BH_PLUGIN_BACKEND;
  plugin->target = loaded->info.backend ? g_strdup(loaded->backend.target) : NULL;
  plugin->libraries = needed_libraries(loaded->library);
  plugin->loaded = newcomers(loaded->objects_before, loaded->path);
  plugin->compiler = bh_build_id_compiler(loaded->path);
  plugin->runnable = TRUE;
  return g_steal_pointer(&plugin);
}
