/*
 * What a program relies on, set at its start
 *
 * A process inherits more than arguments: a mask of file modes, ignored and
 * blocked signals, timers, limits, a personality, closed descriptors. Each has
 * broken a program that took it for granted. Every program of Glovebox that
 * somebody may start calls gbx_process_start() first, so that a run comes out
 * the same whoever starts it, and ends with gbx_process_finish().
 *
 *   descriptors 0 to 2  are open. A missing standard output is one that cannot be written, so that this is noticed
 *   file modes          umask 077: who needs another mode sets it (fchmod)
 *   signals             none blocked; default actions; SIGPIPE ignored. SIGHUP, SIGINT and SIGQUIT stay ignored where
 *                       they were: nohup(1) and a shell's background jobs mean that
 *   timers              those of setitimer(2) and alarm(2) are off
 *   limits              raised to what is needed (process.c has the table), the hard ones too where that is allowed;
 *                       otherwise the start fails and names the limit
 *   personality         that of Linux, with address space randomisation; for the programs that are started from here
 *   environment         without variables that change how options are read, what cryptography is, where SQLite writes
 *
 * Left as it is, because it is the caller's to say and changes no result: nice
 * value, processors, control group, working directory, the signal at the
 * parent's death, SSL_CERT_FILE and SSL_CERT_DIR, TZ, the locale. LD_* and
 * GLIBC_TUNABLES have had their effect before main().
 */
#pragma once

#include "base/error.h"

#include <sys/resource.h>

enum { GBX_PROCESS_OPEN_FILES = 256 }; /* what a program needs of RLIMIT_NOFILE that has no need of its own */

/* Once, before anything else and before there are threads. */
int gbx_process_start(rlim_t open_files, struct gbx_error *err);

/* The same, for the beginning of main(): prints why not, as `program`. */
int gbx_process_begin(const char *program, rlim_t open_files);

/* Flushes standard output; to be returned from main(). `status`, or GBX_EXIT_FAILED and a message where a program that
 * would have ended with 0 could not write all of its output. */
int gbx_process_finish(const char *program, int status);
