/* release ls | verify */
#include "gateway/api/ops.h"

#include "base/cleanup.h"
#include "base/encode.h"
#include "base/json.h"
#include "gateway/handover/provenance.h"
#include "gateway/store/keys.h"
#include "gateway/store/keys_rotate.h"
#include "gateway/store/view.h"

#include <string.h>

static int perform_ls(struct gbx_session *session, const json_t *request, struct gbx_sink *sink, json_t **ret_answer,
                      struct gbx_error *err) {
        (void)request, (void)sink;
        return gbx_view_query(session->site->view, ret_answer, err, "SELECT * FROM release ORDER BY seq", NULL);
}

/* The key to verify with: that of the request, for those who have no site, or the site's own. */
static int public_key(struct gbx_session *session, const json_t *request, uint8_t ret_key[static GBX_ED25519_PUBLIC_SIZE],
                      struct gbx_error *err) {
        const char *given = gbx_json_text(request, "provenance-key");
        gbx_auto(gbx_json_freep) json_t *keys = NULL;
        int r = given ? 0 : gbx_session_open(session, "release verify", err);

        if (!given && r >= 0)
                r = gbx_site_public_keys(session->site, &keys, err);
        if (r < 0)
                return gbx_context(err, r, "without a site, give --provenance-key");
        if (!given)
                given = gbx_json_text(keys, "provenance");
        return gbx_hex_decode(given, strlen(given), ret_key, GBX_ED25519_PUBLIC_SIZE, err);
}

/* With the keys that the site had before (gbx keys rotate provenance); -EBADMSG as before if it is none of them. */
static int verify_with_former(struct gbx_site *site, const json_t *envelope, json_t **ret_statement, struct gbx_error *err) {
        gbx_auto(gbx_json_freep) json_t *keys = NULL;
        size_t index;
        json_t *row;
        int r = gbx_site_provenance_keys(site, &keys, err);

        if (r < 0)
                return r;
        json_array_foreach(keys, index, row) {
                const char *text = gbx_json_text(row, "key");
                uint8_t key[GBX_ED25519_PUBLIC_SIZE];

                if (!text || gbx_hex_decode(text, strlen(text), key, sizeof key, NULL) < 0)
                        continue;
                if (gbx_provenance_verify(json_string_value(envelope), json_string_length(envelope), key, ret_statement, err) >= 0)
                        return 0;
        }
        return -EBADMSG;
}

static int perform_verify(struct gbx_session *session, const json_t *request, struct gbx_sink *sink, json_t **ret_answer,
                          struct gbx_error *err) {
        const json_t *envelope = json_object_get(request, "manifest");
        const char *file = gbx_session_label(session, "file");
        uint8_t key[GBX_ED25519_PUBLIC_SIZE], digest[GBX_SHA256_SIZE];
        gbx_auto(gbx_json_freep) json_t *statement = NULL;
        gbx_auto(gbx_buffer_free) struct gbx_buffer bytes = {};
        int r = public_key(session, request, key, err);

        (void)sink;
        if (r >= 0) {
                r = gbx_provenance_verify(json_string_value(envelope), json_string_length(envelope), key, &statement, err);
                if (r == -EBADMSG && session->site)
                        r = verify_with_former(session->site, envelope, &statement, err);
                if (r < 0)
                        (void)gbx_context(err, r, "%s", gbx_session_label(session, "manifest"));
        }
        if (r >= 0)
                r = gbx_sha256_fd(gbx_session_file(session, "file"), digest, NULL, err);
        if (r < 0)
                return r;
        if (!gbx_provenance_find(statement, digest))
                return gbx_fail(err, -EBADMSG, "'%s' is not one of the files of this manifest: its bytes have another digest", file);
        *ret_answer = gbx_take_ptr(statement);
        (void)json_object_set_new(*ret_answer, "file", json_string(file));
        return 0;
}

static const struct gbx_column columns[] = {
        { "id", "RELEASE", GBX_COLUMN_TEXT, 0 },          { "run", "RUN", GBX_COLUMN_TEXT, 0 },
        { "recipient", "RECIPIENT", GBX_COLUMN_TEXT, 0 }, { "fetched", "FETCHED", GBX_COLUMN_NUMBER, 0 },
        { "state", NULL, GBX_COLUMN_TEXT, 0 },            { "provenance", NULL, GBX_COLUMN_DIGEST, 0 },
        { "outputs", NULL, GBX_COLUMN_LIST, GBX_ROLE_ADMIN | GBX_ROLE_AUDITOR },
        { "mark", NULL, GBX_COLUMN_OBJECT, GBX_ROLE_AUDITOR },
        { "family", NULL, GBX_COLUMN_TEXT, GBX_ROLE_AUDITOR },
        {},
};

static const struct gbx_column statement_columns[] = {
        { "_type", NULL, GBX_COLUMN_TEXT, 0 },         { "subject", NULL, GBX_COLUMN_LIST, 0 },
        { "predicateType", NULL, GBX_COLUMN_TEXT, 0 }, { "predicate", NULL, GBX_COLUMN_OBJECT, 0 },
        { "file", NULL, GBX_COLUMN_TEXT, 0 },          {},
};

const struct gbx_operation gbx_operations_release[] = {
        { GBX_OPERATION("release", "ls", "release ls", GBX_READ, perform_ls),
          .summary = "list what left the gate (an analyst: what is one's own)", .own = "recipient",
          .answer = (const struct gbx_part[]){ { .kind = GBX_PART_ROWS, .columns = columns, .text = "nothing was released yet" }, {} } },
        { GBX_OPERATION("release", "verify", "release verify", GBX_LOCAL, perform_verify),
          .summary = "check a released file against its signed provenance manifest",
          .fields = (const struct gbx_field[]){
                  { .name = "manifest", .type = GBX_FIELD_DOCUMENT, .value = "MANIFEST", .required = true, .positional = true },
                  { .name = "file", .type = GBX_FIELD_FILE, .value = "FILE", .required = true, .positional = true },
                  { .name = "provenance-key", .value = "HEX",
                    .help = "the site's provenance key (gbx keys provenance); no site is needed then" },
                  {} },
          .answer = (const struct gbx_part[]){
                  { .kind = GBX_PART_LINE,
                    .text = "{file}: good. Release {predicate.release} of {predicate.run}, for {predicate.recipient},"
                            " purpose {predicate.purpose}." },
                  { .kind = GBX_PART_FIELDS, .columns = statement_columns },
                  {} } },
        {},
};
