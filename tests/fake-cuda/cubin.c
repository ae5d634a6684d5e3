/* SPDX-License-Identifier: MIT
 * Images for the driver double's test: see cubin.h. */
#include "cubin.h"

#include <dlfcn.h>
#include <elf.h>
#include <glib.h>
#include <string.h>

/* ---- Made by hand ---- */

enum { S_NULL, S_NAMES, S_STRINGS, S_SYMBOLS, S_TEXT, S_INFO, S_ALL_INFO, S_GLOBAL, SECTIONS };

static Elf64_Off put(GByteArray *out, const void *bytes, size_t size) {
  static const guint8 zeros[8];
  while (out->len % 8)
    g_byte_array_append(out, zeros, 1);
  Elf64_Off at = out->len;
  g_byte_array_append(out, bytes, (guint)size);
  return at;
}

static Elf64_Word name(GString *names, const char *text) {
  Elf64_Word at = (Elf64_Word)names->len;
  g_string_append_len(names, text, (gssize)strlen(text) + 1);
  return at;
}

static void words(GByteArray *out, guint8 attribute, const guint32 *payload, guint n) {
  const guint8 head[] = {4, attribute, (guint8)(n * 4), 0};
  g_byte_array_append(out, head, sizeof head);
  g_byte_array_append(out, (const guint8 *)payload, n * 4);
}

/* As nvcc writes it: the parameters from the last to the first, then the launch bounds. */
static GByteArray *info_of(const unsigned *params, int max_threads) {
  GByteArray *info = g_byte_array_new();
  guint32 offset[16] = {0}, n = 0, at = 0;
  for (; params[n]; n++) {
    guint32 alignment = params[n] % 8 ? 4 : 8;
    at = (at + alignment - 1) / alignment * alignment;
    offset[n] = at;
    at += params[n];
  }
  for (guint32 k = n; k-- > 0;) {
    const guint32 payload[] = {0, k | offset[k] << 16, 0x1f000 | params[k] << 18};
    words(info, 0x17, payload, 3);
  }
  words(info, 0x05, (const guint32[]){(guint32)max_threads, 1, 1}, 3);
  return info;
}

static void symbols_put(GByteArray *out, GString *strings, const char *entry, Elf64_Shdr *section) {
  const Elf64_Sym symbols[] = {{0},
                               {.st_name = name(strings, entry),
                                .st_info = ELF64_ST_INFO(STB_GLOBAL, STT_FUNC),
                                .st_other = 0x10,
                                .st_shndx = S_TEXT,
                                .st_size = 16},
                               {.st_name = name(strings, "bh_clock_offset_ns"),
                                .st_info = ELF64_ST_INFO(STB_LOCAL, STT_OBJECT),
                                .st_shndx = S_GLOBAL,
                                .st_size = 8}};
  section->sh_type = SHT_SYMTAB;
  section->sh_link = S_STRINGS;
  section->sh_entsize = sizeof(Elf64_Sym);
  section->sh_offset = put(out, symbols, section->sh_size = sizeof symbols);
}

void *cubin_made(const char *entry, const unsigned *params, int max_threads, int arch, size_t *ret_bytes) {
  Elf64_Ehdr header = {.e_ident = {ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB, EV_CURRENT, 65, 8},
                       .e_type = ET_EXEC,
                       .e_machine = 190,
                       .e_version = EV_CURRENT,
                       .e_flags = 0x6000004 | (guint32)arch << 8,
                       .e_ehsize = sizeof header,
                       .e_shentsize = sizeof(Elf64_Shdr),
                       .e_shnum = SECTIONS,
                       .e_shstrndx = S_NAMES};
  Elf64_Shdr sections[SECTIONS] = {0};
  GByteArray *out = g_byte_array_new(), *info = info_of(params, max_threads), *all = g_byte_array_new();
  g_autoptr(GString) names = g_string_new_len("", 1), strings = g_string_new_len("", 1);
  g_autofree char *text_name = g_strconcat(".text.", entry, NULL), *info_name = g_strconcat(".nv.info.", entry, NULL);
  const guint8 code[16] = {0};
  words(all, 0x2f, (const guint32[]){1, 24}, 2); /* registers of symbol 1 */
  put(out, &header, sizeof header);
  symbols_put(out, strings, entry, &sections[S_SYMBOLS]);
  sections[S_SYMBOLS].sh_name = name(names, ".symtab");
  sections[S_TEXT] = (Elf64_Shdr){.sh_name = name(names, text_name), .sh_type = SHT_PROGBITS, .sh_size = sizeof code};
  sections[S_TEXT].sh_offset = put(out, code, sizeof code);
  sections[S_INFO] = (Elf64_Shdr){.sh_name = name(names, info_name), .sh_type = SHT_LOPROC, .sh_size = info->len};
  sections[S_INFO].sh_offset = put(out, info->data, info->len);
  sections[S_ALL_INFO] = (Elf64_Shdr){.sh_name = name(names, ".nv.info"), .sh_type = SHT_LOPROC, .sh_size = all->len};
  sections[S_ALL_INFO].sh_offset = put(out, all->data, all->len);
  sections[S_GLOBAL] = (Elf64_Shdr){.sh_name = name(names, ".nv.global"), .sh_type = SHT_NOBITS, .sh_size = 8};
  sections[S_STRINGS] = (Elf64_Shdr){.sh_name = name(names, ".strtab"), .sh_type = SHT_STRTAB, .sh_size = strings->len};
  sections[S_STRINGS].sh_offset = put(out, strings->str, strings->len);
  sections[S_NAMES] = (Elf64_Shdr){.sh_name = name(names, ".shstrtab"), .sh_type = SHT_STRTAB};
  sections[S_NAMES].sh_offset = put(out, names->str, sections[S_NAMES].sh_size = names->len);
  header.e_shoff = put(out, sections, sizeof sections);
  memcpy(out->data, &header, sizeof header);
  g_byte_array_unref(info);
  g_byte_array_unref(all);
  *ret_bytes = out->len;
  return g_byte_array_free(out, FALSE);
}

/* ---- NVRTC ---- */

typedef struct nvrtc_program *program;
typedef struct {
  int (*create)(program *, const char *, const char *, int, const char *const *, const char *const *);
  int (*compile)(program, int, const char *const *);
  int (*size)(program, size_t *);
  int (*get)(program, char *);
  int (*log_size)(program, size_t *);
  int (*log)(program, char *);
  int (*destroy)(program *);
} nvrtc;

/* Where plugins/cuda looks: only at what BENCHHOST_NVRTC names, where it is set. */
static void *nvrtc_open(void) {
  static const char *const names[] = {"libnvrtc.so.13", "libnvrtc.so.12", "/usr/local/cuda/lib64/libnvrtc.so.13",
                                      "/usr/local/cuda/lib/libnvrtc.so.13", "/usr/local/cuda/lib64/libnvrtc.so.12"};
  const char *given = g_getenv("BENCHHOST_NVRTC");
  void *library = NULL;
  if (given && *given)
    return dlopen(given, RTLD_NOW | RTLD_LOCAL);
  for (size_t k = 0; k < G_N_ELEMENTS(names) && !library; k++)
    library = dlopen(names[k], RTLD_NOW | RTLD_LOCAL);
  return library;
}

void *cubin_compiled(const char *source, int arch, const char **ret_why) {
  void *library = nvrtc_open();
  program text = NULL;
  size_t bytes = 0;
  *ret_why = "no NVRTC (libnvrtc.so not found; BENCHHOST_NVRTC may name it)";
  if (!library)
    return NULL;
  const nvrtc rtc = {dlsym(library, "nvrtcCreateProgram"),     dlsym(library, "nvrtcCompileProgram"),
                     dlsym(library, "nvrtcGetCUBINSize"),      dlsym(library, "nvrtcGetCUBIN"),
                     dlsym(library, "nvrtcGetProgramLogSize"), dlsym(library, "nvrtcGetProgramLog"),
                     dlsym(library, "nvrtcDestroyProgram")};
  g_autofree char *target = g_strdup_printf("--gpu-architecture=sm_%d", arch);
  const char *options[] = {"--std=c++20", target};
  g_assert_cmpint(rtc.create(&text, source, "test.cu", 0, NULL, NULL), ==, 0);
  int result = rtc.compile(text, G_N_ELEMENTS(options), options);
  if (result != 0 && rtc.log_size(text, &bytes) == 0) {
    g_autofree char *log = g_malloc0(bytes + 1);
    rtc.log(text, log);
    g_error("NVRTC: %s", log);
  }
  g_assert_cmpint(result, ==, 0);
  g_assert_cmpint(rtc.size(text, &bytes), ==, 0);
  char *cubin = g_malloc(bytes);
  g_assert_cmpint(rtc.get(text, cubin), ==, 0);
  rtc.destroy(&text);
  return cubin;
}
