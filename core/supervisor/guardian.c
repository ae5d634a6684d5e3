/* SPDX-License-Identifier: MIT
 * Owns the guardian. Forked without exec: it must be there before anything can go wrong, and needs none of what a new
 * program would load. The supervisor has one thread, so the copy is whole. */
#include "supervisor/guardian.h"

#include "supervisor/tree.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define DISMISSED (-1)
#define PIPE_FD 3

static void close_all_above(int last) {
  if (syscall(SYS_close_range, last + 1, ~0u, 0) == 0)
    return;
  const long most = sysconf(_SC_OPEN_MAX);
  for (int fd = last + 1; fd < (most > 0 ? most : 1024); fd++)
    close(fd);
}

/* A dying process's descriptors close before its children are told. Until then its newest child may still be on its way
 * into the worker's program, unmarked, and could start others there. */
static void wait_for_death(pid_t supervisor) {
  const struct timespec ms = {0, 1000000};
  for (guint i = 0; getppid() == supervisor && i < 10000; i++)
    nanosleep(&ms, NULL);
}

/* Never returns. */
static void guard(int pipe_fd, const BhScratch *scratch, pid_t supervisor) {
  setsid();
  prctl(PR_SET_NAME, "bh-guardian");
  signal(SIGINT, SIG_IGN);
  signal(SIGTERM, SIG_IGN);
  signal(SIGHUP, SIG_IGN);
  signal(SIGPIPE, SIG_IGN);
  if (pipe_fd != PIPE_FD)
    dup2(pipe_fd, PIPE_FD);
  close_all_above(PIPE_FD);
  for (int fd = 0; fd < PIPE_FD; fd++) {
    close(fd);
    open("/dev/null", O_RDWR); /* takes the lowest free number: this one */
  }
  (void)!chdir("/");
  pid_t worker = 0;
  for (;;) {
    pid_t told;
    const ssize_t n = read(PIPE_FD, &told, sizeof told);
    if (n < 0 && errno == EINTR)
      continue;
    if (n != sizeof told)
      break;
    if (told == DISMISSED)
      _exit(0);
    worker = told;
  }
  wait_for_death(supervisor);
  bh_tree_end_marked(scratch->mark, &worker, worker > 0);
  bh_scratch_remove_dead(scratch->root);
  _exit(0);
}

BhGuardian *bh_guardian_start(const BhScratch *scratch, GError **error) {
  int fds[2];
  if (pipe2(fds, O_CLOEXEC) != 0) {
    g_set_error(error, BH_ERROR, BH_ERROR_IO, "cannot make a pipe: %s", g_strerror(errno));
    return NULL;
  }
  const pid_t supervisor = getpid();
  const pid_t pid = fork();
  if (pid < 0) {
    g_set_error(error, BH_ERROR, BH_ERROR_IO, "cannot start a process: %s", g_strerror(errno));
    close(fds[0]);
    close(fds[1]);
    return NULL;
  }
  if (pid == 0) {
    close(fds[1]);
    guard(fds[0], scratch, supervisor);
  }
  close(fds[0]);
  BhGuardian *guardian = g_new0(BhGuardian, 1);
  guardian->pid = pid;
  guardian->fd = fds[1];
  return guardian;
}

void bh_guardian_watch(BhGuardian *guardian, pid_t worker) {
  ssize_t n;
  do
    n = write(guardian->fd, &worker, sizeof worker);
  while (n < 0 && errno == EINTR);
}

void bh_guardian_stop(BhGuardian *guardian) {
  if (!guardian)
    return;
  bh_guardian_watch(guardian, DISMISSED);
  close(guardian->fd);
  while (waitpid(guardian->pid, NULL, 0) < 0 && errno == EINTR)
    ;
  g_free(guardian);
}
