/*
 * Attempts: what an attack program is made of
 *
 * An attack program is a table of attempts, each a variant of the same attack
 * that really tries. attempts_run() runs each in a process of its own (so that a
 * filter that kills ends that attempt and not the program), and prints a line:
 *
 *      BREACH  NAME                    the attack worked
 *      stopped NAME EPERM              it did not, and this is the errno or signal
 *      absent  NAME ENOSYS             the kernel does not offer the call at all
 *
 * Behind it an attempt that two independent layers must stop has "+2", and one
 * that cannot be shown to work outside (it has no target there, or would harm the
 * host) has "-control": it is not tried there.
 * The last line is "done COUNT", so that a program that was cut short is not taken
 * for one that was stopped. The exit status is 1 if anything was a BREACH, else 0.
 *
 * `attack-run` (tests/attack/lib/run.c) runs a program inside and outside of the
 * sandbox and holds the two against each other. Outside, the program is started
 * with --outside as its first argument and attempts get namespaces of their own,
 * so that a mount or a host name that is changed for proof hurts nobody.
 */
#pragma once

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>

enum {
        ATTEMPT_TWO_LAYERS = 1,  /* with the system call filter off, another layer still stops it */
        ATTEMPT_NO_CONTROL = 2,  /* nothing to reach outside of the sandbox, so no proof there */
        ATTEMPT_KEEP_NAMES = 4,  /* outside, stay in the namespaces of the caller */
        ATTEMPT_BREACH = 0,
};

struct attempt {
        const char *name;
        /* Returns ATTEMPT_BREACH (0) if the attack worked, else the errno that stopped it. */
        int (*run)(const struct attempt *self);
        unsigned flags;
        long number;       /* for attempts that are one system call: its number ... */
        long arguments[6]; /* ... and its arguments */
        int integer;       /* anything else the function wants to know */
        const char *text;
};

/* Runs attempts; returns the exit status of the program. The argument only=NAME leaves out all others;
 * list=names prints the names and tries nothing. */
int attempts_run(const struct attempt table[], size_t count, int argc, char **argv);

/* For programs with a main of another shape: what the functions below need. */
void attempts_begin(int argc, char **argv);

/* Whether the program runs as its own control, outside of the sandbox. */
bool attempts_outside(void);

/* The value of the argument "NAME=value" of the program, or NULL. */
const char *attempts_argument(const char *name);

/* `result` of a call that returns -1 and errno: 0 or the errno. */
int attempts_result(long result);

/* For a system call that would harm the machine if it worked and so is made with
 * arguments that cannot be right: EINVAL, EFAULT and the like say that the kernel
 * had let it through to its own checks (a breach); EPERM, EACCES and ENOSYS do not. */
int attempts_reached(long result);

/* The system call of `self`, by its result or by whether it was reached. */
int attempts_call(const struct attempt *self);
int attempts_call_reached(const struct attempt *self);

#define ATTEMPTS_MAIN(table)                                                                   \
        int main(int argc, char **argv) {                                                      \
                return attempts_run(table, sizeof(table) / sizeof((table)[0]), argc, argv);    \
        }
