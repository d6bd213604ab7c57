#include "gateway/flows/flows.h"

#include "base/cleanup.h"
#include "base/json.h"
#include "base/file.h"
#include "base/text.h"
#include "gateway/egress/config.h"
#include "gateway/flows/start.h"
#include "gateway/egress/tls.h"
#include "gateway/flows/limits.h"
#include "gateway/flows/values.h"
#include "base/install.h"
#include "gateway/store/transaction.h"
#include "policy/flows.h"
#include "policy/host.h"

#include <openssl/crypto.h>
#include <pthread.h>
#include <string.h>
#include <sys/file.h>

enum { SETTINGS_LIMIT = 4 * 1024 * 1024, PEM_LIMIT = 64 * 1024, BUNDLE_LIMIT = 4 * 1024 * 1024 };

struct gbx_flows {
        struct gbx_site *site;
        char id[GBX_RUN_ID_SIZE];
        const struct gbx_run_plan *plan;
        struct gbx_egress *egress;
        pthread_mutex_t mutex;   /* over the site, between the thread that takes records and the start */
        enum gbx_refusal closed; /* why the proxy was told to end flows */
        json_t *environment;
        struct gbx_buffer trust; /* what the job trusts */
        struct gbx_buffer hosts; /* its /etc/hosts */
};


static void free_flows(struct gbx_flows **flows) {
        if (!*flows)
                return;
        json_decref((*flows)->environment);
        gbx_buffer_free(&(*flows)->trust);
        gbx_buffer_free(&(*flows)->hosts);
        (void)pthread_mutex_destroy(&(*flows)->mutex);
        free(*flows);
        *flows = NULL;
}

/* Ends the run's flows if what the log says now asks for it. */
static int apply_limits(struct gbx_flows *flows, struct gbx_transaction *transaction, bool failed, struct gbx_error *err) {
        enum gbx_refusal why = GBX_REFUSAL_NONE;
        int r = gbx_flow_limits_check(transaction, flows->plan, flows->id, failed, &why, err);

        if (r >= 0 && why != GBX_REFUSAL_NONE && why != flows->closed)
                gbx_egress_close_flows(flows->egress, why == GBX_REFUSAL_BREAKER ? GBX_EGRESS_SIGNAL_BREAKER : GBX_EGRESS_SIGNAL_QUOTA);
        flows->closed = why;
        return r;
}

/* The actor, object and details of a record are those of the log; the proxy has filled in the rest. */
static int record(struct gbx_flows *flows, const json_t *record) {
        gbx_auto(gbx_transaction_freep) struct gbx_transaction *transaction = NULL;
        const char *action = json_string_value(json_object_get(record, "action"));
        const char *outcome = json_string_value(json_object_get(record, "outcome"));
        const json_t *details = json_object_get(record, "details");
        struct gbx_action entry = { action, flows->id, outcome, json_object_get(record, "reasons"),
                                    json_object_get(record, "details") };
        struct gbx_error ignored = {};
        bool failed;
        int r;

        if (!action || strncmp(action, "flow.", 5) != 0 || !outcome)
                return -EPROTO;
        failed = (strcmp(outcome, "done") != 0 && strcmp(outcome, "allowed") != 0) || json_object_get(details, "left_out");
        r = gbx_transaction_begin_system(&transaction, flows->site, &ignored);
        if (r >= 0)
                r = gbx_transaction_record(transaction, &entry, NULL, &ignored);
        return r < 0 ? r : apply_limits(flows, transaction, failed, &ignored);
}

static int take_record(void *userdata, const json_t *line) {
        struct gbx_flows *flows = userdata;
        int r;

        (void)pthread_mutex_lock(&flows->mutex);
        r = record(flows, line);
        (void)pthread_mutex_unlock(&flows->mutex);
        return r;
}

/* --- what the proxy is told ----------------------------------------------------- */

static int make_authority(struct gbx_site *site, struct gbx_error *err) {
        gbx_auto(gbx_free_pointer) char *certificate = NULL;
        char *key = NULL;
        int r = gbx_tls_make_authority("Glovebox inspection", &certificate, &key, err);

        if (r >= 0)
                r = gbx_write_file_durably(site->directory, "keys/egress-ca.pem", certificate, strlen(certificate), 0644, err);
        if (r >= 0) /* the key last: it says that both are there */
                r = gbx_write_file_durably(site->directory, "keys/egress-ca.key", key, strlen(key), 0600, err);
        if (key)
                OPENSSL_cleanse(key, strlen(key));
        free(key);
        return r;
}

/* Two runs may be the first at once: the folder is locked while one of them makes the CA, and the other takes that. */
static int make_authority_once(struct gbx_site *site, struct gbx_error *err) {
        gbx_auto(gbx_close_fd) int keys = gbx_open_directory(site->directory, "keys", err);
        int r;

        if (keys < 0)
                return keys;
        do
                r = flock(keys, LOCK_EX);
        while (r < 0 && errno == EINTR);
        if (r < 0)
                return gbx_fail_errno(err, "cannot lock 'keys'");
        if (faccessat(keys, "egress-ca.key", F_OK, 0) == 0)
                return 0;
        return errno == ENOENT ? make_authority(site, err) : gbx_fail_errno(err, "cannot look for 'keys/egress-ca.key'");
}

static int load_authority(struct gbx_site *site, struct gbx_buffer *certificate, struct gbx_buffer *key, struct gbx_error *err) {
        int r = gbx_read_file(site->directory, "keys/egress-ca.key", PEM_LIMIT, key, err);

        if (r == -ENOENT) {
                r = make_authority_once(site, err);
                if (r >= 0)
                        r = gbx_read_file(site->directory, "keys/egress-ca.key", PEM_LIMIT, key, err);
        }
        if (r >= 0)
                r = gbx_read_file(site->directory, "keys/egress-ca.pem", PEM_LIMIT, certificate, err);
        return r < 0 ? gbx_context(err, r, "the CA of inspection") : 0;
}

static int add_authority(struct gbx_flows *flows, json_t *config, struct gbx_error *err) {
        gbx_auto(gbx_buffer_free) struct gbx_buffer certificate = {}, key = { .secret = true };
        int r = load_authority(flows->site, &certificate, &key, err);

        if (r < 0)
                return r;
        if (json_object_set_new(config, "authority", json_pack("{s:s, s:s}", "certificate", gbx_buffer_text(&certificate), "key",
                                                               gbx_buffer_text(&key))) < 0)
                return gbx_fail_memory(err);
        return gbx_buffer_append(&flows->trust, certificate.data, certificate.size, err);
}

static int add_scan_rules(json_t *config, struct gbx_error *err) {
        gbx_auto(gbx_free_pointer) char *path = NULL;
        gbx_auto(gbx_buffer_free) struct gbx_buffer text = {};
        int r = gbx_install_data("content-scan.yaml", &path, err);

        if (r >= 0)
                r = gbx_read_file(AT_FDCWD, path, SETTINGS_LIMIT, &text, err);
        if (r >= 0 && json_object_set_new(config, "scan-rules", json_string(gbx_buffer_text(&text))) < 0)
                r = gbx_fail_memory(err);
        return r;
}

/* SITE/egress.json, if there is one: it may set what is the site's to set, and nothing else. */
static int add_settings(struct gbx_site *site, json_t *config, uint64_t *ret_rate, struct gbx_error *err) {
        static const char *const allowed[] = { "nameservers", "hosts", "trust", "client-certificates" };
        gbx_auto(gbx_buffer_free) struct gbx_buffer text = { .secret = true };
        gbx_auto(gbx_json_freep) json_t *settings = NULL;
        json_error_t problem;
        const char *name;
        json_t *value;
        int r = gbx_read_file(site->directory, "egress.json", SETTINGS_LIMIT, &text, err);

        if (r == -ENOENT)
                return 0;
        if (r < 0)
                return r;
        settings = json_loadb(gbx_buffer_text(&text), text.size, JSON_REJECT_DUPLICATES, &problem);
        if (!json_is_object(settings))
                return gbx_fail(err, -EINVAL, "egress.json:%d: %s", problem.line, problem.text);
        json_object_foreach(settings, name, value) {
                bool known = false;

                for (size_t i = 0; i < gbx_array_size(allowed); i++)
                        known |= strcmp(name, allowed[i]) == 0;
                if (strcmp(name, "rate") == 0 && json_is_integer(value) && json_integer_value(value) > 0)
                        *ret_rate = (uint64_t)json_integer_value(value);
                else if (!known)
                        return gbx_fail(err, -EINVAL, "egress.json: '%.64s' is not a setting, or not a good one", name);
                else if (json_object_set(config, name, value) < 0)
                        return gbx_fail_memory(err);
        }
        return 0;
}

/* Programs that know nothing of proxies resolve names themselves: each name of a rule gets an address out of a range
 * that no network uses (RFC 2544), in their /etc/hosts, and the proxy takes it back to the name. */
static int add_aliases(struct gbx_flows *flows, const struct gbx_run_plan *plan, json_t *config, struct gbx_error *err) {
        const struct gbx_policy_flow *rules = plan->policy->flows.items;
        gbx_auto(gbx_json_freep) json_t *seen = json_object();
        json_t *aliases = json_object();
        int r = json_object_set_new(config, "aliases", aliases) < 0 ? gbx_fail_memory(err) : 0;

        if (r >= 0)
                r = gbx_buffer_append_text(&flows->hosts, "127.0.0.1 localhost\n", err);
        for (size_t i = 0; i < plan->policy->flows.count && r >= 0; i++) {
                struct gbx_authority host;
                char address[16];

                if (rules[i].host[0] == '*' || gbx_host_parse(rules[i].host, strlen(rules[i].host), &host, NULL) < 0 || host.address ||
                    json_object_get(seen, host.host))
                        continue;
                (void)snprintf(address, sizeof address, "198.18.0.%u", (unsigned)(i + 1) & 0xff);
                if (json_object_set_new(seen, host.host, json_true()) < 0 ||
                    json_object_set_new(aliases, address, json_string(host.host)) < 0)
                        return gbx_fail_memory(err);
                r = gbx_buffer_printf(&flows->hosts, err, "%s %s\n", address, host.host);
        }
        return r;
}

static int add_needs(struct gbx_flows *flows, const struct gbx_run_plan *plan, json_t *config, struct gbx_error *err) {
        const struct gbx_policy_flow *rules = plan->policy->flows.items;
        bool inspects = false, scans = false;
        int r = 0;

        for (size_t i = 0; i < plan->policy->flows.count; i++) {
                inspects |= rules[i].tls.mode == 2;
                scans |= rules[i].scan;
        }
        if (inspects)
                r = add_authority(flows, config, err);
        if (r >= 0 && scans)
                r = add_scan_rules(config, err);
        return r;
}

static int make_config(struct gbx_flows *flows, const struct gbx_run_plan *plan, json_t **ret, uint64_t *ret_rate, struct gbx_error *err) {
        json_t *rules = NULL, *datasets = json_array();
        gbx_auto(gbx_json_freep) json_t *config = NULL;
        int r;

        for (size_t i = 0; i < plan->request.dataset_count; i++)
                (void)json_array_append_new(datasets, json_string(plan->request.datasets[i].name));
        r = gbx_policy_flows_to_json(plan->policy, &rules, err);
        config = json_pack("{s:s, s:s, s:s, s:o, s:o}", "run", flows->id, "analyst", plan->request.requester, "purpose",
                           plan->request.purpose, "datasets", datasets, "rules", r < 0 ? json_array() : rules);
        if (r >= 0 && !config)
                r = gbx_fail_memory(err);
        if (r >= 0)
                r = add_needs(flows, plan, config, err);
        if (r >= 0)
                r = add_aliases(flows, plan, config, err);
        if (r >= 0)
                r = add_settings(flows->site, config, ret_rate, err);
        if (r >= 0)
                r = gbx_flow_limits_configure(flows->site, plan, config, err);
        if (r < 0)
                return r;
        *ret = config;
        config = NULL;
        return 0;
}

/* --- what the job is told ------------------------------------------------------- */

/* The site's CA stands beside those that the proxy itself trusts, for the hosts that are not inspected. */
static int gather_trust(struct gbx_flows *flows, const json_t *config, struct gbx_error *err) {
        const char *trust = json_string_value(json_object_get(config, "trust"));
        int r;

        if (trust)
                return gbx_buffer_append_text(&flows->trust, trust, err);
        r = gbx_read_file(AT_FDCWD, "/etc/ssl/certs/ca-certificates.crt", BUNDLE_LIMIT, &flows->trust, err);
        return r == -ENOENT ? 0 : r;
}

static int make_environment(struct gbx_flows *flows, struct gbx_error *err) {
        static const char *const names[] = { "SSL_CERT_FILE", "CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE" };

        flows->environment = gbx_egress_environment(flows->egress);
        for (size_t i = 0; i < gbx_array_size(names) && flows->environment; i++)
                if (json_object_set_new(flows->environment, names[i], json_string("/job/trust.pem")) < 0)
                        return gbx_fail_memory(err);
        return flows->environment ? 0 : gbx_fail_memory(err);
}

/* What was opened meanwhile by other runs is seen after the start: from then on they can tell this proxy themselves. */
static int start_proxy(struct gbx_flows *flows, const struct gbx_egress_options *options, struct gbx_error *err) {
        gbx_auto(gbx_transaction_freep) struct gbx_transaction *transaction = NULL;
        int r;

        (void)pthread_mutex_lock(&flows->mutex);
        r = gbx_egress_start(&flows->egress, options, err);
        if (r >= 0)
                r = gbx_transaction_begin_system(&transaction, flows->site, err);
        if (r >= 0)
                r = apply_limits(flows, transaction, false, err);
        (void)pthread_mutex_unlock(&flows->mutex);
        return r;
}

int gbx_flows_start(struct gbx_flows **ret, struct gbx_site *site, const struct gbx_run_plan *plan, const char *id,
                    struct gbx_error *err) {
        gbx_auto(free_flows) struct gbx_flows *flows = NULL;
        gbx_auto(gbx_free_pointer) char *program = NULL, *control = NULL;
        gbx_auto(gbx_json_freep) json_t *config = NULL;
        struct gbx_egress_options options = { .take = take_record };
        gbx_auto(gbx_close_fd) int values = -1;
        int r;

        if (plan->policy->network != GBX_NETWORK_FLOWS)
                return 0;
        flows = calloc(1, sizeof *flows);
        if (!flows)
                return gbx_fail_memory(err);
        (void)pthread_mutex_init(&flows->mutex, NULL);
        flows->site = site;
        flows->plan = plan;
        (void)snprintf(flows->id, sizeof flows->id, "%s", id);
        r = make_config(flows, plan, &config, &options.rate, err);
        if (r >= 0 && json_object_get(config, "scan-rules"))
                r = options.tokens = values = gbx_flow_values(site, plan, id, err);
        if (r >= 0)
                r = gather_trust(flows, config, err);
        if (r >= 0)
                r = gbx_install_program("gbx-egress", &program, err);
        if (r >= 0)
                r = gbx_make_directories(site->directory, "flows", 0700, err);
        if (r >= 0 && asprintf(&control, "%s/flows/%s", site->path, id) < 0) {
                control = NULL;
                r = gbx_fail_memory(err);
        }
        if (r < 0)
                return gbx_context(err, r, "flows");
        options.program = program;
        options.config = config;
        options.control_path = control;
        options.userdata = flows;
        r = start_proxy(flows, &options, err);
        if (r >= 0)
                r = make_environment(flows, err);
        if (r < 0) {
                if (flows->egress)
                        (void)gbx_egress_stop(flows->egress, NULL);
                return gbx_context(err, r, "flows");
        }
        *ret = gbx_take_ptr(flows);
        return 0;
}

void gbx_flows_prepare(const struct gbx_flows *flows, struct gbx_execution *execution) {
        execution->network = gbx_egress_namespace(flows->egress);
        execution->connects = gbx_egress_connects(flows->egress);
        execution->hosts = gbx_buffer_text(&flows->hosts);
        execution->environment = flows->environment;
        execution->trust = gbx_buffer_text(&flows->trust);
}

int gbx_flows_stop(struct gbx_flows *flows, struct gbx_error *err) {
        int r;

        if (!flows)
                return 0;
        r = gbx_egress_stop(flows->egress, err);
        free_flows(&flows);
        return r < 0 ? gbx_context(err, r, "flows") : 0;
}
