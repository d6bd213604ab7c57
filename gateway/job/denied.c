#include "gateway/job/denied.h"

#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/json.h"

enum { DENIED_PER_ENTRY = 128 }; /* so many calls fit into one entry, whatever their classes are */

/* "socket(AF_INET, SOCK_STREAM) x3: errno EAFNOSUPPORT" */
static json_t *call_text(const json_t *call) {
        gbx_auto(gbx_buffer_free) struct gbx_buffer text = {};
        size_t index;
        json_t *word;

        (void)gbx_buffer_printf(&text, NULL, "%s(", json_string_value(json_object_get(call, "syscall")));
        json_array_foreach(json_object_get(call, "class"), index, word)
                (void)gbx_buffer_printf(&text, NULL, "%s%s", index ? ", " : "", json_string_value(word));
        (void)gbx_buffer_printf(&text, NULL, ") x%lld: %s", (long long)gbx_json_number(call, "count"),
                                json_string_value(json_object_get(call, "answer")));
        return json_string(gbx_buffer_text(&text));
}

static int record_calls(struct gbx_transaction *transaction, const char *id, json_t *calls, struct gbx_error *err) {
        gbx_auto(gbx_json_freep) json_t *reasons = json_array(), *details = json_pack("{s:O}", "calls", calls);
        size_t index;
        json_t *call;

        json_array_foreach(calls, index, call)
                if (json_array_append_new(reasons, call_text(call)) < 0)
                        return gbx_fail_memory(err);
        return gbx_transaction_record(transaction, &(struct gbx_action){ "syscall.denied", id, "denied", reasons, details }, NULL, err);
}

static json_t *make_call(const json_t *item) {
        return json_pack("{s:O, s:O, s:O, s:O}", "syscall", json_object_get(item, "syscall"), "class", json_object_get(item, "class"),
                         "count", json_object_get(item, "count"), "answer", json_object_get(item, "action"));
}

int gbx_record_denied(struct gbx_transaction *transaction, const char *id, const json_t *sandbox, struct gbx_error *err) {
        gbx_auto(gbx_json_freep) json_t *calls = json_array();
        size_t index;
        json_t *item;

        if (gbx_json_number(sandbox, "pids_refused") > 0)
                (void)json_array_append_new(calls, json_pack("{s:s, s:[], s:I, s:s}", "syscall", "clone", "class", "count",
                                                             gbx_json_number(sandbox, "pids_refused"), "answer",
                                                             "errno EAGAIN by the process limit"));
        json_array_foreach(json_object_get(sandbox, "denied"), index, item) {
                if (json_array_append_new(calls, make_call(item)) < 0)
                        return gbx_fail(err, -EPROTO, "the sandbox's report of denied system calls is malformed");
                if (json_array_size(calls) == DENIED_PER_ENTRY) {
                        int r = record_calls(transaction, id, calls, err);

                        if (r < 0)
                                return r;
                        (void)json_array_clear(calls);
                }
        }
        return json_array_size(calls) > 0 ? record_calls(transaction, id, calls, err) : 0;
}
