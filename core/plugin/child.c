/* SPDX-License-Identifier: MIT
 * Owns child processes that load plugins: start, watch, kill, reap. One thread, one poll loop. */
#include "plugin/child.h"
#include "base/clock.h"
#include "plugin/search.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

typedef struct {
  BhChild *child;
  pid_t pid;
  int out_fd, err_fd, pid_fd;
  guint64 ends_ns; /* clock at its deadline; 0: none */
} Running;

BhChild *bh_child_new(char **argv, gint64 deadline_ns) {
  BhChild *child = g_new0(BhChild, 1);
  child->argv = argv;
  child->deadline_ns = deadline_ns;
  child->out = g_string_new(NULL);
  child->err = g_string_new(NULL);
  return child;
}

void bh_child_free(BhChild *child) {
  if (!child)
    return;
  g_string_free(child->out, TRUE);
  g_string_free(child->err, TRUE);
  g_free(child->spawn_error);
  g_free(child);
}

/* After fork, before exec: async-signal-safe calls only. */
static void become(char *const *argv, const char *program, int null_fd, int out_fd, int err_fd, pid_t parent) {
  setpgid(0, 0);
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) /* it died before prctl */
    _exit(127);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, NULL);
  for (int number = 1; number < NSIG; number++)
    signal(number, SIG_DFL);
  if (dup2(null_fd, 0) < 0 || dup2(out_fd, 1) < 0 || dup2(err_fd, 2) < 0)
    _exit(127);
  close_range(3, ~0u, CLOSE_RANGE_CLOEXEC);
  execv(program, argv);
  static const char text[] = "cannot execute the benchhost program for a child process\n";
  if (write(2, text, sizeof text - 1) < 0)
    _exit(126);
  _exit(127);
}

static void close_fd(int *fd) {
  if (*fd >= 0)
    close(*fd);
  *fd = -1;
}

static gboolean start(Running *running, BhChild *child) {
  g_autofree char *program = bh_search_self();
  g_autoptr(GPtrArray) argv = g_ptr_array_new();
  g_ptr_array_add(argv, program);
  for (char **argument = child->argv; *argument; argument++)
    g_ptr_array_add(argv, *argument);
  g_ptr_array_add(argv, NULL);
  int out[2] = {-1, -1}, err[2] = {-1, -1}, null_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
  const pid_t parent = getpid();
  pid_t pid = -1;
  if (null_fd >= 0 && pipe2(out, O_CLOEXEC) == 0 && pipe2(err, O_CLOEXEC) == 0)
    pid = fork();
  if (pid == 0)
    become((char *const *)argv->pdata, program, null_fd, out[1], err[1], parent);
  if (pid < 0)
    child->spawn_error = g_strdup(g_strerror(errno));
  close_fd(&null_fd);
  close_fd(&out[1]);
  close_fd(&err[1]);
  if (pid < 0) {
    close_fd(&out[0]);
    close_fd(&err[0]);
    return FALSE;
  }
  setpgid(pid, pid); /* both sides do it: whoever comes first */
  fcntl(out[0], F_SETFL, O_NONBLOCK);
  fcntl(err[0], F_SETFL, O_NONBLOCK);
  const guint64 ends_ns = child->deadline_ns ? bh_clock_now_ns() + (guint64)child->deadline_ns : 0;
  *running = (Running){child, pid, out[0], err[0], pidfd_open(pid, 0), ends_ns};
  return TRUE;
}

/* Reads what is there. Keeps the first bytes of stdout and the last of stderr. FALSE at end of file. */
static gboolean drain(int fd, GString *into, gsize limit, gboolean keep_tail, gboolean *ret_full) {
  char buffer[16384];
  for (;;) {
    const ssize_t got = read(fd, buffer, sizeof buffer);
    if (got < 0)
      return errno == EAGAIN || errno == EINTR;
    if (got == 0)
      return FALSE;
    g_string_append_len(into, buffer, got);
    if (into->len <= limit)
      continue;
    if (keep_tail) {
      g_string_erase(into, 0, (gssize)(into->len - limit));
      return TRUE; /* somebody who writes without end must not keep us here */
    }
    *ret_full = TRUE;
    g_string_truncate(into, limit);
    return TRUE;
  }
}

static void read_both(Running *running) {
  BhChild *child = running->child;
  if (running->out_fd >= 0 && !drain(running->out_fd, child->out, BH_CHILD_MAX_OUT, FALSE, &child->flooded))
    close_fd(&running->out_fd);
  gboolean ignored;
  if (running->err_fd >= 0 && !drain(running->err_fd, child->err, BH_CHILD_MAX_ERR, TRUE, &ignored))
    close_fd(&running->err_fd);
}

/* Its whole group dies: the leader is not reaped yet, so that the number cannot belong to anybody else. */
static void finish(Running *running) {
  read_both(running);
  kill(-running->pid, SIGKILL);
  while (waitpid(running->pid, &running->child->status, 0) < 0 && errno == EINTR)
    ;
  running->child->ran = TRUE;
  close_fd(&running->out_fd);
  close_fd(&running->err_fd);
  close_fd(&running->pid_fd);
}

static gboolean has_exited(const Running *running) {
  siginfo_t info = {0};
  return waitid(P_PID, (id_t)running->pid, &info, WEXITED | WNOHANG | WNOWAIT) != 0 || info.si_pid != 0;
}

/* Milliseconds until the next deadline. Without pidfd the loop looks every 10 ms. */
static int poll_timeout(const GArray *all) {
  gint64 least = 60000;
  const guint64 now = bh_clock_now_ns();
  for (guint i = 0; i < all->len; i++) {
    const Running *running = &g_array_index(all, Running, i);
    if (running->pid_fd < 0)
      least = MIN(least, 10);
    if (running->ends_ns)
      least = MIN(least, running->ends_ns > now ? (gint64)((running->ends_ns - now) / 1000000) + 1 : 0);
  }
  return (int)least;
}

static void wait_for_any(const GArray *all) {
  g_autofree struct pollfd *fds = g_new(struct pollfd, all->len * 3);
  for (guint i = 0; i < all->len; i++) {
    const Running *running = &g_array_index(all, Running, i);
    fds[i * 3] = (struct pollfd){running->out_fd, POLLIN, 0};
    fds[i * 3 + 1] = (struct pollfd){running->err_fd, POLLIN, 0};
    fds[i * 3 + 2] = (struct pollfd){running->pid_fd, POLLIN, 0};
  }
  poll(fds, all->len * 3, poll_timeout(all));
}

void bh_child_run_all(BhChild *const *children, guint n, guint parallel) {
  g_autoptr(GArray) all = g_array_new(FALSE, FALSE, sizeof(Running));
  guint next = 0;
  while (next < n || all->len) {
    while (next < n && all->len < MAX(parallel, 1)) {
      Running running;
      if (start(&running, children[next++]))
        g_array_append_val(all, running);
    }
    if (!all->len)
      continue;
    wait_for_any(all);
    for (guint i = all->len; i-- > 0;) {
      Running *running = &g_array_index(all, Running, i);
      read_both(running);
      const gboolean late = running->ends_ns && bh_clock_now_ns() >= running->ends_ns;
      const gboolean exited = has_exited(running);
      if (!exited && !late && !running->child->flooded)
        continue;
      running->child->timed_out = late && !exited;
      finish(running);
      g_array_remove_index_fast(all, i);
    }
  }
}

static void append_stderr(GString *text, const BhChild *child) {
  g_autofree char *valid = g_utf8_make_valid(child->err->str, (gssize)child->err->len);
  g_strchomp(valid);
  /* The last lines say most. */
  const char *from = valid;
  guint lines = 0;
  for (const char *c = valid + strlen(valid); c > valid && lines < 6; c--)
    if (c[-1] == '\n' && ++lines == 6)
      from = c;
  if (*from)
    g_string_append_printf(text, "; its last words on stderr:\n%s", from);
}

char *bh_child_fate(const BhChild *child) {
  GString *text = g_string_new(NULL);
  if (child->spawn_error)
    g_string_append_printf(text, "could not be started: %s", child->spawn_error);
  else if (child->timed_out)
    g_string_append_printf(text, "did not answer within %g s and was killed", (double)child->deadline_ns / 1e9);
  else if (child->flooded)
    g_string_append_printf(text, "wrote more than %d bytes to stdout and was killed", BH_CHILD_MAX_OUT);
  else if (WIFSIGNALED(child->status))
    g_string_append_printf(text, "crashed with SIG%s (%s)", sigabbrev_np(WTERMSIG(child->status)),
                           sigdescr_np(WTERMSIG(child->status)));
  else if (WEXITSTATUS(child->status) != 0)
    g_string_append_printf(text, "exited with status %d", WEXITSTATUS(child->status));
  else
    return g_string_free(text, TRUE), NULL;
  if (!child->spawn_error)
    append_stderr(text, child);
  return g_string_free(text, FALSE);
}
