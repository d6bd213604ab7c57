#include "runtime/vault/keys.h"

#include "base/cleanup.h"
#include "base/encode.h"
#include "base/file.h"
#include "base/text.h"
#include "runtime/vault/bech32.h"
#include "runtime/vault/token.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

enum { MAX_FILE = 4096 };

#define RAW_PREFIX "glovebox-key-"

void gbx_keys_dataset_name(const char *id, const char *version, char ret_name[static GBX_KEYS_NAME_SIZE]) {
        uint8_t digest[GBX_SHA256_SIZE];
        char digits[2 * 20 + 1];

        gbx_sha256_parts((struct gbx_bytes[]){ { id, strlen(id) }, { "@", 1 }, { version, strlen(version) } }, 3,
                         digest);
        gbx_hex_encode(digest, 20, digits);
        (void)snprintf(ret_name, GBX_KEYS_NAME_SIZE, "dataset-%s.key", digits);
}

static int check_name(const char *name, struct gbx_error *err) {
        char shown[256];

        if (gbx_name_valid(name))
                return 0;
        gbx_text_printable(name, strlen(name), shown, sizeof shown);
        return gbx_fail(err, -EINVAL, "'%s' is not a name for a key file", shown);
}

/* Only the owner may reach the directory and the file. */
static int check_reach(int directory, int fd, const char *name, struct gbx_error *err) {
        struct stat folder, file;

        if (fstat(directory, &folder) < 0 || fstat(fd, &file) < 0)
                return gbx_fail_errno(err, "cannot inspect key '%s'", name);
        if (!S_ISREG(file.st_mode) || file.st_size > MAX_FILE)
                return gbx_fail(err, -EINVAL, "key '%s' is not a regular file of at most %d bytes", name, MAX_FILE);
        if (file.st_uid != geteuid() || folder.st_uid != geteuid())
                return gbx_fail(err, -EPERM, "key '%s' or its directory belongs to another user (%u, we are %u)", name,
                                file.st_uid != geteuid() ? file.st_uid : folder.st_uid, geteuid());
        if (file.st_mode & 077)
                return gbx_fail(err, -EPERM, "key '%s' has mode %04o, so others could read it; make a new key, or "
                                             "chmod 600 it if nobody did", name, file.st_mode & 07777);
        if (folder.st_mode & 022)
                return gbx_fail(err, -EPERM, "the directory of key '%s' has mode %04o, so others could replace it; "
                                             "chmod 700 it", name, folder.st_mode & 07777);
        if (file.st_nlink != 1)
                return gbx_fail(err, -EPERM, "key '%s' has %lu names (hard links); a key has one", name,
                                (unsigned long)file.st_nlink);
        return 0;
}

static int open_key(int directory, const char *name, int flags, struct gbx_error *err) {
        gbx_auto(gbx_close_fd) int fd = -1;
        int r = check_name(name, err);

        if (r < 0)
                return r;
        fd = openat(directory, name, flags | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
        if (fd < 0)
                return gbx_fail_errno(err, "cannot open key '%s'", name);
        r = check_reach(directory, fd, name, err);
        return r < 0 ? r : gbx_take_fd(&fd);
}

/* --- creating ------------------------------------------------------------------- */

static int write_key(int directory, const char *temporary, const struct gbx_buffer *text, struct gbx_error *err) {
        gbx_auto(gbx_close_fd) int fd =
                openat(directory, temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
        int r;

        if (fd < 0)
                return gbx_fail_errno(err, "cannot create a file");
        r = gbx_write_all(fd, text->data, text->size, err);
        if (r == 0 && (fchmod(fd, 0600) < 0 || fsync(fd) < 0))
                r = gbx_fail_errno(err, "cannot flush the file");
        return r;
}

/* Under a temporary name first: a key file is there whole or not at all, and never replaces another. */
static int store(int directory, const char *name, const struct gbx_buffer *text, struct gbx_error *err) {
        char temporary[GBX_KEYS_NAME_SIZE + 32], suffix[2 * 8 + 1];
        uint8_t random[8];
        int r = gbx_random(random, sizeof random, err);

        if (r < 0)
                return r;
        gbx_hex_encode(random, sizeof random, suffix);
        (void)snprintf(temporary, sizeof temporary, "%s.%s.tmp", name, suffix);
        r = write_key(directory, temporary, text, err);
        if (r == 0 && renameat2(directory, temporary, directory, name, RENAME_NOREPLACE) < 0)
                r = gbx_fail_errno(err, "cannot put it in place");
        if (r < 0) {
                (void)unlinkat(directory, temporary, 0);
                return gbx_context(err, r, "key '%s'", name);
        }
        return gbx_sync_parent(directory, name, err);
}

static int append_created(struct gbx_buffer *text, struct gbx_error *err) {
        char now[GBX_TIME_TEXT_SIZE];

        gbx_time_text(gbx_time_now(), now);
        return gbx_buffer_printf(text, err, "# created: %s\n", now);
}

int gbx_keys_create_identity(int directory, const char *name, struct gbx_age_identity **ret, struct gbx_error *err) {
        gbx_auto(gbx_age_identity_freep) struct gbx_age_identity *identity = NULL;
        gbx_auto(gbx_buffer_free) struct gbx_buffer text = { .secret = true };
        char recipient[GBX_AGE_RECIPIENT_TEXT_SIZE];
        int r = check_name(name, err);

        if (r == 0)
                r = gbx_age_identity_generate(&identity, err);
        if (r < 0)
                return r;
        gbx_age_recipient_format(gbx_age_identity_recipient(identity), recipient);
        r = append_created(&text, err);
        if (r == 0)
                r = gbx_buffer_printf(&text, err, "# public key: %s\n", recipient);
        if (r == 0)
                r = gbx_age_identity_format(identity, &text, err);
        if (r == 0)
                r = gbx_buffer_append_byte(&text, '\n', err);
        if (r == 0)
                r = store(directory, name, &text, err);
        if (r < 0)
                return r;
        *ret = gbx_take_ptr(identity);
        return 0;
}

static int open_or_create_token(const char *uri, struct gbx_token **ret, struct gbx_error *err) {
        int r = gbx_token_open(ret, uri, err);

        return r == -ENOENT ? gbx_token_create(ret, uri, err) : r;
}

int gbx_keys_create_token_identity(int directory, const char *name, const char *uri, struct gbx_age_identity **ret,
                                   struct gbx_error *err) {
        gbx_auto(gbx_age_identity_freep) struct gbx_age_identity *identity = NULL;
        gbx_auto(gbx_buffer_free) struct gbx_buffer text = {};
        char recipient[GBX_AGE_RECIPIENT_TEXT_SIZE];
        struct gbx_token *token = NULL;
        int r = check_name(name, err);

        if (r == 0 && (strncmp(uri, GBX_TOKEN_URI_PREFIX, strlen(GBX_TOKEN_URI_PREFIX)) != 0 || strpbrk(uri, "\r\n")))
                r = gbx_fail(err, -EINVAL, "not a PKCS#11 URI (" GBX_TOKEN_URI_PREFIX "…, in one line)");
        if (r == 0)
                r = open_or_create_token(uri, &token, err);
        if (r == 0)
                r = gbx_age_identity_from_token(token, &identity, err);
        if (r < 0)
                return r;
        gbx_age_recipient_format(gbx_age_identity_recipient(identity), recipient);
        r = append_created(&text, err);
        if (r == 0)
                r = gbx_buffer_printf(&text, err, "# public key: %s\n%s\n", recipient, uri);
        if (r == 0)
                r = store(directory, name, &text, err);
        if (r < 0)
                return r;
        *ret = gbx_take_ptr(identity);
        return 0;
}

int gbx_keys_create_raw(int directory, const char *name, struct gbx_secret *ret, struct gbx_error *err) {
        gbx_auto(gbx_secret_free) struct gbx_secret key = {};
        gbx_auto(gbx_buffer_free) struct gbx_buffer text = { .secret = true };
        size_t start;
        int r = check_name(name, err);

        if (r == 0)
                r = gbx_secret_new(&key, GBX_KEYS_RAW_SIZE, err);
        if (r == 0)
                r = gbx_random(key.data, key.size, err);
        if (r == 0)
                r = append_created(&text, err);
        if (r < 0)
                return r;
        start = text.size;
        r = gbx_bech32_encode(RAW_PREFIX, key.data, key.size, &text, err);
        for (size_t i = start; i < text.size; i++)
                text.data[i] = (uint8_t)toupper(text.data[i]);
        if (r == 0)
                r = gbx_buffer_append_byte(&text, '\n', err);
        if (r == 0)
                r = store(directory, name, &text, err);
        if (r < 0)
                return r;
        *ret = key;
        key = (struct gbx_secret){};
        return 0;
}

/* --- loading -------------------------------------------------------------------- */

/* The file's text, and in it the one line that is neither empty nor a comment. */
struct key_text {
        struct gbx_secret page;
        const char *line;
        size_t length;
};

static void free_key_text(struct key_text *text) { gbx_secret_free(&text->page); }

static int find_line(struct key_text *text, size_t size, const char *name, struct gbx_error *err) {
        const char *next = (const char *)text->page.data, *end = next + size;

        while (next < end) {
                const char *newline = memchr(next, '\n', (size_t)(end - next));
                const char *stop = newline ? newline : end;

                if (stop > next && *next != '#') {
                        if (text->line)
                                return gbx_fail(err, -EINVAL, "key '%s' holds more than one key", name);
                        text->line = next;
                        text->length = (size_t)(stop - next);
                }
                next = stop + 1;
        }
        if (!text->line)
                return gbx_fail(err, -EINVAL, "key '%s' holds no key", name);
        return 0;
}

static int load(int directory, const char *name, struct key_text *text, struct gbx_error *err) {
        gbx_auto(gbx_close_fd) int fd = open_key(directory, name, O_RDONLY, err);
        size_t size = 0;
        ssize_t n;
        int r;

        if (fd < 0)
                return fd;
        r = gbx_secret_new(&text->page, MAX_FILE, err);
        if (r < 0)
                return r;
        while (size < MAX_FILE && (n = read(fd, text->page.data + size, MAX_FILE - size)) != 0) {
                if (n < 0 && errno != EINTR)
                        return gbx_fail_errno(err, "cannot read key '%s'", name);
                size += n > 0 ? (size_t)n : 0;
        }
        return find_line(text, size, name, err);
}

/* A key file that points to a token. */
static int load_from_token(const struct key_text *text, struct gbx_age_identity **ret, struct gbx_error *err) {
        gbx_auto(gbx_free_pointer) char *uri = strndup(text->line, text->length);
        struct gbx_token *token = NULL;
        int r;

        if (!uri)
                return gbx_fail_memory(err);
        r = gbx_token_open(&token, uri, err);
        return r < 0 ? r : gbx_age_identity_from_token(token, ret, err);
}

int gbx_keys_load_identity(int directory, const char *name, struct gbx_age_identity **ret, struct gbx_error *err) {
        gbx_auto(free_key_text) struct key_text text = {};
        int r = load(directory, name, &text, err);

        if (r < 0)
                return r;
        if (text.length > strlen(GBX_TOKEN_URI_PREFIX) &&
            memcmp(text.line, GBX_TOKEN_URI_PREFIX, strlen(GBX_TOKEN_URI_PREFIX)) == 0)
                r = load_from_token(&text, ret, err);
        else
                r = gbx_age_identity_parse(text.line, text.length, ret, err);
        return r < 0 ? gbx_context(err, r, "key '%s'", name) : 0;
}

int gbx_keys_load_raw(int directory, const char *name, struct gbx_secret *ret, struct gbx_error *err) {
        gbx_auto(free_key_text) struct key_text text = {};
        gbx_auto(gbx_secret_free) struct gbx_secret key = {};
        int r = load(directory, name, &text, err);

        if (r == 0)
                r = gbx_secret_new(&key, GBX_KEYS_RAW_SIZE, err);
        if (r < 0)
                return r;
        r = gbx_bech32_decode(RAW_PREFIX, text.line, text.length, key.data, key.size, err);
        if (r < 0)
                return gbx_context(err, r, "key '%s'", name);
        *ret = key;
        key = (struct gbx_secret){};
        return 0;
}

/* --- destroying ------------------------------------------------------------------ */

int gbx_keys_destroy(int directory, const char *name, struct gbx_error *err) {
        gbx_auto(gbx_close_fd) int fd = open_key(directory, name, O_RDWR, err);
        uint8_t noise[MAX_FILE];
        struct stat status;
        int r;

        if (fd < 0)
                return fd;
        if (fstat(fd, &status) < 0)
                return gbx_fail_errno(err, "cannot inspect key '%s'", name);
        r = gbx_random(noise, sizeof noise, err);
        if (r == 0)
                r = gbx_write_all(fd, noise, (size_t)status.st_size, err);
        if (r < 0)
                return gbx_context(err, r, "key '%s'", name);
        if (fdatasync(fd) < 0 || unlinkat(directory, name, 0) < 0)
                return gbx_fail_errno(err, "cannot destroy key '%s'", name);
        return gbx_sync_parent(directory, name, err);
}
