/* SPDX-License-Identifier: MIT
 * What surrounds a cell's process: the scratch folder and its sweeping, the guardian, trees of processes. */
#include "supervised.h"
#include "supervisor/guardian.h"
#include "supervisor/scratch.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char *new_base(void) {
  char *base = g_dir_make_tmp("benchhost-test-XXXXXX", NULL);
  g_setenv("TMPDIR", base, TRUE);
  return base;
}

static void drop_base(char *base) {
  g_assert_cmpuint(count_entries(base), ==, 0);
  g_rmdir(base);
  g_free(base);
}

static gboolean is_alive(pid_t pid) {
  return kill(pid, 0) == 0;
}

/* A child that waits for its end. */
static pid_t sleeper(gboolean own_session) {
  const pid_t pid = fork();
  if (pid == 0) {
    if (own_session)
      setsid();
    for (;;)
      pause();
  }
  return pid;
}

static BhScratch *new_scratch(GError **error) {
  g_autoptr(BhScratch) scratch = bh_scratch_choose();
  return bh_scratch_make(scratch, error) ? g_steal_pointer(&scratch) : NULL;
}

static void test_scratch(void) {
  char *base = new_base();
  g_autoptr(GError) error = NULL;
  BhScratch *first = new_scratch(&error), *second = new_scratch(&error);
  g_assert_no_error(error);
  g_assert_cmpstr(first->root, !=, second->root); /* the second sweep left the first, which is alive */
  g_assert_true(g_file_test(first->root, G_FILE_TEST_IS_DIR));
  struct stat st;
  g_assert_cmpint(stat(first->root, &st), ==, 0);
  g_assert_cmpuint(st.st_mode & 0777, ==, 0700);
  g_autofree char *name = g_path_get_basename(first->root), *mark = g_strconcat("BENCHHOST_RUN=", name, NULL);
  g_assert_cmpstr(first->mark, ==, mark);
  bh_scratch_free(first);
  bh_scratch_free(second);
  drop_base(base);
}

static void test_no_place(void) {
  g_setenv("TMPDIR", "/nowhere/at/all", TRUE);
  g_autoptr(GError) error = NULL;
  g_assert_null(new_scratch(&error));
  g_assert_error(error, BH_ERROR, BH_ERROR_IO);
  g_assert_nonnull(strstr(error->message, "set TMPDIR to another place"));
}

static char *make_root(const char *base, const char *suffix, gboolean lock) {
  g_autofree char *name = g_strdup_printf("benchhost-%u-%s", (unsigned)getuid(), suffix);
  char *root = g_build_filename(base, name, NULL);
  g_assert_cmpint(g_mkdir(root, 0700), ==, 0);
  g_autofree char *path = g_build_filename(root, "lock", NULL);
  if (lock)
    close(open(path, O_CREAT | O_WRONLY, 0600));
  return root;
}

/* A dead run's folder goes; one in the making, a link, and one of another name stay. */
static void test_sweep(void) {
  char *base = new_base();
  g_autofree char *dead = make_root(base, "dead01", TRUE);
  g_autofree char *young = make_root(base, "young1", FALSE);
  g_autofree char *odd = make_root(base, "no-such", TRUE);
  g_autofree char *target = make_root(base, "a", TRUE);
  g_autofree char *link = g_strdup_printf("%s/benchhost-%u-linked", base, (unsigned)getuid());
  g_assert_cmpint(symlink(target, link), ==, 0);
  g_assert_cmpuint(bh_scratch_sweep(base), ==, 1);
  g_assert_false(g_file_test(dead, G_FILE_TEST_EXISTS));
  g_assert_true(g_file_test(young, G_FILE_TEST_EXISTS));
  g_assert_true(g_file_test(odd, G_FILE_TEST_EXISTS));
  g_assert_true(g_file_test(link, G_FILE_TEST_IS_SYMLINK));
  g_assert_cmpuint(count_entries(target), ==, 1);
  const char *const rest[] = {young, odd, target, link};
  for (guint i = 0; i < G_N_ELEMENTS(rest); i++)
    g_assert_true(bh_scratch_remove(rest[i]));
  drop_base(base);
}

/* What a process that is dead since left running is ended with its folder. */
static void test_sweep_processes(void) {
  char *base = new_base();
  g_autofree char *dead = make_root(base, "dead02", TRUE);
  g_autofree char *name = g_path_get_basename(dead);
  const pid_t pid = fork();
  if (pid == 0) {
    g_autofree char *mark = g_strconcat("BENCHHOST_RUN=", name, NULL);
    char *const env[] = {mark, NULL}, *const argv[] = {(char *)"sleep", (char *)"600", NULL};
    execve("/bin/sleep", argv, env);
    _exit(1);
  }
  const pid_t other = sleeper(TRUE);
  g_autofree char *path = g_strdup_printf("/proc/%d/environ", (int)pid);
  for (guint i = 0; i < 5000; i++) { /* until it is that program */
    g_autofree char *text = NULL;
    if (g_file_get_contents(path, &text, NULL, NULL) && text && strstr(text, name))
      break;
    g_usleep(1000);
  }
  g_assert_cmpuint(bh_scratch_sweep(base), ==, 1);
  int status;
  g_assert_cmpint(waitpid(pid, &status, 0), ==, pid);
  g_assert_true(WIFSIGNALED(status));
  g_assert_true(is_alive(other));
  kill(other, SIGKILL);
  waitpid(other, NULL, 0);
  drop_base(base);
}

/* Removal neither follows a link nor enters a mount. */
static void test_remove(void) {
  char *base = new_base();
  g_autofree char *kept = g_build_filename(base, "kept", NULL), *file = g_build_filename(kept, "file", NULL);
  g_autofree char *gone = g_build_filename(base, "gone", NULL), *link = g_build_filename(gone, "link", NULL);
  g_autofree char *mounted = g_build_filename(gone, "mounted", NULL);
  g_mkdir(kept, 0700);
  g_mkdir(gone, 0700);
  g_mkdir(mounted, 0700);
  g_assert_true(g_file_set_contents(file, "x", -1, NULL));
  g_assert_cmpint(symlink(kept, link), ==, 0);
  const gboolean can_mount = mount(kept, mounted, NULL, MS_BIND, NULL) == 0;
  g_assert_cmpint(bh_scratch_remove(gone), ==, !can_mount);
  g_assert_true(g_file_test(file, G_FILE_TEST_EXISTS));
  g_assert_false(g_file_test(link, G_FILE_TEST_IS_SYMLINK));
  if (can_mount) {
    g_assert_cmpint(umount(mounted), ==, 0);
    g_assert_true(bh_scratch_remove(gone));
  }
  g_assert_true(bh_scratch_remove(kept));
  g_assert_true(bh_scratch_remove(kept)); /* gone is gone */
  drop_base(base);
}

/* The supervisor dies by -9: its worker's session and its folder are gone soon after. */
static void test_guardian(void) {
  char *base = new_base();
  int pipe_fds[2];
  g_assert_cmpint(pipe(pipe_fds), ==, 0);
  prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
  const pid_t supervisor = fork();
  if (supervisor == 0) {
    const pid_t worker = sleeper(TRUE); /* first: it execs nothing, so it would keep the guardian's pipe open */
    BhScratch *scratch = new_scratch(NULL);
    BhGuardian *guardian = bh_guardian_start(scratch, NULL);
    const pid_t pids[] = {worker, guardian->pid};
    bh_guardian_watch(guardian, pids[0]);
    (void)!write(pipe_fds[1], pids, sizeof pids);
    raise(SIGKILL);
  }
  pid_t pids[2];
  g_assert_cmpint(read(pipe_fds[0], pids, sizeof pids), ==, sizeof pids);
  g_assert_cmpint(waitpid(supervisor, NULL, 0), ==, supervisor);
  for (guint i = 0; i < 2; i++)
    g_assert_cmpint(waitpid(pids[i], NULL, 0), ==, pids[i]); /* both came to us, and both end */
  close(pipe_fds[0]);
  close(pipe_fds[1]);
  drop_base(base);
}

/* It keeps nobody waiting: no descriptor of the supervisor's stays open in it. */
static void test_guardian_descriptors(void) {
  char *base = new_base();
  int pipe_fds[2];
  g_assert_cmpint(pipe(pipe_fds), ==, 0); /* without close-on-exec */
  BhScratch *scratch = new_scratch(NULL);
  BhGuardian *guardian = bh_guardian_start(scratch, NULL);
  close(pipe_fds[1]);
  char byte;
  g_assert_cmpint(read(pipe_fds[0], &byte, 1), ==, 0);
  close(pipe_fds[0]);
  const pid_t pid = guardian->pid;
  kill(pid, SIGTERM); /* it is not impressed */
  kill(pid, SIGINT);
  g_assert_true(is_alive(pid));
  bh_guardian_stop(guardian);
  g_assert_false(is_alive(pid));
  g_assert_true(g_file_test(scratch->root, G_FILE_TEST_IS_DIR)); /* dismissed, it does nothing */
  bh_scratch_free(scratch);
  drop_base(base);
}

static void test_tree(void) {
  prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
  const pid_t spared = sleeper(FALSE), plain = sleeper(FALSE), session = sleeper(TRUE), orphaner = fork();
  if (orphaner == 0) {
    sleeper(TRUE);
    _exit(0);
  }
  siginfo_t info;
  g_assert_cmpint(waitid(P_PID, (id_t)orphaner, &info, WEXITED | WNOWAIT), ==, 0);
  g_autoptr(GArray) before = bh_tree_descendants(getpid());
  g_assert_cmpuint(before->len, ==, 5); /* the dead one counts until it is reaped */
  g_autoptr(GArray) spare = g_array_new(FALSE, FALSE, sizeof(pid_t));
  g_array_append_val(spare, spared);
  g_assert_cmpuint(bh_tree_end_all(spare, orphaner), ==, 3);
  g_assert_false(is_alive(plain));
  g_assert_false(is_alive(session));
  g_assert_true(is_alive(spared));
  g_assert_cmpint(waitpid(orphaner, NULL, 0), ==, orphaner); /* kept for us */
  g_assert_cmpuint(bh_tree_end_all(NULL, 0), ==, 1);
  g_autoptr(GArray) after = bh_tree_descendants(getpid());
  g_assert_cmpuint(after->len, ==, 0);
}

static void test_tree_memory(void) {
  int ready[2];
  g_assert_cmpint(pipe(ready), ==, 0);
  const pid_t pid = fork();
  if (pid == 0) {
    const gsize size = 64 << 20;
    volatile char *memory = malloc(size);
    for (gsize i = 0; i < size; i += 4096)
      memory[i] = 1;
    sleeper(FALSE);
    (void)!write(ready[1], "", 1);
    for (;;)
      pause();
  }
  char byte;
  g_assert_cmpint(read(ready[0], &byte, 1), ==, 1);
  guint n = 0;
  const guint64 rough = bh_tree_memory_bytes(pid, &n), exact = bh_tree_memory_exact_bytes(pid);
  g_assert_cmpuint(n, ==, 2);
  g_assert_cmpuint(rough, >=, 128 << 20); /* both processes hold the same pages */
  g_assert_cmpuint(exact, >=, 64 << 20);
  g_assert_cmpuint(exact + (60 << 20), <=, rough);
  g_assert_cmpuint(bh_tree_peak_bytes(pid), >=, 64 << 20);
  bh_tree_end_all(NULL, 0);
  g_assert_cmpuint(bh_tree_memory_bytes(pid, &n), ==, 0);
  g_assert_cmpuint(bh_tree_peak_bytes(pid), ==, 0);
  close(ready[0]);
  close(ready[1]);
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/process/scratch", test_scratch);
  g_test_add_func("/process/no-place", test_no_place);
  g_test_add_func("/process/sweep", test_sweep);
  g_test_add_func("/process/sweep-processes", test_sweep_processes);
  g_test_add_func("/process/remove", test_remove);
  g_test_add_func("/process/guardian", test_guardian);
  g_test_add_func("/process/guardian-descriptors", test_guardian_descriptors);
  g_test_add_func("/process/tree", test_tree);
  g_test_add_func("/process/tree-memory", test_tree_memory);
  return g_test_run();
}
