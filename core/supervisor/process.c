/* SPDX-License-Identifier: MIT
 * Owns the life of a cell's process. One thread, one ppoll loop over: its events, its end (a pidfd), the user's
 * signals, and a timer for deadline and memory. */
#include "supervisor/process.h"

#include "base/clock.h"
#include "machine/cgroup.h"
#include "supervisor/events.h"
#include "supervisor/journal.h"
#include "supervisor/tree.h"
#include "worker/request.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define MS_NS INT64_C(1000000)
#define GRACE_NS (3000 * MS_NS)   /* for an interrupted cell to send what it has */
#define LINGER_NS (5000 * MS_NS)  /* for a process to end after its result */
#define MOST_LOG_BYTES (16 << 20) /* then the log file starts again: a chatty plugin must not fill the disk */
#define TAIL_BYTES 4096
#define NEVER G_MAXINT64

typedef struct {
  const BhProcessTask *task;
  BhOutcome *out;
  BhEvents events;
  pid_t pid;
  int pidfd, event_fd, exec_fd, log_fd;
  gint64 start_ns;
  gint64 deadline_ns, grace_ns, linger_ns, watch_ns; /* points in time; NEVER: not set */
  guint64 exact_at_bytes;                            /* the estimate at the last exact look at memory */
  gboolean saw_peak; /* the kernel's own figure, once the process had said that all is done */
  gboolean ended;
} Cell;

static gint64 now_ns(void) {
  return (gint64)bh_clock_now_ns();
}

/* ---- Spawning ---- */

/* In the child, between fork and exec: async-signal-safe calls only. */
static void become_worker(const BhProcessTask *task, int request_fd, int event_fd, int exec_fd, int log_fd,
                          pid_t parent) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent)
    _exit(0); /* it died before the line above */
  setsid();
  struct sigaction plain = {.sa_handler = SIG_DFL};
  for (int sig = 1; sig < NSIG; sig++)
    sigaction(sig, &plain, NULL);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, NULL);
  const int oom = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
  if (oom >= 0) {
    (void)!write(oom, "800", 3); /* when memory runs out, rather the cell than its supervisor */
    close(oom);
  }
  const int request = fcntl(request_fd, F_DUPFD_CLOEXEC, 16), event = fcntl(event_fd, F_DUPFD_CLOEXEC, 16);
  const int tell = fcntl(exec_fd, F_DUPFD_CLOEXEC, 16), log = fcntl(log_fd, F_DUPFD_CLOEXEC, 16);
  const int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
  int ok = null >= 0 && dup2(null, 0) >= 0 && dup2(log, 1) >= 0 && dup2(log, 2) >= 0;
  ok = ok && dup2(request, BH_WORKER_REQUEST_FD) >= 0 && dup2(event, BH_WORKER_EVENT_FD) >= 0;
  if (null == 0)
    fcntl(0, F_SETFD, 0); /* dup2 onto itself keeps close-on-exec */
  if (syscall(SYS_close_range, BH_WORKER_EVENT_FD + 1, ~0u, 1u << 2 /* CLOSE_RANGE_CLOEXEC */) != 0)
    for (int fd = BH_WORKER_EVENT_FD + 1; fd < 4096; fd++)
      fcntl(fd, F_SETFD, FD_CLOEXEC);
  char *const argv[] = {(char *)"benchhost", (char *)"internal-worker", NULL};
  if (ok)
    execve(task->program ? task->program : "/proc/self/exe", argv, task->envp);
  const int code = errno;
  (void)!write(tell, &code, sizeof code);
  _exit(127);
}

static int request_file(const char *text) {
  const int fd = memfd_create("benchhost-request", MFD_CLOEXEC);
  const size_t length = strlen(text);
  if (fd >= 0 && (write(fd, text, length) != (ssize_t)length || lseek(fd, 0, SEEK_SET) != 0)) {
    close(fd);
    return -1;
  }
  return fd;
}

static gboolean spawn(Cell *cell, GError **error) {
  const BhProcessTask *task = cell->task;
  int event[2] = {-1, -1}, tell[2] = {-1, -1};
  const pid_t parent = getpid();
  const int request = request_file(task->request_text);
  cell->log_fd = open(task->log_path, O_RDWR | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
  pid_t pid = -1;
  if (request >= 0 && cell->log_fd >= 0 && pipe2(event, O_CLOEXEC) == 0 && pipe2(tell, O_CLOEXEC) == 0)
    pid = fork();
  if (pid == 0)
    become_worker(task, request, event[1], tell[1], cell->log_fd, parent);
  const int code = errno;
  cell->pid = pid;
  cell->event_fd = event[0];
  cell->exec_fd = tell[0];
  if (pid > 0) {
    cell->pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    fcntl(cell->event_fd, F_SETFL, O_NONBLOCK);
    fcntl(cell->exec_fd, F_SETFL, O_NONBLOCK);
  }
  const int ours[] = {request, event[1], tell[1]};
  for (guint i = 0; i < G_N_ELEMENTS(ours); i++)
    if (ours[i] >= 0)
      close(ours[i]);
  if (pid < 0)
    g_set_error(error, BH_ERROR, BH_ERROR_IO, "cannot start a cell's process: %s", g_strerror(code));
  return pid > 0;
}

/* ---- While it runs ---- */

static void end_it(Cell *cell, BhKilled why) {
  if (cell->out->killed)
    return;
  cell->out->killed = why;
  kill(-cell->pid, SIGKILL); /* its session's first group; the others follow when it is gone */
  kill(cell->pid, SIGKILL);
}

static void note_peak(BhOutcome *out, guint64 bytes) {
  out->peak_bytes = MAX(out->peak_bytes, bytes);
}

/* Pages that a forked process shares with its parent count twice in the cheap figure. So among several processes the
 * exact one is taken whenever the cheap one has grown by a tenth, or goes over the limit: seldom, since it costs the
 * measured processes a lock. */
static void watch_memory(Cell *cell) {
  guint n = 0;
  const guint64 limit = cell->task->limit_bytes;
  guint64 bytes = bh_tree_memory_bytes(cell->pid, &n);
  if (n > 1) {
    const gboolean grown = bytes > cell->exact_at_bytes + cell->exact_at_bytes / 10;
    if (!grown && !(limit && bytes > limit))
      return;
    cell->exact_at_bytes = MAX(bytes, cell->exact_at_bytes);
    const guint64 exact = bh_tree_memory_exact_bytes(cell->pid);
    bytes = exact ? exact : bytes;
  }
  note_peak(cell->out, bytes);
  if (limit && bytes > limit) {
    cell->out->seen_bytes = bytes;
    end_it(cell, BH_KILLED_MEMORY);
  }
}

static void bound_log(const Cell *cell) {
  struct stat st;
  if (fstat(cell->log_fd, &st) == 0 && st.st_size > MOST_LOG_BYTES)
    (void)!ftruncate(cell->log_fd, 0); /* it is written with O_APPEND: what follows starts at the new end */
}

static void take_events(Cell *cell) {
  const gboolean had = cell->out->result != NULL;
  if (!bh_events_read(&cell->events, cell->event_fd)) {
    close(cell->event_fd);
    cell->event_fd = -1;
  }
  if (cell->out->bad_event)
    end_it(cell, BH_KILLED_EVENTS);
  /* when all is measured, and again when all is said: most processes are too short-lived for the watch */
  if (cell->out->result || !g_strcmp0(cell->out->phase, "close")) {
    const guint64 peak = bh_tree_peak_bytes(cell->pid); /* 0: it is gone already */
    cell->saw_peak |= peak > 0;
    note_peak(cell->out, peak);
  }
  if (!had && cell->out->result) {
    cell->linger_ns = now_ns() + LINGER_NS;
  }
}

static void take_signal(Cell *cell) {
  struct signalfd_siginfo info;
  while (read(cell->task->signal_fd, &info, sizeof info) == sizeof info)
    cell->out->interrupts++;
  if (cell->out->interrupts == 1) {
    kill(cell->pid, SIGTERM);
    cell->grace_ns = now_ns() + GRACE_NS;
  } else if (cell->out->interrupts > 1) {
    end_it(cell, BH_KILLED_INTERRUPT);
  }
}

static void take_time(Cell *cell) {
  const gint64 now = now_ns();
  if (now >= cell->watch_ns) {
    watch_memory(cell);
    bound_log(cell);
    cell->watch_ns = now_ns() + BH_TREE_WATCH_MS * MS_NS;
  }
  if (now >= cell->linger_ns)
    end_it(cell, BH_KILLED_LINGERING);
  else if (now >= cell->deadline_ns && cell->linger_ns == NEVER)
    end_it(cell, BH_KILLED_DEADLINE);
  else if (now >= cell->grace_ns)
    end_it(cell, BH_KILLED_INTERRUPT);
}

static void wait_for_something(Cell *cell) {
  struct pollfd fds[] = {{.fd = cell->pidfd, .events = POLLIN},
                         {.fd = cell->event_fd, .events = POLLIN},
                         {.fd = cell->task->signal_fd, .events = POLLIN}};
  gint64 until = MIN(MIN(cell->watch_ns, cell->deadline_ns), MIN(cell->grace_ns, cell->linger_ns));
  if (cell->out->killed)
    until = cell->watch_ns;
  if (cell->pidfd < 0)
    until = MIN(until, now_ns() + MS_NS); /* a kernel without pidfd: look every ms */
  const gint64 left = MAX(until - now_ns(), 0);
  const struct timespec timeout = {left / (1000 * MS_NS), left % (1000 * MS_NS)};
  if (ppoll(fds, G_N_ELEMENTS(fds), &timeout, NULL) < 0)
    fds[0].revents = fds[1].revents = fds[2].revents = 0;
  if (cell->event_fd >= 0 && fds[1].revents)
    take_events(cell);
  if (fds[2].revents & POLLIN)
    take_signal(cell);
  siginfo_t info = {0};
  if ((cell->pidfd < 0 || fds[0].revents) && waitid(P_PID, (id_t)cell->pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
      info.si_pid == cell->pid)
    cell->ended = TRUE;
  if (!cell->ended)
    take_time(cell);
}

/* ---- Afterwards ---- */

static char *log_tail(int fd) {
  struct stat st;
  char buffer[TAIL_BYTES];
  if (fstat(fd, &st) != 0 || st.st_size == 0)
    return NULL;
  const off_t from = st.st_size > TAIL_BYTES ? st.st_size - TAIL_BYTES : 0;
  const ssize_t n = pread(fd, buffer, sizeof buffer, from);
  if (n <= 0)
    return NULL;
  const char *start = buffer;
  const char *line = from ? memchr(buffer, '\n', (size_t)n) : NULL;
  if (line && line + 1 < buffer + n)
    start = line + 1; /* whole lines, where there are some */
  return g_utf8_make_valid(start, buffer + n - start);
}

static void collect(Cell *cell) {
  BhOutcome *out = cell->out;
  out->wall_ns = now_ns() - cell->start_ns;
  out->strays = bh_tree_end_all(cell->task->spare, cell->pid);
  if (cell->event_fd >= 0)
    bh_events_read(&cell->events, cell->event_fd);
  bh_events_finish(&cell->events);
  while (wait4(cell->pid, &out->status, 0, &out->usage) < 0 && errno == EINTR)
    ;
  int code = 0;
  if (read(cell->exec_fd, &code, sizeof code) == sizeof code)
    out->exec_errno = code;
  /* The largest process, where it was too short-lived to be looked at, or ended before the last look: what the watch
   * saw on the way up is no peak. It counts pages of files too, so it comes second. */
  if (!out->peak_bytes || (out->result && !cell->saw_peak))
    note_peak(out, (guint64)out->usage.ru_maxrss * 1024);
  out->stderr_tail = log_tail(cell->log_fd);
}

static void close_fds(const Cell *cell) {
  const int fds[] = {cell->pidfd, cell->event_fd, cell->exec_fd, cell->log_fd};
  for (guint i = 0; i < G_N_ELEMENTS(fds); i++)
    if (fds[i] >= 0)
      close(fds[i]);
}

gboolean bh_process_run(const BhProcessTask *task, BhOutcome *ret, GError **error) {
  *ret = (BhOutcome){.log = g_ptr_array_new_with_free_func(g_free), .limit_bytes = task->limit_bytes};
  Cell cell = {.task = task, .out = ret, .pid = -1, .pidfd = -1, .event_fd = -1, .exec_fd = -1, .log_fd = -1};
  cell.deadline_ns = cell.grace_ns = cell.linger_ns = NEVER;
  bh_events_init(&cell.events, task, ret);
  const guint64 kills = bh_cgroup_oom_kills("");
  ret->started = bh_journal_now_text();
  cell.start_ns = now_ns();
  const gboolean spawned = spawn(&cell, error);
  if (spawned) {
    if (task->guardian)
      bh_guardian_watch(task->guardian, cell.pid);
    if (task->deadline_ns > 0)
      cell.deadline_ns = cell.start_ns + task->deadline_ns;
    cell.watch_ns = cell.start_ns + BH_TREE_WATCH_MS * MS_NS;
    while (!cell.ended)
      wait_for_something(&cell);
    collect(&cell);
    if (task->guardian)
      bh_guardian_watch(task->guardian, 0);
    ret->oom_killer = bh_cgroup_oom_kills("") > kills;
  }
  close_fds(&cell);
  bh_events_clear(&cell.events);
  return spawned;
}

void bh_outcome_clear(BhOutcome *outcome) {
  g_clear_pointer(&outcome->result, json_object_unref);
  g_clear_pointer(&outcome->log, g_ptr_array_unref);
  g_clear_pointer(&outcome->bad_event, g_free);
  g_clear_pointer(&outcome->phase, g_free);
  g_clear_pointer(&outcome->stderr_tail, g_free);
  g_clear_pointer(&outcome->started, g_free);
}
