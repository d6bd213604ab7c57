/* gbx flows: what leaves running jobs, and stopping it. */
#include "gateway/cli/commands.h"

#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/file.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

enum { ANSWER_LIMIT = 16 * 1024 * 1024, ANSWER_SECONDS = 10 };

static void free_json(json_t **json) { json_decref(*json); }

/* One request to the proxy of one run. -ENOENT: it has ended. */
static int ask(const struct gbx_site *site, const char *run, const json_t *request, json_t **ret, struct gbx_error *err) {
        const struct timeval limit = { .tv_sec = ANSWER_SECONDS };
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        gbx_auto(gbx_buffer_free) struct gbx_buffer answer = {};
        gbx_auto(gbx_close_fd) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        gbx_auto(gbx_free_pointer) char *text = json_dumps(request, JSON_COMPACT);
        int r;

        if (!text || snprintf(address.sun_path, sizeof address.sun_path, "%s/flows/%s", site->path, run) >= (int)sizeof address.sun_path)
                return gbx_fail(err, -ENAMETOOLONG, "the path of the control socket of '%s' is too long", run);
        if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) < 0)
                return gbx_fail_errno(err, "cannot make a socket");
        if (connect(fd, (struct sockaddr *)&address, sizeof address) < 0)
                return gbx_fail(err, -ENOENT, "no flows of a run '%s'", run);
        r = gbx_write_all(fd, text, strlen(text), err);
        if (r >= 0)
                r = gbx_write_all(fd, "\n", 1, err);
        if (r >= 0)
                r = gbx_read_fd(fd, ANSWER_LIMIT, &answer, err);
        if (r < 0)
                return r;
        *ret = json_loadb(gbx_buffer_text(&answer), answer.size, JSON_REJECT_DUPLICATES, NULL);
        return *ret ? 0 : gbx_fail(err, -EPROTO, "the proxy of '%s' gave no readable answer", run);
}

/* The state of every run that has flows, as an array. */
static int collect(const struct gbx_site *site, json_t **ret, struct gbx_error *err) {
        gbx_auto(free_json) json_t *all = json_array(), *request = json_pack("{s:s}", "command", "flows");
        gbx_auto(gbx_close_directory) DIR *directory = NULL;
        int fd = openat(site->directory, "flows", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        struct dirent *entry;

        directory = fd >= 0 ? fdopendir(fd) : NULL;
        while (directory && (entry = readdir(directory))) {
                json_t *state = NULL;

                if (entry->d_name[0] == '.' || ask(site, entry->d_name, request, &state, NULL) < 0)
                        continue; /* a proxy that was killed left its socket */
                if (json_array_append_new(all, state) < 0)
                        return gbx_fail_memory(err);
        }
        *ret = all;
        all = NULL;
        return 0;
}

static const char *text_of(const json_t *object, const char *field) {
        const char *text = json_string_value(json_object_get(object, field));

        return text ? text : "";
}

static long long number_of(const json_t *object, const char *field) {
        return (long long)json_integer_value(json_object_get(object, field));
}

static int run_ls(struct gbx_cli *cli, struct gbx_error *err) {
        json_t *all = NULL, *run, *flow;
        size_t i, k;
        int r = collect(cli->site, &all, err);

        if (r < 0)
                return r;
        if (cli->json) {
                gbx_cli_print_json(all);
                return GBX_EXIT_DONE;
        }
        printf("%-16s %-12s %-16s %6s %-32s %12s %12s %12s\n", "RUN", "ANALYST", "RULE", "FLOW", "HOST", "SENT", "RECEIVED", "BYTES/S");
        json_array_foreach(all, i, run)
                json_array_foreach(json_object_get(run, "flows"), k, flow)
                        printf("%-16s %-12s %-16s %6lld %-32s %12lld %12lld %12lld\n", text_of(run, "run"), text_of(run, "analyst"),
                               text_of(flow, "rule"), number_of(flow, "flow"), text_of(flow, "host"), number_of(flow, "sent"),
                               number_of(flow, "received"), number_of(flow, "rate"));
        json_decref(all);
        return GBX_EXIT_DONE;
}

static bool concerns(const json_t *run, const char *name, const char *analyst, const char *dataset) {
        bool has = !dataset;
        size_t i;
        json_t *item;

        json_array_foreach(json_object_get(run, "datasets"), i, item)
                has |= dataset && strcmp(json_string_value(item), dataset) == 0;
        return has && (!name || strcmp(text_of(run, "run"), name) == 0) && (!analyst || strcmp(text_of(run, "analyst"), analyst) == 0);
}

static int run_cut(struct gbx_cli *cli, struct gbx_error *err) {
        const char *name = gbx_cli_option(cli, "run"), *analyst = gbx_cli_option(cli, "analyst"), *dataset = gbx_cli_option(cli, "dataset");
        const char *rule = gbx_cli_option(cli, "rule");
        gbx_auto(free_json) json_t *all = NULL, *request = json_pack("{s:s, s:s*}", "command", "cut", "rule", rule);
        long long count = 0;
        size_t i;
        json_t *run;
        int r;

        if (!name && !analyst && !dataset)
                return gbx_fail(err, -EINVAL, "say whose flows: --run, --analyst or --dataset");
        r = collect(cli->site, &all, err);
        if (r < 0)
                return r;
        json_array_foreach(all, i, run) {
                gbx_auto(free_json) json_t *answer = NULL;

                if (!concerns(run, name, analyst, dataset))
                        continue;
                r = ask(cli->site, text_of(run, "run"), request, &answer, err);
                if (r < 0)
                        return r;
                count += number_of(answer, "cut");
        }
        if (count == 0)
                return gbx_fail(err, -ENOENT, "no live rule of such a run");
        if (cli->json)
                gbx_cli_print_json(json_pack("{s:I}", "cut", (json_int_t)count));
        else
                printf("%lld rule%s closed for the rest of the run\n", count, count == 1 ? "" : "s");
        return GBX_EXIT_DONE;
}

static const struct gbx_option cut_options[] = {
        { .name = "run", .value = "RUN", .help = "flows of this run" },
        { .name = "analyst", .value = "NAME", .help = "flows of this analyst's runs" },
        { .name = "dataset", .value = "NAME", .help = "flows of runs on this dataset" },
        { .name = "rule", .value = "NAME", .help = "only this rule of them" },
        {}
};

const struct gbx_command gbx_commands_flows[] = {
        { .noun = "flows", .verb = "ls", .summary = "live network flows of running jobs, with their rates", .action = "flows ls", .run = run_ls },
        { .noun = "flows", .verb = "cut", .summary = "end network flows of running jobs", .options = cut_options, .action = "flows cut", .run = run_cut },
        {}
};
