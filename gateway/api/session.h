/*
 * A session: who asks, of which site, with which files
 *
 * Made by whoever has authenticated the caller: the command line, which has
 * the site's directory, or a service. The files that a request names are
 * attached as descriptors, so that an operation opens nothing that a caller
 * merely named.
 */
#pragma once

#include "base/buffer.h"
#include "base/error.h"
#include "gateway/store/caller.h"
#include "gateway/store/site.h"
#include "policy/decision.h"
#include "policy/sshsig.h"

#include <jansson.h>
#include <stdbool.h>

enum { GBX_SESSION_ATTACHMENTS = 8 };

#define GBX_SESSION_NAMESPACE GBX_SSHSIG_NAMESPACE /* in which people sign */

struct gbx_attachment {
        const char *field; /* of the request */
        int fd;            /* belongs to the session; may be a pipe */
};

struct gbx_session {
        const char *site_path;
        const struct gbx_caller *caller; /* borrowed, unless it is `owned_caller` */
        struct gbx_site *site;           /* NULL until it is open */
        unsigned roles;                  /* of the caller, once the right was asked for */
        enum gbx_scope scope;            /* how far that right goes */
        int cancel;                      /* readable once the caller wants no more; 0: never */
        struct gbx_attachment attachments[GBX_SESSION_ATTACHMENTS];
        size_t attachment_count;
        json_t *labels;   /* field → what messages call its document: a path; may be NULL */
        json_t *problems; /* of a request that was refused: [{"file","line","column","message"}]; NULL: none */
        struct gbx_caller *owned_caller;
        char *owned_site_path;
};

void gbx_session_close(struct gbx_session *session);

/* Opens the site, unless it is open, and asks whether the caller may do `action`. */
int gbx_session_open(struct gbx_session *session, const char *action, struct gbx_error *err);

/* Attaches a descriptor, which is the session's from now on, also on failure. */
int gbx_session_attach(struct gbx_session *session, const char *field, int fd, struct gbx_error *err);

/* The descriptor of a field, or -1. */
int gbx_session_file(const struct gbx_session *session, const char *field);

/* Reads an attached file as a whole. */
int gbx_session_read(const struct gbx_session *session, const char *field, size_t limit, struct gbx_buffer *ret, struct gbx_error *err);

/* What messages call the document or file of a field. */
const char *gbx_session_label(const struct gbx_session *session, const char *field);

/* By the directory, a caller may be anybody: of this name from now on (NULL: the operator). */
int gbx_session_act_as(struct gbx_session *session, const char *name, struct gbx_error *err);

/* The same for whoever has this public key. -ENOENT if nobody has. */
int gbx_session_become(struct gbx_session *session, const char *public_key_line, struct gbx_error *err);

/* The seconds of a GBX_FIELD_TIME; 0 if it is not there. */
int64_t gbx_request_time(const json_t *request, const char *field);
/* Whether a switch is set. */
bool gbx_request_is(const json_t *request, const char *field);

struct gbx_problems;
/* Keeps what is wrong with a document, for who asked. */
void gbx_session_refuse(struct gbx_session *session, const struct gbx_problems *problems);
