#include "gateway/log/witness/anchor.h"

#include "base/cleanup.h"
#include "base/json.h"
#include "base/encode.h"
#include "base/text.h"
#include "gateway/log/witness/http.h"

#include <string.h>
#include <time.h>

enum { POLL_MS = 100 };

static const char tag[] = "glovebox-anchor-v1";


void gbx_anchor_payload(const struct gbx_checkpoint *checkpoint, uint8_t ret[static GBX_ANCHOR_PAYLOAD]) {
        uint8_t *next = mempcpy(ret, tag, sizeof tag - 1);

        gbx_sha256(checkpoint->origin, strlen(checkpoint->origin), next);
        next += GBX_SHA256_SIZE;
        for (unsigned shift = 64; shift > 0; shift -= 8)
                *next++ = (uint8_t)(checkpoint->size >> (shift - 8));
        memcpy(next, checkpoint->root.bytes, GBX_SHA256_SIZE);
}

/* --- JSON-RPC ------------------------------------------------------------- */

/* Calls a method (`params` is consumed) and gives its result, which may be null; the caller owns it. */
static int call(const char *url, const char *method, json_t *params, unsigned timeout_ms, json_t **ret,
                struct gbx_error *err) {
        gbx_auto(gbx_json_freep) json_t *request = json_pack("{s:s, s:i, s:s, s:o}", "jsonrpc", "2.0", "id", 1, "method", method,
                                                        "params", params);
        gbx_auto(gbx_free_pointer) char *text = request ? json_dumps(request, JSON_COMPACT) : NULL;
        struct gbx_http_post post = { .url = url, .content_type = "application/json", .body = text };
        gbx_auto(gbx_json_freep) json_t *answer = NULL;
        json_t *problem;
        int r;

        if (!text)
                return gbx_fail_memory(err);
        post.size = strlen(text);
        r = gbx_http_post_all(&post, 1, timeout_ms, err);
        if (r < 0)
                return r;
        if (post.status == 200)
                answer = json_loadb(gbx_buffer_text(&post.answer), post.answer.size, JSON_REJECT_DUPLICATES, NULL);
        gbx_buffer_free(&post.answer);
        if (post.status == 0)
                return gbx_fail(err, -EIO, "chain node %s: %s", url, post.problem);
        if (!json_is_object(answer) || json_integer_value(json_object_get(answer, "id")) != 1)
                return gbx_fail(err, -EIO, "chain node %s: %s answered %u, not JSON-RPC", url, method, post.status);
        problem = json_object_get(answer, "error");
        if (problem) {
                const char *message = json_string_value(json_object_get(problem, "message"));
                char shown[200];

                gbx_text_printable(message ? message : "", message ? strlen(message) : 0, shown, sizeof shown);
                return gbx_fail(err, -EIO, "chain node %s: %s failed: %s", url, method, shown);
        }
        *ret = json_incref(json_object_get(answer, "result"));
        return 0;
}

/* "0x1f" */
static int parse_quantity(const json_t *value, uint64_t *ret) {
        const char *text = json_string_value(value);
        uint64_t number = 0;

        if (!text || strncmp(text, "0x", 2) != 0 || !text[2] || strlen(text) > 18)
                return -EINVAL;
        for (text += 2; *text; text++) {
                const char *digit = strchr("0123456789abcdef", *text);

                if (!digit)
                        return -EINVAL;
                number = number << 4 | (uint64_t)(digit - "0123456789abcdef");
        }
        *ret = number;
        return 0;
}

static bool is_hash(const char *text) {
        uint8_t bytes[32];

        return text && strncmp(text, "0x", 2) == 0 && strlen(text) == 66 && gbx_hex_decode(text + 2, 64, bytes, 32, NULL) == 0;
}

static int copy_hash(const json_t *value, char ret[static GBX_ANCHOR_HASH_TEXT]) {
        const char *text = json_string_value(value);

        if (!is_hash(text))
                return -EINVAL;
        memcpy(ret, text, GBX_ANCHOR_HASH_TEXT);
        return 0;
}

static int unexpected(const char *url, const char *method, struct gbx_error *err) {
        return gbx_fail(err, -EIO, "chain node %s: %s answered something unexpected", url, method);
}

static int ask_chain(const char *url, unsigned timeout_ms, uint64_t *ret, struct gbx_error *err) {
        gbx_auto(gbx_json_freep) json_t *result = NULL;
        int r = call(url, "eth_chainId", json_array(), timeout_ms, &result, err);

        if (r < 0)
                return r;
        return parse_quantity(result, ret) < 0 ? unexpected(url, "eth_chainId", err) : 0;
}

/* 1: the transaction is in a block, which is filled in. 0: not yet. -EBADMSG: it failed there. */
static int ask_receipt(const char *url, unsigned timeout_ms, struct gbx_anchor *anchor, struct gbx_error *err) {
        gbx_auto(gbx_json_freep) json_t *result = NULL;
        uint64_t status;
        int r = call(url, "eth_getTransactionReceipt", json_pack("[s]", anchor->transaction), timeout_ms, &result, err);

        if (r < 0 || json_is_null(result) || !result)
                return r;
        if (parse_quantity(json_object_get(result, "status"), &status) < 0 ||
            parse_quantity(json_object_get(result, "blockNumber"), &anchor->block) < 0 ||
            copy_hash(json_object_get(result, "blockHash"), anchor->block_hash) < 0)
                return unexpected(url, "eth_getTransactionReceipt", err);
        return status == 1 ? 1 : gbx_fail(err, -EBADMSG, "the anchoring transaction %s failed in its block", anchor->transaction);
}

/* --- submitting ----------------------------------------------------------- */

static int find_account(const char *url, unsigned timeout_ms, char *ret, size_t size, struct gbx_error *err) {
        gbx_auto(gbx_json_freep) json_t *accounts = NULL;
        const char *account;
        int r = call(url, "eth_accounts", json_array(), timeout_ms, &accounts, err);

        if (r < 0)
                return r;
        account = json_string_value(json_array_get(accounts, 0));
        if (!account || strlen(account) >= size)
                return gbx_fail(err, -ENOENT, "chain node %s has no account to send from; name one that it can unlock", url);
        memcpy(ret, account, strlen(account) + 1);
        return 0;
}

static int send(const char *url, const char *from, const struct gbx_checkpoint *checkpoint, unsigned timeout_ms,
                struct gbx_anchor *anchor, struct gbx_error *err) {
        gbx_auto(gbx_json_freep) json_t *result = NULL;
        uint8_t payload[GBX_ANCHOR_PAYLOAD];
        char data[2 + 2 * GBX_ANCHOR_PAYLOAD + 1] = "0x";
        int r;

        gbx_anchor_payload(checkpoint, payload);
        gbx_hex_encode(payload, sizeof payload, data + 2);
        r = call(url, "eth_sendTransaction",
                 json_pack("[{s:s, s:s, s:s, s:s}]", "from", from, "to", from, "value", "0x0", "data", data), timeout_ms, &result, err);
        if (r < 0)
                return r;
        return copy_hash(result, anchor->transaction) < 0 ? unexpected(url, "eth_sendTransaction", err) : 0;
}

static uint64_t now_ms(void) {
        struct timespec now;

        (void)clock_gettime(CLOCK_MONOTONIC, &now);
        return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

int gbx_anchor_submit(const char *url, const char *from, const struct gbx_checkpoint *checkpoint, unsigned timeout_ms,
                      struct gbx_anchor *ret, struct gbx_error *err) {
        struct gbx_anchor anchor = { .size = checkpoint->size, .root = checkpoint->root };
        uint64_t deadline = now_ms() + timeout_ms;
        char account[64];
        int r = ask_chain(url, timeout_ms, &anchor.chain, err);

        if (r == 0 && !from) {
                r = find_account(url, timeout_ms, account, sizeof account, err);
                from = account;
        }
        if (r == 0)
                r = send(url, from, checkpoint, timeout_ms, &anchor, err);
        while (r == 0) {
                r = ask_receipt(url, timeout_ms, &anchor, err);
                if (r == 0 && now_ms() >= deadline)
                        return gbx_fail(err, -ETIMEDOUT, "transaction %s is in no block yet; anchor again later", anchor.transaction);
                if (r == 0)
                        (void)nanosleep(&(struct timespec){ .tv_nsec = POLL_MS * 1000000L }, NULL);
        }
        if (r < 0)
                return r;
        *ret = anchor;
        return 0;
}

/* --- checking ------------------------------------------------------------- */

static int check_input(const char *url, const struct gbx_anchor *anchor, const struct gbx_checkpoint *checkpoint,
                       unsigned timeout_ms, struct gbx_error *err) {
        gbx_auto(gbx_json_freep) json_t *result = NULL;
        uint8_t payload[GBX_ANCHOR_PAYLOAD];
        char data[2 + 2 * GBX_ANCHOR_PAYLOAD + 1] = "0x";
        const char *input;
        int r = call(url, "eth_getTransactionByHash", json_pack("[s]", anchor->transaction), timeout_ms, &result, err);

        if (r < 0)
                return r;
        gbx_anchor_payload(checkpoint, payload);
        gbx_hex_encode(payload, sizeof payload, data + 2);
        input = json_string_value(json_object_get(result, "input"));
        if (!input)
                return gbx_fail(err, -EBADMSG, "the chain has no transaction %s", anchor->transaction);
        return strcmp(input, data) == 0 ? 0 : gbx_fail(err, -EBADMSG, "transaction %s anchors something else", anchor->transaction);
}

int gbx_anchor_check(const char *url, const struct gbx_anchor *anchor, const struct gbx_checkpoint *checkpoint,
                     unsigned timeout_ms, struct gbx_error *err) {
        struct gbx_anchor found = *anchor;
        uint64_t chain;
        int r;

        if (anchor->size != checkpoint->size || !gbx_hash_equal(&anchor->root, &checkpoint->root))
                return gbx_fail(err, -EBADMSG, "the receipt is of another root over %llu entries than the log has",
                                (unsigned long long)anchor->size);
        r = ask_chain(url, timeout_ms, &chain, err);
        if (r == 0 && chain != anchor->chain)
                r = gbx_fail(err, -EINVAL, "chain node %s is of chain %llu, the receipt of chain %llu", url,
                             (unsigned long long)chain, (unsigned long long)anchor->chain);
        if (r == 0)
                r = check_input(url, anchor, checkpoint, timeout_ms, err);
        if (r < 0)
                return r;
        r = ask_receipt(url, timeout_ms, &found, err);
        if (r == 0)
                return gbx_fail(err, -EBADMSG, "transaction %s is in no block", anchor->transaction);
        if (r < 0)
                return r;
        if (found.block != anchor->block || strcmp(found.block_hash, anchor->block_hash) != 0)
                return gbx_fail(err, -EBADMSG, "transaction %s stands in another block than the receipt says", anchor->transaction);
        return 0;
}

/* --- receipts ------------------------------------------------------------- */

int gbx_anchor_to_details(const struct gbx_anchor *anchor, json_t **ret, struct gbx_error *err) {
        char root[GBX_SHA256_TEXT_SIZE];
        json_t *details;

        gbx_sha256_text(anchor->root.bytes, root);
        details = json_pack("{s:I, s:s, s:I, s:s, s:I, s:s}", "size", (json_int_t)anchor->size, "root", root, "chain",
                            (json_int_t)anchor->chain, "transaction", anchor->transaction, "block", (json_int_t)anchor->block,
                            "block_hash", anchor->block_hash);
        if (!details)
                return gbx_fail_memory(err);
        *ret = details;
        return 0;
}

int gbx_anchor_from_details(const json_t *details, struct gbx_anchor *ret, struct gbx_error *err) {
        const char *root = json_string_value(json_object_get(details, "root"));
        json_int_t size = json_integer_value(json_object_get(details, "size"));
        json_int_t chain = json_integer_value(json_object_get(details, "chain"));
        json_int_t block = json_integer_value(json_object_get(details, "block"));
        struct gbx_anchor anchor = { .size = (uint64_t)size, .chain = (uint64_t)chain, .block = (uint64_t)block };

        if (size < 0 || chain < 0 || block < 0 || !root || gbx_sha256_parse(root, anchor.root.bytes, NULL) < 0 ||
            copy_hash(json_object_get(details, "transaction"), anchor.transaction) < 0 ||
            copy_hash(json_object_get(details, "block_hash"), anchor.block_hash) < 0)
                return gbx_fail(err, -EINVAL, "not an anchor receipt");
        *ret = anchor;
        return 0;
}
