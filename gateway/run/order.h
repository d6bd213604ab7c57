/*
 * An order: what an analyst asks to be run
 *
 * Nothing in it is believed yet. decide.h turns it into a request, whose
 * inputs come from the site.
 */
#pragma once

#include <jansson.h>
#include <stddef.h>

enum { GBX_RUN_ID_SIZE = 24 };

struct gbx_run_order {
        const char *requester;
        const char *algorithm; /* digest, first digits of one, or a unique name */
        const char *purpose;
        const char *const *datasets;
        size_t dataset_count;
        json_t *parameters; /* object; borrowed */
        int cancel;         /* once it can be read, the job is ended; 0: it cannot be */
        void (*progress)(void *userdata, double fraction);
        void *userdata;
};
