#include "gateway/flows/control.h"

#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "gateway/store/view.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

enum { ANSWER_LIMIT = 16 * 1024 * 1024, ANSWER_SECONDS = 10 };

static int open_socket(const struct gbx_site *site, const char *run, int flags, struct gbx_error *err) {
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        gbx_auto(gbx_close_fd) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | flags, 0);

        /* By descriptor: a site's path may be longer than the address of a socket can be. */
        if (snprintf(address.sun_path, sizeof address.sun_path, "/proc/self/fd/%d/flows/%s", site->directory, run) >=
            (int)sizeof address.sun_path)
                return gbx_fail(err, -ENAMETOOLONG, "the path of the control socket of '%s' is too long", run);
        if (fd < 0)
                return gbx_fail_errno(err, "cannot make a socket");
        if (connect(fd, (struct sockaddr *)&address, sizeof address) < 0)
                return gbx_fail(err, -ENOENT, "no flows of a run '%s'", run);
        return gbx_take_fd(&fd);
}

int gbx_flow_control_ask(const struct gbx_site *site, const char *run, const json_t *request, json_t **ret, struct gbx_error *err) {
        const struct timeval limit = { .tv_sec = ANSWER_SECONDS };
        gbx_auto(gbx_buffer_free) struct gbx_buffer answer = {};
        gbx_auto(gbx_free_pointer) char *text = json_dumps(request, JSON_COMPACT);
        gbx_auto(gbx_close_fd) int fd = -1;
        int r = text ? fd = open_socket(site, run, 0, err) : gbx_fail_memory(err);

        if (r >= 0 && setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) < 0)
                r = gbx_fail_errno(err, "cannot set a time limit");
        if (r >= 0)
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

static DIR *open_folder(const struct gbx_site *site) {
        int fd = openat(site->directory, "flows", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

        return fd >= 0 ? fdopendir(fd) : NULL;
}

int gbx_flow_control_list(const struct gbx_site *site, json_t **ret, struct gbx_error *err) {
        gbx_auto(gbx_json_freep) json_t *all = json_array(), *request = json_pack("{s:s}", "command", "flows");
        gbx_auto(gbx_close_directory) DIR *directory = open_folder(site);
        struct dirent *entry;

        while (directory && (entry = readdir(directory))) {
                json_t *state = NULL;

                if (entry->d_name[0] == '.' || gbx_flow_control_ask(site, entry->d_name, request, &state, NULL) < 0)
                        continue; /* a proxy that was killed left its socket */
                if (json_array_append_new(all, state) < 0)
                        return gbx_fail_memory(err);
        }
        *ret = gbx_take_ptr(all);
        return 0;
}

static bool is(const json_t *object, const char *field, const char *text) {
        const char *value = json_string_value(json_object_get(object, field));

        return value && strcmp(value, text) == 0;
}

bool gbx_flow_control_concerns(const json_t *state, const char *run, const char *analyst, const char *dataset) {
        bool has = !dataset;
        size_t i;
        json_t *item;

        json_array_foreach(json_object_get(state, "datasets"), i, item)
                has |= dataset && json_is_string(item) && strcmp(json_string_value(item), dataset) == 0;
        return has && (!run || is(state, "run", run)) && (!analyst || is(state, "analyst", analyst));
}

void gbx_flow_control_announce(const struct gbx_site *site, const char *but, const char *kind, const char *name) {
        gbx_auto(gbx_json_freep) json_t *request = json_pack("{s:s, s:s, s:s}", "command", "break", "kind", kind, "name", name);
        gbx_auto(gbx_free_pointer) char *text = request ? json_dumps(request, JSON_COMPACT) : NULL;
        gbx_auto(gbx_close_directory) DIR *directory = text ? open_folder(site) : NULL;
        struct dirent *entry;

        while (directory && (entry = readdir(directory))) {
                gbx_auto(gbx_close_fd) int fd = -1;

                if (entry->d_name[0] == '.' || strcmp(entry->d_name, but) == 0)
                        continue;
                fd = open_socket(site, entry->d_name, SOCK_NONBLOCK, NULL);
                /* Whoever cannot be told sees it in the view at its next record. */
                if (fd >= 0 && send(fd, text, strlen(text), MSG_NOSIGNAL) > 0)
                        (void)send(fd, "\n", 1, MSG_NOSIGNAL);
        }
}
