#include "gateway/cli/output.h"

#include "base/cleanup.h"
#include "base/encode.h"
#include "base/json.h"
#include "base/text.h"
#include "gateway/cli/answer.h"

#include <string.h>

static void show_progress(void *context, const char *label, double fraction) {
        enum { WIDTH = 30 };
        struct gbx_output *output = context;
        char bar[WIDTH + 1];
        size_t full = fraction >= 1 ? WIDTH : fraction <= 0 ? 0 : (size_t)(fraction * WIDTH);

        if (output->invocation->json || !isatty(STDERR_FILENO))
                return;
        output->progress = fraction >= 0;
        if (fraction < 0) {
                fputs("\r\x1b[K", stderr);
                return;
        }
        memset(bar, '.', WIDTH);
        memset(bar, '#', full);
        bar[WIDTH] = '\0';
        fprintf(stderr, "\r%s [%s] %3d %%", label, bar, (int)(fraction * 100));
}

/* One turn of many: with --json a line each. */
static void show_turn(void *context, const json_t *answer) {
        const struct gbx_output *output = context;

        if (output->invocation->json) {
                (void)json_dumpf(answer, stdout, JSON_COMPACT | JSON_SORT_KEYS | JSON_ENCODE_ANY);
                putchar('\n');
        } else {
                (void)gbx_answer_print(output->invocation->operation, answer, false, NULL);
        }
        (void)fflush(stdout);
}

static int take_chunk(void *context, const void *data, size_t size, struct gbx_error *err) {
        struct gbx_output *output = context;

        if (output->file)
                return size > 0 && fwrite(data, 1, size, output->file) != size ? gbx_fail_errno(err, "cannot write") : 0;
        return output->invocation->json ? gbx_buffer_append(&output->bytes, data, size, err) : gbx_answer_write(stdout, data, size, err);
}

static const struct gbx_part *bytes_part(const struct gbx_operation *operation) {
        for (const struct gbx_part *p = operation->answer; p && p->kind; p++)
                if (p->kind == GBX_PART_BYTES)
                        return p;
        return NULL;
}

/* Where the bytes go: --out, "-" for standard output, else the file that the operation names by its request. */
static int find_place(const struct gbx_invocation *invocation, const struct gbx_part *part, struct gbx_buffer *ret, struct gbx_error *err) {
        gbx_auto(gbx_json_freep) json_t *values = json_object();
        const char *out = gbx_invocation_value(invocation, "out");

        if (out)
                return strcmp(out, "-") == 0 ? 0 : gbx_buffer_append_text(ret, out, err);
        if (!part->text || invocation->json)
                return 0;
        for (size_t i = 0; i < invocation->value_count; i++)
                (void)json_object_set_new(values, invocation->values[i].field->name, json_string(invocation->values[i].text));
        return gbx_answer_fill(part->text, values, ret, err);
}

int gbx_output_begin(struct gbx_output *output, const struct gbx_invocation *invocation, struct gbx_error *err) {
        gbx_auto(gbx_buffer_free) struct gbx_buffer place = {};
        const struct gbx_part *part = bytes_part(invocation->operation);
        int r = part ? find_place(invocation, part, &place, err) : 0;

        output->invocation = invocation;
        output->sink = (struct gbx_sink){ output, show_progress, show_turn, take_chunk };
        if (r < 0 || place.size == 0)
                return r;
        output->file = fopen(gbx_buffer_text(&place), part->text ? "we" : "wxe");
        return output->file ? 0 : gbx_fail_errno(err, "cannot create '%s'", gbx_buffer_text(&place));
}

int gbx_output_finish(struct gbx_output *output, json_t *answer, struct gbx_error *err) {
        const struct gbx_part *part = bytes_part(output->invocation->operation);
        gbx_auto(gbx_buffer_free) struct gbx_buffer text = {};
        json_t *value;
        int r;

        if (output->progress)
                show_progress(output, "", -1);
        if (output->file && fflush(output->file) != 0)
                return gbx_fail_errno(err, "cannot write '%s'", gbx_invocation_value(output->invocation, "out"));
        if (!part || output->file || !output->invocation->json || !json_is_object(answer) || output->bytes.size == 0)
                return 0;
        value = gbx_utf8_valid(gbx_buffer_text(&output->bytes), output->bytes.size)
                        ? json_stringn(gbx_buffer_text(&output->bytes), output->bytes.size)
                        : NULL;
        if (!value) {
                r = gbx_base64_encode(GBX_BASE64_PADDED, output->bytes.data, output->bytes.size, &text, err);
                if (r < 0)
                        return r;
                value = json_pack("{s:s}", "base64", gbx_buffer_text(&text));
        }
        return json_object_set_new(answer, part->member, value) < 0 ? gbx_fail_memory(err) : 0;
}

void gbx_output_end(struct gbx_output *output) {
        if (output->invocation && output->progress)
                show_progress(output, "", -1);
        gbx_close_file(&output->file);
        gbx_buffer_free(&output->bytes);
}
