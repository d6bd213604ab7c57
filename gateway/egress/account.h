/*
 * The account of one flow rule in one run: quotas, counts, circuit breaker;
 * and quotas of the day that all rules draw on
 *
 * Pure bookkeeping; the caller brings the time. Every limit of a rule is
 * checked here and nowhere else.
 */
#pragma once

#include "policy/flow_rule.h"

#include <stdbool.h>
#include <stdint.h>

enum gbx_direction { GBX_REQUEST, GBX_RESPONSE };

/* What was used on a day, by whomever the configuration counts together. */
struct gbx_day_use {
        uint64_t bytes[2]; /* by gbx_direction */
        uint64_t connections;
};

/* A day's quota over all rules, say of everything that happens on a dataset. Limits of 0: none. */
struct gbx_quota {
        struct gbx_day_use limit, used;
        int64_t day; /* since 1970, of `used` */
};

struct gbx_breaker {
        uint64_t limit; /* failures in a minute; 0: never opens */
        uint64_t count;
        int64_t window_start_ms;
        int64_t open_until_ms;
        uint64_t opened; /* how often */
};

struct gbx_account {
        const struct gbx_flow_rule *rule;
        uint64_t bytes[2];       /* by gbx_direction, in this run */
        struct gbx_quota today;  /* the rule's own, other runs included */
        uint64_t open, total;    /* exchanges and tunnels */
        uint64_t refused, failed;
        struct gbx_breaker breaker;
        bool cut; /* by an administrator; for good */
        char **names; /* under a wildcard */
        size_t name_count;
};

void gbx_account_init(struct gbx_account *ret, const struct gbx_flow_rule *rule, const struct gbx_day_use *used_today,
                      int64_t now);
void gbx_account_free(struct gbx_account *account);

/* Counts a new exchange or tunnel in, or says why it must not be. `now_ms` is any steady clock, `now` the wall clock. */
enum gbx_refusal gbx_account_open(struct gbx_account *account, const char *host, int64_t now_ms, int64_t now);
void gbx_account_close(struct gbx_account *account);

/* Counts bytes that are about to pass. GBX_REFUSAL_QUOTA: they must not. */
enum gbx_refusal gbx_account_take(struct gbx_account *account, enum gbx_direction direction, uint64_t bytes, int64_t now);
/* Bytes that may still pass in this direction. */
uint64_t gbx_account_left(const struct gbx_account *account, enum gbx_direction direction);

/* The same for quotas over all rules. _open: GBX_REFUSAL_QUOTA if nothing of a kind is left; counts nothing. */
enum gbx_refusal gbx_quota_open(struct gbx_quota *quota, int64_t now);
void gbx_quota_count(struct gbx_quota *quota);
/* Whether so many bytes more would fit; and counts them. */
bool gbx_quota_fits(struct gbx_quota *quota, enum gbx_direction direction, uint64_t bytes, int64_t now);
void gbx_quota_take(struct gbx_quota *quota, enum gbx_direction direction, uint64_t bytes);

/* Counts a refusal or failure; true if it opened the breaker. */
bool gbx_breaker_fail(struct gbx_breaker *breaker, int64_t now_ms);
bool gbx_breaker_open(const struct gbx_breaker *breaker, int64_t now_ms);
