/* Algorithms as submitted: the forms, and archives made to do harm (E16). */
#include "base/cleanup.h"
#include "base/file.h"
#include "base/text.h"
#include "gateway/algorithm/algorithm.h"
#include "gateway/algorithm/bundle.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <zlib.h>

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

/* --- archives, byte by byte: no archiver would write these ------------------------------- */

/* A ustar header (POSIX.1-1988) with its checksum. */
static void tar_header(struct gbx_buffer *tar, const char *name, char type, size_t size, const char *link) {
        char header[512] = {}, octal[32];
        unsigned sum = 0;

        memcpy(header, name, strnlen(name, 100));
        memcpy(header + 100, "0000644", 8);
        memcpy(header + 108, "0000000", 8);
        memcpy(header + 116, "0000000", 8);
        (void)snprintf(octal, sizeof octal, "%011zo", size);
        memcpy(header + 124, octal, 12);
        memcpy(header + 136, "00000000000", 12);
        memset(header + 148, ' ', 8);
        header[156] = type;
        memcpy(header + 157, link, strnlen(link, 100));
        memcpy(header + 257, "ustar\0" "00", 8);
        for (size_t i = 0; i < sizeof header; i++)
                sum += (unsigned char)header[i];
        (void)snprintf(header + 148, 7, "%06o", sum);
        assert_int_equal(gbx_buffer_append(tar, header, sizeof header, NULL), 0);
}

static void tar_entry(struct gbx_buffer *tar, const char *name, char type, const char *content) {
        static const char zero[512];
        size_t size = strlen(content);

        tar_header(tar, name, type, size, "");
        assert_int_equal(gbx_buffer_append(tar, content, size, NULL), 0);
        if (size % 512)
                assert_int_equal(gbx_buffer_append(tar, zero, 512 - size % 512, NULL), 0);
}

static void tar_end(struct gbx_buffer *tar) {
        static const char zero[1024];

        assert_int_equal(gbx_buffer_append(tar, zero, sizeof zero, NULL), 0);
}

static void tar_good(struct gbx_buffer *tar) { tar_entry(tar, "algorithm.yaml", '0', "name: x\n"); }

static void put16(struct gbx_buffer *zip, unsigned value) {
        uint8_t bytes[] = { (uint8_t)value, (uint8_t)(value >> 8) };

        assert_int_equal(gbx_buffer_append(zip, bytes, 2, NULL), 0);
}

static void put32(struct gbx_buffer *zip, uint32_t value) {
        put16(zip, value & 0xffff);
        put16(zip, value >> 16);
}

/* What local header and central directory have in common. */
static void zip_common(struct gbx_buffer *zip, const char *name, const char *content, unsigned flags) {
        uint32_t size = (uint32_t)strlen(content);

        put16(zip, 20);
        put16(zip, flags);
        put16(zip, 0); /* stored */
        put32(zip, 0x21);
        put32(zip, (uint32_t)crc32(0, (const uint8_t *)content, size));
        put32(zip, size);
        put32(zip, size);
        put16(zip, (unsigned)strlen(name));
        put16(zip, 0);
}

/* An archive of one entry with a Unix mode (APPNOTE.TXT 4.3). */
static void make_zip(struct gbx_buffer *zip, const char *name, const char *content, uint32_t mode, unsigned flags) {
        size_t directory;

        put32(zip, 0x04034b50);
        zip_common(zip, name, content, flags);
        assert_int_equal(gbx_buffer_append_text(zip, name, NULL), 0);
        assert_int_equal(gbx_buffer_append_text(zip, content, NULL), 0);
        directory = zip->size;
        put32(zip, 0x02014b50);
        put16(zip, 3 << 8 | 20); /* made on Unix */
        zip_common(zip, name, content, flags);
        put16(zip, 0);
        put16(zip, 0);
        put16(zip, 0);
        put32(zip, mode << 16);
        put32(zip, 0);
        assert_int_equal(gbx_buffer_append_text(zip, name, NULL), 0);
        put32(zip, 0x06054b50);
        put16(zip, 0);
        put16(zip, 0);
        put16(zip, 1);
        put16(zip, 1);
        put32(zip, (uint32_t)(zip->size - directory - 12));
        put32(zip, (uint32_t)directory);
        put16(zip, 0);
}

static void compress_gzip(const struct gbx_buffer *plain, struct gbx_buffer *out) {
        z_stream stream = {};

        assert_int_equal(deflateInit2(&stream, 9, Z_DEFLATED, 15 + 16, 9, Z_DEFAULT_STRATEGY), Z_OK);
        assert_int_equal(gbx_buffer_reserve(out, deflateBound(&stream, plain->size), NULL), 0);
        stream.next_in = plain->data;
        stream.avail_in = (unsigned)plain->size;
        stream.next_out = out->data;
        stream.avail_out = (unsigned)(out->capacity);
        assert_int_equal(deflate(&stream, Z_FINISH), Z_STREAM_END);
        out->size = stream.total_out;
        (void)deflateEnd(&stream);
}

/* Reads it and expects the error, with a word of it; and that nothing came out. */
static void expect_refused(const struct gbx_buffer *archive, int code, const char *word) {
        struct gbx_bundle *bundle = NULL;
        struct gbx_error err = {};
        int r = gbx_bundle_read(&bundle, archive->data, archive->size, NULL, &err);

        if (r != code || !strstr(err.message, word))
                fail_msg("%d '%s' instead of %d '%s'", r, err.message, code, word);
        assert_null(bundle);
        for (const char *p = err.message; *p; p++)
                assert_true((unsigned char)*p >= ' ' && *p != 0x7f);
}

/* A good entry, then the bad one: all of it is refused. */
static void expect_tar_refused(const char *name, char type, const char *link, int code, const char *word) {
        gbx_auto(gbx_buffer_free) struct gbx_buffer tar = {};

        tar_good(&tar);
        tar_header(&tar, name, type, 0, link);
        tar_end(&tar);
        expect_refused(&tar, code, word);
}

/* --- forms ------------------------------------------------------------------------------------ */

static void single_files_are_algorithms(void **state) {
        gbx_auto(gbx_bundle_freep) struct gbx_bundle *lua = NULL, *elf = NULL, *none = NULL;
        gbx_auto(gbx_buffer_free) struct gbx_buffer program = {};
        struct gbx_error err = {};

        (void)state;
        assert_int_equal(gbx_bundle_read(&lua, "return 1\n", 9, NULL, NULL), 0);
        assert_int_equal(lua->form, GBX_BUNDLE_LUA);
        assert_string_equal(lua->files[0].path, "script.lua");
        assert_int_equal(gbx_bundle_read(&none, "return 2\n", 9, lua->digest, &err), -EBADMSG);
        assert_non_null(strstr(err.message, lua->digest));
        assert_int_equal(gbx_bundle_read(&none, "", 0, NULL, NULL), -EINVAL);
        assert_int_equal(gbx_bundle_read(&none, "\x1bLuaS", 5, NULL, &err), -EINVAL);
        assert_non_null(strstr(err.message, "bytecode"));
        assert_int_equal(gbx_bundle_read(&none, "a\0b", 3, NULL, NULL), -EINVAL);
        assert_int_equal(gbx_bundle_read(&none, "\xff\xfe", 2, NULL, NULL), -EINVAL);
        assert_int_equal(gbx_read_file(AT_FDCWD, "/proc/self/exe", 16 << 20, &program, NULL), 0);
        assert_int_equal(gbx_bundle_read(&elf, program.data, program.size, NULL, NULL), 0);
        assert_int_equal(elf->form, GBX_BUNDLE_ELF);
        assert_true(elf->files[0].executable);
        program.data[18] = 0xb7; /* AArch64 */
        assert_int_equal(gbx_bundle_read(&none, program.data, program.size, NULL, NULL), -EINVAL);
        assert_int_equal(gbx_bundle_read(&none, program.data, 30, NULL, NULL), -EINVAL);
}

static void good_bundles_are_read_and_unpacked(void **state) {
        gbx_auto(gbx_buffer_free) struct gbx_buffer tar = {}, gzip = {}, zip = {}, back = {};
        gbx_auto(gbx_close_fd) int directory = -1;
        char path[] = "/tmp/gbx-test-bundle-XXXXXX", command[64];
        struct stat status;

        (void)state;
        tar_entry(&tar, "./", '5', "");
        tar_entry(&tar, "./main.lua", '0', "return 1\n");
        tar_entry(&tar, "./lib/", '5', "");
        tar_entry(&tar, "./lib/stats.lua", '0', "-- stats\n");
        tar_good(&tar);
        tar_end(&tar);
        compress_gzip(&tar, &gzip);
        for (int i = 0; i < 2; i++) {
                gbx_auto(gbx_bundle_freep) struct gbx_bundle *bundle = NULL;
                const struct gbx_buffer *bytes = i ? &gzip : &tar;

                assert_int_equal(gbx_bundle_read(&bundle, bytes->data, bytes->size, NULL, NULL), 0);
                assert_int_equal(bundle->count, 3);
                assert_string_equal(bundle->files[0].path, "algorithm.yaml");
                assert_non_null(gbx_bundle_find(bundle, "lib/stats.lua"));
                assert_null(gbx_bundle_find(bundle, "lib"));
                if (i == 0)
                        continue;
                assert_non_null(mkdtemp(path));
                directory = gbx_open_directory(AT_FDCWD, path, NULL);
                assert_int_equal(gbx_bundle_unpack(bundle, directory, NULL), 0);
                assert_int_equal(gbx_bundle_unpack(bundle, directory, NULL), -EEXIST);
                assert_int_equal(gbx_read_file(directory, "lib/stats.lua", 100, &back, NULL), 0);
                assert_string_equal(gbx_buffer_text(&back), "-- stats\n");
                assert_int_equal(fstatat(directory, "main.lua", &status, 0), 0);
                assert_int_equal(status.st_mode, S_IFREG | 0444);
                (void)snprintf(command, sizeof command, "rm -r %s", path);
                assert_int_equal(system(command), 0);
        }
        make_zip(&zip, "run", "#!/bin/sh\n", S_IFREG | 0755, 0);
        {
                gbx_auto(gbx_bundle_freep) struct gbx_bundle *bundle = NULL;
                struct gbx_error err = {};

                if (gbx_bundle_read(&bundle, zip.data, zip.size, NULL, &err) < 0)
                        fail_msg("%s", err.message);
                assert_int_equal(bundle->count, 1);
                assert_true(bundle->files[0].executable);
                assert_int_equal(bundle->files[0].size, 10);
        }
}

/* --- attacks ------------------------------------------------------------------------------------ */

static void names_that_lead_out_are_refused(void **state) {
        static const struct {
                const char *name, *word;
        } cases[] = {
                { "../../etc/cron.d/x", "'../../etc/cron.d/x'" },
                { "/etc/passwd", "absolute" },
                { "a/../../b", "climbs" },
                { "a/./b", "climbs" },
                { "a//b", "empty part" },
                { "..", "climbs" },
                { ".", "climbs" },
                { ".bashrc", "not allowed" },
                { "-rf", "not allowed" },
                { "a b", "not allowed" },
                { "..\\..\\b", "" }, /* not allowed in tar; zip's reader makes slashes of them, and the path climbs */
                { "C:x", "not allowed" },
                { "a\nb", "'a\\x0ab'" },
                { "\x1b[2J\x1b]0;owned\a", "'\\x1b[2J\\x1b]0;owned\\x07'" },
                { "caf\xc3\xa9", "not allowed" },
                { "r\xe2\x80\xae" "aul.exe", "not allowed" },
                { "bad\xff", "'bad\\xff'" },
                { "d/d/d/d/d/d/d/d/f", "deeper" },
                { "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "longer than 64" },
        };

        (void)state;
        for (size_t i = 0; i < gbx_array_size(cases); i++) {
                gbx_auto(gbx_buffer_free) struct gbx_buffer zip = {};
                bool limit = strstr(cases[i].word, "deeper") || strstr(cases[i].word, "longer");

                expect_tar_refused(cases[i].name, '0', "", limit ? -EDQUOT : -EINVAL, cases[i].word);
                make_zip(&zip, cases[i].name, "x", S_IFREG | 0644, 0);
                expect_refused(&zip, limit ? -EDQUOT : -EINVAL, "entry");
        }
}

static void only_files_and_directories_enter(void **state) {
        gbx_auto(gbx_buffer_free) struct gbx_buffer zip = {}, locked = {};

        (void)state;
        expect_tar_refused("link", '2', "/etc/passwd", -EINVAL, "the archive: entry 'link': it is a symbolic link");
        expect_tar_refused("hard", '1', "algorithm.yaml", -EINVAL, "hard link");
        expect_tar_refused("tty", '3', "", -EINVAL, "device node");
        expect_tar_refused("disk", '4', "", -EINVAL, "device node");
        expect_tar_refused("pipe", '6', "", -EINVAL, "fifo");
        make_zip(&zip, "link", "/etc/passwd", S_IFLNK | 0777, 0);
        expect_refused(&zip, -EINVAL, "symbolic link");
        make_zip(&locked, "secret", "xxxxxxxxxxxxxxxx", S_IFREG | 0644, 1);
        expect_refused(&locked, -EINVAL, "encrypted");
}

static void colliding_names_are_refused(void **state) {
        static const char *const pairs[][3] = {
                { "main.lua", "main.lua", "two entries" },       { "main.lua", "./main.lua", "two entries" },
                { "main.lua", "MAIN.lua", "case only" },         { "lib/a", "LIB/b", "case only" },
                { "lib", "lib/a", "'lib' is a file and a directory" }, { "lib/a", "lib", "'lib' is a file and a directory" },
        };

        (void)state;
        for (size_t i = 0; i < gbx_array_size(pairs); i++) {
                gbx_auto(gbx_buffer_free) struct gbx_buffer tar = {};

                tar_entry(&tar, pairs[i][0], '0', "1");
                tar_entry(&tar, pairs[i][1], '0', "2");
                tar_end(&tar);
                expect_refused(&tar, -EINVAL, pairs[i][2]);
        }
}

static void bombs_are_defused(void **state) {
        gbx_auto(gbx_buffer_free) struct gbx_buffer tar = {}, gzip = {}, many = {}, lying = {}, sparse = {}, loop = {};
        size_t size = GBX_BUNDLE_MAX_UNPACKED / 2 + 512;

        (void)state;
        /* Two files of a little over half the limit each, gzipped to some 60 KB. */
        for (int i = 0; i < 2; i++) {
                tar_header(&tar, i ? "b" : "a", '0', size, "");
                assert_int_equal(gbx_buffer_reserve(&tar, size, NULL), 0);
                memset(tar.data + tar.size, 0, size);
                tar.size += size;
        }
        tar_end(&tar);
        compress_gzip(&tar, &gzip);
        assert_true(gzip.size < 200000);
        expect_refused(&gzip, -EDQUOT, "'b'");
        /* A size that is not there. */
        tar_header(&lying, "big", '0', 4ULL << 30, "");
        expect_refused(&lying, -EDQUOT, "'big'");
        /* Names without end; the limit stops at the first one too many. */
        for (unsigned i = 0; i < 3000; i++) {
                char name[16];

                (void)snprintf(name, sizeof name, "f%u", i);
                tar_header(&many, name, '0', 0, "");
        }
        tar_end(&many);
        expect_refused(&many, -EDQUOT, "'f1000'");
        /* A GNU sparse file: one byte, said to be at 1 TiB. */
        tar_header(&sparse, "sparse", 'S', 512, "");
        memcpy(sparse.data + 257, "ustar  \0", 8);
        memcpy(sparse.data + 386, "20000000000\0" "00000001000\0", 24);
        memcpy(sparse.data + 483, "20000001000\0", 12);
        memset(sparse.data + 148, ' ', 8);
        {
                unsigned sum = 0;

                for (size_t i = 0; i < 512; i++)
                        sum += sparse.data[i];
                (void)snprintf((char *)sparse.data + 148, 7, "%06o", sum);
        }
        tar_end(&sparse);
        expect_refused(&sparse, -EINVAL, "sparse");
        /* Extended headers of extended headers: a reader that recurses is killed, not we. */
        for (unsigned i = 0; i < 60000; i++)
                tar_entry(&loop, "x", 'x', "9 a=bcde\n");
        tar_end(&loop);
        {
                struct gbx_bundle *bundle = NULL;

                assert_true(gbx_bundle_read(&bundle, loop.data, loop.size, NULL, NULL) < 0);
        }
}

static void damaged_archives_are_refused(void **state) {
        gbx_auto(gbx_buffer_free) struct gbx_buffer tar = {}, gzip = {}, empty = {};

        (void)state;
        tar_good(&tar);
        tar_entry(&tar, "main.lua", '0', "return 1\n");
        tar.size -= 512;
        expect_refused(&tar, -EINVAL, "");
        tar_end(&tar);
        compress_gzip(&tar, &gzip);
        gzip.size -= 12;
        expect_refused(&gzip, -EINVAL, "");
        tar_entry(&empty, "lib/", '5', "");
        tar_end(&empty);
        expect_refused(&empty, -EINVAL, "no file");
}

/* --- the manifest ------------------------------------------------------------------------------ */

#define MANIFEST "name: default-rate\nengine: lua\nentry: main.lua\ndatasets: [credit]\n" \
                 "parameters:\n  - { name: minimum, type: integer }\n"

/* The bundle of a manifest and one more file, read; the caller frees it. */
static struct gbx_bundle *bundle_of(const char *manifest, const char *name, const char *content) {
        gbx_auto(gbx_buffer_free) struct gbx_buffer tar = {};
        struct gbx_bundle *bundle = NULL;

        if (manifest)
                tar_entry(&tar, "algorithm.yaml", '0', manifest);
        tar_entry(&tar, name, '0', content);
        tar_end(&tar);
        assert_int_equal(gbx_bundle_read(&bundle, tar.data, tar.size, NULL, NULL), 0);
        return bundle;
}

static void manifests_are_read(void **state) {
        gbx_auto(gbx_bundle_freep) struct gbx_bundle *bundle = bundle_of(MANIFEST, "main.lua", "return 1\n"), *single = NULL;
        gbx_auto(gbx_algorithm_freep) struct gbx_algorithm *algorithm = NULL, *plain = NULL;
        const struct gbx_algorithm_parameter *parameter;

        (void)state;
        assert_int_equal(gbx_algorithm_read(&algorithm, bundle, NULL, NULL), 0);
        assert_string_equal(algorithm->name, "default-rate");
        assert_int_equal(algorithm->engine, GBX_ENGINE_LUA);
        assert_string_equal(algorithm->entry, "main.lua");
        assert_string_equal(algorithm->datasets.items[0], "credit");
        parameter = algorithm->parameters.items;
        assert_string_equal(parameter->name, "minimum");
        assert_int_equal(parameter->type, GBX_TYPE_INTEGER);
        assert_false(parameter->required);
        assert_int_equal(gbx_bundle_read(&single, "return 1\n", 9, NULL, NULL), 0);
        assert_int_equal(gbx_algorithm_read(&plain, single, NULL, NULL), 0);
        assert_null(plain->name);
        assert_string_equal(plain->entry, "script.lua");
        assert_int_equal(gbx_algorithm_choose(plain, "native", NULL), -EINVAL);
        assert_int_equal(gbx_algorithm_choose(plain, "no-such", NULL), -EINVAL);
        assert_int_equal(gbx_algorithm_choose(plain, "lua", NULL), 0);
        assert_int_equal(gbx_algorithm_choose(plain, "lua-sql", NULL), 0);
        assert_int_equal(plain->engine, GBX_ENGINE_LUA_SQL);
        assert_int_equal(gbx_algorithm_choose(algorithm, "lua-sql", NULL), -EINVAL); /* its manifest says lua */
}

static void wrong_manifests_are_refused(void **state) {
        static const struct {
                const char *manifest, *name, *content, *word;
        } cases[] = {
                { NULL, "main.lua", "x", "no algorithm.yaml" },
                { "name: x\nengine: lua\nentry: other.lua\n", "main.lua", "x", "algorithm.yaml:3:8: the bundle has no file" },
                { "name: x\nengine: native\nentry: main\n", "main", "#!/bin/sh\n", "ELF" },
                { "name: x\nengine: lua\nentry: main.lua\n", "main.lua", "\x1bLuaS", "text files only" },
                { "name: x\nengine: lua\nentry: main.lua\n", "main.lua", "\x7f" "ELF\xff", "text files only" },
                { "name: X\nengine: lua\nentry: main.lua\n", "main.lua", "x", "algorithm.yaml:1:" },
                { "name: x\nengine: perl\nentry: main.lua\n", "main.lua", "x", "algorithm.yaml:2:" },
                { "name: x\nengine: lua\n", "main.lua", "x", "entry" },
                { "name: x\nengine: lua\nentry: main.lua\nsetuid: yes\n", "main.lua", "x", "setuid" },
                { MANIFEST "  - { name: minimum, type: text }\n", "main.lua", "x", "stands twice" },
                { "{", "main.lua", "x", "algorithm.yaml:" },
        };

        (void)state;
        for (size_t i = 0; i < gbx_array_size(cases); i++) {
                gbx_auto(gbx_bundle_freep) struct gbx_bundle *bundle =
                        bundle_of(cases[i].manifest, cases[i].name, cases[i].content);
                gbx_auto(gbx_problems_free) struct gbx_problems problems = {};
                gbx_auto(gbx_buffer_free) struct gbx_buffer text = {};
                struct gbx_algorithm *algorithm = NULL;
                struct gbx_error err = {};

                assert_int_equal(gbx_algorithm_read(&algorithm, bundle, &problems, &err), -EINVAL);
                assert_null(algorithm);
                assert_int_equal(gbx_problems_text(&problems, &text, NULL), 0);
                if (!strstr(gbx_buffer_text(&text), cases[i].word) && !strstr(err.message, cases[i].word))
                        fail_msg("'%s' and '%s' do not say '%s'", err.message, gbx_buffer_text(&text), cases[i].word);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(single_files_are_algorithms),
                cmocka_unit_test(good_bundles_are_read_and_unpacked),
                cmocka_unit_test(names_that_lead_out_are_refused),
                cmocka_unit_test(only_files_and_directories_enter),
                cmocka_unit_test(colliding_names_are_refused),
                cmocka_unit_test(bombs_are_defused),
                cmocka_unit_test(damaged_archives_are_refused),
                cmocka_unit_test(manifests_are_read),
                cmocka_unit_test(wrong_manifests_are_refused),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
