/*
 * One case of C2SP's age test vectors, run against the vault
 *
 * Every case is read in three ways, and all must agree with what it expects:
 * from memory, from a descriptor, and, for binary files, by random access on
 * two threads. See tests/fixtures/README-age.md for the format.
 */
#pragma once

#include "base/cleanup.h"
#include "base/encode.h"
#include "base/file.h"
#include "runtime/vault/age.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <zlib.h>

enum { CASE_MAX_IDENTITIES = 8, CASE_MAX_FILE = 64 << 20 };

enum case_result { CASE_PASS, CASE_FAIL, CASE_SKIP };

struct age_case {
        enum gbx_age_failure expect;
        bool expect_known, has_payload, armored, compressed, passphrase;
        uint8_t payload[GBX_SHA256_SIZE];
        struct gbx_age_identity *identities[CASE_MAX_IDENTITIES];
        size_t count;
        struct gbx_buffer file; /* the age file itself */
        char message[512];      /* why it failed or was skipped */
};

static const struct {
        const char *text;
        enum gbx_age_failure failure;
} case_outcomes[] = {
        { "success", GBX_AGE_NO_FAILURE },
        { "no match", GBX_AGE_NO_MATCH },
        { "HMAC failure", GBX_AGE_HMAC_FAILURE },
        { "header failure", GBX_AGE_HEADER_FAILURE },
        { "payload failure", GBX_AGE_PAYLOAD_FAILURE },
        { "armor failure", GBX_AGE_ARMOR_FAILURE },
};

static inline const char *case_outcome_text(enum gbx_age_failure failure) {
        for (size_t i = 0; i < gbx_array_size(case_outcomes); i++)
                if (case_outcomes[i].failure == failure)
                        return case_outcomes[i].text;
        return "another failure";
}

static inline void case_free(struct age_case *test) {
        for (size_t i = 0; i < test->count; i++)
                gbx_age_identity_free(test->identities[i]);
        gbx_buffer_free(&test->file);
}

/* One "name: value" line of the case. False, with a message: it cannot be run. */
static inline bool case_line(struct age_case *test, const char *name, const char *value) {
        if (strcmp(name, "expect") == 0)
                for (size_t i = 0; i < gbx_array_size(case_outcomes); i++)
                        if (strcmp(value, case_outcomes[i].text) == 0) {
                                test->expect = case_outcomes[i].failure;
                                test->expect_known = true;
                        }
        if (strcmp(name, "payload") == 0)
                test->has_payload = gbx_hex_decode(value, strlen(value), test->payload, sizeof test->payload, NULL) == 0;
        if (strcmp(name, "armored") == 0)
                test->armored = strcmp(value, "yes") == 0;
        if (strcmp(name, "compressed") == 0)
                test->compressed = strcmp(value, "zlib") == 0;
        if (strcmp(name, "passphrase") == 0)
                test->passphrase = true;
        if (strcmp(name, "identity") == 0) {
                if (test->count == CASE_MAX_IDENTITIES ||
                    gbx_age_identity_parse(value, strlen(value), &test->identities[test->count], NULL) < 0) {
                        (void)snprintf(test->message, sizeof test->message, "an identity that is not X25519");
                        return false;
                }
                test->count++;
        }
        return true;
}

static inline bool case_inflate(struct age_case *test, const uint8_t *data, size_t size) {
        z_stream stream = { .next_in = (uint8_t *)(uintptr_t)data, .avail_in = (unsigned)size };
        int status = inflateInit(&stream);

        while (status == Z_OK && test->file.size < CASE_MAX_FILE) {
                if (gbx_buffer_reserve(&test->file, 65536, NULL) < 0)
                        break;
                stream.next_out = test->file.data + test->file.size;
                stream.avail_out = 65536;
                status = inflate(&stream, Z_NO_FLUSH);
                test->file.size += 65536 - stream.avail_out;
        }
        (void)inflateEnd(&stream);
        return status == Z_STREAM_END;
}

/* CASE_PASS: parsed. */
static inline enum case_result case_parse(struct age_case *test, char *text, size_t size) {
        char *end = text + size;

        while (text < end && *text != '\n') {
                char *newline = memchr(text, '\n', (size_t)(end - text)), *colon;

                if (!newline || !(colon = memchr(text, ':', (size_t)(newline - text))))
                        break;
                *newline = *colon = '\0';
                if (!case_line(test, text, colon + 1 + strspn(colon + 1, " ")))
                        return CASE_SKIP;
                text = newline + 1;
        }
        if (text == end || *text != '\n' || !test->expect_known) {
                (void)snprintf(test->message, sizeof test->message, "not a test case");
                return CASE_FAIL;
        }
        text++;
        if (test->passphrase && test->count == 0) {
                (void)snprintf(test->message, sizeof test->message, "scrypt");
                return CASE_SKIP;
        }
        if (test->count == 0 && gbx_age_identity_generate(&test->identities[test->count++], NULL) < 0)
                return CASE_FAIL;
        if (test->compressed ? !case_inflate(test, (uint8_t *)text, (size_t)(end - text)) :
                               gbx_buffer_append(&test->file, text, (size_t)(end - text), NULL) < 0) {
                (void)snprintf(test->message, sizeof test->message, "cannot unpack the case");
                return CASE_FAIL;
        }
        return CASE_PASS;
}

/* Compares what came out with what the case expects. */
static inline bool case_check(struct age_case *test, const char *way, enum gbx_age_failure failure,
                              const struct gbx_buffer *plain, const struct gbx_error *err) {
        uint8_t digest[GBX_SHA256_SIZE];

        gbx_sha256(plain->data, plain->size, digest);
        if (failure != test->expect)
                (void)snprintf(test->message, sizeof test->message, "%s: %s instead of %s (%.300s)", way,
                               case_outcome_text(failure), case_outcome_text(test->expect), err->message);
        else if (test->has_payload && memcmp(digest, test->payload, sizeof digest) != 0)
                (void)snprintf(test->message, sizeof test->message, "%s: %zu bytes came out, not those expected", way,
                               plain->size);
        else if (!test->has_payload && plain->size > 0)
                (void)snprintf(test->message, sizeof test->message, "%s: bytes came out of a file that must not open",
                               way);
        else if (!test->has_payload && test->expect == GBX_AGE_NO_FAILURE)
                (void)snprintf(test->message, sizeof test->message, "the case says no payload to compare with");
        else
                return true;
        return false;
}

static inline bool case_stream(struct age_case *test, int fd) {
        gbx_auto(gbx_age_reader_freep) struct gbx_age_reader *reader = NULL;
        gbx_auto(gbx_buffer_free) struct gbx_buffer plain = {};
        struct gbx_age_identities identities = { (const struct gbx_age_identity *const *)test->identities, test->count };
        enum gbx_age_form form = test->armored ? GBX_AGE_ARMORED : GBX_AGE_BINARY;
        enum gbx_age_failure failure = GBX_AGE_NO_FAILURE;
        struct gbx_error err = {};
        const uint8_t *data;
        size_t size;
        int r;

        if (fd < 0)
                r = gbx_age_reader_new_memory(&reader, test->file.data, test->file.size, form, identities, &failure,
                                              &err);
        else
                r = gbx_age_reader_new(&reader, fd, form, identities, &failure, &err);
        if (r == 0) {
                while ((r = gbx_age_reader_next(reader, &data, &size, &err)) > 0)
                        if (gbx_buffer_append(&plain, data, size, NULL) < 0)
                                return false;
                failure = r < 0 ? gbx_age_reader_failure(reader) : GBX_AGE_NO_FAILURE;
        }
        return case_check(test, fd < 0 ? "from memory" : "from a descriptor", failure, &plain, &err);
}

/* By random access, a bad payload gives nothing at all: the partial hash does not apply. */
static inline bool case_random(struct age_case *test, int fd) {
        gbx_auto(gbx_age_file_freep) struct gbx_age_file *file = NULL;
        gbx_auto(gbx_buffer_free) struct gbx_buffer plain = {};
        gbx_auto(gbx_close_fd) int out = memfd_create("plain", MFD_CLOEXEC);
        struct gbx_age_identities identities = { (const struct gbx_age_identity *const *)test->identities, test->count };
        enum gbx_age_failure failure = GBX_AGE_NO_FAILURE;
        struct gbx_error err = {};

        if (gbx_age_file_open(&file, fd, identities, &failure, &err) == 0 &&
            gbx_age_file_decrypt(file, out, 2, &err) < 0)
                failure = GBX_AGE_PAYLOAD_FAILURE;
        if (gbx_read_fd(out, CASE_MAX_FILE, &plain, &err) < 0)
                return false;
        if (test->expect == GBX_AGE_PAYLOAD_FAILURE && failure == test->expect) {
                if (plain.size > 0)
                        (void)snprintf(test->message, sizeof test->message, "by random access: bytes were left behind");
                return plain.size == 0;
        }
        return case_check(test, "by random access", failure, &plain, &err);
}

static inline enum case_result case_run(struct age_case *test) {
        gbx_auto(gbx_close_fd) int fd = memfd_create("case", MFD_CLOEXEC);

        if (fd < 0 || gbx_write_all(fd, test->file.data, test->file.size, NULL) < 0 || lseek(fd, 0, SEEK_SET) < 0) {
                (void)snprintf(test->message, sizeof test->message, "no memory file");
                return CASE_FAIL;
        }
        if (!case_stream(test, -1) || !case_stream(test, fd))
                return CASE_FAIL;
        return test->armored || case_random(test, fd) ? CASE_PASS : CASE_FAIL;
}

/* Runs the case in a file. The message, if there is one, is copied to `ret_message` (512 bytes). */
static inline enum case_result case_run_file(int directory, const char *name, char *ret_message) {
        gbx_auto(gbx_buffer_free) struct gbx_buffer text = {};
        gbx_auto(case_free) struct age_case test = {};
        struct gbx_error err = {};
        enum case_result result = CASE_FAIL;

        ret_message[0] = '\0';
        if (gbx_read_file(directory, name, CASE_MAX_FILE, &text, &err) < 0)
                (void)snprintf(test.message, sizeof test.message, "%.500s", err.message);
        else
                result = case_parse(&test, (char *)text.data, text.size);
        if (result == CASE_PASS)
                result = case_run(&test);
        (void)snprintf(ret_message, sizeof test.message, "%s", test.message);
        return result;
}
