#include "gateway/log/format/entry_time.h"

#include "base/cleanup.h"
#include "base/json.h"
#include "base/text.h"
#include "gateway/log/format/entry.h"

#include <stdio.h>
#include <string.h>

static int set_text(json_t *entry, const char *key, int64_t seconds, struct gbx_error *err) {
        char text[GBX_TIME_TEXT_SIZE];

        gbx_time_text(seconds, text);
        return json_object_set_new(entry, key, json_string(text)) < 0 ? gbx_fail_memory(err) : 0;
}

static int set_time(json_t *entry, const struct gbx_entry_times *before, int64_t now, struct gbx_error *err) {
        bool behind = before->started && now < before->time;
        int r = set_text(entry, "time", behind ? before->time : now, err);

        return r == 0 && behind ? set_text(entry, "clock", now, err) : r;
}

int gbx_entry_set_time(json_t *entry, const struct gbx_entry_times *before, int64_t now, json_t **ret_step, struct gbx_error *err) {
        gbx_auto(gbx_json_freep) json_t *step = NULL;
        int r = set_time(entry, before, now, err);

        if (r < 0 || !before->started || now >= before->clock)
                return r;
        r = gbx_entry_new(&step, "clock.step", "system", NULL, "done", now,
                          json_pack("{s:I}", "seconds", (json_int_t)(before->clock - now)), err);
        if (r == 0)
                r = set_time(step, before, now, err);
        if (r < 0)
                return r;
        *ret_step = gbx_take_ptr(step);
        return GBX_ENTRY_STEPPED;
}

static bool get_time(const json_t *entry, const char *key, int64_t *ret) {
        const char *text = json_string_value(json_object_get(entry, key));

        return text && gbx_time_parse(text, ret, NULL) == 0;
}

/* What is wrong with an entry of this time and reading behind `before`, or NULL. */
static const char *fault(const struct gbx_entry_times *before, const struct gbx_entry_times *now, const json_t *entry) {
        const char *action = json_string_value(json_object_get(entry, "action"));
        bool step = action && strcmp(action, "clock.step") == 0;
        json_int_t said = json_integer_value(json_object_get(json_object_get(entry, "details"), "seconds"));

        if (now->time < before->time)
                return "its time is before that of the entry in front of it";
        if (now->clock > now->time || (now->clock < now->time && now->time != before->time))
                return "its clock and its time do not go together";
        if (now->clock < before->clock)
                return step && said == before->clock - now->clock ? NULL : "the clock stepped back and no clock.step entry says so";
        return step ? "it says that the clock stepped back, which the times do not show" : NULL;
}

int gbx_entry_times_follow(struct gbx_entry_times *times, const json_t *entry, char *ret_what, size_t size) {
        struct gbx_entry_times before = *times, now = { .started = true };
        const char *what;

        if (!get_time(entry, "time", &now.time))
                return 0; /* not an entry of this form */
        if (!get_time(entry, "clock", &now.clock))
                now.clock = now.time;
        *times = now;
        if (!before.started)
                return 0;
        if (before.time > times->time) /* what follows is measured by the greatest time */
                times->time = before.time;
        what = fault(&before, &now, entry);
        if (what) {
                (void)snprintf(ret_what, size, "%s", what);
                return GBX_ENTRY_TIME_FAULT;
        }
        if (now.clock - before.clock <= GBX_ENTRY_GAP)
                return 0;
        (void)snprintf(ret_what, size, "%lld seconds passed without an entry, or the clock was set forward",
                       (long long)(now.clock - before.clock));
        return GBX_ENTRY_GAP_NOTE;
}
