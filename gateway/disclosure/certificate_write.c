#include "gateway/disclosure/certificate.h"

#include "base/cleanup.h"
#include "base/encode.h"
#include "gateway/disclosure/certificate_form.h"

#include <inttypes.h>

/* JSON text: what could end or bend it is written as \u00NN; everything else as it is. */
static int write_text(struct gbx_buffer *out, const char *text, struct gbx_error *err) {
        int r = gbx_buffer_append_byte(out, '"', err);

        for (const char *c = text; *c && r == 0; c++) {
                unsigned char byte = (unsigned char)*c;

                if (byte < 0x20 || byte == '"' || byte == '\\' || byte == 0x7f)
                        r = gbx_buffer_printf(out, err, "\\u%04x", byte);
                else
                        r = gbx_buffer_append_byte(out, byte, err);
        }
        return r ? r : gbx_buffer_append_byte(out, '"', err);
}

static int write_indices(struct gbx_buffer *out, const size_t *items, size_t count, struct gbx_error *err) {
        int r = gbx_buffer_append_byte(out, '[', err);

        for (size_t i = 0; i < count && r == 0; i++)
                r = gbx_buffer_printf(out, err, "%s%zu", i ? "," : "", items[i]);
        return r ? r : gbx_buffer_append_byte(out, ']', err);
}

static int write_key(struct gbx_buffer *out, const struct gbx_disclosure_key *key, struct gbx_error *err) {
        int r = gbx_buffer_append_text(out, "{\"name\":", err);

        if (r == 0)
                r = write_text(out, key->name, err);
        if (r == 0)
                r = gbx_buffer_append_text(out, ",\"codes\":[", err);
        for (size_t i = 0; i < key->code_count && r == 0; i++) {
                r = gbx_buffer_append_text(out, i ? ",[" : "[", err);
                if (r == 0)
                        r = write_text(out, key->codes[i].label, err);
                if (r == 0)
                        r = gbx_buffer_printf(out, err, ",%zu]", key->codes[i].parent);
        }
        return r ? r : gbx_buffer_append_text(out, "]}", err);
}

static int write_cell(struct gbx_buffer *out, const struct gbx_disclosure_cell *cell, size_t key_count, bool suppressed,
                      struct gbx_error *err) {
        int r = gbx_buffer_append_text(out, "{\"codes\":", err);

        if (r == 0)
                r = write_indices(out, cell->codes, key_count, err);
        if (r == 0)
                r = gbx_buffer_printf(out, err,
                                      ",\"value\":%" PRId64 ",\"count\":%" PRIu64 ",\"lower\":%" PRId64 ",\"upper\":%" PRId64
                                      ",\"cost\":%" PRId64 ",\"unsafe\":%s,\"suppressed\":%s}",
                                      cell->value, cell->count, cell->lower, cell->upper, cell->cost, cell->unsafe ? "true" : "false",
                                      suppressed ? "true" : "false");
        return r;
}

static int write_table(struct gbx_buffer *out, const struct gbx_disclosure_table *table, const struct gbx_system *system,
                       const size_t *places, const bool *open, struct gbx_error *err) {
        int r = gbx_buffer_append_text(out, "{\"name\":", err);

        if (r == 0)
                r = write_text(out, table->name, err);
        if (r == 0)
                r = gbx_buffer_printf(out, err, ",\"universe\":%zu,\"measure\":%zu,\"keys\":", table->universe, table->measure);
        if (r == 0)
                r = write_indices(out, table->keys, table->key_count, err);
        if (r == 0)
                r = gbx_buffer_printf(out, err, ",\"non_negative\":%s,\"integer\":%s,\"cells\":[", table->non_negative ? "true" : "false",
                                      table->integer ? "true" : "false");
        for (size_t c = 0; c < table->cell_count && r == 0; c++) {
                if (c > 0)
                        r = gbx_buffer_append_byte(out, ',', err);
                if (r == 0)
                        r = write_cell(out, &table->cells[c], table->key_count, open[system->cells[places[c]].decision], err);
        }
        return r ? r : gbx_buffer_append_text(out, "]}", err);
}

static int write_witness(struct gbx_buffer *out, const struct gbx_witness *witness, struct gbx_error *err) {
        int r = gbx_buffer_printf(out, err, "{\"cell\":%zu,\"side\":\"%s\",\"denominator\":%" PRId64 ",\"moves\":[", witness->cell,
                                  witness->high ? "high" : "low", witness->denominator);

        for (size_t i = 0; i < witness->move_count && r == 0; i++)
                r = gbx_buffer_printf(out, err, "%s[%zu,%" PRId64 "]", i ? "," : "", witness->moves[i].cell, witness->moves[i].amount);
        return r ? r : gbx_buffer_append_text(out, "]}", err);
}

static int write_tables(struct gbx_buffer *out, const struct gbx_disclosure_set *set, const struct gbx_system *system, const bool *open,
                        struct gbx_error *err) {
        const size_t *places = system->table_cells;
        int r = 0;

        for (size_t i = 0; i < set->table_count && r == 0; i++) {
                if (i > 0)
                        r = gbx_buffer_append_byte(out, ',', err);
                if (r == 0)
                        r = write_table(out, &set->tables[i], system, places, open, err);
                places += set->tables[i].cell_count;
        }
        return r;
}

/* The one form of a certificate; the checker writes what it read through this, too. */
int gbx_certificate_form(const struct gbx_disclosure_set *set, const struct gbx_system *system, const bool *open,
                         const struct gbx_witness *witnesses, size_t witness_count, struct gbx_buffer *ret, struct gbx_error *err) {
        gbx_auto(gbx_buffer_free) struct gbx_buffer out = { .secret = true };
        uint8_t digest[GBX_SHA256_SIZE];
        char text[GBX_SHA256_TEXT_SIZE];
        int r = gbx_buffer_printf(&out, err,
                                  "{\"type\":\"glovebox-disclosure-certificate\",\"version\":%d,\"minimum\":%" PRIu64 ",\"keys\":[",
                                  GBX_CERTIFICATE_VERSION, set->minimum);

        for (size_t i = 0; i < set->key_count && r == 0; i++) {
                if (i > 0)
                        r = gbx_buffer_append_byte(&out, ',', err);
                if (r == 0)
                        r = write_key(&out, &set->keys[i], err);
        }
        if (r == 0)
                r = gbx_buffer_append_text(&out, "],\"tables\":[", err);
        if (r == 0)
                r = write_tables(&out, set, system, open, err);
        if (r == 0)
                r = gbx_buffer_append_text(&out, "],\"witnesses\":[", err);
        for (size_t i = 0; i < witness_count && r == 0; i++) {
                if (i > 0)
                        r = gbx_buffer_append_byte(&out, ',', err);
                if (r == 0)
                        r = write_witness(&out, &witnesses[i], err);
        }
        if (r == 0)
                r = gbx_buffer_append_byte(&out, ']', err);
        if (r < 0)
                return r;
        gbx_sha256(out.data, out.size, digest);
        gbx_sha256_text(digest, text);
        r = gbx_buffer_printf(&out, err, ",\"digest\":\"%s\"}\n", text);
        return r ? r : gbx_buffer_append(ret, out.data, out.size, err);
}

int gbx_certificate_write(const struct gbx_disclosure_set *set, const struct gbx_system *system, const struct gbx_suppression *suppression,
                          struct gbx_buffer *ret, struct gbx_error *err) {
        return gbx_certificate_form(set, system, suppression->open, suppression->witnesses, suppression->witness_count, ret, err);
}
