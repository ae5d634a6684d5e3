/* SPDX-License-Identifier: MIT
 * Owns the reading of a shared object's identity. Bounds are checked throughout: the file may be anything. */
#include "plugin/build-id.h"

#include <elf.h>
#include <link.h>
#include <string.h>

/* The descriptor of the note NT_GNU_BUILD_ID in `notes`, or NULL. Note fields are 4-byte aligned. */
static const guchar *find_note(const guchar *notes, gsize length, gsize *ret_length) {
  gsize at = 0;
  while (length - at >= sizeof(ElfW(Nhdr))) {
    ElfW(Nhdr) head;
    memcpy(&head, notes + at, sizeof head);
    at += sizeof head;
    const gsize name_bytes = ((gsize)head.n_namesz + 3) & ~(gsize)3,
                desc_bytes = ((gsize)head.n_descsz + 3) & ~(gsize)3;
    if (name_bytes > length - at || desc_bytes > length - at - name_bytes)
      return NULL;
    if (head.n_type == NT_GNU_BUILD_ID && head.n_namesz == 4 && !memcmp(notes + at, "GNU", 4) && head.n_descsz) {
      *ret_length = head.n_descsz;
      return notes + at + name_bytes;
    }
    at += name_bytes + desc_bytes;
  }
  return NULL;
}

static char *to_hex(const guchar *bytes, gsize length) {
  GString *text = g_string_sized_new(length * 2);
  for (gsize i = 0; i < length; i++)
    g_string_append_printf(text, "%02x", bytes[i]);
  return g_string_free(text, FALSE);
}

static char *from_elf(const guchar *file, gsize length) {
  ElfW(Ehdr) head;
  if (length < sizeof head)
    return NULL;
  memcpy(&head, file, sizeof head);
  if (memcmp(head.e_ident, ELFMAG, SELFMAG) != 0 || head.e_phentsize != sizeof(ElfW(Phdr)))
    return NULL;
  for (guint i = 0; i < head.e_phnum; i++) {
    ElfW(Phdr) segment;
    const guint64 at = (guint64)i * sizeof segment;
    if (head.e_phoff > length || at + sizeof segment > length - head.e_phoff)
      return NULL;
    memcpy(&segment, file + head.e_phoff + at, sizeof segment);
    if (segment.p_type != PT_NOTE || segment.p_offset > length || segment.p_filesz > length - segment.p_offset)
      continue;
    gsize id_bytes = 0;
    const guchar *id = find_note(file + segment.p_offset, segment.p_filesz, &id_bytes);
    if (id)
      return to_hex(id, id_bytes);
  }
  return NULL;
}

char *bh_build_id_read(const char *path, GError **error) {
  g_autoptr(GMappedFile) file = g_mapped_file_new(path, FALSE, error);
  if (!file)
    return NULL;
  const guchar *bytes = (const guchar *)g_mapped_file_get_contents(file);
  const gsize length = g_mapped_file_get_length(file);
  char *id = bytes ? from_elf(bytes, length) : NULL;
  if (id)
    return id;
  g_autofree char *sum = g_compute_checksum_for_data(G_CHECKSUM_SHA256, bytes, length);
  return g_strconcat("sha256:", sum, NULL);
}
