/* SPDX-License-Identifier: MIT
 *
 * benchhost/team-messages.h - the part of team.h that sends and receives: one byte ring per ordered pair of members, a
 * message being a header and its data. Included by team.h, which says what is promised; not for use alone.
 */
#ifndef BENCHHOST_TEAM_MESSAGES_H
#define BENCHHOST_TEAM_MESSAGES_H
#ifndef BENCHHOST_TEAM_H
#error "include <benchhost/team.h>"
#endif

/* Copies between a ring and flat memory from the free-running position `at`. */
static inline void bh_team_ring_copy(unsigned char *ring, uint64_t ring_bytes, uint64_t at, unsigned char *flat,
                                     uint64_t bytes, int into_ring) {
  uint64_t offset = at % ring_bytes, first = ring_bytes - offset < bytes ? ring_bytes - offset : bytes;
  if (bytes == 0)
    return;
  if (into_ring) {
    memcpy(ring + offset, flat, first);
    memcpy(ring, flat + first, bytes - first);
  } else {
    memcpy(flat, ring + offset, first);
    memcpy(flat + first, ring, bytes - first);
  }
}

/* A transfer under way: first the header, then the data. */
typedef struct {
  uint32_t peer, tag;
  int finished, in_data;
  unsigned char *data;
  uint64_t bytes, done; /* of the part under way */
  bh_team_header header;
  bh_team_note *note; /* receiving: the message belongs to another tag and goes here */
} bh_team_transfer;

/* Moves what fits now; returns the bytes moved. */
static inline uint64_t bh_team_move(bh_team_member *m, bh_team_transfer *t, int sending) {
  uint32_t from = sending ? m->team.rank : t->peer, to = sending ? t->peer : m->team.rank;
  bh_team_ring *ring = bh_team_ring_of(m->area, from, to);
  uint64_t head = atomic_load_explicit(&ring->head, memory_order_acquire);
  uint64_t tail = atomic_load_explicit(&ring->tail, memory_order_acquire);
  uint64_t room = sending ? m->area->ring_bytes - (head - tail) : head - tail;
  unsigned char *part = t->in_data ? t->data : (unsigned char *)&t->header;
  uint64_t left = (t->in_data ? t->bytes : sizeof t->header) - t->done, n = left < room ? left : room;
  if (n == 0)
    return 0;
  bh_team_ring_copy(bh_team_ring_data(m->area, from, to), m->area->ring_bytes, sending ? head : tail, part + t->done, n,
                    sending);
  if (sending)
    atomic_store_explicit(&ring->head, head + n, memory_order_release);
  else
    atomic_store_explicit(&ring->tail, tail + n, memory_order_release);
  t->done += n;
  bh_gate_add(&m->area->seats[t->peer].bell, 1, &m->waiter);
  return n;
}

static inline uint64_t bh_team_push(bh_team_member *m, bh_team_transfer *t) {
  uint64_t moved = bh_team_move(m, t, 1);
  if (!t->in_data && t->done == sizeof t->header)
    t->in_data = 1, t->done = 0, moved += bh_team_move(m, t, 1);
  t->finished = t->in_data && t->done == t->bytes;
  return moved;
}

static inline void bh_team_keep(bh_team_member *m, bh_team_note *note) {
  bh_team_note **end = &m->notes;
  while (*end)
    end = &(*end)->next;
  *end = note;
}

static inline bh_team_note *bh_team_note_new(uint32_t from, uint32_t tag, uint64_t bytes) {
  bh_team_note *note = calloc(1, sizeof *note + bytes);
  if (note)
    note->from = from, note->tag = tag, note->bytes = bytes;
  return note;
}

static inline bh_status bh_team_length(bh_team_member *m, const bh_team_transfer *t, uint64_t wanted, uint64_t got) {
  bh_team_area_fail(m->area);
  return m->team.host->stop(m->team.host, BH_FAIL,
                            "team: member %" PRIu32 " expects %" PRIu64 " bytes with tag %" PRIu32
                            " from member %" PRIu32 ", but the message has %" PRIu64,
                            m->team.rank, wanted, t->tag, t->peer, got);
}

/* The header is here: is it the message that was asked for? */
static inline bh_status bh_team_begin_data(bh_team_member *m, bh_team_transfer *t, void *wanted,
                                           uint64_t wanted_bytes) {
  t->in_data = 1;
  t->done = 0;
  t->bytes = t->header.bytes;
  t->data = wanted;
  if (t->header.tag == t->tag)
    return t->bytes == wanted_bytes ? BH_OK : bh_team_length(m, t, wanted_bytes, t->bytes);
  if ((t->note = bh_team_note_new(t->peer, t->header.tag, t->bytes)) == NULL) {
    bh_team_area_fail(m->area);
    return m->team.host->stop(m->team.host, BH_OUT_OF_MEMORY,
                              "team: no memory to keep a message of %" PRIu64 " bytes aside", t->bytes);
  }
  t->data = t->note->data;
  return BH_OK;
}

static inline bh_status bh_team_pull(bh_team_member *m, bh_team_transfer *t, void *wanted, uint64_t wanted_bytes,
                                     uint64_t *moved) {
  *moved += bh_team_move(m, t, 0);
  if (!t->in_data && t->done == sizeof t->header) {
    bh_status status = bh_team_begin_data(m, t, wanted, wanted_bytes);
    if (status != BH_OK)
      return status;
    *moved += bh_team_move(m, t, 0);
  }
  if (!t->in_data || t->done < t->bytes)
    return BH_OK;
  t->finished = t->note == NULL;
  if (t->note)
    bh_team_keep(m, t->note);
  t->note = NULL;
  t->in_data = 0;
  t->done = 0;
  return BH_OK;
}

/* Takes the oldest kept message of this tag: 1 if there was one. */
static inline int bh_team_take(bh_team_member *m, bh_team_transfer *t, void *wanted, uint64_t bytes, bh_status *ret) {
  bh_team_note **at = &m->notes;
  while (*at && ((*at)->from != t->peer || (*at)->tag != t->tag))
    at = &(*at)->next;
  if (!*at)
    return 0;
  bh_team_note *note = *at;
  *ret = note->bytes == bytes ? BH_OK : bh_team_length(m, t, bytes, note->bytes);
  if (*ret == BH_OK)
    bh_team_copy(wanted, note->data, bytes);
  *at = note->next;
  free(note);
  return 1;
}

/* Drives one send, one receive or both (NULL: not this one) to their end. */
static inline bh_status bh_team_transact(bh_team_member *m, bh_team_transfer *out, bh_team_transfer *in, void *wanted,
                                         uint64_t wanted_bytes, const char *what) {
  bh_gate *bell = &m->area->seats[m->team.rank].bell;
  bh_status status = BH_OK;
  int given_up = 0;
  for (;;) {
    uint32_t seen = atomic_load_explicit(&bell->word, memory_order_acquire);
    uint64_t moved = 0;
    if (out && !out->finished)
      moved += bh_team_push(m, out);
    if (in && !in->finished)
      status = bh_team_pull(m, in, wanted, wanted_bytes, &moved);
    if (status != BH_OK || ((!out || out->finished) && (!in || in->finished)))
      break;
    if (moved)
      continue;
    if (given_up)
      return bh_team_lost(m, what);
    m->needs[0] = out && !out->finished ? out->peer : m->team.rank;
    m->needs[1] = in && !in->finished ? in->peer : m->team.rank;
    given_up = bh_gate_wait_change(bell, seen, &m->waiter);
  }
  if (in && in->note)
    free(in->note);
  return status;
}

static inline bh_status bh_team_post(bh_team_member *m, const void *data, uint64_t bytes, uint32_t to, uint32_t tag,
                                     bh_team_transfer *ret) {
  if (to >= m->team.size)
    return bh_team_bad_root(m, "send", to);
  *ret = (bh_team_transfer){.peer = to, .tag = tag, .bytes = bytes, .data = (unsigned char *)(uintptr_t)data};
  ret->header = (bh_team_header){.bytes = bytes, .tag = tag};
  if (to != m->team.rank) {
    if (!atomic_load_explicit(&m->area->messages, memory_order_relaxed))
      atomic_store(&m->area->messages, 1);
    return BH_OK;
  }
  bh_team_note *note = bh_team_note_new(to, tag, bytes);
  if (!note)
    return m->team.host->stop(m->team.host, BH_OUT_OF_MEMORY,
                              "team: no memory to keep a message of %" PRIu64 " bytes aside", bytes);
  bh_team_copy(note->data, data, bytes);
  bh_team_keep(m, note);
  ret->finished = 1;
  return BH_OK;
}

static inline bh_status bh_team_expect(bh_team_member *m, void *wanted, uint64_t bytes, uint32_t from, uint32_t tag,
                                       bh_team_transfer *ret) {
  bh_status status = BH_OK;
  if (from >= m->team.size)
    return bh_team_bad_root(m, "receive", from);
  *ret = (bh_team_transfer){.peer = from, .tag = tag};
  if (bh_team_take(m, ret, wanted, bytes, &status))
    ret->finished = 1;
  else if (from == m->team.rank) {
    bh_team_area_fail(m->area);
    status = m->team.host->stop(
        m->team.host, BH_FAIL,
        "team: member %" PRIu32 " waits for a message with tag %" PRIu32 " from itself that it never sent", from, tag);
  }
  return status;
}

static inline bh_status bh_team_send(bh_team *team, const void *data, uint64_t bytes, uint32_t to, uint32_t tag) {
  bh_team_member *m = team->member;
  bh_team_transfer out;
  bh_status status = bh_team_post(m, data, bytes, to, tag, &out);
  if (status != BH_OK || out.finished)
    return status;
  return bh_team_transact(m, &out, NULL, NULL, 0, "send");
}

static inline bh_status bh_team_receive(bh_team *team, void *data, uint64_t bytes, uint32_t from, uint32_t tag) {
  bh_team_member *m = team->member;
  bh_team_transfer in;
  bh_status status = bh_team_expect(m, data, bytes, from, tag, &in);
  if (status != BH_OK || in.finished)
    return status;
  return bh_team_transact(m, NULL, &in, data, bytes, "receive");
}

static inline bh_status bh_team_exchange(bh_team *team, const void *out_data, uint64_t out_bytes, uint32_t to,
                                         void *in_data, uint64_t in_bytes, uint32_t from, uint32_t tag) {
  bh_team_member *m = team->member;
  bh_team_transfer out, in;
  bh_status status = bh_team_post(m, out_data, out_bytes, to, tag, &out);
  if (status == BH_OK)
    status = bh_team_expect(m, in_data, in_bytes, from, tag, &in);
  if (status != BH_OK)
    return status;
  return bh_team_transact(m, &out, &in, in_data, in_bytes, "exchange");
}
#endif
