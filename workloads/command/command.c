/* SPDX-License-Identifier: MIT
 *
 * command: items are runs of an external program: what one times whole programs for, here on any backend, so that
 * several runs at once are only another worker count. Verified by exit status and, where asked, by the SHA-256 of what
 * it prints.
 */
#include "spawn.h"
#include <benchhost/plugin.h>
#include <benchhost/sha256.h>

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static void command_chunk(const bh_args *args, uint64_t begin, uint64_t end) {
  spawn_record *records = args->region[0];
  for (uint64_t i = begin; i < end; i++)
    spawn_run(args->params, i, &records[i]);
}

static const bh_use command_uses[] = {
    {.region = 0, .role = BH_OUT, .split = BH_BY_ITEM, .stride_bytes = sizeof(spawn_record)}};
static const bh_kernel command_kernels[] = {
    {.name = "command", .host = command_chunk, .uses = command_uses, .n_uses = 1}};

typedef struct {
  const bh_host *host;
  spawn_params *run, *prepare; /* prepare: NULL for none */
  bh_region region;
  bh_loop loop;
  int expect_exit;
  int expect_hash; /* 1: `hash` is what each run must print */
  int first_hash;  /* 1: `hash` is what the first run printed: all others must print it too */
  uint8_t hash[32];
} command_state;

enum { P_ARGV, P_SCRIPT, P_ITEMS, P_PREPARE, P_EXIT, P_SHA256, P_OUTPUT_TEXT, P_OUTPUT, P_STDERR, P_STDIN, P_CWD };

static int command_executable(const char *path) {
  struct stat st;
  return stat(path, &st) == 0 && S_ISREG(st.st_mode) && access(path, X_OK) == 0;
}

/* Where `name` is: itself when it has a '/', else in the folders of PATH. Fails with what was looked for. */
static bh_status command_find(const bh_host *h, const char *name, const char *folder, char ret_path[PATH_MAX]) {
  const char *list = getenv("PATH");
  if (strchr(name, '/')) {
    if (name[0] == '/' || !folder[0])
      snprintf(ret_path, PATH_MAX, "%s", name);
    else
      snprintf(ret_path, PATH_MAX, "%s/%s", folder, name);
    if (command_executable(ret_path))
      return BH_OK;
    return h->stop(h, BH_FAIL, "program %s: %s", ret_path,
                   access(ret_path, F_OK) != 0 ? strerror(errno) : "is not an executable file");
  }
  if (!list || !*list)
    list = "/usr/local/bin:/usr/bin:/bin";
  for (const char *at = list; name[0]; at++) {
    size_t n = strcspn(at, ":");
    snprintf(ret_path, PATH_MAX, "%.*s/%s", n ? (int)n : 1, n ? at : ".", name);
    if (command_executable(ret_path))
      return BH_OK;
    at += n;
    if (!*at)
      break;
  }
  return h->stop(h, BH_FAIL, "program '%s' was not found in PATH (%s)", name, list);
}

/* Packs one command into flat bytes; the caller frees. */
static bh_status command_pack(const bh_host *h, const char *const *words, const char *folder, const char *input,
                              spawn_params **ret_packed) {
  char path[PATH_MAX];
  uint32_t n = 0;
  bh_status status = command_find(h, words[0], folder, path);
  if (status != BH_OK)
    return status;
  size_t bytes = strlen(path) + strlen(folder) + strlen(input) + 3;
  for (; words[n]; n++)
    bytes += strlen(words[n]) + 1;
  if (n > SPAWN_WORDS || bytes > 128 * 1024)
    return h->stop(h, BH_FAIL,
                   "a command may have %d words and 128 KiB, this one has %" PRIu32 " and %zu bytes: use a script",
                   SPAWN_WORDS, n, bytes);
  spawn_params *p = calloc(1, sizeof *p + bytes);
  if (!p)
    return h->stop(h, BH_OUT_OF_MEMORY, "no memory for the command");
  char *at = stpcpy(stpcpy(stpcpy(p->text, path) + 1, folder) + 1, input) + 1;
  for (uint32_t w = 0; w < n; w++)
    at = stpcpy(at, words[w]) + 1;
  p->words = n;
  p->bytes = (uint32_t)bytes;
  p->seed = h->seed;
  *ret_packed = p;
  return BH_OK;
}

/* The command itself: `argv`, or a shell for `script`. */
static bh_status command_pack_run(const bh_host *h, const bh_value *values, spawn_params **ret_packed) {
  const char *const *argv = values[P_ARGV].words;
  const char *script = values[P_SCRIPT].s, *input = values[P_STDIN].s;
  char real[PATH_MAX] = "";
  int has_argv = argv && argv[0], has_script = script && script[0];
  if (has_argv == has_script)
    return h->stop(h, BH_FAIL,
                   has_argv ? "give argv or script, not both"
                            : "give argv (a program and its arguments) or "
                              "script (text for /bin/sh)");
  if (input[0] && (!realpath(input, real) || access(real, R_OK) != 0))
    return h->stop(h, BH_FAIL, "stdin: cannot read %s: %s", input, strerror(errno));
  if (has_argv)
    return command_pack(h, argv, values[P_CWD].s, real, ret_packed);
  return command_pack(h, (const char *const[]){"/bin/sh", "-c", script, NULL}, values[P_CWD].s, real, ret_packed);
}

static int command_hex(const char *text, uint8_t ret_digest[32]) {
  static const char digits[] = "0123456789abcdef";
  for (int i = 0; i < 64; i++) {
    const char *digit = text[i] ? strchr(digits, text[i] | 32) : NULL;
    if (!digit || !*digit)
      return 0;
    ret_digest[i / 2] = (uint8_t)(ret_digest[i / 2] << 4 | (digit - digits));
  }
  return text[64] == 0;
}

static bh_status command_expect(command_state *s, const bh_value *values) {
  const bh_host *h = s->host;
  const char *digest = values[P_SHA256].s, *output = values[P_OUTPUT_TEXT].s;
  s->expect_exit = (int)values[P_EXIT].i;
  if (digest[0] && values[P_OUTPUT_TEXT].given)
    return h->stop(h, BH_FAIL, "give expect-sha256 or expect-output, not both");
  if (digest[0] && !command_hex(digest, s->hash))
    return h->stop(h, BH_FAIL, "expect-sha256: expected 64 hex digits, found '%s'", digest);
  if (values[P_OUTPUT_TEXT].given) {
    bh_sha256 hash;
    bh_sha256_init(&hash);
    bh_sha256_add(&hash, output, strlen(output));
    bh_sha256_end(&hash, s->hash);
  }
  s->expect_hash = digest[0] || values[P_OUTPUT_TEXT].given;
  s->run->hash = s->expect_hash || values[P_OUTPUT].i == 1;
  s->run->keep_stderr = values[P_STDERR].i == 1;
  return BH_OK;
}

static void command_close(void *state) {
  command_state *s = state;
  if (!s)
    return;
  free(s->run);
  free(s->prepare);
  free(s);
}

static bh_status command_open(const bh_host *h, const bh_value *values, bh_problem *ret_problem, void **ret_state) {
  const char *folder = values[P_CWD].s;
  const char *const *prepare = values[P_PREPARE].words;
  struct stat st;
  if (folder[0] && (stat(folder, &st) != 0 || !S_ISDIR(st.st_mode)))
    return h->stop(h, BH_FAIL, "cwd: %s is no folder", folder);
  command_state *s = calloc(1, sizeof *s);
  if (!s)
    return h->stop(h, BH_OUT_OF_MEMORY, "no memory for the workload's state");
  s->host = h;
  bh_status status = command_pack_run(h, values, &s->run);
  if (status == BH_OK && prepare && prepare[0])
    status = command_pack(h, prepare, folder, "", &s->prepare);
  if (status == BH_OK)
    status = command_expect(s, values);
  if (status != BH_OK) {
    command_close(s);
    return status;
  }
  uint64_t items = (uint64_t)values[P_ITEMS].i;
  s->region = (bh_region){
      .name = "records", .role = BH_OUT, .split = BH_WHOLE, .dtype = BH_U8, .bytes = items * sizeof(spawn_record)};
  s->loop = (bh_loop){.items = items, .params = s->run, .params_bytes = (uint32_t)(sizeof *s->run + s->run->bytes)};
  *ret_problem = (bh_problem){.size = ret_problem->size,
                              .flags = BH_EFFECTS | (s->prepare ? 0 : BH_REPEATABLE),
                              .regions = &s->region,
                              .n_regions = 1,
                              .kernels = command_kernels,
                              .n_kernels = 1,
                              .loops = &s->loop,
                              .n_loops = 1,
                              .items = (double)items,
                              .item_unit = "runs"};
  *ret_state = s;
  return BH_OK;
}

static bh_status command_prepare(void *state) {
  const command_state *s = state;
  spawn_record record;
  char text[160];
  if (!s->prepare)
    return BH_OK;
  spawn_run(s->prepare, 0, &record);
  if (record.error == 0 && WIFEXITED(record.status) && WEXITSTATUS(record.status) == 0)
    return BH_OK;
  spawn_text(&record, text, sizeof text);
  return s->host->stop(s->host, BH_FAIL, "prepare (%s): expected exit status 0, found %s", s->prepare->text, text);
}

static bh_status command_check(command_state *s, uint64_t i, const spawn_record *r) {
  const bh_host *h = s->host;
  char found[160], expected[65];
  static const uint8_t zero[32];
  if (r->tag != spawn_tag(h->seed, i))
    return h->stop(h, BH_WRONG, "run %" PRIu64 ": no record of it: expected tag %016" PRIx64 ", found %016" PRIx64, i,
                   spawn_tag(h->seed, i), r->tag);
  spawn_text(r, found, sizeof found);
  if (r->error)
    return h->stop(h, BH_FAIL, "run %" PRIu64 ": %s %s", i, s->run->text, found);
  if (!WIFEXITED(r->status) || WEXITSTATUS(r->status) != s->expect_exit)
    return h->stop(h, BH_WRONG, "run %" PRIu64 " of %s: expected exit status %d, found %s%s", i, s->run->text,
                   s->expect_exit, found, s->run->keep_stderr ? "" : " (`stderr: keep` shows what it said)");
  if (r->wall_ns == 0 || r->peak_bytes == 0)
    return h->stop(h, BH_WRONG, "run %" PRIu64 " took %" PRIu64 " ns and %" PRIu64 " bytes: no program does", i,
                   r->wall_ns, r->peak_bytes);
  if (!s->run->hash)
    return memcmp(r->hash, zero, 32) == 0 && r->output_bytes == 0
               ? BH_OK
               : h->stop(h, BH_WRONG, "run %" PRIu64 ": a hash of output that nobody asked for", i);
  if (!s->expect_hash && !s->first_hash) {
    s->first_hash = 1;
    memcpy(s->hash, r->hash, 32);
    bh_sha256_text(s->hash, expected);
    h->fact(h, "output sha256", "%s", expected);
  }
  if (memcmp(r->hash, s->hash, 32) != 0) {
    bh_sha256_text(s->hash, expected);
    bh_sha256_text(r->hash, found);
    return h->stop(h, BH_WRONG,
                   "run %" PRIu64 " of %s: SHA-256 of its %" PRIu64 " bytes of output: expected %s%s, found %s", i,
                   s->run->text, r->output_bytes, expected, s->expect_hash ? "" : " (as the first run's)", found);
  }
  return BH_OK;
}

static bh_status command_verify(void *state, void *const *region, uint32_t workers) {
  command_state *s = state;
  const bh_host *h = s->host;
  const spawn_record *records = region[0];
  double user = 0, system = 0, items = (double)s->loop.items;
  uint64_t peak = 0, floor = 0;
  (void)workers;
  for (uint64_t i = 0; i < s->loop.items; i++) {
    bh_status status = command_check(s, i, &records[i]);
    if (status != BH_OK)
      return status;
    user += (double)records[i].user_ns * 1e-9;
    system += (double)records[i].system_ns * 1e-9;
    if (records[i].peak_bytes > peak)
      peak = records[i].peak_bytes;
    if (records[i].floor_bytes > floor)
      floor = records[i].floor_bytes;
  }
  if (s->loop.items) {
    h->metric(h, "user time", user / items, "s", BH_LOWER);
    h->metric(h, "system time", system / items, "s", BH_LOWER);
    if (peak > floor)
      h->metric(h, "peak memory", (double)peak, "bytes", BH_LOWER);
    else
      h->fact(h, "peak memory", "not above %" PRIu64 " bytes, the cell's own", floor);
  }
  return BH_OK;
}

static const bh_param command_table[] = {
    {.name = "argv",
     .type = BH_WORDS,
     .fallback = "",
     .help = "the program and its arguments, started directly; a name without '/' is looked for in PATH"},
    {.name = "script",
     .type = BH_TEXT,
     .fallback = "",
     .help = "instead of argv: text for /bin/sh -c, whose start counts too"},
    {.name = "items",
     .type = BH_INT,
     .fallback = "1",
     .unit = "runs",
     .help = "runs of the program in one sample",
     .min = 1,
     .max = 1e6},
    {.name = "prepare",
     .type = BH_WORDS,
     .fallback = "",
     .help = "a command run before each sample, untimed (drop a cache, build a tree); must exit with 0"},
    {.name = "expect-exit",
     .type = BH_INT,
     .fallback = "0",
     .help = "the exit status that counts as success",
     .min = 0,
     .max = 255},
    {.name = "expect-sha256",
     .type = BH_TEXT,
     .fallback = "",
     .help = "SHA-256 of what each run must print to stdout; empty: not checked"},
    {.name = "expect-output",
     .type = BH_TEXT,
     .fallback = "",
     .help =
         "exactly what each run must print to stdout, its last newline included; checked when given, even if empty"},
    {.name = "output",
     .type = BH_CHOICE,
     .fallback = "discard",
     .choices = "discard|hash",
     .help = "stdout: to /dev/null, or read and hashed: then all runs must print the same; expect-... implies hash"},
    {.name = "stderr",
     .type = BH_CHOICE,
     .fallback = "discard",
     .choices = "discard|keep",
     .help = "stderr: to /dev/null, or to the cell's own, which is quoted when the cell dies"},
    {.name = "stdin", .type = BH_TEXT, .fallback = "", .help = "a file to read from; empty: /dev/null"},
    {.name = "cwd",
     .type = BH_TEXT,
     .fallback = "",
     .help = "the folder to run in; empty: where benchhost was started"},
    {.name = NULL}};

static const bh_workload command_workload = {.size = sizeof(bh_workload),
                                             .open = command_open,
                                             .prepare = command_prepare,
                                             .verify = command_verify,
                                             .close = command_close};

const bh_plugin_info bh_plugin = {
    BH_PLUGIN_HEAD,          .name = "command",
    .version = "0.1.0",      .summary = "runs of an external program, verified by exit status and output",
    .params = command_table, .workload = &command_workload};
