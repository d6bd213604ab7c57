/*
 * What may be told of a denied system call: its class
 *
 * A job chooses the arguments of a call that it knows will be denied, so they
 * can be data. Of them only words of the tables in denial_class.c are told:
 * the name of a family, a request or an operation, and the names of flags. A
 * value that no table knows is the word "other"; arguments that no table
 * mentions (sizes, descriptors, addresses, ids, signals) are not told at all.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

enum {
        GBX_DENIAL_ARGUMENTS = 6,
        GBX_DENIAL_WORDS = 2,     /* words of one call, say family and type */
        GBX_DENIAL_NAMES_MAX = GBX_DENIAL_WORDS + 32,
        GBX_DENIAL_OTHER = 0xff,  /* a word that no table knows */
};

struct gbx_denial_class {
        uint8_t words[GBX_DENIAL_WORDS]; /* places in tables, counted from 1; 0: none */
        uint32_t flags;                  /* bit N: the N-th flag of the call's tables; bit 31: one that they do not know */
};

/* The class of a call by its number on x86-64. */
struct gbx_denial_class gbx_denial_classify(int syscall, const uint64_t arguments[static GBX_DENIAL_ARGUMENTS]);

/* Its names, words first: how many there are. */
size_t gbx_denial_class_names(int syscall, const struct gbx_denial_class *class, const char *ret_names[static GBX_DENIAL_NAMES_MAX]);
