/*
 * Being asked to stop, as a descriptor
 *
 * While it is watched for, SIGINT, SIGTERM and SIGHUP do not end the process
 * but make a descriptor readable, and it stays so: an executor polls it, or
 * hands it on as `cancel`. However many come, it is one request. A signal that
 * was ignored (nohup(1)) is left ignored.
 */
#pragma once

#include "base/error.h"

#include <signal.h>
#include <stdbool.h>

struct gbx_interrupt {
        int fd; /* readable, but never read, once a signal has come */
        sigset_t before;
};

/* By the main thread, before there are others: they inherit what is blocked. */
int gbx_interrupt_begin(struct gbx_interrupt *ret, struct gbx_error *err);

bool gbx_interrupt_came(const struct gbx_interrupt *interrupt);

/* Whether such a descriptor asks for the end; 0: nobody can. */
bool gbx_interrupt_asked(int fd);

/* A descriptor that can be read once one of the two can; each may be 0. The caller closes it. */
int gbx_interrupt_either(int a, int b, struct gbx_error *err);

/* The signals have their old meaning again; those that came are used up. */
void gbx_interrupt_end(struct gbx_interrupt *interrupt);
