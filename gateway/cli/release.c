/* gbx release ls | verify */
#include "base/cleanup.h"
#include "base/encode.h"
#include "base/file.h"
#include "gateway/cli/commands.h"
#include "gateway/cli/table.h"
#include "gateway/handover/provenance.h"
#include "gateway/store/keys.h"
#include "gateway/store/view.h"

#include <stdio.h>
#include <string.h>

enum { MANIFEST_LIMIT = 4 * 1024 * 1024 };

static int run_ls(struct gbx_cli *cli, struct gbx_error *err) {
        static const struct gbx_cli_column columns[] = {
                { "id", "RELEASE", GBX_COLUMN_TEXT },       { "run", "RUN", GBX_COLUMN_TEXT },
                { "recipient", "RECIPIENT", GBX_COLUMN_TEXT }, { "fetched", "FETCHED", GBX_COLUMN_NUMBER },
                {},
        };
        json_t *rows;
        int r = gbx_view_query(cli->site->view, &rows, err, "SELECT * FROM release ORDER BY seq", NULL);

        return r < 0 ? r : gbx_cli_print_rows(cli, rows, columns, "nothing was released yet", err);
}

/* The key to verify with: --provenance-key, for those who have no site, or the site's own. */
static int public_key(const struct gbx_cli *cli, uint8_t ret_key[static GBX_ED25519_PUBLIC_SIZE], struct gbx_error *err) {
        const char *given = gbx_cli_option(cli, "provenance-key");
        gbx_auto(gbx_site_closep) struct gbx_site *site = NULL;
        gbx_auto(gbx_json_freep) json_t *keys = NULL;
        int r;

        if (!given) {
                r = gbx_site_open(&site, cli->site_path, err);
                if (r >= 0)
                        r = gbx_site_public_keys(site, &keys, err);
                if (r < 0)
                        return gbx_context(err, r, "without a site, give --provenance-key");
                given = json_string_value(json_object_get(keys, "provenance"));
        }
        return gbx_hex_decode(given, strlen(given), ret_key, GBX_ED25519_PUBLIC_SIZE, err);
}

static int run_verify(struct gbx_cli *cli, struct gbx_error *err) {
        gbx_auto(gbx_buffer_free) struct gbx_buffer envelope = {};
        gbx_auto(gbx_json_freep) json_t *statement = NULL;
        gbx_auto(gbx_close_fd) int file = -1;
        uint8_t key[GBX_ED25519_PUBLIC_SIZE], digest[GBX_SHA256_SIZE];
        const json_t *predicate;
        int r = public_key(cli, key, err);

        if (r >= 0)
                r = gbx_read_file(AT_FDCWD, cli->arguments[0], MANIFEST_LIMIT, &envelope, err);
        if (r >= 0)
                r = gbx_provenance_verify(envelope.data, envelope.size, key, &statement, err);
        if (r < 0)
                return gbx_context(err, r, "%s", cli->arguments[0]);
        file = open(cli->arguments[1], O_RDONLY | O_CLOEXEC);
        if (file < 0)
                return gbx_fail_errno(err, "cannot open '%s'", cli->arguments[1]);
        r = gbx_sha256_fd(file, digest, NULL, err);
        if (r < 0)
                return r;
        if (!gbx_provenance_find(statement, digest))
                return gbx_fail(err, -EBADMSG, "'%s' is not one of the files of this manifest: its bytes have another digest",
                                cli->arguments[1]);
        predicate = json_object_get(statement, "predicate");
        if (cli->json)
                gbx_cli_print_json(json_incref(statement));
        else
                printf("%s: good. Release %s of %s, for %s, purpose %s.\n", cli->arguments[1],
                       json_string_value(json_object_get(predicate, "release")), json_string_value(json_object_get(predicate, "run")),
                       json_string_value(json_object_get(predicate, "recipient")), json_string_value(json_object_get(predicate, "purpose")));
        return 0;
}

const struct gbx_command gbx_commands_release[] = {
        { .noun = "release", .verb = "ls", .summary = "list what left the gate", .run = run_ls },
        { .noun = "release", .verb = "verify", .arguments = "MANIFEST FILE",
          .summary = "check a released file against its signed provenance manifest",
          .options = (const struct gbx_option[]){
                  { "provenance-key", "HEX", "the site's provenance key (gbx keys provenance); no site is needed then", false, false }, {} },
          .arguments_min = 2, .arguments_max = 2, .without_site = true, .run = run_verify },
        {},
};
