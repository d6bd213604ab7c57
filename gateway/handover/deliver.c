#include "gateway/handover/deliver.h"

#include "base/cleanup.h"
#include "base/file.h"
#include "gateway/log/writer/log.h"
#include "base/json.h"
#include "gateway/store/fact.h"
#include "gateway/store/transaction.h"

#include <stdio.h>
#include <string.h>

enum { PATH_SIZE = 256, FILE_LIMIT = 256 * 1024 * 1024 };

static int find_release(struct gbx_site *site, const char *run, const char *who, json_t **ret_row, struct gbx_error *err) {
        gbx_auto(gbx_json_freep) json_t *row = NULL;
        int r = gbx_fact_one(site, &row, err, "release", "run=?1 OR id=?1", run, NULL);

        if (r < 0)
                return r;
        if (r > 0)
                return gbx_fail(err, -ENOENT, "nothing of '%s' was released (gbx job ls)", run);
        if (strcmp(json_string_value(json_object_get(row, "recipient")), who) != 0)
                return gbx_fail(err, -EKEYREJECTED, "the release of '%s' is for somebody else", run);
        *ret_row = gbx_take_ptr(row);
        return 0;
}

static int copy_file(struct gbx_site *site, const char *release, const char *name, int folder, const char *folder_name,
                     json_t *files, struct gbx_error *err) {
        gbx_auto(gbx_buffer_free) struct gbx_buffer bytes = {};
        char path[PATH_SIZE];
        int r;

        (void)snprintf(path, sizeof path, "releases/%s/%s", release, name);
        r = gbx_read_file(site->directory, path, FILE_LIMIT, &bytes, err);
        if (r >= 0)
                r = gbx_write_file_durably(folder, name, bytes.data, bytes.size, 0600, err);
        if (r < 0)
                return r;
        return json_array_append_new(files, json_sprintf("%s/%s", folder_name, name)) < 0 ? gbx_fail_memory(err) : 0;
}

int gbx_deliver(struct gbx_site *site, const struct gbx_caller *caller, const char *run, const char *folder, json_t **ret_files,
                struct gbx_error *err) {
        gbx_auto(gbx_json_freep) json_t *row = NULL, *outputs = NULL, *files = json_array();
        gbx_auto(gbx_close_fd) int target = -1;
        gbx_auto(gbx_transaction_freep) struct gbx_transaction *transaction = NULL;
        const char *release;
        size_t index;
        json_t *output;
        int r = gbx_transaction_begin(&transaction, site, caller, "job fetch", err);

        if (r >= 0)
                r = find_release(site, run, gbx_caller_name(caller), &row, err);
        if (r >= 0)
                r = gbx_make_directories(AT_FDCWD, folder, 0700, err);
        if (r < 0)
                return r;
        target = gbx_open_directory(AT_FDCWD, folder, err);
        if (target < 0)
                return target;
        release = json_string_value(json_object_get(row, "id"));
        outputs = json_loads(json_string_value(json_object_get(row, "outputs")), 0, NULL);
        r = gbx_transaction_record(transaction, &(struct gbx_action){ "release.fetch", release, "done", NULL, NULL }, NULL, err);
        if (r >= 0)
                r = gbx_transaction_commit(&transaction, err);
        if (r >= 0 && gbx_log_covered(site->log) <= (uint64_t)json_integer_value(json_object_get(row, "seq")))
                r = gbx_fail(err, -EAGAIN, "no checkpoint covers the release yet");
        json_array_foreach(outputs, index, output) {
                char name[PATH_SIZE / 2];

                (void)snprintf(name, sizeof name, "%s.age", json_string_value(json_object_get(output, "file")));
                if (r >= 0)
                        r = copy_file(site, release, name, target, folder, files, err);
        }
        if (r >= 0)
                r = copy_file(site, release, "provenance.intoto.json", target, folder, files, err);
        if (r < 0)
                return r;
        *ret_files = gbx_take_ptr(files);
        return 0;
}
