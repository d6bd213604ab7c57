/* gbx audit replay | rebuild */
#include "base/cleanup.h"
#include "gateway/cli/commands.h"
#include "gateway/cli/table.h"
#include "gateway/audit/replay.h"
#include "gateway/store/authorise.h"
#include "gateway/store/transaction.h"
#include "base/json.h"
#include "gateway/store/rebuild.h"

#include <stdio.h>
#include <string.h>

static int record(struct gbx_cli *cli, const char *run, uint64_t size, uint64_t divergences, struct gbx_error *err) {
        gbx_auto(gbx_json_freep) json_t *details = json_pack("{s:I, s:I, s:s*}", "size", (json_int_t)size, "divergences",
                                                             (json_int_t)divergences, "run", run);
        int r = gbx_record(cli->site, cli->caller, "audit replay", &(struct gbx_action){ "audit.replay", cli->site->origin,
                                                                 divergences ? "failed" : "done", NULL, details }, err);

        return r < 0 ? r : 0;
}

static int replay_run(struct gbx_cli *cli, const char *run, struct gbx_error *err) {
        char recorded[72], found[72];
        int differs = gbx_replay_run(cli->site, run, recorded, found, err), r;

        if (differs < 0)
                return differs;
        r = record(cli, run, 1, (uint64_t)differs, err);
        if (r < 0)
                return r;
        if (cli->json)
                gbx_cli_print_json(json_pack("{s:s, s:b, s:s, s:s}", "run", run, "equal", !differs, "recorded", recorded, "found", found));
        else if (!differs)
                printf("%s ran again: the same outputs, byte for byte (%s)\n", run, found);
        else
                printf("%s ran again: other outputs than recorded\n  recorded %s\n  found    %s\n", run, recorded, found);
        return differs ? GBX_EXIT_INTEGRITY : GBX_EXIT_DONE;
}

static void print(const struct gbx_cli *cli, const struct gbx_replay *replay) {
        size_t index;
        json_t *item;

        if (cli->json) {
                gbx_cli_print_json(json_pack("{s:I, s:I, s:I, s:b, s:O, s:O, s:O}", "entries", (json_int_t)replay->entries, "decisions",
                                             (json_int_t)replay->decisions, "signatures", (json_int_t)replay->signatures, "view_equal",
                                             replay->view_equal, "divergences", replay->divergences, "notes", replay->notes, "differences",
                                             replay->differences));
                return;
        }
        json_array_foreach(replay->divergences, index, item)
                printf("entry %lld (%s): %s\n", (long long)json_integer_value(json_object_get(item, "entry")),
                       json_string_value(json_object_get(item, "action")), json_string_value(json_object_get(item, "what")));
        json_array_foreach(replay->notes, index, item)
                printf("note: entry %lld (%s): %s\n", (long long)json_integer_value(json_object_get(item, "entry")),
                       json_string_value(json_object_get(item, "action")), json_string_value(json_object_get(item, "what")));
        json_array_foreach(replay->differences, index, item)
                printf("the view: %s\n", json_string_value(item));
        printf("%llu entries replayed: %llu decisions made again, %llu signatures checked, %zu divergences; the view %s\n",
               (unsigned long long)replay->entries, (unsigned long long)replay->decisions, (unsigned long long)replay->signatures,
               json_array_size(replay->divergences), replay->view_equal ? "is what the log says" : "DIFFERS from the log");
}

/* Works whatever the view is like: rights and facts come from the log. */
static int run_replay(struct gbx_cli *cli, struct gbx_error *err) {
        gbx_auto(gbx_replay_free) struct gbx_replay replay = {};
        gbx_auto(gbx_site_closep) struct gbx_site *site = NULL;
        const char *run = gbx_cli_option(cli, "run");
        size_t divergences;
        int r = run ? gbx_site_open(&site, cli->site_path, err) : gbx_site_open_without_view(&site, cli->site_path, err);

        if (r >= 0)
                r = gbx_authorise_by_log(site, cli->caller, "audit replay", err);
        if (r < 0)
                return r;
        cli->site = site;
        if (run)
                return replay_run(cli, run, err);
        r = gbx_replay_log(site, &replay, err);
        if (r < 0)
                return r;
        print(cli, &replay);
        divergences = json_array_size(replay.divergences) + json_array_size(replay.differences);
        r = record(cli, NULL, replay.entries, divergences, err);
        if (r == -EBADMSG) /* a view that is not the log's takes no entry; what was found stands above */
                return GBX_EXIT_INTEGRITY;
        if (r < 0)
                return r;
        return divergences ? GBX_EXIT_INTEGRITY : GBX_EXIT_DONE;
}

static int run_rebuild(struct gbx_cli *cli, struct gbx_error *err) {
        gbx_auto(gbx_rebuild_free) struct gbx_rebuild rebuild = {};
        size_t i;
        json_t *difference;
        int r = gbx_rebuild(cli->site_path, cli->caller, &rebuild, err);

        if (r < 0)
                return r;
        if (cli->json) {
                gbx_cli_print_json(json_pack("{s:I, s:b, s:O}", "size", (json_int_t)rebuild.entries, "equal", rebuild.equal, "differences",
                                             rebuild.differences));
                return 0;
        }
        json_array_foreach(rebuild.differences, i, difference)
                printf("differed: %s\n", json_string_value(difference));
        printf("Rebuilt the view from %llu entries; it %s the old one.\n", (unsigned long long)rebuild.entries,
               rebuild.equal ? "equals" : "replaces, and differs from,");
        return 0;
}

const struct gbx_command gbx_commands_replay[] = {
        { .noun = "audit", .verb = "replay",
          .summary = "decide everything again from the log, or run a job again",
          .details = "Without --run: re-makes every decision, re-checks every signature and transition, and compares the view.\n"
                     "With --run: runs the job in a fresh sandbox and compares the outputs byte for byte. Exit code 5 if anything\n"
                     "differs.",
          .options = (const struct gbx_option[]){ { "run", "RUN", "run this job again", false, false }, {} },
          .without_site = true, .run = run_replay },
        { .noun = "audit", .verb = "rebuild", .summary = "make the view anew from the log", .without_site = true, .run = run_rebuild },
        {},
};
