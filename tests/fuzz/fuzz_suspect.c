/* Suspect files: whatever comes in is read or refused, and names nobody it should not. */
#include "watermark/mark.h"
#include "watermark/trace.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint8_t root[GBX_MARK_ROOT_SIZE] = "a root key of thirty-two bytes!";
static const char original[] = "id,name,v\n1,a,100.5\n2,b,200.25\n3,c,300.125\n";
static const struct gbx_mark_column columns[] = {
        { .name = "id", .type = GBX_MARK_INTEGER, .role = GBX_MARK_KEY },
        { .name = "name", .type = GBX_MARK_TEXT },
        { .name = "v", .type = GBX_MARK_DECIMAL, .unit = "0.01" },
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        static struct gbx_mark mark;
        const struct gbx_mark_request request = { .root = root, .family = "f", .release = "r", .recipient = "b",
                                                  .columns = columns, .column_count = 3 };
        struct gbx_trace_candidate candidate = { "r", "b", "f", NULL, size & 1 ? original : NULL, sizeof original - 1 };
        struct gbx_trace trace = {};
        struct gbx_error err = {};

        if (size > 1 << 16)
                return 0;
        if (!mark.record) { /* once */
                struct gbx_buffer copy = {};

                if (gbx_mark_table(&request, original, sizeof original - 1, &copy, &mark, &err) < 0)
                        abort();
                gbx_buffer_free(&copy);
        }
        candidate.record = mark.record;
        if (gbx_trace(root, data, size, &candidate, 1, NULL, &trace, &err) < 0) {
                if (!*err.message)
                        abort();
                return 0;
        }
        for (size_t i = 0; i < trace.count; i++)
                if ((i < trace.accused) != (trace.results[i].candidate != GBX_TRACE_NOBODY) ||
                    trace.results[i].verdict == GBX_TRACE_TRACED) /* three cells can never name anybody */
                        abort();
        gbx_trace_clear(&trace);
        return 0;
}
