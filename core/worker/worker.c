/* SPDX-License-Identifier: MIT
 * Owns the main function of a cell's process: reads its request, runs the session, answers with one result. It creates
 * no thread before the backend has opened (a backend may fork there) and none after. */
#include "worker/record.h"

#include "base/json.h"
#include "worker/probe.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#define MAX_REQUEST_BYTES (16u << 20)

static BhArena *signalled; /* of this process's one cell: for the handler */

static void on_terminate(int signal_number) {
  (void)signal_number;
  if (signalled)
    bh_arena_cancel(signalled);
}

/* One line, one write: a forked worker's copy of this process never has half of one buffered. */
static void send_event(JsonObject *event) {
  g_autoptr(JsonNode) node = json_node_new(JSON_NODE_OBJECT);
  json_node_set_object(node, event);
  g_autofree char *text = bh_json_text(node, FALSE);
  g_autofree char *line = g_strconcat(text, "\n", NULL);
  const char *p = line;
  for (gsize left = strlen(line); left;) {
    const ssize_t n = write(BH_WORKER_EVENT_FD, p, left);
    if (n < 0 && errno == EINTR)
      continue;
    if (n <= 0)
      return; /* the supervisor is gone, and so are we soon */
    p += n;
    left -= (gsize)n;
  }
}

static void on_phase(BhPhase phase) {
  g_autoptr(JsonObject) event = json_object_new();
  json_object_set_string_member(event, "event", "phase");
  json_object_set_string_member(event, "name", bh_phase_name(phase));
  send_event(event);
}

static char *read_request(GError **error) {
  g_autoptr(GString) text = g_string_new(NULL);
  char buffer[65536];
  for (;;) {
    const ssize_t n = read(BH_WORKER_REQUEST_FD, buffer, sizeof buffer);
    if (n < 0 && errno == EINTR)
      continue;
    if (n < 0) {
      g_set_error(error, BH_ERROR, BH_ERROR_IO, "no request on fd %d: %s (this command is for the host's own use)",
                  BH_WORKER_REQUEST_FD, g_strerror(errno));
      return NULL;
    }
    if (n == 0)
      break;
    g_string_append_len(text, buffer, n);
    if (text->len > MAX_REQUEST_BYTES) {
      g_set_error(error, BH_ERROR, BH_ERROR_INTERNAL, "the request is larger than %u bytes", MAX_REQUEST_BYTES);
      return NULL;
    }
  }
  close(BH_WORKER_REQUEST_FD);
  return g_string_free(g_steal_pointer(&text), FALSE);
}

static bh_status run_session(BhSession *session, BhSampling *ret_sampling) {
  bh_status status = bh_session_load(session);
  if (status == BH_OK)
    status = bh_session_open(session);
  if (status == BH_OK) {
    bh_probe_find_workers(session->probe, session);
    status = bh_session_fill(session);
  }
  if (status == BH_OK)
    status = bh_sampler_run(session, ret_sampling);
  return status;
}

static void answer(BhSession *session, bh_status status, const BhSampling *sampling) {
  const gboolean measured = status == BH_OK && sampling->samples_ns && sampling->samples_ns->len;
  if (status == BH_OK && !measured)
    return; /* interrupted with too little in hand: no result, and the supervisor knows why */
  g_autoptr(JsonObject) record = bh_record_new(session, status, measured ? sampling : NULL);
  bh_session_close(session);
  bh_record_add_phases(record, session);
  json_object_set_string_member(record, "event", "result");
  send_event(record);
}

static BhArena *new_arena(const BhWorkerRequest *request, GError **error) {
  const BhArenaOptions options = {
      .seed = request->seed,
      .data_dir = request->data_dir,
      .scratch_dir = request->scratch_dir,
      .cores = request->cores,
      .cpus_compact = (const int *)(void *)request->cpus_compact->data,
      .n_compact = request->cpus_compact->len,
      .cpus_spread = (const int *)(void *)request->cpus_spread->data,
      .n_spread = request->cpus_spread->len,
  };
  return bh_arena_new(&options, error);
}

int bh_worker_main(void) {
  g_autoptr(GError) error = NULL;
  g_autofree char *text = read_request(&error);
  g_autoptr(BhWorkerRequest) request = text ? bh_worker_request_parse(text, &error) : NULL;
  g_autoptr(BhArena) arena = request ? new_arena(request, &error) : NULL;
  if (!arena) {
    fprintf(stderr, "benchhost: internal-worker: %s\n", error->message);
    return BH_EXIT_USAGE;
  }
  fcntl(BH_WORKER_EVENT_FD, F_SETFD, FD_CLOEXEC);
  signal(SIGPIPE, SIG_IGN);
  signalled = arena;
  struct sigaction action = {.sa_handler = on_terminate};
  sigaction(SIGTERM, &action, NULL);
  BhSession *session = bh_session_new(request, arena);
  session->on_phase = on_phase;
  g_autoptr(BhProbe) probe = bh_probe_new(request->measure.counters);
  session->probe = probe;
  g_auto(BhSampling) sampling = {0};
  const bh_status status = run_session(session, &sampling);
  answer(session, status, &sampling);
  bh_session_free(session);
  signalled = NULL;
  return BH_EXIT_OK;
}
