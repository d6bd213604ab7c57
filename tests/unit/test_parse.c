/* gbx-parse: what it answers, what is made of answers that lie, and what is left when it is broken. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/memfile.h"
#include "gateway/algorithm/bundle.h"
#include "gateway/algorithm/startable.h"
#include "gateway/parse/bundle_paths.h"
#include "gateway/parse/frames.h"
#include "gateway/parse/parse.h"

#include <dirent.h>
#include <elf.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define BYTES(text) text, sizeof text - 1

/* A verb that only the test's gbx-parse has. */
static struct gbx_parse_verb misbehaving(const char *name) {
        return (struct gbx_parse_verb){ .name = name, .cpu_seconds = 20, .memory_bytes = 32 << 20, .output_bytes = 4096 };
}

static size_t open_descriptors(void) {
        gbx_auto(gbx_close_directory) DIR *directory = opendir("/proc/self/fd");
        size_t count = 0;

        while (readdir(directory))
                count++;
        return count;
}

/* Asks, and sees to it that a failure leaves the message and nothing else: no output, no child, no descriptor. */
static int ask(const char *name, const void *data, size_t size, struct gbx_buffer *output, struct gbx_error *err) {
        const struct gbx_parse_verb verb = misbehaving(name);
        size_t before = output->size, descriptors = open_descriptors();
        int r = gbx_parse_bytes(&verb, data, size, output, err);

        if (r < 0)
                assert_int_equal(output->size, before);
        assert_int_equal(open_descriptors(), descriptors);
        assert_true(waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD);
        return r;
}

/* --- frames ------------------------------------------------------------------------------------- */

static void frames_are_strict(void **state) {
        static const struct {
                const char *bytes;
                size_t size;
                int result;
                const char *message;
        } cases[] = {
                { BYTES("\0\0\0\0\0"), 0, "" },
                { BYTES("\2\0\0\0\2ab\0\0\0\0\0"), 0, "" },
                { BYTES("\2\0\0\0\377ab\0\0\0\0\0"), 0, "" }, /* a kind of the future: for its reader to refuse */
                { BYTES(""), -EPROTO, "without a word" },
                { BYTES("\0\0\0\0"), -EPROTO, "cut short" },
                { BYTES("\2\0\0\0\2ab"), -EPROTO, "without a word" },
                { BYTES("\3\0\0\0\2ab"), -EPROTO, "cut short" },
                { BYTES("\377\377\377\377\2ab"), -EPROTO, "cut short" },
                { BYTES("\1\0\0\0\0a"), -EPROTO, "contradicts" },
                { BYTES("\0\0\0\0\0\0\0\0\0\0"), -EPROTO, "went on" },
                { BYTES("\3\0\0\0\1\0no"), -EINVAL, "no" },
                { BYTES("\3\0\0\0\1\1no"), -EDQUOT, "no" },
                { BYTES("\3\0\0\0\1\2no"), -EBADMSG, "no" },
                { BYTES("\3\0\0\0\1\3no"), -EIO, "no" },
                { BYTES("\3\0\0\0\1\4no"), -EPROTO, "contradicts" },
                { BYTES("\1\0\0\0\1\0"), -EPROTO, "contradicts" },
                { BYTES("\0\0\0\0\1"), -EPROTO, "contradicts" },
                { BYTES("\3\0\0\0\1\0no\0\0\0\0\0"), -EPROTO, "went on" },
                { BYTES("\6\0\0\0\1\0a\n\033[2"), -EINVAL, "a\\x0a\\x1b[2" },
                { BYTES("\4\0\0\0\1\0\377\0b"), -EINVAL, "\\xff\\x00b" },
        };

        (void)state;
        for (size_t i = 0; i < gbx_array_size(cases); i++) {
                struct gbx_error err = {};
                int r = gbx_frames_check(cases[i].bytes, cases[i].size, &err);

                if (r != cases[i].result || !strstr(err.message, cases[i].message))
                        fail_msg("case %zu: %d '%s'", i, r, err.message);
        }
}

static void frames_come_back_as_they_were_written(void **state) {
        const struct gbx_bytes parts[] = { { "ab", 2 }, { NULL, 0 }, { "c", 1 } };
        gbx_auto(gbx_close_fd) int fd = gbx_memfile("frames", NULL, 0, NULL);
        gbx_auto(gbx_buffer_free) struct gbx_buffer text = {};
        struct gbx_frames frames;
        struct gbx_frame frame;
        struct gbx_error err = {};

        (void)state;
        assert_int_equal(gbx_frame_write(fd, GBX_FRAME_LIBRARY, parts, 3, NULL), 0);
        assert_int_equal(gbx_frame_write_end(fd, -ENOTNAM, "a code that does not travel", NULL), 0);
        assert_int_equal(gbx_memfile_rewind(fd, NULL), 0);
        assert_int_equal(gbx_read_fd(fd, 1000, &text, NULL), 0);
        frames = (struct gbx_frames){ text.data, text.size };
        assert_int_equal(gbx_frames_next(&frames, &frame, NULL), 1);
        assert_int_equal(frame.kind, GBX_FRAME_LIBRARY);
        assert_int_equal(frame.size, 3);
        assert_memory_equal(frame.data, "abc", 3);
        assert_int_equal(gbx_frames_next(&frames, &frame, &err), -EINVAL);
        assert_string_equal(err.message, "a code that does not travel");
}

/* One frame of kind FILE and the end. */
static void file_frame(struct gbx_buffer *out, uint8_t kind, uint8_t executable, size_t said, const char *path, size_t path_size) {
        const uint8_t head[] = { (uint8_t)(path_size + 4), 0, 0, 0, kind, executable, (uint8_t)said, (uint8_t)(said >> 8) };

        assert_int_equal(gbx_buffer_append(out, head, sizeof head, NULL), 0);
        assert_int_equal(gbx_buffer_append(out, path, path_size, NULL), 0);
        assert_int_equal(gbx_buffer_append(out, "x", 1, NULL), 0);
}

static int read_files(struct gbx_buffer *stream, struct gbx_error *err) {
        struct gbx_bundle_file *files = NULL;
        size_t count = 0;
        int r;

        assert_int_equal(gbx_buffer_append(stream, "\0\0\0\0\0", 5, NULL), 0);
        r = gbx_bundle_files_read(stream->data, stream->size, &files, &count, err);
        gbx_bundle_files_free(files, count);
        return r;
}

static void files_of_a_liar_are_refused(void **state) {
        static const struct {
                const char *path;
                size_t size, said;
                uint8_t kind, executable;
        } cases[] = {
                { BYTES("../x"), 4, 2, 0 },  { BYTES("/etc/x"), 6, 2, 0 }, { BYTES("a//b"), 4, 2, 0 },  { BYTES("./a"), 3, 2, 0 },
                { BYTES("a\0b"), 3, 2, 0 },  { BYTES("a\nb"), 3, 2, 0 },   { BYTES(""), 0, 2, 0 },      { BYTES("a"), 3, 2, 0 },
                { BYTES("a"), 0xffff, 2, 0 }, { BYTES("a"), 1, 3, 0 },      { BYTES("a"), 1, 255, 0 },   { BYTES("a"), 1, 2, 2 },
                { BYTES(".hidden"), 7, 2, 0 }, { BYTES("a/"), 2, 2, 0 },
        };
        gbx_auto(gbx_buffer_free) struct gbx_buffer none = {}, twice = {}, wrong_order = {}, cases_only = {}, below = {}, good = {};

        (void)state;
        for (size_t i = 0; i < gbx_array_size(cases); i++) {
                gbx_auto(gbx_buffer_free) struct gbx_buffer stream = {};
                struct gbx_error err = {};

                file_frame(&stream, cases[i].kind, cases[i].executable, cases[i].said, cases[i].path, cases[i].size);
                if (read_files(&stream, &err) != -EPROTO)
                        fail_msg("case %zu: '%s'", i, err.message);
        }
        assert_int_equal(read_files(&none, NULL), -EPROTO);
        file_frame(&twice, 2, 0, 1, "a", 1);
        file_frame(&twice, 2, 0, 1, "a", 1);
        assert_int_equal(read_files(&twice, NULL), -EPROTO);
        file_frame(&wrong_order, 2, 0, 1, "b", 1);
        file_frame(&wrong_order, 2, 0, 1, "a", 1);
        assert_int_equal(read_files(&wrong_order, NULL), -EPROTO);
        file_frame(&cases_only, 2, 0, 1, "A", 1);
        file_frame(&cases_only, 2, 0, 1, "a", 1);
        assert_int_equal(read_files(&cases_only, NULL), -EPROTO);
        file_frame(&below, 2, 0, 1, "a", 1);
        file_frame(&below, 2, 0, 3, "a/b", 3);
        assert_int_equal(read_files(&below, NULL), -EPROTO);
        file_frame(&good, 2, 1, 1, "a", 1);
        file_frame(&good, 2, 0, 1, "b", 1);
        assert_int_equal(read_files(&good, NULL), 0);
}

static void too_many_files_are_refused(void **state) {
        gbx_auto(gbx_buffer_free) struct gbx_buffer stream = {};
        char path[8];

        (void)state;
        for (int i = 0; i < GBX_BUNDLE_MAX_ENTRIES; i++) {
                (void)snprintf(path, sizeof path, "f%04d", i);
                file_frame(&stream, 2, 0, 5, path, 5);
        }
        assert_int_equal(read_files(&stream, NULL), 0);
        stream.size -= 5; /* its end */
        file_frame(&stream, 2, 0, 5, "g0000", 5);
        assert_int_equal(read_files(&stream, NULL), -EPROTO);
}

/* --- a parser that was taken over --------------------------------------------------------------------- */

static void broken_parsers_are_errors(void **state) {
        static const struct {
                const char *verb;
                int result;
                const char *message;
        } cases[] = {
                { "test-loop", -EDQUOT, "it takes more computing than is allowed" },
                { "test-flood", -EDQUOT, "it has more than the 4096 bytes allowed" },
#ifndef __SANITIZE_ADDRESS__ /* which has its own way with crashes, and no limit on memory */
                { "test-crash", -EINVAL, "its reader died (Segmentation fault)" },
                { "test-eat", -EDQUOT, "it takes more memory than is allowed to read" },
#endif
                { "no-such-verb", -EIO, "gbx-parse has no such verb" },
        };
        gbx_auto(gbx_buffer_free) struct gbx_buffer output = {};

        (void)state;
        assert_int_equal(gbx_buffer_append_text(&output, "before", NULL), 0);
        for (size_t i = 0; i < gbx_array_size(cases); i++) {
                struct gbx_error err = {};
                int r = ask(cases[i].verb, "x", 1, &output, &err);

                if (r != cases[i].result || !strstr(err.message, cases[i].message))
                        fail_msg("%s: %d '%s'", cases[i].verb, r, err.message);
        }
        assert_string_equal(gbx_buffer_text(&output), "before");
}

/* Should its own limits fail, the caller's patience ends. */
static void patience_ends(void **state) {
        const struct gbx_parse_verb verb = { .name = "test-loop", .cpu_seconds = 0, .output_bytes = 4096 };
        gbx_auto(gbx_buffer_free) struct gbx_buffer output = {};
        struct gbx_error err = {};

        (void)state;
        assert_int_equal(gbx_parse_bytes(&verb, "x", 1, &output, &err), -EDQUOT);
        assert_string_equal(err.message, "its reader did not end within 0 s");
        assert_true(waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD);
}

static void lies_are_noticed(void **state) {
        gbx_auto(gbx_buffer_free) struct gbx_buffer output = {};
        struct gbx_error err = {};

        (void)state;
        assert_int_equal(ask("test-say", BYTES("\1\0\0\0\7a\0\0\0\0\0"), &output, &err), 0); /* well-formed */
        assert_int_equal(output.size, 11);
        assert_int_equal(ask("test-say", "", 0, &output, &err), -EPROTO);
        assert_int_equal(ask("test-say", BYTES("\377\377\377\177\2"), &output, &err), -EPROTO);
        assert_int_equal(ask("test-say", BYTES("\6\0\0\0\1\1\033]0;x"), &output, &err), -EDQUOT);
        assert_string_equal(err.message, "\\x1b]0;x");
}

static void it_can_only_compute(void **state) {
        static const struct {
                long call;
                const char *message;
        } cases[] = {
                { SYS_getrandom, "returned" }, /* control: one that is allowed is made */
                { SYS_openat, "returned ENOENT" },
                { SYS_write, "killed" }, /* to another descriptor */
                { SYS_mmap, "killed" },  /* executable */
                { SYS_socket, "killed" }, { SYS_execve, "killed" }, { SYS_clone, "killed" },    { SYS_fork, "killed" },
                { SYS_kill, "killed" },   { SYS_ptrace, "killed" }, { SYS_prctl, "killed" },    { SYS_unshare, "killed" },
                { SYS_read, "killed" },   { SYS_dup, "killed" },    { SYS_sendmsg, "killed" },  { SYS_memfd_create, "killed" },
                { SYS_io_uring_setup, "killed" }, { SYS_setrlimit, "killed" }, { SYS_prlimit64, "killed" }, { SYS_alarm, "killed" },
                { SYS_futex, "killed" },
        };
        gbx_auto(gbx_buffer_free) struct gbx_buffer output = {};

        (void)state;
        for (size_t i = 0; i < gbx_array_size(cases); i++) {
                struct gbx_error err = {};
                char number[16];
                int r;

                (void)snprintf(number, sizeof number, "%ld", cases[i].call);
                r = ask("test-call", number, strlen(number), &output, &err);
                if (r != -EINVAL || !strstr(err.message, cases[i].message))
                        fail_msg("call %ld: %d '%s'", cases[i].call, r, err.message);
        }
}

/* --- the verbs ------------------------------------------------------------------------------------------ */

static int startable(const void *data, size_t size, struct gbx_error *err) {
        gbx_auto(gbx_bundle_freep) struct gbx_bundle *bundle = NULL;
        gbx_auto(gbx_algorithm_freep) struct gbx_algorithm *algorithm = NULL;

        assert_int_equal(gbx_bundle_read(&bundle, data, size, NULL, NULL), 0);
        assert_int_equal(gbx_algorithm_read(&algorithm, bundle, NULL, NULL), 0);
        return gbx_algorithm_startable(algorithm, bundle, err);
}

static void scripts_are_compiled_and_not_run(void **state) {
        static const struct {
                const char *text, *message; /* NULL: it is fine */
        } cases[] = {
                { "return 1\n", NULL },
                { "", NULL },
                { "local function f() return end\nwhile true do end\nerror('run')\n", NULL },
                { "os.exit(1)", NULL },
                { "x = = 1\n", "script.lua:1: unexpected symbol near '='" },
                { "local a = 1\nlocal b = \n\nfor", "script.lua:4: unexpected symbol near 'for'" },
                { "if true then\n", "script.lua:2: 'end' expected (to close 'if' at line 1) near <eof>" },
                { "goto nowhere", "script.lua:1: no visible label 'nowhere' for <goto> at line 1" },
                { "x = 'a\nb'", "script.lua:1: unfinished string near ''a'" },
        };

        (void)state;
        for (size_t i = 0; i < gbx_array_size(cases); i++) {
                struct gbx_error err = {};
                int r = *cases[i].text ? startable(cases[i].text, strlen(cases[i].text), &err) : 0;

                if (r != (cases[i].message ? -EINVAL : 0) || (cases[i].message && strcmp(err.message, cases[i].message) != 0))
                        fail_msg("case %zu: %d '%s'", i, r, err.message);
        }
}

/* Nesting and length that would exhaust a compiler's stack or memory. */
static void monstrous_scripts_are_errors(void **state) {
        gbx_auto(gbx_buffer_free) struct gbx_buffer deep = {};
        struct gbx_error err = {};

        (void)state;
        assert_int_equal(gbx_buffer_append_text(&deep, "x = ", NULL), 0);
        for (int i = 0; i < 1000000; i++)
                assert_int_equal(gbx_buffer_append_byte(&deep, '(', NULL), 0);
        assert_int_equal(startable(deep.data, deep.size, &err), -EINVAL);
        assert_string_equal(err.message, "script.lua: C stack overflow");
}

/* The smallest that is looked at: a header, program headers, and what they point to. */
struct elf {
        Elf64_Ehdr header;
        Elf64_Phdr headers[3];
        Elf64_Dyn dynamic[4];
        char strings[64];
};

static struct elf make_elf(void) {
        struct elf elf = { .header = { .e_ident = { 0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT },
                                       .e_type = ET_DYN, .e_machine = EM_X86_64, .e_entry = 0x1000,
                                       .e_phoff = offsetof(struct elf, headers),
                                       .e_phentsize = sizeof(Elf64_Phdr), .e_phnum = 3 },
                           .strings = "\0/lib64/ld.so\0libc.so.6\0libm.so.6" };

        elf.headers[0] = (Elf64_Phdr){ .p_type = PT_LOAD, .p_vaddr = 0x1000, .p_filesz = sizeof elf };
        elf.headers[1] = (Elf64_Phdr){ .p_type = PT_INTERP, .p_offset = offsetof(struct elf, strings) + 1, .p_filesz = 13 };
        elf.headers[2] = (Elf64_Phdr){ .p_type = PT_DYNAMIC, .p_offset = offsetof(struct elf, dynamic), .p_filesz = sizeof elf.dynamic };
        elf.dynamic[0] = (Elf64_Dyn){ .d_tag = DT_NEEDED, .d_un = { .d_val = 14 } };
        elf.dynamic[1] = (Elf64_Dyn){ .d_tag = DT_NEEDED, .d_un = { .d_val = 24 } };
        elf.dynamic[2] = (Elf64_Dyn){ .d_tag = DT_STRTAB, .d_un = { .d_val = 0x1000 + offsetof(struct elf, strings) } };
        return elf;
}

static void expect_elf(const char *what, const struct elf *elf, size_t size, const char *message) {
        struct gbx_error err = {};
        int r = startable(elf, size, &err);

        if (r != (message ? -EINVAL : 0) || (message && !strstr(err.message, message)))
                fail_msg("%s: %d '%s'", what, r, err.message);
}

static void programs_say_what_they_need(void **state) {
        struct elf elf = make_elf();

        (void)state;
        expect_elf("dynamic", &elf, sizeof elf,
                   "the program needs the interpreter '/lib64/ld.so' and libraries (libc.so.6, libm.so.6), which the image of the "
                   "native engine has not; link it statically");
        elf.headers[2].p_type = PT_NULL;
        expect_elf("interpreter alone", &elf, sizeof elf, "the program needs the interpreter '/lib64/ld.so', which");
        elf.headers[1].p_type = PT_NULL;
        expect_elf("static", &elf, sizeof elf, NULL);
        elf.headers[2].p_type = PT_DYNAMIC;
        expect_elf("libraries alone", &elf, sizeof elf, "it is a shared library");
        elf.dynamic[0].d_tag = DT_NULL;
        expect_elf("static-pie", &elf, sizeof elf, NULL);
}

static void damaged_programs_are_refused(void **state) {
        (void)state;
#define DAMAGE(change, message)                                   \
        do {                                                      \
                struct elf elf = make_elf();                      \
                change;                                           \
                expect_elf(#change, &elf, sizeof elf, message);   \
        } while (0)
        DAMAGE(elf.header.e_entry = 0, "no entry point");
        DAMAGE(elf.header.e_phnum = 0, "its program headers");
        DAMAGE(elf.header.e_phnum = 0xffff, "its program headers");
        DAMAGE(elf.header.e_phentsize = 32, "its program headers");
        DAMAGE(elf.header.e_phoff = UINT64_MAX - 8, "outside of the file");
        DAMAGE(elf.header.e_phoff = sizeof elf, "outside of the file");
        DAMAGE(elf.headers[1].p_offset = UINT64_MAX, "the name of its interpreter");
        DAMAGE(elf.headers[1].p_filesz = UINT64_MAX, "the name of its interpreter");
        DAMAGE(elf.headers[1].p_filesz = 5, "the name of its interpreter");
        DAMAGE(elf.headers[1].p_filesz = 0, "the name of its interpreter");
        DAMAGE(elf.headers[1].p_filesz = 20, "the name of its interpreter");
        DAMAGE(elf.headers[2].p_offset = UINT64_MAX - 3, "dynamic section");
        DAMAGE(elf.headers[2].p_filesz = sizeof elf * 2, "dynamic section");
        DAMAGE(elf.dynamic[2].d_un.d_val = 0, "the names of its libraries");
        DAMAGE(elf.dynamic[2].d_un.d_val = UINT64_MAX, "the names of its libraries");
        DAMAGE(elf.dynamic[0].d_un.d_val = UINT64_MAX, "the names of its libraries");
        DAMAGE(elf.dynamic[0].d_un.d_val = 0, "the names of its libraries");
        DAMAGE(elf.headers[0].p_filesz = UINT64_MAX, "the names of its libraries");
        DAMAGE(memset(elf.strings + 14, 'x', sizeof elf.strings - 14), "the names of its libraries");
        DAMAGE(memcpy(elf.strings + 1, "/\033[2J/ld.so6\0", 13), "'/\\x1b[2J/ld.so6'");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(frames_are_strict),
                cmocka_unit_test(frames_come_back_as_they_were_written),
                cmocka_unit_test(files_of_a_liar_are_refused),
                cmocka_unit_test(too_many_files_are_refused),
                cmocka_unit_test(broken_parsers_are_errors),
                cmocka_unit_test(patience_ends),
                cmocka_unit_test(lies_are_noticed),
                cmocka_unit_test(it_can_only_compute),
                cmocka_unit_test(scripts_are_compiled_and_not_run),
                cmocka_unit_test(monstrous_scripts_are_errors),
                cmocka_unit_test(programs_say_what_they_need),
                cmocka_unit_test(damaged_programs_are_refused),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
