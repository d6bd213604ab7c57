#include "policy/transfer_statement.h"

#include "base/cleanup.h"
#include "base/text.h"

#include <string.h>

static const char first_line[] = "glovebox dataset transfer v1";

int gbx_transfer_text(const struct gbx_transfer *transfer, struct gbx_buffer *buffer, struct gbx_error *err) {
        char made[GBX_TIME_TEXT_SIZE];

        if (!gbx_statement_site_valid(transfer->site) || !gbx_name_valid(transfer->dataset) || !gbx_name_valid(transfer->from) ||
            !gbx_name_valid(transfer->to) || !gbx_statement_nonce_valid(transfer->nonce))
                return gbx_fail(err, -EINVAL, "transfer statement: the site, a name or the nonce is not valid");
        if (strcmp(transfer->from, transfer->to) == 0)
                return gbx_fail(err, -EINVAL, "transfer statement: '%s' cannot transfer to the same owner", transfer->from);
        gbx_time_text(transfer->made, made);
        return gbx_buffer_printf(buffer, err, "%s\nsite: %s\ndataset: %s\nfrom: %s\nto: %s\nmade: %s\nnonce: %s\n", first_line,
                                 transfer->site, transfer->dataset, transfer->from, transfer->to, made, transfer->nonce);
}

int gbx_transfer_parse(const char *text, size_t size, struct gbx_transfer *ret, struct gbx_error *err) {
        gbx_auto(gbx_buffer_free) struct gbx_buffer again = {};
        struct gbx_transfer transfer = {};
        struct gbx_statement_reader reader;
        int r = gbx_statement_start(&reader, "transfer statement", first_line, text, size, err);

        if (r >= 0)
                r = gbx_statement_expect(&reader, "site", transfer.site, sizeof transfer.site, err);
        if (r >= 0)
                r = gbx_statement_expect(&reader, "dataset", transfer.dataset, sizeof transfer.dataset, err);
        if (r >= 0)
                r = gbx_statement_expect(&reader, "from", transfer.from, sizeof transfer.from, err);
        if (r >= 0)
                r = gbx_statement_expect(&reader, "to", transfer.to, sizeof transfer.to, err);
        if (r >= 0)
                r = gbx_statement_expect_time(&reader, "made", &transfer.made, err);
        if (r >= 0)
                r = gbx_statement_expect(&reader, "nonce", transfer.nonce, sizeof transfer.nonce, err);
        if (r >= 0)
                r = gbx_transfer_text(&transfer, &again, err);
        if (r >= 0)
                r = gbx_statement_canonical(&reader, &again, text, size, err);
        if (r < 0)
                return r;
        *ret = transfer;
        return 0;
}
