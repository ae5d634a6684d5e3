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

/* ---- The compiler ---- */

#define MOST_COMPILER_BYTES 2000 /* hundreds of objects, each with its flags: the head says enough */

/* A section by its name: its place in the file, within bounds; FALSE: it has none. */
static gboolean find_section(const guchar *file, gsize length, const char *name, gsize *ret_at, gsize *ret_length) {
  ElfW(Ehdr) head;
  ElfW(Shdr) names, section;
  if (length < sizeof head)
    return FALSE;
  memcpy(&head, file, sizeof head);
  if (memcmp(head.e_ident, ELFMAG, SELFMAG) != 0 || head.e_shentsize != sizeof section || head.e_shoff > length ||
      (guint64)head.e_shnum * sizeof section > length - head.e_shoff || head.e_shstrndx >= head.e_shnum)
    return FALSE;
  const guchar *table = file + head.e_shoff;
  memcpy(&names, table + head.e_shstrndx * sizeof names, sizeof names);
  if (names.sh_type == SHT_NOBITS || names.sh_offset > length || names.sh_size > length - names.sh_offset)
    return FALSE;
  const gsize name_bytes = strlen(name) + 1; /* its NUL too */
  for (guint i = 0; i < head.e_shnum; i++) {
    memcpy(&section, table + i * sizeof section, sizeof section);
    if (section.sh_name > names.sh_size || names.sh_size - section.sh_name < name_bytes ||
        memcmp(file + names.sh_offset + section.sh_name, name, name_bytes) != 0)
      continue;
    if (section.sh_type == SHT_NOBITS || section.sh_offset > length || section.sh_size > length - section.sh_offset)
      return FALSE;
    *ret_at = section.sh_offset;
    *ret_length = section.sh_size;
    return TRUE;
  }
  return FALSE;
}

/* Texts that end in NUL, each once. */
static void add_texts(GString *out, GHashTable *seen, const guchar *bytes, gsize length) {
  for (gsize at = 0; at < length && out->len < MOST_COMPILER_BYTES;) {
    const gsize left = length - at, whole = strnlen((const char *)bytes + at, left);
    char *text = g_strndup((const char *)bytes + at, whole);
    g_autofree char *valid = g_utf8_make_valid(g_strstrip(text), -1);
    if (*valid && g_hash_table_add(seen, g_strdup(valid)))
      g_string_append_printf(out, "%s%s", out->len ? "; " : "", valid);
    g_free(text);
    at += whole + 1;
  }
}

char *bh_build_id_compiler(const char *path) {
  static const char *const sections[] = {".comment", ".GCC.command.line"};
  g_autoptr(GMappedFile) file = g_mapped_file_new(path, FALSE, NULL);
  const guchar *bytes = file ? (const guchar *)g_mapped_file_get_contents(file) : NULL;
  g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL); /* set of char * */
  GString *out = g_string_new(NULL);
  for (guint i = 0; bytes && i < G_N_ELEMENTS(sections); i++) {
    gsize at = 0, length = 0;
    if (find_section(bytes, g_mapped_file_get_length(file), sections[i], &at, &length))
      add_texts(out, seen, bytes + at, length);
  }
  return g_string_free(out, !out->len);
}
