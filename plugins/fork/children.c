/* SPDX-License-Identifier: MIT
 *
 * Worker processes: started so that they die with their parent, watched without waiting, reported by their signal's
 * name, and always reaped.
 */
#include "fork.h"
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

pid_t bh_child_start(bh_child *child) {
  pid_t parent = getpid();
  pid_t pid = fork();
  if (pid > 0)
    *child = (bh_child){.pid = pid};
  if (pid != 0)
    return pid;
  /* The parent may have died between fork and prctl: then the signal would never come. */
  if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != parent)
    _exit(1);
  return 0;
}

int bh_child_gone(bh_child *child) {
  if (child->pid == 0 || child->gone)
    return child->gone;
  pid_t pid;
  while ((pid = waitpid(child->pid, &child->wait_status, WNOHANG)) == -1 && errno == EINTR)
    continue;
  if (pid == 0)
    return 0;
  if (pid == -1)
    child->wait_status = -1;
  return child->gone = 1;
}

bh_status bh_child_report(const bh_host *h, const bh_child *child, uint32_t worker) {
  int status = child->wait_status, pid = (int)child->pid;
  if (status == -1)
    return h->stop(h, BH_FAIL, "worker %" PRIu32 " (pid %d) ended; something else reaped it", worker, pid);
  if (WIFSIGNALED(status)) {
    const char *name = sigabbrev_np(WTERMSIG(status));
    if (name)
      return h->stop(h, BH_FAIL, "worker %" PRIu32 " (pid %d) died: SIG%s", worker, pid, name);
    return h->stop(h, BH_FAIL, "worker %" PRIu32 " (pid %d) died: signal %d", worker, pid, WTERMSIG(status));
  }
  return h->stop(h, BH_FAIL, "worker %" PRIu32 " (pid %d) exited with status %d", worker, pid, WEXITSTATUS(status));
}

void bh_child_end(bh_child *child) {
  struct timespec moment = {0, 1000000};
  /* Sanitizers and slow machines: half a second to leave by itself. */
  for (int tries = 0; child->pid && !bh_child_gone(child); tries++) {
    if (tries == 500)
      kill(child->pid, SIGKILL);
    if (tries < 20)
      sched_yield();
    else
      nanosleep(&moment, NULL);
  }
}
