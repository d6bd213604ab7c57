/*
 * gbx-witness: a witness for other organisations' logs (C2SP tlog-witness)
 *
 *   gbx-witness keygen NAME KEYFILE
 *   gbx-witness serve --key KEYFILE --state DIR --listen ADDRESS:PORT --log VKEY [--log VKEY]... [--prefix PATH]
 *
 * Needs nothing else of Glovebox: run it where the log's operator has no say.
 */
#include "base/cleanup.h"
#include "base/file.h"
#include "base/process.h"
#include "base/text.h"
#include "gateway/log/witness/confine.h"
#include "gateway/log/witness/witness.h"

#include <event2/buffer.h>
#include <event2/event.h>
#include <event2/http.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

enum { LOGS_MAX = 256, TIMEOUT_SECONDS = 20, HEADERS_MAX = 16 * 1024 };

struct server {
        const char *key, *state, *prefix, *logs[LOGS_MAX];
        size_t log_count;
        char address[256];
        uint16_t port;
        struct gbx_witness *witness;
        struct event_base *base;
};

static int usage(void) {
        (void)fprintf(stderr, "usage: gbx-witness keygen NAME KEYFILE\n"
                              "       gbx-witness serve --key KEYFILE --state DIR --listen ADDRESS:PORT --log VKEY... [--prefix PATH]\n"
                              "\n"
                              "keygen makes a key and prints its verifier key, for the witness policies of others.\n"
                              "serve answers POST PATH/add-checkpoint for the logs whose verifier keys are given.\n");
        return GBX_EXIT_USAGE;
}

static int keygen(const char *name, const char *path, struct gbx_error *err) {
        gbx_auto(gbx_note_signer_clear) struct gbx_note_signer signer = {}, cosigner = {};
        gbx_auto(gbx_buffer_free) struct gbx_buffer secret = { .secret = true }, verifier = {};
        gbx_auto(gbx_close_fd) int fd = -1;
        int r = gbx_note_signer_generate(name, GBX_NOTE_ED25519, &signer, err);

        if (r == 0)
                r = gbx_note_signer_as_cosigner(&signer, &cosigner, err);
        if (r == 0)
                r = gbx_note_signer_format(&signer, &secret, err);
        if (r == 0)
                r = gbx_buffer_append_byte(&secret, '\n', err);
        if (r == 0)
                r = gbx_note_verifier_format(&cosigner.verifier, &verifier, err);
        if (r < 0)
                return r;
        fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (fd < 0)
                return gbx_fail_errno(err, "cannot create '%s'", path);
        r = gbx_write_all(fd, secret.data, secret.size, err);
        if (r == 0 && fsync(fd) < 0)
                r = gbx_fail_errno(err, "cannot flush '%s'", path);
        if (r == 0)
                printf("%s\n", gbx_buffer_text(&verifier));
        return r;
}

static void send_answer(struct evhttp_request *request, const struct gbx_witness_answer *answer) {
        struct evbuffer *body = evbuffer_new();

        (void)evhttp_add_header(evhttp_request_get_output_headers(request), "Content-Type", answer->content_type);
        if (body)
                (void)evbuffer_add(body, answer->body.data, answer->body.size);
        evhttp_send_reply(request, (int)answer->status, NULL, body);
        if (body)
                evbuffer_free(body);
}

static void on_add_checkpoint(struct evhttp_request *request, void *context) {
        struct server *server = context;
        struct evbuffer *input = evhttp_request_get_input_buffer(request);
        size_t size = evbuffer_get_length(input);
        struct gbx_witness_answer answer = {};
        struct gbx_error err = {};

        if (evhttp_request_get_command(request) != EVHTTP_REQ_POST) {
                evhttp_send_error(request, 405, "Method Not Allowed");
                return;
        }
        if (size > GBX_WITNESS_REQUEST_MAX) {
                evhttp_send_error(request, 413, "Payload Too Large");
                return;
        }
        if (gbx_witness_add_checkpoint(server->witness, evbuffer_pullup(input, -1), size, (uint64_t)gbx_time_now(), &answer,
                                       &err) < 0) {
                (void)fprintf(stderr, "gbx-witness: %s\n", err.message);
                evhttp_send_error(request, 500, "Internal Server Error");
        } else {
                (void)fprintf(stderr, "gbx-witness: add-checkpoint %u\n", answer.status);
                send_answer(request, &answer);
        }
        gbx_buffer_free(&answer.body);
}

static void on_other(struct evhttp_request *request, void *context) {
        (void)context;
        evhttp_send_error(request, 404, "Not Found");
}

static void on_signal(evutil_socket_t number, short what, void *context) {
        (void)number, (void)what;
        (void)event_base_loopbreak(context);
}

/* Tells on standard output where it listens: with port 0 the kernel has chosen. */
static int announce(struct evhttp_bound_socket *bound, const struct server *server, struct gbx_error *err) {
        gbx_auto(gbx_buffer_free) struct gbx_buffer verifier = {};
        struct sockaddr_storage address = {};
        socklen_t length = sizeof address;
        unsigned port = 0;
        int r = gbx_note_verifier_format(gbx_witness_verifier(server->witness), &verifier, err);

        if (r < 0)
                return r;
        if (getsockname(evhttp_bound_socket_get_fd(bound), (struct sockaddr *)&address, &length) < 0)
                return gbx_fail_errno(err, "cannot tell the port");
        if (address.ss_family == AF_INET)
                port = ntohs(((struct sockaddr_in *)&address)->sin_port);
        else if (address.ss_family == AF_INET6)
                port = ntohs(((struct sockaddr_in6 *)&address)->sin6_port);
        printf("listening on %s:%u\nverifier key: %s\n", server->address, port, gbx_buffer_text(&verifier));
        (void)fflush(stdout);
        return 0;
}

static int listen_and_answer(struct server *server, struct gbx_error *err) {
        struct evhttp *http = evhttp_new(server->base);
        struct event *interrupt = evsignal_new(server->base, SIGINT, on_signal, server->base);
        struct event *terminate = evsignal_new(server->base, SIGTERM, on_signal, server->base);
        struct evhttp_bound_socket *bound;
        char path[512];
        int r = 0;

        if (!http || !interrupt || !terminate)
                return gbx_fail_memory(err);
        (void)event_add(interrupt, NULL);
        (void)event_add(terminate, NULL);
        evhttp_set_timeout(http, TIMEOUT_SECONDS);
        evhttp_set_max_body_size(http, GBX_WITNESS_REQUEST_MAX);
        evhttp_set_max_headers_size(http, HEADERS_MAX);
        evhttp_set_allowed_methods(http, EVHTTP_REQ_POST | EVHTTP_REQ_GET);
        (void)snprintf(path, sizeof path, "%s/add-checkpoint", server->prefix ? server->prefix : "");
        (void)evhttp_set_cb(http, path, on_add_checkpoint, server);
        evhttp_set_gencb(http, on_other, NULL);
        bound = evhttp_bind_socket_with_handle(http, server->address, server->port);
        r = bound ? gbx_witness_confine(server->state, err)
                  : gbx_fail_errno(err, "cannot listen on %s:%u", server->address, server->port);
        if (r == 1)
                (void)fprintf(stderr, "gbx-witness: this kernel has no Landlock; files are out of reach by their modes only\n");
        if (r >= 0)
                r = announce(bound, server, err);
        if (r == 0)
                (void)event_base_dispatch(server->base);
        event_free(interrupt);
        event_free(terminate);
        evhttp_free(http);
        return r;
}

static int serve(struct server *server, struct gbx_error *err) {
        gbx_auto(gbx_note_signer_clear) struct gbx_note_signer signer = {};
        struct rlimit no_core = {};
        int r;

        (void)signal(SIGPIPE, SIG_IGN);
        if (setrlimit(RLIMIT_CORE, &no_core) < 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0 ||
            prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
                return gbx_fail_errno(err, "cannot protect the key in memory");
        r = gbx_note_signer_read(AT_FDCWD, server->key, &signer, err);
        if (r == 0)
                r = gbx_witness_open(&server->witness, AT_FDCWD, server->state, &signer, err);
        for (size_t i = 0; r == 0 && i < server->log_count; i++) {
                struct gbx_note_verifier log;

                r = gbx_note_verifier_parse(server->logs[i], strlen(server->logs[i]), &log, err);
                if (r == 0)
                        r = gbx_witness_trust(server->witness, &log, err);
        }
        if (r < 0)
                return r;
        server->base = event_base_new();
        if (!server->base)
                return gbx_fail_memory(err);
        r = listen_and_answer(server, err);
        event_base_free(server->base);
        return r;
}

static int take_address(struct server *server, const char *text) {
        const char *colon = strrchr(text, ':');
        uint64_t port;

        if (!colon || colon == text || (size_t)(colon - text) >= sizeof server->address ||
            gbx_parse_u64(colon + 1, &port, NULL) < 0 || port > UINT16_MAX)
                return -EINVAL;
        memcpy(server->address, text, (size_t)(colon - text));
        server->port = (uint16_t)port;
        return 0;
}

static int parse_serve(int argc, char **argv, struct server *server) {
        static const struct option options[] = {
                { "key", required_argument, NULL, 'k' },    { "state", required_argument, NULL, 's' },
                { "listen", required_argument, NULL, 'l' }, { "log", required_argument, NULL, 'g' },
                { "prefix", required_argument, NULL, 'p' }, {},
        };
        int c;

        while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
                if (c == 'k')
                        server->key = optarg;
                else if (c == 's')
                        server->state = optarg;
                else if (c == 'p')
                        server->prefix = optarg;
                else if (c == 'g' && server->log_count < LOGS_MAX)
                        server->logs[server->log_count++] = optarg;
                else if (c != 'l' || take_address(server, optarg) < 0)
                        return -EINVAL;
        }
        return optind == argc && server->key && server->state && server->address[0] && server->log_count > 0 ? 0 : -EINVAL;
}

int main(int argc, char **argv) {
        struct server server = {};
        struct gbx_error err = {};
        int r;

        if (gbx_process_begin("gbx-witness", GBX_PROCESS_OPEN_FILES) < 0)
                return GBX_EXIT_FAILED;
        if (argc == 4 && strcmp(argv[1], "keygen") == 0) {
                r = keygen(argv[2], argv[3], &err);
        } else if (argc > 2 && strcmp(argv[1], "serve") == 0) {
                if (parse_serve(argc - 1, argv + 1, &server) < 0)
                        return usage();
                r = serve(&server, &err);
                gbx_witness_free(server.witness);
        } else {
                return usage();
        }
        if (r < 0)
                (void)fprintf(stderr, "gbx-witness: %s\n", err.message);
        return gbx_process_finish("gbx-witness", (int)gbx_error_exit_code(r));
}
