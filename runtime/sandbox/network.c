#include "runtime/sandbox/network.h"

#include "base/cleanup.h"
#include "base/file.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <net/if.h>
#include <netlink/route/addr.h>
#include <netlink/route/link.h>
#include <netlink/route/link/veth.h>
#include <netlink/route/qdisc.h>
#include <netlink/route/qdisc/tbf.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>
#include <sys/socket.h>

enum {
        NETWORK_BASE = 10 << 24 | 201 << 16,
        PREFIX = 30,
        LISTEN_BACKLOG = 1024,
        BUCKET_MS = 10,              /* how much may go at once, in time at the rate */
        BUCKET_MIN = 16 * 1024,      /* but one large segment must fit */
        QUEUE_MS = 100,              /* what waits longer is dropped */
};

static const char job_interface[] = "job0", gateway_interface[] = "gate0";

/* Work that is done inside a namespace, on a thread of its own: setns(2) and unshare(2) change the calling thread. */
struct task {
        int (*work)(struct task *task, struct gbx_error *err);
        int target; /* namespace to enter; -1: a new one */
        const struct gbx_network_options *options;
        const struct gbx_network *network;
        int descriptor; /* result or argument of the work */
        uint16_t port;
        int result;
        struct gbx_error error;
};

static int enter(const struct task *task, struct gbx_error *err) {
        if (task->target < 0 && unshare(CLONE_NEWNET) < 0)
                return gbx_fail_errno(err, "cannot make a network namespace");
        if (task->target >= 0 && setns(task->target, CLONE_NEWNET) < 0)
                return gbx_fail_errno(err, "cannot enter a network namespace");
        return 0;
}

static void *perform(void *argument) {
        struct task *task = argument;

        task->result = enter(task, &task->error);
        if (task->result >= 0)
                task->result = task->work(task, &task->error);
        return NULL;
}

static int run_task(struct task *task, struct gbx_error *err) {
        pthread_t thread;
        int r = pthread_create(&thread, NULL, perform, task);

        if (r != 0) {
                errno = r;
                return gbx_fail_errno(err, "cannot start a thread");
        }
        (void)pthread_join(thread, NULL);
        if (task->result < 0 && err)
                *err = task->error;
        return task->result;
}

static int set_knob(const char *path, const char *value, bool optional, struct gbx_error *err) {
        gbx_auto(gbx_close_fd) int fd = open(path, O_WRONLY | O_CLOEXEC);

        if (fd < 0 && optional && errno == ENOENT)
                return 0;
        if (fd < 0)
                return gbx_fail_errno(err, "cannot open '%s'", path);
        return gbx_write_all(fd, value, strlen(value), err);
}

/* A fresh namespace that forwards nothing and knows no IPv6 (a kernel without it lacks those knobs). */
static int prepare(struct task *task, struct gbx_error *err) {
        int fd, r;

        r = set_knob("/proc/sys/net/ipv4/ip_forward", "0", false, err);
        if (r < 0)
                return r;
        r = set_knob("/proc/sys/net/ipv4/icmp_echo_ignore_all", "1", false, err);
        if (r < 0)
                return r;
        r = set_knob("/proc/sys/net/ipv6/conf/all/disable_ipv6", "1", true, err);
        if (r < 0)
                return r;
        r = set_knob("/proc/sys/net/ipv6/conf/default/disable_ipv6", "1", true, err);
        if (r < 0)
                return r;
        fd = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
        if (fd < 0)
                return gbx_fail_errno(err, "cannot hold a network namespace");
        task->descriptor = fd;
        return 0;
}

static int fail_netlink(struct gbx_error *err, int code, const char *what) {
        return gbx_fail(err, code == -NLE_PERM ? -EPERM : -EIO, "%s: %s", what, nl_geterror(code));
}

static void free_socket(struct nl_sock **socket) { nl_socket_free(*socket); }
static void put_link(struct rtnl_link **link) { rtnl_link_put(*link); }
static void put_address(struct rtnl_addr **address) { rtnl_addr_put(*address); }
static void put_qdisc(struct rtnl_qdisc **qdisc) { rtnl_qdisc_put(*qdisc); }
static void put_nl_address(struct nl_addr **address) { nl_addr_put(*address); }

static int open_netlink(struct nl_sock **ret, struct gbx_error *err) {
        struct nl_sock *sock = nl_socket_alloc();
        int r = sock ? nl_connect(sock, NETLINK_ROUTE) : -NLE_NOMEM;

        if (r < 0) {
                nl_socket_free(sock);
                return fail_netlink(err, r, "cannot open netlink");
        }
        *ret = sock;
        return 0;
}

/* In the gateway's namespace; the other end is born in the job's. */
static int lay_cable(struct task *task, struct gbx_error *err) {
        gbx_auto(free_socket) struct nl_sock *sock = NULL;
        gbx_auto(put_link) struct rtnl_link *cable = NULL, *peer = NULL;
        int r = open_netlink(&sock, err);

        if (r < 0)
                return r;
        cable = rtnl_link_veth_alloc();
        if (!cable)
                return gbx_fail_memory(err);
        rtnl_link_set_name(cable, gateway_interface);
        peer = rtnl_link_veth_get_peer(cable); /* a reference of its own */
        rtnl_link_set_name(peer, job_interface);
        rtnl_link_set_ns_fd(peer, task->descriptor);
        r = rtnl_link_add(sock, cable, NLM_F_CREATE | NLM_F_EXCL);
        return r < 0 ? fail_netlink(err, r, "cannot make a veth pair") : 0;
}

static int add_address(struct nl_sock *sock, int interface, const char *text, struct gbx_error *err) {
        gbx_auto(put_address) struct rtnl_addr *address = rtnl_addr_alloc();
        gbx_auto(put_nl_address) struct nl_addr *local = NULL;
        int r = nl_addr_parse(text, AF_INET, &local);

        if (!address || r < 0)
                return gbx_fail_memory(err);
        rtnl_addr_set_ifindex(address, interface);
        r = rtnl_addr_set_local(address, local);
        if (r == 0) {
                rtnl_addr_set_prefixlen(address, PREFIX);
                r = rtnl_addr_add(sock, address, 0);
        }
        return r < 0 ? fail_netlink(err, r, "cannot give an interface its address") : 0;
}

static int set_rate(struct nl_sock *sock, struct rtnl_link *link, uint64_t rate, struct gbx_error *err) {
        gbx_auto(put_qdisc) struct rtnl_qdisc *qdisc = NULL;
        uint64_t bucket = rate * BUCKET_MS / 1000, limit;
        int r;

        if (rate == 0)
                return 0;
        if (rate > INT32_MAX)
                return gbx_fail(err, -EINVAL, "a rate limit is at most %d bytes a second", INT32_MAX);
        if (bucket < BUCKET_MIN)
                bucket = BUCKET_MIN;
        limit = bucket + rate * QUEUE_MS / 1000 + BUCKET_MIN;
        qdisc = rtnl_qdisc_alloc();
        if (!qdisc)
                return gbx_fail_memory(err);
        rtnl_tc_set_link(TC_CAST(qdisc), link);
        rtnl_tc_set_parent(TC_CAST(qdisc), TC_H_ROOT);
        r = rtnl_tc_set_kind(TC_CAST(qdisc), "tbf");
        if (r == 0) {
                rtnl_qdisc_tbf_set_rate(qdisc, (int)rate, (int)bucket, 0);
                rtnl_qdisc_tbf_set_limit(qdisc, limit > INT32_MAX ? INT32_MAX : (int)limit);
                r = rtnl_qdisc_add(sock, qdisc, NLM_F_CREATE | NLM_F_EXCL);
        }
        return r < 0 ? fail_netlink(err, r, "cannot set the rate of an interface") : 0;
}

/* One end, in its own namespace: address, rate, up. */
static int raise_end(const struct task *task, const char *name, const char *address, struct gbx_error *err) {
        gbx_auto(free_socket) struct nl_sock *sock = NULL;
        gbx_auto(put_link) struct rtnl_link *link = NULL, *change = NULL;
        int r = open_netlink(&sock, err);

        if (r < 0)
                return r;
        r = rtnl_link_get_kernel(sock, 0, name, &link);
        if (r < 0)
                return fail_netlink(err, r, "cannot find the end of the veth pair");
        r = add_address(sock, rtnl_link_get_ifindex(link), address, err);
        if (r < 0)
                return r;
        r = set_rate(sock, link, task->options->rate, err);
        if (r < 0)
                return r;
        change = rtnl_link_alloc();
        if (!change)
                return gbx_fail_memory(err);
        rtnl_link_set_flags(change, IFF_UP);
        r = rtnl_link_change(sock, link, change, 0);
        return r < 0 ? fail_netlink(err, r, "cannot raise the end of the veth pair") : 0;
}

static int raise_gateway(struct task *task, struct gbx_error *err) {
        return raise_end(task, gateway_interface, task->network->gateway_address, err);
}

static int raise_job(struct task *task, struct gbx_error *err) {
        return raise_end(task, job_interface, task->network->job_address, err);
}

static void format_address(uint32_t host, char text[static 16]) {
        const struct in_addr address = { htonl(host) };

        (void)inet_ntop(AF_INET, &address, text, 16);
}

int gbx_network_new(struct gbx_network *ret, const struct gbx_network_options *options, struct gbx_error *err) {
        gbx_auto(gbx_network_free) struct gbx_network network = { .job = -1, .gateway = -1 };
        uint32_t base = (uint32_t)NETWORK_BASE + (options->index << 2);
        struct task task = { .target = -1, .options = options, .network = &network };
        int r;

        if (options->index > GBX_NETWORK_MAX_INDEX)
                return gbx_fail(err, -EINVAL, "there are %d networks for runs", GBX_NETWORK_MAX_INDEX + 1);
        format_address(base + 1, network.gateway_address);
        format_address(base + 2, network.job_address);
        task.work = prepare;
        r = run_task(&task, err);
        if (r < 0)
                return r;
        network.job = task.descriptor;
        r = run_task(&task, err);
        if (r < 0)
                return r;
        network.gateway = task.descriptor;
        task = (struct task){ .work = lay_cable, .target = network.gateway, .descriptor = network.job };
        r = run_task(&task, err);
        if (r < 0)
                return r;
        task = (struct task){ .work = raise_gateway, .target = network.gateway, .options = options, .network = &network };
        r = run_task(&task, err);
        if (r < 0)
                return r;
        task = (struct task){ .work = raise_job, .target = network.job, .options = options, .network = &network };
        r = run_task(&task, err);
        if (r < 0)
                return r;
        *ret = network;
        network.job = network.gateway = -1;
        return 0;
}

void gbx_network_free(struct gbx_network *network) {
        gbx_close_fd(&network->job);
        gbx_close_fd(&network->gateway);
}

static int open_listener(struct task *task, struct gbx_error *err) {
        struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(task->port) };
        gbx_auto(gbx_close_fd) int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

        (void)inet_pton(AF_INET, task->network->gateway_address, &address.sin_addr);
        if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) < 0 || listen(fd, LISTEN_BACKLOG) < 0)
                return gbx_fail_errno(err, "cannot listen on %s port %u of the gateway", task->network->gateway_address, task->port);
        task->descriptor = gbx_take_fd(&fd);
        return 0;
}

int gbx_network_listen(const struct gbx_network *network, uint16_t port, struct gbx_error *err) {
        struct task task = { .work = open_listener, .target = network->gateway, .network = network, .port = port };
        int r = run_task(&task, err);

        return r < 0 ? r : task.descriptor;
}

static int open_socket(struct task *task, struct gbx_error *err) {
        task->descriptor = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        return task->descriptor < 0 ? gbx_fail_errno(err, "cannot open a socket of the job's network") : 0;
}

int gbx_network_job_socket(int job_namespace, struct gbx_error *err) {
        struct task task = { .work = open_socket, .target = job_namespace };
        int r = run_task(&task, err);

        return r < 0 ? r : task.descriptor;
}
