/* SPDX-License-Identifier: MIT
 * The parts of plugins/cuda that need no driver: the cache of compiled kernels under every kind of damage, the list of
 * devices, and what NVRTC makes of good and bad texts, where it is here. */
#include "api.h"
#include "cache.h"
#include "options.h"

#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <glib/gstdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define KEY "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
#define OTHER "ff112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
static const char contents[] = "not a cubin, but the cache does not know";

/* ---- The cache ---- */

typedef struct {
  char *root, *folder, *entry; /* folder: two levels below root, made by the first write */
} Cache;

static void cache_set_up(Cache *c, gconstpointer data) {
  (void)data;
  c->root = g_dir_make_tmp("bh-cache-XXXXXX", NULL);
  g_assert_nonnull(c->root);
  c->folder = g_build_filename(c->root, "a", "b", NULL);
  c->entry = g_build_filename(c->folder, KEY ".cubin", NULL);
}

static void remove_all(const char *folder) {
  g_autoptr(GDir) dir = g_dir_open(folder, 0, NULL);
  g_chmod(folder, 0700);
  for (const char *name; dir && (name = g_dir_read_name(dir)) != NULL;) {
    g_autofree char *path = g_build_filename(folder, name, NULL);
    if (g_file_test(path, G_FILE_TEST_IS_DIR) && !g_file_test(path, G_FILE_TEST_IS_SYMLINK))
      remove_all(path);
    else
      g_unlink(path);
  }
  g_rmdir(folder);
}

static void cache_tear_down(Cache *c, gconstpointer data) {
  (void)data;
  remove_all(c->root);
  g_free(c->root);
  g_free(c->folder);
  g_free(c->entry);
}

static void expect_hit(const Cache *c) {
  char why[CACHE_WHY_BYTES] = "";
  void *bytes = NULL;
  size_t size = 0;
  g_assert_cmpint(cache_read(c->folder, KEY, &bytes, &size, why), ==, CACHE_HIT);
  g_assert_cmpmem(bytes, size, contents, sizeof contents);
  free(bytes);
}

static void expect_damaged(const Cache *c, const char *words) {
  char why[CACHE_WHY_BYTES] = "";
  void *bytes = NULL;
  size_t size = 0;
  g_assert_cmpint(cache_read(c->folder, KEY, &bytes, &size, why), ==, CACHE_DAMAGED);
  g_assert_null(bytes);
  if (!strstr(why, words))
    g_error("expected '%s' in '%s'", words, why);
}

static void put(const Cache *c) {
  char why[CACHE_WHY_BYTES] = "";
  if (cache_write(c->folder, KEY, contents, sizeof contents, why) != 0)
    g_error("%s", why);
}

static void test_miss_then_hit(Cache *c, gconstpointer data) {
  char why[CACHE_WHY_BYTES];
  void *bytes = NULL;
  size_t size = 0;
  (void)data;
  g_assert_cmpint(cache_read(c->folder, KEY, &bytes, &size, why), ==, CACHE_MISS);
  put(c);
  expect_hit(c);
  g_assert_cmpint(cache_read(c->folder, OTHER, &bytes, &size, why), ==, CACHE_MISS);
  put(c); /* over what is there */
  expect_hit(c);
}

/* Each byte of the entry, changed; each length, cut and appended to: never taken for good, and rebuilt by a write. */
static void test_every_damage(Cache *c, gconstpointer data) {
  g_autofree char *good = NULL;
  gsize size;
  (void)data;
  put(c);
  g_assert_true(g_file_get_contents(c->entry, &good, &size, NULL));
  for (gsize i = 0; i < size; i++) {
    g_autofree char *bad = g_memdup2(good, size);
    bad[i] ^= 1;
    g_assert_true(g_file_set_contents(c->entry, bad, (gssize)size, NULL));
    expect_damaged(c, i < 16 ? "does not begin" : i < 80 ? "another kernel's" : i < 88 ? "not as long" : "checksum");
  }
  for (gsize n = 0; n < size; n++) {
    g_assert_true(g_file_set_contents(c->entry, good, (gssize)n, NULL));
    expect_damaged(c, n < 120 ? "length" : "cut off");
  }
  g_autofree char *longer = g_malloc0(size + 1);
  memcpy(longer, good, size);
  g_assert_true(g_file_set_contents(c->entry, longer, (gssize)size + 1, NULL));
  expect_damaged(c, "appended");
  put(c);
  expect_hit(c);
}

static void test_renamed_entry(Cache *c, gconstpointer data) {
  char why[CACHE_WHY_BYTES];
  (void)data;
  g_assert_cmpint(cache_write(c->folder, OTHER, contents, sizeof contents, why), ==, 0);
  g_autofree char *other = g_build_filename(c->folder, OTHER ".cubin", NULL);
  g_assert_cmpint(g_rename(other, c->entry), ==, 0);
  expect_damaged(c, "another kernel's");
}

/* What is no file does not stop us, and does not make us wait. */
static void test_no_file(Cache *c, gconstpointer data) {
  char why[CACHE_WHY_BYTES] = "";
  (void)data;
  g_assert_cmpint(g_mkdir_with_parents(c->entry, 0700), ==, 0);
  expect_damaged(c, "not a regular file");
  g_assert_cmpint(cache_write(c->folder, KEY, contents, sizeof contents, why), ==, -1);
  g_assert_nonnull(strstr(why, "cannot rename"));
  g_assert_cmpint(g_rmdir(c->entry), ==, 0);
  g_assert_cmpint(mkfifo(c->entry, 0600), ==, 0);
  expect_damaged(c, "not a regular file");
  put(c);
  expect_hit(c);
}

/* Readers and writers at once: whoever reads gets a whole entry or none. */
static void test_concurrent_writers(Cache *c, gconstpointer data) {
  enum { WRITERS = 4, ROUNDS = 200 };
  pid_t writer[WRITERS];
  (void)data;
  put(c);
  for (int w = 0; w < WRITERS; w++) {
    writer[w] = fork();
    g_assert_cmpint(writer[w], >=, 0);
    if (writer[w] != 0)
      continue;
    char why[CACHE_WHY_BYTES];
    int bad = 0;
    for (int i = 0; i < ROUNDS; i++)
      bad |= cache_write(c->folder, KEY, contents, sizeof contents, why) != 0;
    _exit(bad);
  }
  for (int i = 0; i < ROUNDS; i++)
    expect_hit(c);
  for (int w = 0; w < WRITERS; w++) {
    int status = 0;
    g_assert_cmpint(waitpid(writer[w], &status, 0), ==, writer[w]);
    g_assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  }
  guint files = 0;
  g_autoptr(GDir) dir = g_dir_open(c->folder, 0, NULL);
  while (g_dir_read_name(dir))
    files++;
  g_assert_cmpuint(files, ==, 1); /* no draft is left */
}

static void test_folder_that_cannot_be_written(Cache *c, gconstpointer data) {
  char why[CACHE_WHY_BYTES] = "";
  (void)data;
  g_autofree char *in_the_way = g_build_filename(c->root, "a", NULL);
  g_assert_true(g_file_set_contents(in_the_way, "", 0, NULL)); /* a file where a folder should be */
  g_assert_cmpint(cache_write(c->folder, KEY, contents, sizeof contents, why), ==, -1);
  g_assert_nonnull(strstr(why, c->folder));
  void *bytes = NULL;
  size_t size = 0;
  g_assert_cmpint(cache_read(c->folder, KEY, &bytes, &size, why), ==, CACHE_MISS);
}

/* As somebody who may not write there: root may. */
static int read_only_child(const Cache *c) {
  char why[CACHE_WHY_BYTES] = "";
  void *bytes = NULL;
  size_t size = 0;
  if (geteuid() == 0 && setresuid(65534, 65534, 65534) != 0)
    return 77;
  if (cache_write(c->folder, OTHER, contents, sizeof contents, why) != -1 || !strstr(why, "Permission denied"))
    return 1;
  if (cache_read(c->folder, KEY, &bytes, &size, why) != CACHE_HIT || size != sizeof contents)
    return 2;
  free(bytes);
  return 0;
}

static void test_read_only_folder(Cache *c, gconstpointer data) {
  int status = 0;
  (void)data;
  put(c);
  g_autofree char *above = g_path_get_dirname(c->folder);
  g_assert_cmpint(g_chmod(c->root, 0755) | g_chmod(above, 0755) | g_chmod(c->folder, 0555), ==, 0);
  const pid_t child = fork();
  if (child == 0)
    _exit(read_only_child(c));
  g_assert_cmpint(waitpid(child, &status, 0), ==, child);
  g_assert_true(WIFEXITED(status));
  if (WEXITSTATUS(status) == 77)
    g_test_skip("root may write to read-only folders, and cannot become somebody else here");
  else
    g_assert_cmpint(WEXITSTATUS(status), ==, 0);
}

static void test_folder_names(void) {
  static const struct {
    const char *own, *caches, *home, *expected;
  } cases[] = {{"/own", "/caches", "/home", "/own"},
               {"", "/caches", "/home", "/caches/benchhost/cuda"},
               {NULL, "relative", "/home", "/home/.cache/benchhost/cuda"},
               {NULL, NULL, "/home", "/home/.cache/benchhost/cuda"},
               {NULL, NULL, NULL, NULL}};
  for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
    const char *const names[] = {"BENCHHOST_CACHE_DIR", "XDG_CACHE_HOME", "HOME"};
    const char *const values[] = {cases[i].own, cases[i].caches, cases[i].home};
    char *kept[3];
    for (int v = 0; v < 3; v++) {
      kept[v] = g_strdup(g_getenv(names[v]));
      values[v] ? g_setenv(names[v], values[v], TRUE) : g_unsetenv(names[v]);
    }
    char *folder = cache_folder();
    g_assert_cmpstr(folder, ==, cases[i].expected);
    free(folder);
    for (int v = 0; v < 3; v++) {
      kept[v] ? g_setenv(names[v], kept[v], TRUE) : g_unsetenv(names[v]);
      g_free(kept[v]);
    }
  }
}

/* All that decides what is compiled is in the key, and parts do not run into one another. */
static void test_keys(void) {
  char keys[7][65];
  cache_key("source", 6, "options", 90, "13.0", keys[0]);
  cache_key("Source", 6, "options", 90, "13.0", keys[1]);
  cache_key("source", 5, "options", 90, "13.0", keys[2]);
  cache_key("source", 6, "option", 90, "13.0", keys[3]);
  cache_key("source", 6, "options", 80, "13.0", keys[4]);
  cache_key("source", 6, "options", 90, "13.1", keys[5]);
  cache_key("sourceo", 7, "ptions", 90, "13.0", keys[6]);
  for (int i = 0; i < 7; i++)
    for (int k = 0; k < i; k++)
      g_assert_cmpstr(keys[i], !=, keys[k]);
  char again[65];
  cache_key("source and more", 6, "options", 90, "13.0", again);
  g_assert_cmpstr(again, ==, keys[0]);
}

/* ---- The list of devices ---- */

static void test_devices(void) {
  static const struct {
    const char *text;
    int devices;
    bh_status status;
    const char *expected; /* the list, or words of the reason */
  } cases[] = {
      {"0", 1, BH_OK, "0 "},
      {"all", 3, BH_OK, "0 1 2 "},
      {"2,0", 3, BH_OK, "2 0 "},
      {" 1 , 0 ", 2, BH_OK, "1 0 "},
      {"1", 1, BH_SKIP, "has 1 CUDA device,"},
      {"63", 100, BH_OK, "63 "},
      {"64", 100, BH_SKIP, "64 of them can be used"}, /* there is a table of so many */
      {"0,7", 2, BH_SKIP, "has 2 CUDA devices"},
      {"", 1, BH_FAIL, "found ''"},
      {"0,", 1, BH_FAIL, "expected indices"},
      {",0", 1, BH_FAIL, "expected indices"},
      {"0 1", 2, BH_FAIL, "found"},
      {"0,0", 2, BH_FAIL, "each once"},
      {"-1", 2, BH_FAIL, "expected indices"},
      {"one", 2, BH_FAIL, "or all"},
      {"0x1", 2, BH_FAIL, "expected"},
      {"99999999999999999999", 2, BH_FAIL, "expected"},
  };
  for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
    int list[MOST_DEVICES];
    uint32_t n = 0;
    char why[OPTIONS_WHY_BYTES] = "";
    g_assert_cmpint(cuda_parse_devices(cases[i].text, cases[i].devices, list, &n, why), ==, cases[i].status);
    g_autoptr(GString) found = g_string_new(why);
    for (uint32_t k = 0; k < n; k++)
      g_string_append_printf(found, "%d ", list[k]);
    if (!(cases[i].status == BH_OK ? !strcmp(found->str, cases[i].expected) : !!strstr(found->str, cases[i].expected)))
      g_error("'%s': expected '%s', found '%s'", cases[i].text, cases[i].expected, found->str);
  }
}

/* ---- The driver's calls ---- */

/* Commas of "(a, b, c)" up to the closing parenthesis, those of inner parentheses left out. */
static guint parameters_of(const char *at) {
  guint n = 1;
  for (int depth = 0; *at; at++) {
    depth += (*at == '(') - (*at == ')');
    if (depth == 0)
      break;
    n += depth == 1 && *at == ',';
  }
  return n;
}

/* Each call that we ask for exists in exactly that version, with as many parameters: by the vendor's own list. */
static void test_versions(void) {
  static const struct {
    const char *name;
    int version;
    const char *parameters;
  } calls[] = {
#define ROW_(NAME, VERSION, PARAMETERS) {#NAME, VERSION, #PARAMETERS},
      CU_CALLS(ROW_)
#undef ROW_
  };
  const char *home = g_getenv("CUDA_HOME");
  g_autofree char *path = g_build_filename(home ? home : "/usr/local/cuda", "include", "cudaTypedefs.h", NULL);
  g_autofree char *text = NULL;
  if (!g_file_get_contents(path, &text, NULL, NULL)) {
    g_test_skip("no CUDA toolkit with cudaTypedefs.h");
    return;
  }
  for (gsize i = 0; i < G_N_ELEMENTS(calls); i++) {
    g_autofree char *name = g_strdup_printf("*PFN_%s_v%d)(", calls[i].name, calls[i].version);
    const char *found = strstr(text, name);
    if (!found)
      g_error("%s has no %s of version %d", path, calls[i].name, calls[i].version);
    if (parameters_of(found + strlen(name) - 1) != parameters_of(calls[i].parameters))
      g_error("%s has other parameters than %s", calls[i].name, calls[i].parameters);
  }
}

/* ---- NVRTC ---- */

static gboolean has_nvrtc(void) {
  char why[CU_WHY_BYTES];
  if (nvrtc_load(why) == 0)
    return TRUE;
  g_test_skip(why);
  return FALSE;
}

static void test_compile(void) {
  /* C's words, and more bytes behind the text than belong to it */
  static const char text[] = "_Static_assert(sizeof(_Bool) == 1, \"a byte\");\n"
                             "extern \"C\" __global__ void twice(int *restrict x) { x[threadIdx.x] *= 2; }\n"
                             "this is not part of it";
  static const int architectures[] = {75, 90};
  if (!has_nvrtc())
    return;
  g_assert_cmpstr(nvrtc_version_text(), !=, "");
  for (gsize i = 0; i < G_N_ELEMENTS(architectures); i++) {
    void *cubin = NULL;
    size_t bytes = 0;
    char *log = NULL;
    const uint64_t length = strlen(text) - strlen("this is not part of it");
    if (nvrtc_compile(text, length, "twice", architectures[i], &cubin, &bytes, &log) != 0)
      g_error("sm_%d: %s", architectures[i], log);
    g_assert_cmpuint(bytes, >, 64);
    const guint8 *elf = cubin;
    g_assert_cmpmem(elf, 4,
                    "\x7f"
                    "ELF",
                    4);
    g_assert_cmpuint(elf[18] | elf[19] << 8, ==, 190); /* EM_CUDA: machine code, not PTX */
    g_assert_nonnull(memmem(cubin, bytes, "twice", 5));
    free(cubin);
  }
}

static void test_compile_errors(void) {
  static const char text[] = "extern \"C\" __global__ void broken(int *x) { *x = undeclared; }\n";
  void *cubin = NULL;
  size_t bytes = 0;
  char *log = NULL;
  if (!has_nvrtc())
    return;
  g_assert_cmpint(nvrtc_compile(text, strlen(text), "broken.k.h", 90, &cubin, &bytes, &log), ==, -1);
  g_assert_null(cubin);
  g_assert_nonnull(strstr(log, "broken.k.h(1)"));
  g_assert_nonnull(strstr(log, "undeclared"));
  free(log);
  g_autoptr(GString) many = g_string_new("");
  for (int i = 0; i < 500; i++)
    g_string_append_printf(many, "int f%d() { return missing%d; }\n", i, i);
  g_assert_cmpint(nvrtc_compile(many->str, many->len, "many", 90, &cubin, &bytes, &log), ==, -1);
  g_assert_cmpuint(strlen(log), <=, 4096 + 3);
  free(log);
}

static void test_architectures(void) {
  char range[64];
  if (!has_nvrtc())
    return;
  g_assert_cmpint(nvrtc_architecture(9, 0, range), ==, 90);
  g_assert_cmpint(nvrtc_architecture(8, 0, range), ==, 80);
  g_assert_cmpint(nvrtc_architecture(9, 9, range), ==, 90); /* a later one of the same family */
  g_assert_cmpint(nvrtc_architecture(1, 3, range), ==, 0);
  g_assert_nonnull(strstr(range, "sm_"));
}

#define CACHE_TEST(NAME, FUNCTION) g_test_add("/cuda/cache/" NAME, Cache, NULL, cache_set_up, FUNCTION, cache_tear_down)

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  CACHE_TEST("miss-then-hit", test_miss_then_hit);
  CACHE_TEST("every-damage", test_every_damage);
  CACHE_TEST("renamed-entry", test_renamed_entry);
  CACHE_TEST("no-file", test_no_file);
  CACHE_TEST("concurrent-writers", test_concurrent_writers);
  CACHE_TEST("folder-that-cannot-be-written", test_folder_that_cannot_be_written);
  CACHE_TEST("read-only-folder", test_read_only_folder);
  g_test_add_func("/cuda/cache/folder-names", test_folder_names);
  g_test_add_func("/cuda/cache/keys", test_keys);
  g_test_add_func("/cuda/options/devices", test_devices);
  g_test_add_func("/cuda/driver/versions", test_versions);
  g_test_add_func("/cuda/nvrtc/compile", test_compile);
  g_test_add_func("/cuda/nvrtc/errors", test_compile_errors);
  g_test_add_func("/cuda/nvrtc/architectures", test_architectures);
  return g_test_run();
}
