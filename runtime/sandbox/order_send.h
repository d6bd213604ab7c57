/*
 * The other end of a pool: `gbx-sandbox order`
 *
 * Connects to a pool's socket, sends one order (order.h) with descriptors of
 * this process beside it, and waits for the result. The job ends with its
 * client: should this process be killed, so is the job.
 */
#pragma once

#include "base/error.h"

#include <stddef.h>

struct gbx_order_send {
        const char *socket_path;
        const char *file;        /* of the order, "-" for standard input; NULL: it is made from `argv` */
        char *const *argv;       /* program and arguments, NULL-terminated; the job gets our standard descriptors */
        const int *descriptors;  /* that go with the order of `file`, in this order */
        size_t descriptor_count;
        int result_fd;           /* gets the result; -1: the job's end becomes the exit status */
};

/* Returns the exit status of the program, see GBX_EXIT_...; says on standard error what failed. */
int gbx_order_send(const struct gbx_order_send *send);
