/*
 * Verifying a whole tlog-tiles directory, without trusting whoever keeps it
 *
 * Checks the checkpoint's signature and origin, every entry against its leaf
 * hash, every tile (superseded partial ones too) against what its entries
 * give, the root, and, where asked, consistency with a checkpoint that the
 * auditor kept and a quorum of witnesses. One pass; memory does not grow with
 * the log.
 *
 * What it cannot show: actions that were never logged, and, without a kept
 * checkpoint or witnesses, that the whole directory is not an older copy.
 */
#pragma once

#include "base/error.h"
#include "gateway/log/format/checkpoint.h"
#include "gateway/log/format/witness_policy.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct gbx_verify_options {
        struct gbx_note_verifier verifier;
        const char *origin;                      /* NULL: the verifier's name */
        const char *against;                     /* a signed checkpoint that was kept; NULL: none */
        size_t against_size;
        const struct gbx_witness_policy *policy; /* NULL: witnesses are not asked for */
        void (*progress)(void *context, uint64_t done, uint64_t total); /* may be NULL */
        void *progress_context;
        void (*entry)(void *context, uint64_t index, const void *data, size_t size); /* each good entry; may be NULL */
        void *entry_context;
};

struct gbx_verify_report {
        struct gbx_checkpoint checkpoint;
        struct gbx_checkpoint against; /* size 0 if there was none */
        struct gbx_witness_count witnesses;
        uint64_t entries; /* that were checked */

        /* The first fault. Entries bad_first..bad_last: equal where one entry can be named; of a fault
         * that concerns no entry (a signature, say) bad_entry is false. */
        bool bad_entry;
        uint64_t bad_first, bad_last;
        char bad_path[64]; /* the file that is at fault, relative to the log's directory; "" if none is */
};

/* 0: all is well. -EBADMSG: integrity is broken; `ret_report` (may be NULL) and the message say where.
 * The report is filled in both cases. Other negative: the check could not be made. */
int gbx_log_verify(int directory, const char *path, const struct gbx_verify_options *options,
                   struct gbx_verify_report *ret_report, struct gbx_error *err);
