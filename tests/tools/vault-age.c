/*
 * The vault's age functions from the command line, for tests and measurements
 *
 *   vault-age keygen DIR NAME                         makes DIR/NAME, prints its recipient
 *   vault-age keygen-token DIR NAME URI               makes a key in a PKCS#11 token (or takes the one that is there)
 *   vault-age encrypt IN OUT RECIPIENT...             as a stream
 *   vault-age decrypt DIR NAME IN OUT                 as a stream, with the key DIR/NAME
 *   vault-age encrypt-file THREADS IN OUT RECIPIENT...   a regular file, on several threads
 *   vault-age decrypt-file THREADS DIR NAME IN OUT
 *   vault-age rewrap DIR NAME IN OUT RECIPIENT...
 *
 * IN and OUT may be "-" for the stream functions. Exit status 0 or 1.
 */
#include "base/cleanup.h"
#include "base/file.h"
#include "base/text.h"
#include "runtime/vault/age.h"
#include "runtime/vault/keys.h"

#include <string.h>

/* What the words of a command line stand for. */
struct request {
        int in_fd, out_fd;
        unsigned threads;
        const char *directory, *name, *uri;
        struct gbx_age_recipient recipients[GBX_AGE_MAX_STANZAS];
        size_t count;
};

static struct gbx_age_recipients to(const struct request *request) {
        return (struct gbx_age_recipients){ request->recipients, request->count };
}

static int keygen(const struct request *request, struct gbx_error *err) {
        gbx_auto(gbx_close_fd) int directory = gbx_open_directory(AT_FDCWD, request->directory, err);
        gbx_auto(gbx_age_identity_freep) struct gbx_age_identity *identity = NULL;
        char text[GBX_AGE_RECIPIENT_TEXT_SIZE];
        int r = directory < 0 ? directory : gbx_keys_create_identity(directory, request->name, &identity, err);

        if (r < 0)
                return r;
        gbx_age_recipient_format(gbx_age_identity_recipient(identity), text);
        printf("%s\n", text);
        return 0;
}

static int keygen_token(const struct request *request, struct gbx_error *err) {
        gbx_auto(gbx_close_fd) int directory = gbx_open_directory(AT_FDCWD, request->directory, err);
        gbx_auto(gbx_age_identity_freep) struct gbx_age_identity *identity = NULL;
        char text[GBX_AGE_RECIPIENT_TEXT_SIZE];
        int r = directory < 0 ? directory : gbx_keys_create_token_identity(directory, request->name, request->uri,
                                                                           &identity, err);

        if (r < 0)
                return r;
        gbx_age_recipient_format(gbx_age_identity_recipient(identity), text);
        printf("%s\n", text);
        return 0;
}

static int encrypt(const struct request *request, struct gbx_error *err) {
        return gbx_age_encrypt_fd(request->in_fd, request->out_fd, to(request), NULL, err);
}

static int encrypt_file(const struct request *request, struct gbx_error *err) {
        return gbx_age_encrypt_file(request->in_fd, request->out_fd, to(request), request->threads, NULL, err);
}

static int with_identity(const struct request *request, struct gbx_age_identity **ret, struct gbx_error *err) {
        gbx_auto(gbx_close_fd) int directory = gbx_open_directory(AT_FDCWD, request->directory, err);

        return directory < 0 ? directory : gbx_keys_load_identity(directory, request->name, ret, err);
}

static int decrypt(const struct request *request, struct gbx_error *err) {
        gbx_auto(gbx_age_identity_freep) struct gbx_age_identity *identity = NULL;
        int r = with_identity(request, &identity, err);
        const struct gbx_age_identity *list[1] = { identity };

        return r < 0 ? r : gbx_age_decrypt_fd(request->in_fd, request->out_fd,
                                              (struct gbx_age_identities){ list, 1 }, NULL, err);
}

static int decrypt_file(const struct request *request, struct gbx_error *err) {
        gbx_auto(gbx_age_identity_freep) struct gbx_age_identity *identity = NULL;
        gbx_auto(gbx_age_file_freep) struct gbx_age_file *file = NULL;
        int r = with_identity(request, &identity, err);
        const struct gbx_age_identity *list[1] = { identity };

        if (r == 0)
                r = gbx_age_file_open(&file, request->in_fd, (struct gbx_age_identities){ list, 1 }, NULL, err);
        return r < 0 ? r : gbx_age_file_decrypt(file, request->out_fd, request->threads, err);
}

static int rewrap(const struct request *request, struct gbx_error *err) {
        gbx_auto(gbx_age_identity_freep) struct gbx_age_identity *identity = NULL;
        int r = with_identity(request, &identity, err);
        const struct gbx_age_identity *list[1] = { identity };

        return r < 0 ? r : gbx_age_rewrap(request->in_fd, request->out_fd, (struct gbx_age_identities){ list, 1 },
                                          to(request), NULL, NULL, err);
}

/* The words behind the verb: t threads, k key directory and name, u URI, i input, o output, r recipients to the end. */
static const struct verb {
        const char *name;
        const char *words;
        int (*run)(const struct request *request, struct gbx_error *err);
} verbs[] = {
        { "keygen", "k", keygen },
        { "keygen-token", "ku", keygen_token },
        { "encrypt", "ior", encrypt },
        { "decrypt", "kio", decrypt },
        { "encrypt-file", "tior", encrypt_file },
        { "decrypt-file", "tkio", decrypt_file },
        { "rewrap", "kior", rewrap },
};

static int read_words(const struct verb *verb, char **word, struct request *request, struct gbx_error *err) {
        uint64_t number;
        int r = 0;

        for (const char *kind = verb->words; *kind && r == 0; kind++) {
                if (!*word || (*kind == 'k' && !word[1]))
                        return gbx_fail(err, -EINVAL, "%s: words are missing", verb->name);
                switch (*kind) {
                case 't':
                        r = gbx_parse_u64(*word++, &number, err);
                        request->threads = r == 0 ? (unsigned)number : 0;
                        break;
                case 'k':
                        request->directory = *word++;
                        request->name = *word++;
                        break;
                case 'u':
                        request->uri = *word++;
                        break;
                case 'i':
                        request->in_fd = strcmp(*word, "-") == 0 ? 0 : open(*word, O_RDONLY | O_CLOEXEC);
                        r = request->in_fd < 0 ? gbx_fail_errno(err, "cannot open '%s'", *word) : 0;
                        word++;
                        break;
                case 'o':
                        request->out_fd = strcmp(*word, "-") == 0 ?
                                                  1 : open(*word, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
                        r = request->out_fd < 0 ? gbx_fail_errno(err, "cannot open '%s'", *word) : 0;
                        word++;
                        break;
                default:
                        for (; *word && r == 0 && request->count < GBX_AGE_MAX_STANZAS; word++)
                                r = gbx_age_recipient_parse(*word, &request->recipients[request->count++], err);
                }
        }
        return r;
}

int main(int argc, char **argv) {
        static struct request request = { .in_fd = -1, .out_fd = -1 };
        struct gbx_error err = {};
        int r = -EINVAL;

        for (size_t i = 0; argc > 1 && i < gbx_array_size(verbs); i++) {
                if (strcmp(argv[1], verbs[i].name) != 0)
                        continue;
                r = read_words(&verbs[i], argv + 2, &request, &err);
                if (r == 0)
                        r = verbs[i].run(&request, &err);
        }
        if (r < 0)
                (void)fprintf(stderr, "vault-age: %s\n", err.message[0] ? err.message : "see tests/tools/vault-age.c");
        return r < 0 ? 1 : 0;
}
