/* SPDX-License-Identifier: MIT
 *
 * spawn.c - starts a program and waits for it, with as little as possible around it. vfork rather than posix_spawn,
 * which is the same system call inside, because the child must ask for its death with its parent (PR_SET_PDEATHSIG)
 * before it becomes the program: when a cell is killed no command is left running. vfork's child shares our memory and
 * our stack until exec, so it makes system calls and writes to one word of the parent, nothing else.
 */
#include "spawn.h"
#include <benchhost/random.h>
#include <benchhost/sha256.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

typedef struct {
  const char *path, *folder, *input;
  char *const *argv;
  int output; /* descriptor, or -1: /dev/null */
  int keep_stderr;
  pid_t parent;
  volatile int error; /* the child's errno */
} spawn_plan;

static uint64_t spawn_now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * UINT64_C(1000000000) + (uint64_t)t.tv_nsec;
}

uint64_t spawn_tag(uint64_t seed, uint64_t item) {
  return bh_random_u64(seed, item);
}

static int spawn_onto(const char *path, int flags, int target) {
  int fd = open(path, flags);
  if (fd < 0)
    return -1;
  if (fd != target) {
    if (dup2(fd, target) < 0)
      return -1;
    close(fd);
  }
  return 0;
}

/* The child's life until exec. Its own function, which never returns: nothing of the parent's frame is touched. */
static __attribute__((noreturn, noinline)) void spawn_child(spawn_plan *plan) {
  static const int reset[] = {SIGINT, SIGTERM, SIGQUIT, SIGHUP, SIGPIPE, SIGCHLD, SIGUSR1, SIGUSR2};
  struct sigaction action = {.sa_handler = SIG_DFL};
  sigset_t none;
  sigemptyset(&none);
  for (unsigned k = 0; k < sizeof reset / sizeof *reset; k++)
    sigaction(reset[k], &action, NULL);
  if (prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 && getppid() != plan->parent)
    _exit(127); /* the parent died before we asked */
  if ((plan->output >= 0 ? dup2(plan->output, 1) : spawn_onto("/dev/null", O_WRONLY, 1)) < 0 ||
      (!plan->keep_stderr && spawn_onto("/dev/null", O_WRONLY, 2) < 0) ||
      (plan->folder[0] && chdir(plan->folder) < 0) ||
      spawn_onto(plan->input[0] ? plan->input : "/dev/null", O_RDONLY, 0) < 0) {
    plan->error = errno;
    _exit(127);
  }
  sigprocmask(SIG_SETMASK, &none, NULL);
  execve(plan->path, plan->argv, environ);
  plan->error = errno;
  _exit(127);
}

/* Signals stay blocked until the child is the program: a handler of ours must not run in it. */
static __attribute__((noinline)) pid_t spawn_fork(spawn_plan *plan) {
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, &before);
  pid_t pid = vfork();
  if (pid == 0)
    spawn_child(plan);
  if (pid < 0)
    plan->error = errno;
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  return pid;
}

static void spawn_read(int fd, spawn_record *record) {
  uint8_t bytes[65536];
  bh_sha256 hash;
  bh_sha256_init(&hash);
  for (;;) {
    ssize_t n = read(fd, bytes, sizeof bytes);
    if (n == 0 || (n < 0 && errno != EINTR))
      break;
    if (n > 0) {
      bh_sha256_add(&hash, bytes, (size_t)n);
      record->output_bytes += (uint64_t)n;
    }
  }
  bh_sha256_end(&hash, record->hash);
}

static uint64_t spawn_ns(struct timeval t) {
  return (uint64_t)t.tv_sec * UINT64_C(1000000000) + (uint64_t)t.tv_usec * 1000;
}

void spawn_run(const spawn_params *p, uint64_t item, spawn_record *ret_record) {
  char *argv[SPAWN_WORDS + 1];
  struct rusage usage;
  int pipe_ends[2] = {-1, -1};
  const char *at = p->text;
  spawn_plan plan = {.path = at, .output = -1, .keep_stderr = (int)p->keep_stderr, .parent = getpid(), .argv = argv};
  plan.folder = at += strlen(at) + 1;
  plan.input = at += strlen(at) + 1;
  for (uint32_t w = 0; w < p->words; w++) {
    at += strlen(at) + 1;
    argv[w] = (char *)at; /* execve takes them as char *, and changes nothing */
  }
  argv[p->words] = NULL;
  memset(ret_record, 0, sizeof *ret_record);
  getrusage(RUSAGE_SELF, &usage);
  ret_record->floor_bytes = (uint64_t)usage.ru_maxrss * 1024;
  uint64_t begin_ns = spawn_now();
  if (p->hash && pipe2(pipe_ends, O_CLOEXEC) != 0) {
    ret_record->error = errno;
  } else {
    plan.output = pipe_ends[1];
    pid_t pid = spawn_fork(&plan);
    if (pipe_ends[1] >= 0)
      close(pipe_ends[1]);
    if (pid > 0) {
      pid_t ended;
      if (p->hash)
        spawn_read(pipe_ends[0], ret_record);
      while ((ended = wait4(pid, &ret_record->status, 0, &usage)) < 0 && errno == EINTR) {
      }
      if (ended < 0)
        plan.error = errno;
      else {
        ret_record->user_ns = spawn_ns(usage.ru_utime);
        ret_record->system_ns = spawn_ns(usage.ru_stime);
        ret_record->peak_bytes = (uint64_t)usage.ru_maxrss * 1024;
      }
    }
    if (pipe_ends[0] >= 0)
      close(pipe_ends[0]);
    ret_record->error = plan.error;
  }
  ret_record->wall_ns = spawn_now() - begin_ns;
  ret_record->tag = spawn_tag(p->seed, item);
}

void spawn_text(const spawn_record *record, char *ret_text, uint64_t bytes) {
  if (record->error)
    snprintf(ret_text, bytes, "could not be started: %s", strerror(record->error));
  else if (WIFSIGNALED(record->status))
    snprintf(ret_text, bytes, "signal %d (%s)", WTERMSIG(record->status), strsignal(WTERMSIG(record->status)));
  else
    snprintf(ret_text, bytes, "exit status %d", WEXITSTATUS(record->status));
}
