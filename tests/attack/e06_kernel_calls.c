/*
 * E06. System calls that widen the kernel's attack surface, reach other
 * processes or are not divided by namespaces do not reach the kernel: each is
 * really made, with valid arguments where that is harmless.
 * Layers: the filter; where marked, the missing capability besides.
 * Reference: Sandbox2's default policy, systemd-nspawn's list ("not namespaced!"),
 * containerd 9320 (io_uring), CVE-2026-31431 (splice into shared pages).
 */
#include "tests/attack/lib/attempt.h"

#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/filter.h>
#include <linux/io_uring.h>
#include <linux/perf_event.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

static struct io_uring_params ring;
static struct perf_event_attr event = { .type = PERF_TYPE_SOFTWARE, .size = sizeof(event),
                                        .config = PERF_COUNT_SW_CPU_CLOCK, .exclude_kernel = 1, .exclude_hv = 1 };
static union bpf_attr map = { .map_type = BPF_MAP_TYPE_ARRAY, .key_size = 4, .value_size = 4, .max_entries = 1 };
static struct sched_attr_storage {
        uint32_t size, policy;
        uint64_t flags;
        int32_t nice;
        uint32_t priority;
        uint64_t runtime, deadline, period;
} realtime = { .size = 48, .policy = 1 /* SCHED_FIFO */, .priority = 1 };

static int try_filter_listener(const struct attempt *self) {
        struct sock_filter allow = { .code = BPF_RET | BPF_K, .k = SECCOMP_RET_ALLOW };
        struct sock_fprog program = { .len = 1, .filter = &allow };

        (void)self;
        (void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
        return attempts_result(
                syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &program));
}

static int try_open_by_handle(const struct attempt *self) {
        struct {
                struct file_handle head;
                unsigned char bytes[MAX_HANDLE_SZ];
        } handle = { .head.handle_bytes = MAX_HANDLE_SZ };
        int mount_id = 0;
        int directory = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

        (void)self;
        if (directory < 0 || name_to_handle_at(directory, "", &handle.head, &mount_id, AT_EMPTY_PATH) < 0)
                return errno;
        return attempts_result(open_by_handle_at(directory, &handle.head, O_RDONLY));
}

/* Moves pages of a file into a pipe, the way to a write into shared page cache. */
static int try_splice(const struct attempt *self) {
        int ends[2], more[2];
        char byte = 1;
        struct iovec piece = { &byte, 1 };
        int file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);

        if (pipe(ends) < 0 || pipe(more) < 0 || write(ends[1], &byte, 1) != 1)
                return errno;
        if (self->number == SYS_splice)
                return attempts_result(syscall(SYS_splice, file, NULL, more[1], NULL, 16, 0));
        if (self->number == SYS_tee)
                return attempts_result(syscall(SYS_tee, ends[0], more[1], 1, 0));
        return attempts_result(syscall(SYS_vmsplice, more[1], &piece, 1, 0));
}

static int try_device_node(const struct attempt *self) {
        int result = attempts_result(mknod(self->text, S_IFCHR | 0600, 0x101 /* /dev/mem */));

        (void)unlink(self->text);
        return result;
}

#define P(pointer) (long)(pointer)
#define CALL(label, nr, ...) { label, attempts_call, 0, .number = nr, .arguments = { __VA_ARGS__ } }
#define REACH(label, nr, ...) { label, attempts_call_reached, 0, .number = nr, .arguments = { __VA_ARGS__ } }
#define REACH2(label, nr, ...) \
        { label, attempts_call_reached, ATTEMPT_TWO_LAYERS, .number = nr, .arguments = { __VA_ARGS__ } }

static const struct attempt attempts[] = {
        CALL("userfaultfd", SYS_userfaultfd, 1 /* UFFD_USER_MODE_ONLY */),
        CALL("bpf-map", SYS_bpf, BPF_MAP_CREATE, P(&map), sizeof(map)),
        CALL("perf-event-open", SYS_perf_event_open, P(&event), 0, -1, -1, 0),
        CALL("io-uring-setup", SYS_io_uring_setup, 1, P(&ring)),
        REACH("io-uring-enter", SYS_io_uring_enter, -1, 1, 0, 0, 0, 0),
        REACH("io-uring-register", SYS_io_uring_register, -1, 0, 0, 0),
        CALL("keyctl-session", SYS_keyctl, 0 /* KEYCTL_GET_KEYRING_ID */, -3, 1),
        CALL("keyctl-join-session", SYS_keyctl, 1 /* KEYCTL_JOIN_SESSION_KEYRING */, 0),
        CALL("add-key", SYS_add_key, P("user"), P("gbx"), P("x"), 1, -1 /* thread keyring */),
        REACH("request-key", SYS_request_key, P("user"), P("gbx-none"), 0, 0),
        REACH2("kexec-load", SYS_kexec_load, 0, 0, 0, -1),
        REACH2("kexec-file-load", SYS_kexec_file_load, -1, -1, 0, 0, -1),
        REACH2("init-module", SYS_init_module, 0, 0, 0),
        REACH2("finit-module", SYS_finit_module, -1, P(""), 0),
        REACH2("delete-module", SYS_delete_module, P("gbx_none"), O_NONBLOCK),
        REACH2("reboot", SYS_reboot, 0, 0, 0, 0),
        REACH2("acct", SYS_acct, P("/tmp/none")),
        REACH("quotactl", SYS_quotactl, -1, P("/tmp"), 0, 0),
        REACH("quotactl-fd", SYS_quotactl_fd, -1, 0, 0, 0),
        CALL("fanotify-init", SYS_fanotify_init, 0, 0),
        REACH("name-to-handle", SYS_name_to_handle_at, AT_FDCWD, 0, 0, 0, 0),
        { "open-by-handle", try_open_by_handle, .flags = ATTEMPT_TWO_LAYERS },
        { "splice", try_splice, .number = SYS_splice },
        { "tee", try_splice, .number = SYS_tee },
        { "vmsplice", try_splice, .number = SYS_vmsplice },
        REACH("clock-settime", SYS_clock_settime, 0, 0),
        REACH2("settimeofday", SYS_settimeofday, 0, 0),
        REACH2("sethostname", SYS_sethostname, P("x"), 1),
        REACH2("setdomainname", SYS_setdomainname, P("x"), 1),
        REACH2("iopl", SYS_iopl, 3),
        REACH2("ioperm", SYS_ioperm, 0x80, 1, 1),
        CALL("modify-ldt", SYS_modify_ldt, 0, P(&ring), 16),
        CALL("personality-no-randomize", SYS_personality, 0x0040000),
        CALL("personality-read-implies-exec", SYS_personality, 0x0400000),
        REACH2("syslog-read", SYS_syslog, 10, 0, 0),
        REACH("move-pages", SYS_move_pages, 0, 0, 0, 0, 0, 0),
        REACH("migrate-pages", SYS_migrate_pages, 0, 0, 0, 0),
        REACH("set-mempolicy", SYS_set_mempolicy, 0, 0, 0),
        REACH("mbind", SYS_mbind, 0, 0, 0, 0, 0, 0),
        REACH2("sched-setattr-realtime", SYS_sched_setattr, 0, P(&realtime), 0),
        REACH("mq-open", SYS_mq_open, P("gbx-attack"), O_RDONLY, 0, 0),
        REACH("shmget", SYS_shmget, 0, 4096, 01600),
        REACH("semget", SYS_semget, 0, 1, 01600),
        REACH("msgget", SYS_msgget, 0, 01600),
        REACH("inotify-init", SYS_inotify_init1, 0),
        REACH("process-madvise", SYS_process_madvise, -1, 0, 0, 0, 0),
        REACH("process-mrelease", SYS_process_mrelease, -1, 0),
        REACH("lookup-dcookie", SYS_lookup_dcookie, 0, 0, 0),
        REACH2("vhangup", SYS_vhangup),
        REACH("lsm-set-self-attr", 460, 0, 0, 0, 0),
        REACH("map-shadow-stack", 453, 1, 1, 0),
        REACH("uselib", SYS_uselib, P("/tmp/none")),
        { "seccomp-new-listener", try_filter_listener, .flags = 0 },
        { "device-node-tmp", try_device_node, ATTEMPT_TWO_LAYERS, .text = "/tmp/gbx-attack-node" },
        { "device-node-dev", try_device_node, ATTEMPT_TWO_LAYERS, .text = "/dev/shm/gbx-attack-node" },
};

ATTEMPTS_MAIN(attempts)
