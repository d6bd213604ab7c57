/*
 * What an ELF program needs to start: the interpreter (PT_INTERP) and the shared libraries (DT_NEEDED) that it names
 *
 * System V ABI, chapters 4 and 5. Of the file only what the kernel and a loader would look at is read: the program
 * headers and the dynamic section that they point to.
 */
#include "base/cleanup.h"
#include "gateway/parse/frames.h"
#include "gateway/parse/program/verbs.h"

#include <elf.h>
#include <string.h>

enum { MAX_HEADERS = 256, MAX_LIBRARIES = 32, MAX_NAME = 255 };

struct program {
        struct gbx_bytes file;
        Elf64_Phdr headers[MAX_HEADERS];
        size_t count;
};

static const char *bytes_at(const struct program *program, uint64_t offset, uint64_t size) {
        if (offset > program->file.size || size > program->file.size - offset)
                return NULL;
        return (const char *)program->file.data + offset;
}

static int damaged(struct gbx_error *err, const char *what) {
        return gbx_fail(err, -EINVAL, "the ELF binary is damaged: %s", what);
}

static int read_headers(struct program *program, struct gbx_error *err) {
        const char *at = bytes_at(program, 0, sizeof(Elf64_Ehdr));
        Elf64_Ehdr header;

        if (!at)
                return gbx_fail(err, -EINVAL, "the ELF binary is cut short");
        memcpy(&header, at, sizeof header);
        if (header.e_entry == 0)
                return gbx_fail(err, -EINVAL, "the ELF binary has no entry point: it is a library and no program");
        if (header.e_phentsize != sizeof(Elf64_Phdr) || header.e_phnum == 0 || header.e_phnum > MAX_HEADERS)
                return damaged(err, "its program headers");
        at = bytes_at(program, header.e_phoff, (uint64_t)header.e_phnum * sizeof(Elf64_Phdr));
        if (!at)
                return damaged(err, "its program headers are outside of the file");
        memcpy(program->headers, at, header.e_phnum * sizeof(Elf64_Phdr));
        program->count = header.e_phnum;
        return 0;
}

static const Elf64_Phdr *find_header(const struct program *program, uint32_t type) {
        for (size_t i = 0; i < program->count; i++)
                if (program->headers[i].p_type == type)
                        return &program->headers[i];
        return NULL;
}

static int write_interpreter(const struct program *program, int out, struct gbx_error *err) {
        const Elf64_Phdr *header = find_header(program, PT_INTERP);
        const char *path = header ? bytes_at(program, header->p_offset, header->p_filesz) : NULL;

        if (!header)
                return 0;
        if (!path || header->p_filesz < 2 || header->p_filesz > MAX_NAME || strnlen(path, header->p_filesz) != header->p_filesz - 1)
                return damaged(err, "the name of its interpreter");
        return gbx_frame_write(out, GBX_FRAME_INTERPRETER, &(struct gbx_bytes){ path, header->p_filesz - 1 }, 1, err);
}

/* The bytes in the file from an address in memory on, up to the end of its segment. */
static struct gbx_bytes find_address(const struct program *program, uint64_t address) {
        for (size_t i = 0; i < program->count; i++) {
                const Elf64_Phdr *header = &program->headers[i];
                uint64_t inside = address - header->p_vaddr;

                if (header->p_type == PT_LOAD && address >= header->p_vaddr && inside < header->p_filesz &&
                    bytes_at(program, header->p_offset, header->p_filesz))
                        return (struct gbx_bytes){ bytes_at(program, header->p_offset, 0) + inside, header->p_filesz - inside };
        }
        return (struct gbx_bytes){};
}

static Elf64_Dyn entry_at(const char *dynamic, size_t index) {
        Elf64_Dyn entry;

        memcpy(&entry, dynamic + index * sizeof entry, sizeof entry);
        return entry;
}

static int write_libraries(const struct program *program, int out, struct gbx_error *err) {
        const Elf64_Phdr *header = find_header(program, PT_DYNAMIC);
        const char *dynamic = header ? bytes_at(program, header->p_offset, header->p_filesz) : NULL;
        size_t count = header ? header->p_filesz / sizeof(Elf64_Dyn) : 0, libraries = 0;
        struct gbx_bytes names = {};
        int r = 0;

        if (header && !dynamic)
                return damaged(err, "its dynamic section is outside of the file");
        for (size_t i = 0; i < count && entry_at(dynamic, i).d_tag != DT_NULL; i++)
                if (entry_at(dynamic, i).d_tag == DT_STRTAB)
                        names = find_address(program, entry_at(dynamic, i).d_un.d_ptr);
        for (size_t i = 0; i < count && entry_at(dynamic, i).d_tag != DT_NULL && r == 0; i++) {
                uint64_t at = entry_at(dynamic, i).d_un.d_val;
                size_t length;

                if (entry_at(dynamic, i).d_tag != DT_NEEDED)
                        continue;
                length = at < names.size ? strnlen((const char *)names.data + at, names.size - at) : 0;
                if (length == 0 || length > MAX_NAME || length == names.size - at)
                        return damaged(err, "the names of its libraries");
                if (++libraries <= MAX_LIBRARIES)
                        r = gbx_frame_write(out, GBX_FRAME_LIBRARY, &(struct gbx_bytes){ (const char *)names.data + at, length }, 1, err);
        }
        return r;
}

int gbx_verb_elf(const struct gbx_verb_input *input, struct gbx_error *err) {
        struct program program = { .file = input->bytes };
        int r = read_headers(&program, err);

        if (r == 0)
                r = write_interpreter(&program, input->out, err);
        return r < 0 ? r : write_libraries(&program, input->out, err);
}
