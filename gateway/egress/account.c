#include "gateway/egress/account.h"

#include <stdlib.h>
#include <string.h>

enum { BREAKER_WINDOW_MS = 60 * 1000, BREAKER_PAUSE_MS = 60 * 1000, DAY_SECONDS = 24 * 60 * 60 };

void gbx_account_init(struct gbx_account *ret, const struct gbx_flow_rule *rule, const struct gbx_day_use *used_today,
                      int64_t now) {
        *ret = (struct gbx_account){
                .rule = rule,
                .today = { .limit = { { rule->request_bytes_day, rule->response_bytes_day }, rule->connections_day },
                           .used = *used_today,
                           .day = now / DAY_SECONDS },
                .breaker = { .limit = rule->breaker_failures },
        };
}

void gbx_account_free(struct gbx_account *account) {
        for (size_t i = 0; i < account->name_count; i++)
                free(account->names[i]);
        free(account->names);
        *account = (struct gbx_account){};
}

bool gbx_breaker_open(const struct gbx_breaker *breaker, int64_t now_ms) { return now_ms < breaker->open_until_ms; }

bool gbx_breaker_fail(struct gbx_breaker *breaker, int64_t now_ms) {
        if (gbx_breaker_open(breaker, now_ms))
                return false;
        if (breaker->count == 0 || now_ms - breaker->window_start_ms >= BREAKER_WINDOW_MS) {
                breaker->window_start_ms = now_ms;
                breaker->count = 0;
        }
        breaker->count++;
        if (breaker->limit == 0 || breaker->count < breaker->limit)
                return false;
        breaker->open_until_ms = now_ms + BREAKER_PAUSE_MS;
        breaker->count = 0;
        breaker->opened++;
        return true;
}

static uint64_t left(uint64_t limit, uint64_t used) { return limit > used ? limit - used : 0; }

static void turn_day(struct gbx_quota *quota, int64_t now) {
        if (now / DAY_SECONDS == quota->day)
                return;
        quota->day = now / DAY_SECONDS;
        quota->used = (struct gbx_day_use){};
}

static uint64_t bytes_left(const struct gbx_quota *quota, enum gbx_direction direction) {
        return quota->limit.bytes[direction] ? left(quota->limit.bytes[direction], quota->used.bytes[direction]) : UINT64_MAX;
}

enum gbx_refusal gbx_quota_open(struct gbx_quota *quota, int64_t now) {
        turn_day(quota, now);
        if (quota->limit.connections && quota->used.connections >= quota->limit.connections)
                return GBX_REFUSAL_QUOTA;
        return bytes_left(quota, GBX_REQUEST) == 0 || bytes_left(quota, GBX_RESPONSE) == 0 ? GBX_REFUSAL_QUOTA : GBX_REFUSAL_NONE;
}

void gbx_quota_count(struct gbx_quota *quota) { quota->used.connections++; }

bool gbx_quota_fits(struct gbx_quota *quota, enum gbx_direction direction, uint64_t bytes, int64_t now) {
        turn_day(quota, now);
        return bytes <= bytes_left(quota, direction);
}

void gbx_quota_take(struct gbx_quota *quota, enum gbx_direction direction, uint64_t bytes) { quota->used.bytes[direction] += bytes; }

uint64_t gbx_account_left(const struct gbx_account *account, enum gbx_direction direction) {
        const struct gbx_flow_rule *rule = account->rule;
        uint64_t run = left(direction == GBX_REQUEST ? rule->request_bytes : rule->response_bytes, account->bytes[direction]);
        uint64_t day = bytes_left(&account->today, direction);

        return run < day ? run : day;
}

enum gbx_refusal gbx_account_take(struct gbx_account *account, enum gbx_direction direction, uint64_t bytes, int64_t now) {
        turn_day(&account->today, now);
        if (bytes > gbx_account_left(account, direction))
                return GBX_REFUSAL_QUOTA;
        account->bytes[direction] += bytes;
        gbx_quota_take(&account->today, direction, bytes);
        return GBX_REFUSAL_NONE;
}

/* A name under a wildcard is a message to whoever runs its DNS: the number of different ones is limited. */
static enum gbx_refusal count_name(struct gbx_account *account, const char *host) {
        char **names;

        if (account->rule->host[0] != '*')
                return GBX_REFUSAL_NONE;
        for (size_t i = 0; i < account->name_count; i++)
                if (strcmp(account->names[i], host) == 0)
                        return GBX_REFUSAL_NONE;
        if (account->name_count >= account->rule->names)
                return GBX_REFUSAL_NAMES;
        names = reallocarray(account->names, account->name_count + 1, sizeof *names);
        if (!names)
                return GBX_REFUSAL_INTERNAL;
        account->names = names;
        names[account->name_count] = strdup(host);
        if (!names[account->name_count])
                return GBX_REFUSAL_INTERNAL;
        account->name_count++;
        return GBX_REFUSAL_NONE;
}

enum gbx_refusal gbx_account_open(struct gbx_account *account, const char *host, int64_t now_ms, int64_t now) {
        enum gbx_refusal refusal;

        if (account->cut)
                return GBX_REFUSAL_CUT;
        if (gbx_breaker_open(&account->breaker, now_ms))
                return GBX_REFUSAL_BREAKER;
        if (account->open >= account->rule->connections ||
            (account->rule->connections_run && account->total >= account->rule->connections_run))
                return GBX_REFUSAL_CONNECTIONS;
        refusal = gbx_quota_open(&account->today, now);
        if (refusal != GBX_REFUSAL_NONE)
                return refusal;
        if (gbx_account_left(account, GBX_REQUEST) == 0 || gbx_account_left(account, GBX_RESPONSE) == 0)
                return GBX_REFUSAL_QUOTA;
        refusal = count_name(account, host);
        if (refusal != GBX_REFUSAL_NONE)
                return refusal;
        account->open++;
        account->total++;
        gbx_quota_count(&account->today);
        return GBX_REFUSAL_NONE;
}

void gbx_account_close(struct gbx_account *account) {
        if (account->open > 0)
                account->open--;
}
