/* SPDX-License-Identifier: MIT
 * Modules of the driver double: cubins, read as far as a driver must to launch their kernels. Nothing here trusts the
 * image: it may be a damaged file. */
#include "fake.h"

#include <dlfcn.h>
#include <elf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MACHINE_CUDA 190
#define ENTRY_POINT 0x10 /* st_other of a kernel */
#define LARGEST_IMAGE (UINT64_C(1) << 30)

/* ---- Twins ---- */

static const fake_twin_library *twin_libraries[16];
static unsigned n_twin_libraries;

static void twins_load(const char *path) {
  void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  const fake_twin_library *twins = library ? dlsym(library, "fake_twins") : NULL;
  if (!twins || twins->size != sizeof *twins || n_twin_libraries == 16) {
    fake_say("no library of twins: %s", library ? path : dlerror());
    abort();
  }
  twin_libraries[n_twin_libraries++] = twins;
}

/* The library beside this one, and those of BENCHHOST_FAKE_CUDA_TWINS. */
static void twins_load_all(void) {
  const char *more = getenv("BENCHHOST_FAKE_CUDA_TWINS");
  char *copy = strdup(more ? more : ""), *at = NULL, path[4096];
  Dl_info self;
  if (dladdr((void *)(uintptr_t)twins_load_all, &self) && strrchr(self.dli_fname, '/')) {
    snprintf(path, sizeof path, "%.*s/fake-cuda-twins.so", (int)(strrchr(self.dli_fname, '/') - self.dli_fname),
             self.dli_fname);
    twins_load(path);
  }
  for (char *word = strtok_r(copy, ":", &at); word; word = strtok_r(NULL, ":", &at))
    twins_load(word);
  free(copy);
}

const fake_twin *fake_twin_find(const char *entry, const fake_twin_library **ret_library) {
  if (!n_twin_libraries)
    twins_load_all();
  for (unsigned k = 0; k < n_twin_libraries; k++)
    for (const fake_twin *twin = twin_libraries[k]->first(); twin; twin = twin->next)
      if (strcmp(twin->entry, entry) == 0) {
        *ret_library = twin_libraries[k];
        return twin;
      }
  return NULL;
}

/* ---- The image ---- */

typedef struct {
  const unsigned char *bytes; /* a copy, aligned for its tables */
  uint64_t size;
  const Elf64_Shdr *sections;
  unsigned n_sections;
} image;

static const void *part(const image *in, uint64_t offset, uint64_t bytes) {
  return offset <= in->size && bytes <= in->size - offset ? in->bytes + offset : NULL;
}

static const void *section_bytes(const image *in, const Elf64_Shdr *section) {
  return section->sh_type == SHT_NOBITS ? NULL : part(in, section->sh_offset, section->sh_size);
}

/* "" where there is no such text. */
static const char *text_in(const image *in, const Elf64_Shdr *strings, uint64_t offset) {
  const char *text = section_bytes(in, strings);
  if (!text || offset >= strings->sh_size || !memchr(text + offset, 0, strings->sh_size - offset))
    return "";
  return text + offset;
}

static const char *section_name(const image *in, unsigned k) {
  const Elf64_Ehdr *header = (const Elf64_Ehdr *)(const void *)in->bytes;
  return header->e_shstrndx < in->n_sections ? text_in(in, &in->sections[header->e_shstrndx], in->sections[k].sh_name)
                                             : "";
}

static const Elf64_Shdr *section_of(const image *in, const char *name) {
  for (unsigned k = 0; k < in->n_sections; k++)
    if (strcmp(section_name(in, k), name) == 0)
      return &in->sections[k];
  return NULL;
}

/* How long an image is nobody tells a driver; its header does: sections and the table of them stand inside. */
static CUresult image_open(const void *bytes, image *ret_image) {
  Elf64_Ehdr header;
  if (strncmp(bytes, "//", 2) == 0 || strncmp(bytes, ".version", 8) == 0)
    return CUDA_ERROR_UNSUPPORTED_PTX_VERSION; /* PTX: there is no compiler here */
  memcpy(&header, bytes, sizeof header);
  if (memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 || header.e_ident[EI_CLASS] != ELFCLASS64 ||
      header.e_machine != MACHINE_CUDA || header.e_shentsize != sizeof(Elf64_Shdr) || header.e_shoff > LARGEST_IMAGE ||
      header.e_shoff % sizeof(uint64_t))
    return CUDA_ERROR_INVALID_IMAGE;
  uint64_t size = header.e_shoff + (uint64_t)header.e_shnum * sizeof(Elf64_Shdr);
  if (header.e_phoff < LARGEST_IMAGE && (uint64_t)header.e_phoff + (uint64_t)header.e_phnum * header.e_phentsize > size)
    size = header.e_phoff + (uint64_t)header.e_phnum * header.e_phentsize;
  unsigned char *copy = malloc(size);
  if (!copy)
    return CUDA_ERROR_OUT_OF_MEMORY;
  memcpy(copy, bytes, size);
  *ret_image = (image){.bytes = copy, .size = size};
  ret_image->sections = (const Elf64_Shdr *)(const void *)(ret_image->bytes + header.e_shoff);
  ret_image->n_sections = header.e_shnum;
  for (unsigned k = 0; k < header.e_shnum; k++)
    if (ret_image->sections[k].sh_type != SHT_NOBITS && ret_image->sections[k].sh_type != SHT_NULL &&
        !section_bytes(ret_image, &ret_image->sections[k]))
      return CUDA_ERROR_INVALID_IMAGE;
  return CUDA_SUCCESS;
}

/* From ABI version 8 on the architecture is the flags' second byte; before it was the first. */
static int image_arch(const void *bytes) {
  Elf64_Ehdr header;
  memcpy(&header, bytes, sizeof header);
  return (int)(header.e_ident[EI_ABIVERSION] >= 8 ? header.e_flags >> 8 & 0xff : header.e_flags & 0xff);
}

/* ---- Kernels ---- */

enum {
  FORMAT_WORDS = 4,
  ATTR_MAX_THREADS = 0x05,
  ATTR_EXACT_THREADS = 0x10,
  ATTR_FRAME = 0x11,
  ATTR_PARAM = 0x17,
  ATTR_REGISTERS = 0x2f,
  ATTR_PARAM_2 = 0x45
};

static uint32_t word_at(const unsigned char *at) {
  uint32_t word;
  memcpy(&word, at, sizeof word);
  return word;
}

/* index, ordinal and offset, then attributes and size: size in the upper 14 bits of the last word, or in newer records
 * for large parameters in its lower half. */
static CUresult take_param(fake_function *function, const unsigned char *payload, int newer) {
  uint32_t ordinal = word_at(payload + 4) & 0xffff, offset = word_at(payload + 4) >> 16, last = word_at(payload + 8);
  uint32_t bytes = newer ? last & 0xffff : last >> 18;
  if (ordinal >= FAKE_MAX_PARAMS || offset + bytes > FAKE_PARAM_BYTES || !bytes)
    return CUDA_ERROR_INVALID_IMAGE;
  function->params[ordinal] = (fake_param){.offset = offset, .bytes = bytes};
  if (ordinal >= function->n_params)
    function->n_params = ordinal + 1;
  if (offset + bytes > function->params_bytes)
    function->params_bytes = offset + bytes;
  return CUDA_SUCCESS;
}

/* .nv.info.KERNEL: records of a format, an attribute and two bytes that are a value or the length of what follows. */
static CUresult take_info(fake_function *function, const unsigned char *info, uint64_t size) {
  CUresult result = CUDA_SUCCESS;
  for (uint64_t at = 0; at + 4 <= size && !result;) {
    const unsigned char *record = info + at;
    uint32_t bytes = record[0] == FORMAT_WORDS ? (uint32_t)(record[2] | record[3] << 8) : 0;
    at += 4 + (uint64_t)bytes;
    if (at > size)
      return CUDA_ERROR_INVALID_IMAGE;
    if (bytes >= 12 && (record[1] == ATTR_PARAM || record[1] == ATTR_PARAM_2))
      result = take_param(function, record + 4, record[1] == ATTR_PARAM_2);
    if (bytes >= 12 && (record[1] == ATTR_MAX_THREADS || record[1] == ATTR_EXACT_THREADS))
      function->max_threads = (int)(word_at(record + 4) * word_at(record + 8) * word_at(record + 12));
  }
  for (uint32_t k = 0; k < function->n_params && !result; k++)
    if (!function->params[k].bytes)
      result = CUDA_ERROR_INVALID_IMAGE;
  return result;
}

/* .nv.info, of the whole file: a symbol and a number in each record. */
static void take_resources(fake_function *function, const unsigned char *info, uint64_t size, uint64_t symbol) {
  for (uint64_t at = 0; at + 4 <= size;) {
    const unsigned char *record = info + at;
    uint32_t bytes = record[0] == FORMAT_WORDS ? (uint32_t)(record[2] | record[3] << 8) : 0;
    at += 4 + (uint64_t)bytes;
    if (at > size || bytes != 8 || word_at(record + 4) != symbol)
      continue;
    if (record[1] == ATTR_REGISTERS)
      function->registers = (int)word_at(record + 8);
    else if (record[1] == ATTR_FRAME)
      function->local_bytes = (int)word_at(record + 8);
  }
}

static CUresult take_kernel(const image *in, fake_module *module, const char *name, uint64_t symbol) {
  char wanted[300];
  fake_function *function = fake_object_new(OF_FUNCTION, sizeof *function, module->object.device);
  function->sibling = module->functions;
  module->functions = function;
  function->module = module;
  function->max_threads = 1024;
  snprintf(function->name, sizeof function->name, "%s", name);
  snprintf(wanted, sizeof wanted, ".text.%s", name);
  const Elf64_Shdr *code = section_of(in, wanted);
  snprintf(wanted, sizeof wanted, ".nv.info.%s", name);
  const Elf64_Shdr *info = section_of(in, wanted);
  snprintf(wanted, sizeof wanted, ".nv.shared.%s", name);
  const Elf64_Shdr *shared = section_of(in, wanted);
  if (!code || !code->sh_size || !info || info->sh_type == SHT_NOBITS)
    return CUDA_ERROR_INVALID_IMAGE;
  const Elf64_Shdr *file_info = section_of(in, ".nv.info");
  if (file_info && section_bytes(in, file_info))
    take_resources(function, section_bytes(in, file_info), file_info->sh_size, symbol);
  function->shared_bytes = shared ? (int)shared->sh_size : 0;
  function->twin = fake_twin_find(name, &function->library);
  return take_info(function, section_bytes(in, info), info->sh_size);
}

static CUresult take_global(const image *in, fake_module *module, fake_context *context, const char *name,
                            const Elf64_Sym *symbol) {
  const Elf64_Shdr *section = &in->sections[symbol->st_shndx];
  const char *data = section_bytes(in, section);
  fake_memory *memory;
  fake_global *global = calloc(1, sizeof *global);
  CUresult result = global ? fake_memory_new(context, MEM_DEVICE, symbol->st_size, &memory) : CUDA_ERROR_OUT_OF_MEMORY;
  if (result) {
    free(global);
    return result;
  }
  memory->global = 1;
  *global = (fake_global){.next = module->globals, .at = (uintptr_t)memory->at, .bytes = symbol->st_size};
  snprintf(global->name, sizeof global->name, "%s", name);
  module->globals = global;
  fake_memory_open();
  memset(memory->at, 0, symbol->st_size);
  if (data && symbol->st_value <= section->sh_size && symbol->st_size <= section->sh_size - symbol->st_value)
    memcpy(memory->at, data + symbol->st_value, symbol->st_size);
  fake_memory_close();
  return CUDA_SUCCESS;
}

static CUresult take_symbols(const image *in, fake_module *module, fake_context *context) {
  const Elf64_Shdr *table = section_of(in, ".symtab");
  CUresult result = CUDA_SUCCESS;
  if (!table || table->sh_link >= in->n_sections)
    return CUDA_ERROR_INVALID_IMAGE;
  const unsigned char *symbols = section_bytes(in, table);
  for (uint64_t at = 0; at + sizeof(Elf64_Sym) <= table->sh_size && !result; at += sizeof(Elf64_Sym)) {
    Elf64_Sym symbol;
    memcpy(&symbol, symbols + at, sizeof symbol);
    const char *name = text_in(in, &in->sections[table->sh_link], symbol.st_name);
    int inside = symbol.st_shndx && symbol.st_shndx < in->n_sections;
    if (ELF64_ST_TYPE(symbol.st_info) == STT_FUNC && symbol.st_other & ENTRY_POINT && inside)
      result = take_kernel(in, module, name, at / sizeof symbol);
    else if (ELF64_ST_TYPE(symbol.st_info) == STT_OBJECT && inside && symbol.st_size &&
             symbol.st_size < LARGEST_IMAGE && strncmp(section_name(in, symbol.st_shndx), ".nv.global", 10) == 0)
      result = take_global(in, module, context, name, &symbol);
  }
  return result;
}

/* Code runs on devices of its own major version, of its minor version or a later one. */
static int fits(int arch) {
  int device = fake_device_arch();
  return arch / 10 == device / 10 && arch % 10 <= device % 10;
}

CUresult fake_module_parse(const void *bytes, fake_module *module, fake_context *context) {
  image in = {0};
  CUresult result = image_open(bytes, &in);
  if (!result) {
    module->arch = image_arch(bytes);
    result = fits(module->arch) ? take_symbols(&in, module, context) : CUDA_ERROR_NO_BINARY_FOR_GPU;
  }
  free((void *)(uintptr_t)in.bytes);
  for (const fake_function *function = module->functions; function && !result; function = function->sibling)
    if (fake_fault_names(FAULT_WRONG_ARCH, function->name))
      result = CUDA_ERROR_NO_BINARY_FOR_GPU;
  return result;
}

static void module_free(fake_module *module, fake_context *context) {
  while (module->functions) {
    fake_function *function = module->functions;
    module->functions = function->sibling;
    fake_object_free(function);
  }
  while (module->globals) {
    fake_global *global = module->globals;
    module->globals = global->next;
    fake_memory_free(context, fake_memory_of(global->at, 1));
    free(global);
  }
  fake_object_free(module);
}

/* ---- Entry points ---- */

static CUresult load(const char *what, CUmodule *ret_module, const void *bytes) {
  fake_call call = fake_enter(what, NEEDS_LIVE_CONTEXT);
  fake_module *module = NULL;
  unsigned id = 0;
  int arch = 0;
  CUresult result = call.error ? call.error : bytes ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
  if (!result && fake_capturing())
    result = fake_capture_broken();
  if (!result) {
    module = fake_object_new(OF_MODULE, sizeof *module, call.context->object.device);
    id = module->object.id;
    result = fake_module_parse(bytes, module, call.context);
    arch = module->arch;
    if (result)
      module_free(module, call.context);
    else
      *ret_module = (CUmodule)(void *)module;
  }
  return fake_leave(call, result, "module=%u arch=%d", id, arch);
}

FAKE_EXPORT CUresult cuModuleLoadData(CUmodule *ret_module, const void *bytes) {
  return load("cuModuleLoadData", ret_module, bytes);
}

FAKE_EXPORT CUresult cuModuleLoadDataEx(CUmodule *ret_module, const void *bytes, unsigned int n_options,
                                        CUjit_option *options, void **values) {
  (void)n_options, (void)options, (void)values; /* of the PTX compiler, which is not here */
  return load("cuModuleLoadDataEx", ret_module, bytes);
}

FAKE_EXPORT CUresult cuModuleUnload(CUmodule name) {
  fake_call call = fake_enter("cuModuleUnload", NEEDS_CONTEXT);
  fake_module *module = fake_object_of(OF_MODULE, name);
  uint64_t pending = 0;
  unsigned id = module ? module->object.id : 0;
  CUresult result = call.error ? call.error : module ? CUDA_SUCCESS : CUDA_ERROR_INVALID_HANDLE;
  if (!result) {
    pending = fake_pending(call.context);
    fake_drain_all(call.context);
    module_free(module, call.context);
    result = call.context->error;
  }
  return fake_leave(call, result, "module=%u pending=%llu", id, (unsigned long long)pending);
}

FAKE_EXPORT CUresult cuModuleGetFunction(CUfunction *ret_function, CUmodule name, const char *entry) {
  fake_call call = fake_enter("cuModuleGetFunction", NEEDS_LIVE_CONTEXT);
  fake_module *module = fake_object_of(OF_MODULE, name);
  CUresult result = call.error ? call.error : module ? CUDA_ERROR_NOT_FOUND : CUDA_ERROR_INVALID_HANDLE;
  for (fake_function *function = module ? module->functions : NULL; function && result == CUDA_ERROR_NOT_FOUND;
       function = function->sibling)
    if (strcmp(function->name, entry) == 0) {
      *ret_function = (CUfunction)(void *)function;
      result = CUDA_SUCCESS;
    }
  return fake_leave(call, result, "module=%u entry=%s", module ? module->object.id : 0, entry);
}

FAKE_EXPORT CUresult cuModuleGetGlobal_v2(CUdeviceptr *ret_at, size_t *ret_bytes, CUmodule name, const char *variable) {
  fake_call call = fake_enter("cuModuleGetGlobal", NEEDS_LIVE_CONTEXT);
  fake_module *module = fake_object_of(OF_MODULE, name);
  CUresult result = call.error ? call.error : module ? CUDA_ERROR_NOT_FOUND : CUDA_ERROR_INVALID_HANDLE;
  for (const fake_global *global = module ? module->globals : NULL; global && result == CUDA_ERROR_NOT_FOUND;
       global = global->next)
    if (strcmp(global->name, variable) == 0) {
      if (ret_at)
        *ret_at = global->at;
      if (ret_bytes)
        *ret_bytes = global->bytes;
      result = CUDA_SUCCESS;
    }
  return fake_leave(call, result, "module=%u name=%s", module ? module->object.id : 0, variable);
}

FAKE_EXPORT CUresult cuFuncGetAttribute(int *ret_value, CUfunction_attribute what, CUfunction name) {
  fake_call call = fake_enter("cuFuncGetAttribute", NEEDS_LIVE_CONTEXT);
  const fake_function *function = fake_object_of(OF_FUNCTION, name);
  CUresult result = call.error ? call.error : function ? CUDA_SUCCESS : CUDA_ERROR_INVALID_HANDLE;
  int value = 0;
  if (!result)
    switch ((int)what) {
    case CU_FUNC_ATTRIBUTE_MAX_THREADS_PER_BLOCK:
      value = function->max_threads;
      break;
    case CU_FUNC_ATTRIBUTE_SHARED_SIZE_BYTES:
      value = function->shared_bytes;
      break;
    case CU_FUNC_ATTRIBUTE_NUM_REGS:
      value = function->registers;
      break;
    case CU_FUNC_ATTRIBUTE_PTX_VERSION:
    case CU_FUNC_ATTRIBUTE_BINARY_VERSION:
      value = function->module->arch;
      break;
    case CU_FUNC_ATTRIBUTE_LOCAL_SIZE_BYTES:
      value = function->local_bytes;
      break;
    case CU_FUNC_ATTRIBUTE_CONST_SIZE_BYTES:
    case CU_FUNC_ATTRIBUTE_CACHE_MODE_CA:
      break;
    default:
      result = CUDA_ERROR_INVALID_VALUE;
    }
  if (!result)
    *ret_value = value;
  return fake_leave(call, result, "entry=%s attribute=%d value=%d", function ? function->name : "?", (int)what, value);
}

static CUresult occupancy(const fake_function *function, int block, int *ret_blocks) {
  int registers = (function->registers ? function->registers : 32) * block;
  if (block < 1 || block > 1024)
    return CUDA_ERROR_INVALID_VALUE;
  *ret_blocks = 2048 / block < 32 ? 2048 / block : 32;
  if (block > function->max_threads)
    *ret_blocks = 0;
  if (*ret_blocks > 65536 / registers)
    *ret_blocks = 65536 / registers;
  return CUDA_SUCCESS;
}

FAKE_EXPORT CUresult cuOccupancyMaxActiveBlocksPerMultiprocessor(int *ret_blocks, CUfunction name, int block,
                                                                 size_t shared) {
  fake_call call = fake_enter("cuOccupancyMaxActiveBlocksPerMultiprocessor", NEEDS_LIVE_CONTEXT);
  const fake_function *function = fake_object_of(OF_FUNCTION, name);
  CUresult result = call.error ? call.error : function ? CUDA_SUCCESS : CUDA_ERROR_INVALID_HANDLE;
  if (!result)
    result = occupancy(function, block, ret_blocks);
  return fake_leave(call, result, "entry=%s block=%d shared=%zu", function ? function->name : "?", block, shared);
}

FAKE_EXPORT CUresult cuOccupancyMaxPotentialBlockSize(int *ret_grid, int *ret_block, CUfunction name,
                                                      CUoccupancyB2DSize shared_of, size_t shared, int limit) {
  fake_call call = fake_enter("cuOccupancyMaxPotentialBlockSize", NEEDS_LIVE_CONTEXT);
  const fake_function *function = fake_object_of(OF_FUNCTION, name);
  CUresult result = call.error ? call.error : function ? CUDA_SUCCESS : CUDA_ERROR_INVALID_HANDLE;
  (void)shared_of;
  if (!result) {
    int blocks = 0;
    *ret_block = limit && limit < function->max_threads ? limit : function->max_threads;
    result = occupancy(function, *ret_block, &blocks);
    *ret_grid = blocks * 4;
  }
  return fake_leave(call, result, "entry=%s shared=%zu limit=%d", function ? function->name : "?", shared, limit);
}
