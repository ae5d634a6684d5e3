/* SPDX-License-Identifier: MIT
 * Every way in which a cell can end, with a stand-in for the worker; interruption, resuming and kills at random
 * moments. */
#include "supervised.h"

#include <errno.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

/* Runs the plan with a fresh journal; what is in the file afterwards. */
static BhResults *run_all(Supervised *s, const BhWatcher *watcher, BhRunSummary *ret_summary) {
  g_autoptr(GError) error = NULL;
  g_autoptr(BhResults) live = bh_results_new();
  g_autoptr(BhJournal) journal = supervised_create(s, live);
  bh_engine_run(&s->plan, journal, live, watcher, ret_summary, &error);
  g_assert_no_error(error);
  BhResults *read = bh_results_load(s->journal, &error);
  g_assert_no_error(error);
  g_assert_false(read->torn);
  g_assert_cmpuint(read->records->len, ==, live->records->len);
  g_autoptr(GArray) left = bh_tree_descendants(getpid());
  g_assert_cmpuint(left->len, ==, 0);
  return read;
}

/* One cell's record, and its supervisor's run over. */
static BhResults *run_one(const char *act, gint64 deadline_ms, gint64 memory_bytes, const BhCellRecord **ret) {
  const char *const acts[] = {act, NULL};
  Supervised *s = supervised_new(acts, 1);
  BhCell *cell = s->plan.cells->pdata[0];
  if (deadline_ms)
    cell->measure.deadline_ns = deadline_ms * 1000000;
  cell->measure.memory_bytes = memory_bytes;
  BhRunSummary summary;
  BhResults *results = run_all(s, NULL, &summary);
  g_assert_cmpuint(summary.cells_run, ==, 1);
  g_assert_false(summary.interrupted);
  g_assert_cmpuint(results->records->len, ==, 1);
  *ret = results->records->pdata[0];
  supervised_free(s);
  return results;
}

static const char *text_of(const BhCellRecord *record, const char *key) {
  JsonNode *node = json_object_get_member(record->record, key);
  return JSON_NODE_HOLDS_NULL(node) ? NULL : json_node_get_string(node);
}

static const char *fact(const BhCellRecord *record, const char *name) {
  return json_object_get_string_member(json_object_get_object_member(record->record, "facts"), name);
}

static gboolean has_flag(const BhCellRecord *record, const char *flag) {
  for (guint i = 0; i < record->flags->len; i++)
    if (!strcmp(record->flags->pdata[i], flag))
      return TRUE;
  return FALSE;
}

typedef struct {
  const char *act;
  BhCellStatus status;
  const char *reason; /* a part of it */
  const char *signal;
} Ending;

static const Ending endings[] = {
    {"ok", BH_CELL_OK, NULL, NULL},
    {"wrong", BH_CELL_WRONG, "item 3: expected 4, found 5", NULL},
    {"skipped", BH_CELL_SKIPPED, "no GPU", NULL},
    {"unsupported", BH_CELL_UNSUPPORTED, "teams of one only", NULL},
    {"failed", BH_CELL_FAILED, "it said so", NULL},
    {"out-of-memory", BH_CELL_OUT_OF_MEMORY, "needs 5 TiB, 1 GiB is there", NULL},
    {"segv", BH_CELL_CRASHED, "killed by SIGSEGV (Segmentation fault) in phase open", "SIGSEGV"},
    {"exit", BH_CELL_CRASHED, "ended with exit status 3 and without a result, in phase open", NULL},
    {"silent", BH_CELL_CRASHED, "ended with exit status 0 and without a result", NULL},
    {"garbage", BH_CELL_FAILED, "carried what is no JSON: \"hello there\"", NULL},
    {"binary", BH_CELL_FAILED, "carried what is no JSON", NULL},
    {"two-results", BH_CELL_FAILED, "a second result", NULL},
    {"half-after-result", BH_CELL_FAILED, "an unfinished line", NULL},
    {"deep", BH_CELL_FAILED, "what is no JSON", NULL},
    {"endless-line", BH_CELL_FAILED, "more than events ever need", NULL},
    {"nan", BH_CELL_FAILED, "what is no JSON", NULL},
    {"infinite", BH_CELL_FAILED, "what is no JSON", NULL},
    {"no-figures", BH_CELL_FAILED, "'steady' must be there when the status is ok", NULL},
    {"no-reason", BH_CELL_FAILED, "'reason' must say why", NULL},
    {"bad-type", BH_CELL_FAILED, "'flags' must be a list of texts", NULL},
    {"observed", BH_CELL_OK, NULL, NULL},
    {"bad-cpu", BH_CELL_FAILED, "'cpu.min_ns' must be a number, not below 0", NULL},
    {"bad-cpu-interval", BH_CELL_FAILED, "'cpu.ci_ns' must be two numbers or null", NULL},
    {"bad-series", BH_CELL_FAILED, "'samples.cpu_ns' must be a list of numbers", NULL},
    {"bad-counter", BH_CELL_FAILED, "'counters.cycles' must have 'min', not below 0", NULL},
    {"bad-refusal", BH_CELL_FAILED, "'counters.cycles' must have 'median'", NULL},
    {"bad-counters", BH_CELL_FAILED, "'counters.cycles' must have 'median'", NULL},
    {"bad-share", BH_CELL_FAILED, "'flagged.share' must be a number from 0 to 1", NULL},
    {"bad-peak", BH_CELL_FAILED, "'process_peak_bytes' must be an integer", NULL},
    {"bad-cost", BH_CELL_FAILED, "'cost' must hold finite numbers, not below 0", NULL},
    {"poses-as-arm", BH_CELL_OK, NULL, NULL},
};

static void test_ending(gconstpointer data) {
  const Ending *ending = data;
  const BhCellRecord *record;
  G_GNUC_UNUSED g_autoptr(BhResults) results = run_one(ending->act, 0, 0, &record);
  g_assert_cmpstr(bh_cell_status_name(record->status), ==, bh_cell_status_name(ending->status));
  if (ending->reason) {
    g_test_message("%s", record->reason);
    g_assert_nonnull(strstr(record->reason, ending->reason));
  } else {
    g_assert_null(record->reason);
  }
  g_assert_null(record->arm);
  g_assert_cmpstr(text_of(record, "signal"), ==, ending->signal);
  g_assert_cmpuint(record->steady_ns->len, ==, ending->status == BH_CELL_OK ? 6 : 0);
}

/* Everything that docs/journal.md promises is in the line of an ok cell. */
static void test_ok_line(void) {
  const BhCellRecord *record;
  G_GNUC_UNUSED g_autoptr(BhResults) results = run_one("ok", 0, 0, &record);
  static const char *const keys[] = {
      "type",    "id",          "label",         "workload",   "params",   "backend",        "options",
      "variant", "round",       "status",        "reason",     "baseline", "steady",         "total",
      "cold_ns", "phases_ns",   "worker_phases", "cold_phases", "throughput", "cost",     "metrics",        "facts",
      "workers", "placement",   "memory",        "rusage",     "flags",    "kernels",        "log",
      "signal",  "stderr_tail", "wall_ns",       "started",    "primary",  "primary_reason", "disturbance",
      "measure"};
  for (guint i = 0; i < G_N_ELEMENTS(keys); i++) {
    g_test_message("%s", keys[i]);
    g_assert_true(json_object_has_member(record->record, keys[i]));
  }
  g_assert_cmpuint(json_object_get_size(record->record), ==, G_N_ELEMENTS(keys));
  g_assert_cmpstr(json_object_get_string_member(record->params, "act"), ==, "ok");
  JsonObject *memory = json_object_get_object_member(record->record, "memory");
  g_assert_cmpint(json_object_get_int_member(memory, "footprint_bytes"), ==, 4096);
  g_assert_cmpint(json_object_get_int_member(memory, "peak_bytes"), >, 0);
  g_assert_cmpfloat(record->total_ns, ==, 5);
  g_assert_cmpint(json_object_get_int_member(record->record, "wall_ns"), >, 0);
}

static void test_deadline(void) {
  const BhCellRecord *record;
  G_GNUC_UNUSED g_autoptr(BhResults) results = run_one("hang-tree", 150, 0, &record);
  g_assert_cmpint(record->status, ==, BH_CELL_TIMEOUT);
  g_assert_cmpstr(record->reason, ==, "no end after 150.0 ms (the cell's deadline), in phase open");
  g_assert_null(text_of(record, "signal")); /* it was ours */
  g_assert_true(has_flag(record, "left-processes"));
}

static void test_memory_limit(void) {
  const char *const acts[] = {"memory", "memory-tree"};
  for (guint i = 0; i < 2; i++) {
    const BhCellRecord *record;
    G_GNUC_UNUSED g_autoptr(BhResults) results = run_one(acts[i], 0, 150 << 20, &record);
    g_assert_cmpint(record->status, ==, BH_CELL_OUT_OF_MEMORY);
    g_assert_nonnull(strstr(record->reason, "the limit is 150.0 MiB"));
    JsonObject *memory = json_object_get_object_member(record->record, "memory");
    g_assert_cmpint(json_object_get_int_member(memory, "peak_bytes"), >, 150 << 20);
    g_assert_cmpint(json_object_get_int_member(memory, "limit_bytes"), ==, 150 << 20);
  }
}

/* Pages that forked processes share count once. */
static void test_memory_shared(void) {
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
  g_test_skip("a sanitizer's shadow memory counts too, and is as large as what is counted");
  return;
#endif
  const BhCellRecord *record;
  G_GNUC_UNUSED g_autoptr(BhResults) results = run_one("memory-shared", 0, 250 << 20, &record);
  g_assert_cmpint(record->status, ==, BH_CELL_OK);
  JsonObject *memory = json_object_get_object_member(record->record, "memory");
  g_assert_cmpint(json_object_get_int_member(memory, "peak_bytes"), >=, 100 << 20);
  g_assert_cmpint(json_object_get_int_member(memory, "peak_bytes"), <, 250 << 20);
}

static void test_memory_short(void) {
  const BhCellRecord *record;
  G_GNUC_UNUSED g_autoptr(BhResults) results = run_one("memory-short", 0, 0, &record);
  JsonObject *memory = json_object_get_object_member(record->record, "memory");
  g_assert_cmpint(json_object_get_int_member(memory, "peak_bytes"), >=, 30 << 20);
}

/* A result stands, whatever the process does afterwards. */
static void test_after_result(void) {
  const BhCellRecord *record;
  G_GNUC_UNUSED g_autoptr(BhResults) died = run_one("ok-then-segv", 0, 0, &record);
  g_assert_cmpint(record->status, ==, BH_CELL_OK);
  g_assert_true(has_flag(record, "died-after-result"));
  G_GNUC_UNUSED g_autoptr(BhResults) left = run_one("daemon", 0, 0, &record);
  g_assert_cmpint(record->status, ==, BH_CELL_OK);
  g_assert_true(has_flag(record, "left-processes"));
  G_GNUC_UNUSED g_autoptr(BhResults) lingered = run_one("linger", 0, 0, &record);
  g_assert_cmpint(record->status, ==, BH_CELL_OK);
  g_assert_true(has_flag(record, "lingered"));
}

static void test_output(void) {
  const BhCellRecord *record;
  G_GNUC_UNUSED g_autoptr(BhResults) tail = run_one("stderr", 0, 0, &record);
  g_assert_cmpstr(text_of(record, "stderr_tail"), ==, "first\nlast words\xef\xbf\xbd\n");
  G_GNUC_UNUSED g_autoptr(BhResults) flood = run_one("stderr-flood", 0, 0, &record);
  g_assert_cmpint(record->status, ==, BH_CELL_OK);
  G_GNUC_UNUSED g_autoptr(BhResults) log = run_one("log-flood", 0, 0, &record);
  g_assert_cmpint(record->status, ==, BH_CELL_OK);
  JsonArray *lines = json_object_get_array_member(record->record, "log");
  g_assert_cmpstr(json_array_get_string_element(lines, 0), ==, "line 000000 of many that nobody will ever read");
  g_assert_cmpuint(json_array_get_length(lines), <, 10000);
  g_assert_nonnull(strstr(json_array_get_string_element(lines, json_array_get_length(lines) - 1), "were not kept"));
}

static void test_descriptors(void) {
  const int leak = dup(1); /* without close-on-exec: as the user's shell may hand on */
  const BhCellRecord *record;
  G_GNUC_UNUSED g_autoptr(BhResults) results = run_one("fds", 0, 0, &record);
  close(leak);
  g_assert_cmpstr(fact(record, "fds"), ==, "0 1 2 4 "); /* it closed its request, 3 */
  g_assert_cmpstr(fact(record, "leader"), ==, "1");
  g_assert_cmpstr(fact(record, "blocked"), ==, "0");
  g_assert_cmpstr(fact(record, "defaults"), ==, "1");
}

static void test_variables(void) {
  g_setenv("OMP_SCHEDULE", "dynamic", TRUE);
  g_setenv("UNTOUCHED", "yes", TRUE);
  const char *const acts[] = {"env", "env", NULL};
  Supervised *s = supervised_new(acts, 1);
  BhCell *cell = s->plan.cells->pdata[1];
  g_hash_table_insert(cell->env, g_strdup("OMP_NUM_THREADS"), g_strdup("3"));
  g_hash_table_insert(cell->env, g_strdup("FROM_MATRIX"), g_strdup("a b"));
  BhParam *wait = g_new0(BhParam, 1);
  wait->name = g_strdup("wait");
  wait->type = BH_CHOICE;
  wait->choices = g_strsplit("block|spin|default", "|", -1);
  wait->env = g_strdup("OMP_WAIT_POLICY");
  wait->env_values = g_strsplit("passive|active|", "|", -1);
  g_ptr_array_add(cell->backend->params, wait);
  for (guint i = 0; i < 2; i++) {
    BhValue *value = text_value(i ? "spin" : "default");
    value->type = BH_CHOICE;
    value->i = i ? 1 : 2;
    g_ptr_array_add(((BhCell *)s->plan.cells->pdata[i])->options, value);
  }
  BhRunSummary summary;
  g_autoptr(BhResults) results = run_all(s, NULL, &summary);
  const BhCellRecord *plain = bh_results_find(results, "000000000001", 0);
  const BhCellRecord *set = bh_results_find(results, "000000000002", 0);
  g_assert_cmpstr(fact(plain, "OMP_NUM_THREADS"), ==, "1");
  g_assert_cmpstr(fact(plain, "OPENBLAS_NUM_THREADS"), ==, "1");
  g_assert_cmpstr(fact(plain, "OMP_DYNAMIC"), ==, "FALSE");
  g_assert_cmpstr(fact(plain, "OMP_SCHEDULE"), ==, "(unset)");
  g_assert_cmpstr(fact(plain, "OMP_WAIT_POLICY"), ==, "(unset)");
  g_assert_cmpstr(fact(plain, "UNTOUCHED"), ==, "yes");
  g_assert_cmpstr(fact(set, "OMP_NUM_THREADS"), ==, "3");
  g_assert_cmpstr(fact(set, "OMP_WAIT_POLICY"), ==, "active");
  g_assert_cmpstr(fact(set, "FROM_MATRIX"), ==, "a b");
  JsonObject *environment = json_object_get_object_member(results->run, "environment");
  JsonObject *removed = json_object_get_object_member(environment, "variables_removed");
  g_assert_cmpstr(json_object_get_string_member(removed, "state"), ==, "bad");
  supervised_free(s);
  g_unsetenv("OMP_SCHEDULE");
}

static void test_no_program(void) {
  const char *const acts[] = {"ok", NULL};
  Supervised *s = supervised_new(acts, 1);
  g_setenv("BENCHHOST_SELF", "/nowhere/benchhost", TRUE);
  BhRunSummary summary;
  g_autoptr(BhResults) results = run_all(s, NULL, &summary);
  const BhCellRecord *record = results->records->pdata[0];
  g_assert_cmpint(record->status, ==, BH_CELL_FAILED);
  g_assert_cmpstr(record->reason, ==, "the cell's program could not be started: No such file or directory");
  supervised_free(s);
}

static void test_scratch_mess(void) {
  const BhCellRecord *record;
  G_GNUC_UNUSED g_autoptr(BhResults) results =
      run_one("mess", 0, 0, &record); /* supervised_free looks at what is left */
  g_assert_cmpint(record->status, ==, BH_CELL_OK);
  g_assert_true(g_file_test("/etc", G_FILE_TEST_IS_DIR));
}

/* ---- Interruption: the watcher sends the signal, so that the moment is known. ---- */

typedef struct {
  const char *on_phase[2]; /* what to answer with a signal; NULL: nothing */
  int signal;
  guint finished_interrupted;
} Interrupter;

static void interrupt_phase(void *user, const BhCell *cell, const char *phase) {
  const Interrupter *interrupter = user;
  (void)cell;
  for (guint i = 0; i < 2; i++)
    if (interrupter->on_phase[i] && !strcmp(interrupter->on_phase[i], phase))
      kill(getpid(), interrupter->signal);
}

static void interrupt_finished(void *user, gboolean interrupted) {
  ((Interrupter *)user)->finished_interrupted = interrupted;
}

/* How many of three cells, the middle one being `act`, are kept. */
static guint interrupted_run(const char *act, const char *second_phase, int signal_number) {
  const char *const acts[] = {act, act, act, NULL};
  Supervised *s = supervised_new(acts, 1);
  Interrupter interrupter = {{"waiting", second_phase}, signal_number, 0};
  const BhWatcher watcher = {.user = &interrupter, .cell_phase = interrupt_phase, .finished = interrupt_finished};
  BhRunSummary summary;
  g_autoptr(BhResults) results = run_all(s, &watcher, &summary);
  g_assert_true(summary.interrupted);
  g_assert_cmpuint(interrupter.finished_interrupted, ==, 1);
  g_assert_cmpuint(summary.cells_run, ==, results->records->len);
  const guint kept = results->records->len;
  /* and the rest can be had later */
  g_autoptr(GError) error = NULL;
  g_assert_true(bh_journal_check_resume(&s->plan, results, s->journal, &error));
  supervised_free(s);
  return kept;
}

static void test_interrupt(void) {
  g_assert_cmpuint(interrupted_run("obedient", NULL, SIGINT), ==, 1);
  g_assert_cmpuint(interrupted_run("obedient", NULL, SIGTERM), ==, 1);
  g_assert_cmpuint(interrupted_run("obedient", NULL, SIGHUP), ==, 1);
  g_assert_cmpuint(interrupted_run("gives-up", NULL, SIGINT), ==, 0);
}

static void test_interrupt_twice(void) {
  const gint64 start = g_get_monotonic_time();
  g_assert_cmpuint(interrupted_run("stubborn", "asked", SIGINT), ==, 0);
  g_assert_cmpint(g_get_monotonic_time() - start, <, 60 * G_USEC_PER_SEC); /* not for ever: it hangs */
}

static void test_interrupt_grace(void) {
  g_assert_cmpuint(interrupted_run("stubborn", NULL, SIGINT), ==, 0);
}

/* ---- Resuming ---- */

static void resume(Supervised *s, guint *ret_run) {
  g_autoptr(GError) error = NULL;
  g_autoptr(BhResults) results = bh_results_load(s->journal, &error);
  g_assert_no_error(error);
  bh_journal_check_resume(&s->plan, results, s->journal, &error);
  g_assert_no_error(error);
  g_autoptr(BhJournal) journal = bh_journal_resume(s->journal, results->good_bytes, &error);
  g_assert_no_error(error);
  const char *const argv[] = {"benchhost", NULL};
  g_autoptr(JsonObject) line = bh_journal_resume_line(argv);
  g_assert_true(bh_journal_append(journal, line, &error));
  BhRunSummary summary;
  bh_engine_run(&s->plan, journal, results, NULL, &summary, &error);
  g_assert_no_error(error);
  *ret_run = summary.cells_run;
}

static void test_retry_failed(void) {
  const char *const acts[] = {"ok", "segv", "failed", NULL};
  Supervised *s = supervised_new(acts, 2);
  BhRunSummary summary;
  G_GNUC_UNUSED g_autoptr(BhResults) results = run_all(s, NULL, &summary);
  g_assert_cmpuint(summary.cells_run, ==, 6);
  guint again = 0;
  resume(s, &again);
  g_assert_cmpuint(again, ==, 0);
  g_autoptr(GError) error = NULL;
  g_autoptr(BhResults) before = bh_results_load(s->journal, &error);
  BhJournal *journal = bh_journal_resume(s->journal, before->good_bytes, &error);
  g_assert_true(bh_engine_retry_failed(&s->plan, journal, before, &again, &error));
  g_assert_cmpuint(again, ==, 4);
  bh_journal_close(journal); /* as if killed here */
  resume(s, &again);
  g_assert_cmpuint(again, ==, 4);
  g_autoptr(BhResults) after = bh_results_load(s->journal, &error);
  g_assert_no_error(error);
  g_assert_cmpuint(after->records->len, ==, 6);
  supervised_free(s);
}

/* Waits until nothing is left of a killed supervisor: its guardian has a moment's work. */
static void wait_for_guardian(const Supervised *s) {
  for (guint i = 0; i < 5000 && count_entries(s->tmp); i++)
    g_usleep(2000);
  g_assert_cmpuint(count_entries(s->tmp), ==, 0);
}

static pid_t first_worker(pid_t supervisor) {
  g_autoptr(GArray) all = bh_tree_descendants(supervisor);
  for (guint i = 0; i < all->len; i++) {
    g_autofree char *path = g_strdup_printf("/proc/%d/cmdline", (int)g_array_index(all, pid_t, i));
    g_autofree char *text = NULL;
    gsize length = 0;
    if (g_file_get_contents(path, &text, &length, NULL) && length > 12 &&
        !strcmp(text + strlen(text) + 1, "internal-worker"))
      return g_array_index(all, pid_t, i);
  }
  return 0;
}

/* One session of the run in a process of its own: at random moments its worker is killed, or the session itself, which
 * ends it. TRUE: it came to its end. */
static gboolean killed_session(Supervised *s, GRand *random, guint *kills) {
  const pid_t pid = fork();
  if (pid == 0) {
    guint n;
    resume(s, &n);
    _exit(0);
  }
  siginfo_t info = {0};
  while (info.si_pid != pid) {
    g_usleep((gulong)g_rand_int_range(random, 1000, 150000));
    const pid_t worker = g_rand_boolean(random) ? first_worker(pid) : 0;
    kill(worker ? worker : pid, SIGKILL);
    (*kills)++;
    if (waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT | (worker ? WNOHANG : 0)) != 0)
      break;
  }
  int status;
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
    ;
  wait_for_guardian(s);
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static void test_kills(void) {
  const char *const acts[] = {"quick", "quick", "quick", "quick", "quick", NULL};
  g_autoptr(GRand) random = g_rand_new_with_seed((guint32)g_test_rand_int());
  const char *mark = "BENCHHOST_TEST_MARK=kills";
  g_setenv("BENCHHOST_TEST_MARK", "kills", TRUE);
  guint kills = 0, ends = 0;
  while (kills < 20) {
    Supervised *s = supervised_new(acts, 4);
    bh_journal_close(supervised_create(s, NULL));
    while (!killed_session(s, random, &kills))
      ;
    ends++;
    g_autoptr(GError) error = NULL;
    g_autoptr(BhResults) results = bh_results_load(s->journal, &error); /* refuses a cell that comes twice */
    g_assert_no_error(error);
    g_assert_cmpuint(results->records->len, ==, 20);
    for (guint i = 0; i < results->records->len; i++) {
      const BhCellRecord *record = results->records->pdata[i];
      g_assert_true(record->status == BH_CELL_OK ||
                    !strcmp(json_object_get_string_member(record->record, "signal"), "SIGKILL"));
    }
    supervised_free(s);
  }
  g_test_message("%u kills, %u runs completed", kills, ends);
  g_unsetenv("BENCHHOST_TEST_MARK");
  g_assert_cmpuint(bh_tree_end_marked(mark, NULL, 0), ==, 0); /* no process of theirs was left */
}

int main(int argc, char **argv) {
  signal(SIGHUP, SIG_DFL); /* under nohup it is ignored, and stays so: these tests are about when it is not */
  g_test_init(&argc, &argv, NULL);
  for (guint i = 0; i < G_N_ELEMENTS(endings); i++) {
    g_autofree char *path = g_strconcat("/supervisor/ending/", endings[i].act, NULL);
    g_test_add_data_func(path, &endings[i], test_ending);
  }
  g_test_add_func("/supervisor/ok-line", test_ok_line);
  g_test_add_func("/supervisor/deadline", test_deadline);
  g_test_add_func("/supervisor/memory/limit", test_memory_limit);
  g_test_add_func("/supervisor/memory/shared", test_memory_shared);
  g_test_add_func("/supervisor/memory/short", test_memory_short);
  g_test_add_func("/supervisor/after-result", test_after_result);
  g_test_add_func("/supervisor/output", test_output);
  g_test_add_func("/supervisor/descriptors", test_descriptors);
  g_test_add_func("/supervisor/variables", test_variables);
  g_test_add_func("/supervisor/no-program", test_no_program);
  g_test_add_func("/supervisor/scratch-mess", test_scratch_mess);
  g_test_add_func("/supervisor/interrupt/once", test_interrupt);
  g_test_add_func("/supervisor/interrupt/twice", test_interrupt_twice);
  g_test_add_func("/supervisor/interrupt/grace", test_interrupt_grace);
  g_test_add_func("/supervisor/retry-failed", test_retry_failed);
  g_test_add_func("/supervisor/kills", test_kills);
  return g_test_run();
}
