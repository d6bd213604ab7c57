/*
 * Relocated data become read-only before main(), which musl's start of a static-pie program leaves out
 *
 * The linker says in PT_GNU_RELRO which (elf(5)); a dynamic loader would do the same.
 */
#include <elf.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

extern const Elf64_Ehdr __ehdr_start __attribute__((visibility("hidden"))); /* of the linker: where we lie */

__attribute__((constructor)) static void protect(void) {
        const uintptr_t base = (uintptr_t)&__ehdr_start, page = (uintptr_t)sysconf(_SC_PAGESIZE);
        const Elf64_Phdr *header = (const void *)(base + __ehdr_start.e_phoff);

        for (unsigned i = 0; i < __ehdr_start.e_phnum; i++) {
                uintptr_t start = base + header[i].p_vaddr, end = start + header[i].p_memsz;

                if (header[i].p_type != PT_GNU_RELRO)
                        continue;
                start &= ~(page - 1);
                end &= ~(page - 1);
                if (end > start && mprotect((void *)start, end - start, PROT_READ) < 0)
                        abort();
        }
}
