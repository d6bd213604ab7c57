/*
 * gbx-egress: the only way out of a run
 *
 *   gbx-egress CONFIG-DESCRIPTOR [READY-DESCRIPTOR]
 *
 * Started by the gateway for a run whose policy grants flows; see config.h for
 * what it is told, docs/egress.md for all of it. Writes "ready" and a newline
 * to READY-DESCRIPTOR once it is confined and listening. Ends by itself when
 * its starter does.
 */
#include "base/cleanup.h"
#include "base/error.h"
#include "base/file.h"
#include "base/process.h"
#include "base/text.h"
#include "gateway/egress/confine.h"
#include "gateway/egress/proxy.h"

#include <openssl/crypto.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>

static int parse_descriptor(const char *text, int *ret, struct gbx_error *err) {
        uint64_t number;
        int r = gbx_parse_u64(text, &number, err);

        if (r < 0 || number > 65535)
                return gbx_fail(err, -EINVAL, "'%.32s' is not a descriptor", text);
        *ret = (int)number;
        return 0;
}

/* Two sockets a connection. */
static void raise_descriptor_limit(void) {
        struct rlimit limit;

        if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
                return;
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit); /* fewer connections then */
}

static void free_proxy(struct gbx_proxy **proxy) { *proxy = gbx_proxy_free(*proxy); }

static int run(int config_fd, int ready_fd, struct gbx_error *err) {
        gbx_auto(gbx_egress_config_free) struct gbx_egress_config config = {};
        gbx_auto(free_proxy) struct gbx_proxy *proxy = NULL;
        int r;

        r = gbx_egress_config_read(&config, config_fd, err);
        if (r < 0)
                return r;
        (void)close(config_fd);
        r = gbx_proxy_new(&proxy, &config, err);
        if (r < 0)
                return r;
        if (config.confine) {
                r = gbx_egress_confine(err);
                if (r < 0)
                        return gbx_context(err, r, "cannot confine the proxy");
        }
        if (ready_fd >= 0) {
                r = gbx_write_all(ready_fd, "ready\n", 6, err);
                if (r < 0)
                        return gbx_context(err, r, "ready");
                (void)close(ready_fd);
        }
        return gbx_proxy_run(proxy, err);
}

int main(int argc, char **argv) {
        struct gbx_error err = {};
        int config_fd = -1, ready_fd = -1, r = 0;

        if (gbx_process_begin("gbx-egress", GBX_PROCESS_OPEN_FILES) < 0)
                return GBX_EXIT_FAILED;
        if (argc < 2 || argc > 3) {
                (void)fprintf(stderr, "usage: gbx-egress CONFIG-DESCRIPTOR [READY-DESCRIPTOR]\n");
                return GBX_EXIT_USAGE;
        }
        /* Handled while the loop runs; before and behind it there are no flows to close. */
        (void)signal(GBX_EGRESS_SIGNAL_BREAKER, SIG_IGN);
        (void)signal(GBX_EGRESS_SIGNAL_QUOTA, SIG_IGN);
        if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0)
                r = gbx_fail_errno(&err, "cannot tie the proxy to its starter");
        raise_descriptor_limit();
        if (r >= 0)
                r = parse_descriptor(argv[1], &config_fd, &err);
        if (r >= 0 && argc > 2)
                r = parse_descriptor(argv[2], &ready_fd, &err);
        if (r >= 0)
                r = run(config_fd, ready_fd, &err);
        if (r < 0)
                (void)fprintf(stderr, "gbx-egress: %s\n", err.message);
        return r < 0 ? (int)gbx_error_exit_code(r) : GBX_EXIT_DONE;
}
