/* The sandbox's pure parts: spec, cgroup paths, ids, the record of denials */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "runtime/sandbox/cgroup.h"
#include "runtime/sandbox/denials.h"
#include "runtime/sandbox/identity.h"
#include "runtime/sandbox/order.h"
#include "runtime/sandbox/ordinary.h"
#include "runtime/sandbox/spec.h"

#include <string.h>
#include <sys/syscall.h>

#define LIMITS "\"limits\":{\"wall_ms\":1000,\"memory_bytes\":16777216,\"pids\":4}"
#define HEAD "\"version\":1,\"name\":\"t\",\"image\":{\"directory\":\"/x\"},\"argv\":[\"/bin/true\"],\"profile\":\"lua\""

static void a_small_spec_gets_defaults(void **state) {
        static const char text[] = "{" HEAD "," LIMITS "}";
        struct gbx_spec spec = {};

        (void)state;
        assert_int_equal(gbx_spec_parse(&spec, text, strlen(text), NULL), 0);
        assert_string_equal(spec.name, "t");
        assert_string_equal(spec.cwd, "/");
        assert_int_equal(spec.limits.cpu_ms, 1000);
        assert_int_equal(spec.limits.open_files, 64);
        assert_int_equal(spec.limits.denials, 1000);
        assert_int_equal(spec.descriptor_count, 3);
        assert_int_equal(spec.network_fd, -1);
        assert_int_equal(spec.options.core_pattern_pipe, GBX_CORE_PIPE_REFUSE);
        assert_int_equal(spec.layers_off, 0);
        gbx_spec_free(&spec);
}

static void a_full_spec_is_read(void **state) {
        static const char text[] =
                "{\"version\":1,\"name\":\"run-1\",\"image\":{\"file\":\"/i\",\"digest\":\"sha256:"
                "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\"},\"argv\":[\"/bin/a\",\"b\"],"
                "\"env\":{\"TZ\":\"UTC\"},\"cwd\":\"/out\",\"profile\":\"native\",\"mounts\":["
                "{\"target\":\"/data\",\"fd\":0},{\"target\":\"/job\",\"fd\":1,\"executable\":true},"
                "{\"target\":\"/tmp\",\"tmpfs\":{\"bytes\":65536,\"inodes\":8}},"
                "{\"target\":\"/x\",\"directory\":\"/srv\",\"writable\":true}],\"pass_fds\":{\"3\":2},\"stdin\":null,"
                "\"stdout\":1,\"stderr\":2,\"limits\":{\"wall_ms\":1,\"cpu_ms\":2,\"memory_bytes\":1048576,\"pids\":3,"
                "\"open_files\":16,\"file_bytes\":5,\"denials\":6,\"pids_refused\":7,\"cpu_percent\":50},"
                "\"network\":{\"mode\":\"fd\",\"fd\":0,\"notify_connect_fd\":1},\"options\":{\"core_pattern_pipe\":"
                "\"suppress\",\"require_landlock\":true,\"core_scheduling\":true,\"coarse_timers\":true,\"cgroup\":\"/a\"}}";
        struct gbx_error err = {};
        struct gbx_spec spec = {};

        (void)state;
        if (gbx_spec_parse(&spec, text, strlen(text), &err) < 0)
                fail_msg("%s", err.message);
        assert_string_equal(spec.argv[1], "b");
        assert_null(spec.argv[2]);
        assert_string_equal(spec.environment[0], "TZ=UTC");
        assert_int_equal(spec.mount_count, 4);
        assert_true(spec.mounts[1].executable && !spec.mounts[1].writable);
        assert_true(spec.mounts[2].writable && spec.mounts[2].kind == GBX_MOUNT_TMPFS);
        assert_true(spec.mounts[3].writable && spec.mounts[3].kind == GBX_MOUNT_DIRECTORY);
        assert_int_equal(spec.descriptors[0].outside, GBX_SPEC_CLOSED);
        assert_int_equal(spec.descriptors[3].inside, 3);
        assert_int_equal(spec.descriptors[3].outside, 2);
        assert_int_equal(spec.limits.cpu_percent, 50);
        assert_int_equal(spec.notify_connect_fd, 1);
        assert_true(spec.options.coarse_timers && spec.options.core_scheduling && spec.options.require_landlock);
        gbx_spec_free(&spec);
}

static void bad_specs_are_refused_with_the_path(void **state) {
        static const struct { const char *text, *message; } bad[] = {
                { "", "spec: not JSON" },
                { "[]", "spec: an object is wanted" },
                { "{}", "version: this field is mandatory" },
                { "{" HEAD "}", "limits: this field is mandatory" },
                { "{" HEAD "," LIMITS ",\"x\":1}", "x: unknown field" },
                { "{" HEAD "," LIMITS ",\"name\":\"u\"}", "spec: not JSON" }, /* duplicate */
                { "{" HEAD ",\"limits\":{\"wall_ms\":0,\"memory_bytes\":16777216,\"pids\":4}}", "limits.wall_ms: 0 is not between" },
                { "{" HEAD ",\"limits\":{\"wall_ms\":1,\"memory_bytes\":9007199254740993,\"pids\":4}}", "limits.memory_bytes: " },
                { "{" HEAD ",\"limits\":{\"wall_ms\":1,\"memory_bytes\":16777216,\"pids\":-1}}", "limits.pids: -1 is not" },
                { "{" HEAD ",\"limits\":{\"wall_ms\":1.5,\"memory_bytes\":16777216,\"pids\":1}}", "limits.wall_ms: a whole number" },
                { "{" HEAD ",\"limits\":{\"wall_ms\":1,\"memory_bytes\":16777216,\"pids\":1,\"cpu_percent\":1000000000}}", "limits.cpu_percent: " },
                { "{" HEAD ",\"limits\":{\"wall_ms\":1,\"memory_bytes\":16777216,\"pids\":1,\"open_files\":1023}}", "limits.open_files: " },
                { "{" HEAD "," LIMITS ",\"mounts\":[{\"target\":\"/a/../b\",\"fd\":0}]}", "mounts[0].target: empty, '.' and" },
                { "{" HEAD "," LIMITS ",\"mounts\":[{\"target\":\"/a/\",\"fd\":0}]}", "mounts[0].target: empty, '.' and" },
                { "{" HEAD "," LIMITS ",\"mounts\":[{\"target\":\"a\",\"fd\":0}]}", "mounts[0].target: an absolute path" },
                { "{" HEAD "," LIMITS ",\"mounts\":[{\"target\":\"/proc/x\",\"fd\":0}]}", "mounts[0].target: '/proc' is the sandbox's own" },
                { "{" HEAD "," LIMITS ",\"mounts\":[{\"target\":\"/a\",\"fd\":0},{\"target\":\"/a\",\"fd\":1}]}", "mounts[1].target: '/a' is mounted twice" },
                { "{" HEAD "," LIMITS ",\"mounts\":[{\"target\":\"/a\",\"fd\":987654}]}", "mounts[0].fd: descriptor 987654 is not open" },
                { "{" HEAD "," LIMITS ",\"mounts\":[{\"target\":\"/a\"}]}", "mounts[0]: exactly one of fd, directory, tmpfs and later" },
                { "{" HEAD "," LIMITS ",\"mounts\":[{\"target\":\"/a\",\"fd\":0,\"writable\":true,\"executable\":true}]}", "mounts[0]: a mount is writable or" },
                { "{" HEAD "," LIMITS ",\"mounts\":[{\"target\":\"/a\",\"tmpfs\":{\"bytes\":4096}}]}", "mounts[0].tmpfs.inodes: this field is mandatory" },
                { "{" HEAD "," LIMITS ",\"pass_fds\":{\"2\":0}}", "pass_fds.2: a descriptor number from 3" },
                { "{" HEAD "," LIMITS ",\"pass_fds\":{\"03\":0}}", "pass_fds.03: a descriptor number from 3" },
                { "{" HEAD "," LIMITS ",\"pass_fds\":{\"100\":0}}", "pass_fds.100: not below limits.open_files" },
                { "{" HEAD "," LIMITS ",\"env\":{\"A=B\":\"c\"}}", "env: 'A=B' cannot name a variable" },
                { "{" HEAD "," LIMITS ",\"env\":{\"A\":1}}", "env.A: a text is wanted" },
                { "{" HEAD "," LIMITS ",\"network\":{\"mode\":\"host\"}}", "network.mode: 'none' or 'fd'" },
                { "{" HEAD "," LIMITS ",\"network\":{\"mode\":\"fd\"}}", "network.fd: goes with mode 'fd'" },
                { "{" HEAD "," LIMITS ",\"options\":{\"test_without\":[\"seccomp\"]}}", "options.test_without: unknown field" },
                { "{\"version\":2}", "version: 2 is not between 1 and 1" },
                { "{\"version\":1,\"name\":\"../x\"}", "name: a name is" },
                { "{\"version\":1,\"name\":\"t\",\"image\":{}}", "image: exactly one of" },
                { "{\"version\":1,\"name\":\"t\",\"image\":{\"file\":\"/i\"}}", "image.digest: this field is mandatory" },
                { "{\"version\":1,\"name\":\"t\",\"image\":{\"file\":\"/i\",\"digest\":\"md5:0\"}}", "image.digest: 'sha256:'" },
                { "{\"version\":1,\"name\":\"t\",\"image\":{\"directory\":\"/x\"},\"argv\":[]}", "argv: a list of 1 to" },
                { "{\"version\":1,\"name\":\"t\",\"image\":{\"directory\":\"/x\"},\"argv\":[\"sh\"]}", "argv[0]: an absolute path" },
        };

        (void)state;
        for (size_t i = 0; i < gbx_array_size(bad); i++) {
                struct gbx_error err = {};
                struct gbx_spec spec = {};

                assert_int_equal(gbx_spec_parse(&spec, bad[i].text, strlen(bad[i].text), &err), -EINVAL);
                if (strncmp(err.message, bad[i].message, strlen(bad[i].message)) != 0)
                        fail_msg("row %zu: '%s' does not begin with '%s'", i, err.message, bad[i].message);
        }
}

static void own_cgroups_are_found(void **state) {
        static const char text[] = "9:name=systemd:/init\n8:pids:/\n6:cpu,cpuacct:/user.slice\n4:memory:/a/b c:d\n0::/v2\n";
        static const struct { const char *controller, *path; } rows[] = {
                { "pids", "/" }, { "cpuacct", "/user.slice" }, { "cpu", "/user.slice" }, { "memory", "/a/b c:d" }, { "", "/v2" },
        };
        char path[64];

        (void)state;
        for (size_t i = 0; i < gbx_array_size(rows); i++) {
                assert_int_equal(gbx_cgroup_own_path(text, rows[i].controller, path, sizeof path, NULL), 0);
                assert_string_equal(path, rows[i].path);
        }
        assert_int_equal(gbx_cgroup_own_path(text, "mem", path, sizeof path, NULL), -ENOENT);
        assert_int_equal(gbx_cgroup_own_path(text, "systemd", path, sizeof path, NULL), -ENOENT);
        assert_int_equal(gbx_cgroup_own_path("", "pids", path, sizeof path, NULL), -ENOENT);
        assert_int_equal(gbx_cgroup_own_path("8:pids", "pids", path, sizeof path, NULL), -ENOENT);
        assert_int_equal(gbx_cgroup_own_path("8:pids:relative\n", "pids", path, sizeof path, NULL), -EINVAL);
        assert_int_equal(gbx_cgroup_own_path(text, "cpu", path, 5, NULL), -EINVAL);
}

static void keyed_values_are_found(void **state) {
        static const char text[] = "low 1\noom 2\noom_kill 3\noom_group_kill 4\n";

        (void)state;
        assert_int_equal(gbx_cgroup_keyed_value(text, "oom_kill"), 3);
        assert_int_equal(gbx_cgroup_keyed_value(text, "oom"), 2);
        assert_int_equal(gbx_cgroup_keyed_value(text, "max"), 0);
        assert_int_equal(gbx_cgroup_keyed_value("", "max"), 0);
}

static void no_two_launchers_share_ids(void **state) {
        (void)state;
        assert_true(gbx_identity_range(1) >= 1U << 31);
        assert_int_equal(gbx_identity_range(2) - gbx_identity_range(1), 256);
        assert_true(gbx_identity_range(4194303) > gbx_identity_range(4194302)); /* no wrap at the highest pid */
}

static void ranges_of_ordinary_users_are_found(void **state) {
        static const char text[] = "root:100000:65536\nbroken\nann:x:65536\nann:200000:10\nann:300000:65536\n1007:400000:4294967295\n"
                                   "1007:500000:2000\n";
        uint32_t first = 0, count = 0;
        char name[16];

        (void)state;
        assert_int_equal(gbx_ordinary_find_range(text, "ann", 1, &first, &count), 0);
        assert_int_equal(first, 300000);
        assert_int_equal(count, 65536);
        assert_int_equal(gbx_ordinary_find_range(text, "", 1007, &first, &count), 0);
        assert_int_equal(first, 500000);
        assert_int_equal(gbx_ordinary_find_range(text, "", 1008, &first, &count), -ENOENT);
        assert_int_equal(gbx_ordinary_find_range("", "ann", 1, &first, &count), -ENOENT);
        gbx_ordinary_find_name("root:x:0:0::/:\nann:x:1001:1001::/:\n", 1001, name, sizeof name);
        assert_string_equal(name, "ann");
        gbx_ordinary_find_name("root:x:0:0::/:\nann:x:1001:1001::/:", 1002, name, sizeof name);
        assert_string_equal(name, "");
        assert_int_equal(gbx_identity_range_of(7, 65536), 15);
        assert_true(gbx_identity_range_of(4194303, 1024) + 1 <= 1024);
}

static void orders_are_read(void **state) {
        static const char template[] = "{" HEAD "," LIMITS ",\"mounts\":[{\"target\":\"/data\",\"later\":true},"
                                       "{\"target\":\"/out\",\"tmpfs\":{\"bytes\":4096,\"inodes\":1}}]}";
        static const char good[] = "{\"version\":1,\"name\":\"b\",\"env\":{\"A\":\"1\"},\"argv\":[\"/x\",\"y\"],"
                                   "\"mounts\":[{\"target\":\"/data\",\"fd\":1}],\"stdout\":0,\"pass_fds\":{\"5\":2}}";
        static const struct { const char *text, *message; } bad[] = {
                { "{}", "version: this field is mandatory" },
                { "{\"version\":1,\"stdin\":3}", "stdin: 3 is not between 0 and 2" },
                { "{\"version\":1,\"mounts\":[{\"target\":\"/out\",\"fd\":0}]}", "mounts[0].target: the pool's spec has no" },
                { "{\"version\":1,\"mounts\":[{\"target\":\"/data\",\"fd\":0},{\"target\":\"/data\",\"fd\":1}]}", "mounts[1].target: mounted twice" },
                { "{\"version\":1,\"pass_fds\":{\"64\":0}}", "pass_fds.64: a descriptor number" },
                { "{\"version\":1,\"argv\":[\"x\"]}", "argv[0]: an absolute path" },
                { "{\"version\":1,\"limits\":{}}", "limits: unknown field" },
        };
        static struct gbx_order order;
        struct gbx_spec spec = {};
        int received[3] = { 70, 71, 72 };

        (void)state;
        assert_int_equal(gbx_spec_parse(&spec, template, strlen(template), NULL), 0);
        assert_int_equal(gbx_order_parse(&order, &spec, good, strlen(good), 3, NULL), 0);
        gbx_order_apply(&order, &spec, received);
        assert_string_equal(spec.argv[0], "/x");
        assert_string_equal(spec.argv[1], "y");
        assert_null(spec.argv[2]);
        assert_string_equal(spec.environment[0], "A=1");
        assert_null(spec.environment[1]);
        assert_int_equal(spec.descriptor_count, 4);
        assert_int_equal(spec.descriptors[0].outside, GBX_SPEC_CLOSED);
        assert_int_equal(spec.descriptors[1].outside, 70);
        assert_int_equal(spec.descriptors[3].inside, 5);
        assert_int_equal(spec.descriptors[3].outside, 72);
        for (size_t i = 0; i < gbx_array_size(bad); i++) {
                struct gbx_error err = {};

                assert_int_equal(gbx_order_parse(&order, &spec, bad[i].text, strlen(bad[i].text), 3, &err), -EINVAL);
                if (strncmp(err.message, bad[i].message, strlen(bad[i].message)) != 0)
                        fail_msg("row %zu: '%s' does not begin with '%s'", i, err.message, bad[i].message);
        }
        spec.environment[0] = NULL; /* it points into the order */
        gbx_spec_free(&spec);
}

static const struct gbx_denial_action refusal = { 0, GBX_DENIAL_ERRNO, EPERM };

/* "AF_INET SOCK_DGRAM" */
static void class_text(int number, const struct gbx_denial_class *class, char ret[static 1024]) {
        const char *names[GBX_DENIAL_NAMES_MAX];
        size_t count = gbx_denial_class_names(number, class, names), used = 0;

        ret[0] = '\0';
        for (size_t i = 0; i < count; i++)
                used += (size_t)snprintf(ret + used, 1024 - used, "%s%s", i ? " " : "", names[i]);
}

static void denials_are_classed(void **state) {
        static const struct {
                int number;
                uint64_t arguments[6];
                const char *text;
        } rows[] = {
                { SYS_socket, { 2, 2 | 02000000, 17 }, "AF_INET SOCK_DGRAM SOCK_CLOEXEC" },
                { SYS_socket, { 16, 3, 0xdead }, "AF_NETLINK SOCK_RAW" },
                { SYS_socket, { 0xbeef, 0xf00f }, "other other other" },
                { SYS_socket, { 2, 9 }, "AF_INET other" },
                { SYS_socket, { (1ULL << 40) | 2, 1 }, "AF_INET SOCK_STREAM" }, /* the kernel takes an int */
                { SYS_ioctl, { 1234, 0x5412, 0x41414141 }, "TIOCSTI" },
                { SYS_ioctl, { 0, 0x41303030 }, "other" },
                { SYS_prctl, { 15, 0x41414141 }, "PR_SET_NAME" },
                { SYS_prctl, { 31337 }, "other" },
                { SYS_ptrace, { 16, 1234 }, "PTRACE_ATTACH" },
                { SYS_clone, { 0x10000000 | 0x00020000 | 17 }, "CLONE_NEWNS CLONE_NEWUSER" },
                { SYS_unshare, { 0x40000000 }, "CLONE_NEWNET" },
                { SYS_unshare, { 0x40000001 }, "CLONE_NEWNET other" },
                { SYS_mmap, { 0x1000, 31337, 5, 0x22, 77, 88 }, "PROT_READ PROT_EXEC MAP_PRIVATE MAP_ANONYMOUS" },
                { SYS_mmap, { 0, 0, 0xf0, 0xdead000000000000 }, "other" },
                { SYS_mount, { 0, 0, 0, 4096 | 1 }, "MS_RDONLY MS_BIND" },
                { SYS_openat, { 5, 0, 01102, 0777 }, "O_RDWR O_CREAT O_TRUNC" },
                { SYS_open, { 0, 020200002, 0 }, "O_TMPFILE O_RDWR" },
                { SYS_kill, { 31337, 9 }, "" },
                { SYS_shmget, { 0x41414141, 0x42424242, 0x43434343 }, "" },
                { SYS_getpid, { 1, 2, 3, 4, 5, 6 }, "" },
                { 31337, { 1, 2, 3, 4, 5, 6 }, "" },
        };

        (void)state;
        for (size_t i = 0; i < gbx_array_size(rows); i++) {
                struct gbx_denial_class class = gbx_denial_classify(rows[i].number, rows[i].arguments);
                char text[1024];

                class_text(rows[i].number, &class, text);
                if (strcmp(text, rows[i].text) != 0)
                        fail_msg("row %zu: '%s', wanted '%s'", i, text, rows[i].text);
        }
}

/* For every call there is, and arguments of every kind: names are words, and they fit. */
static void classes_are_words(void **state) {
        uint64_t random = 88172645463325252ULL;

        (void)state;
        for (int number = -1; number < 600; number++)
                for (int round = 0; round < 300; round++) {
                        const char *names[GBX_DENIAL_NAMES_MAX] = {};
                        struct gbx_denial_class class;
                        uint64_t arguments[6];
                        size_t count;

                        for (size_t i = 0; i < 6; i++) {
                                random ^= random << 13;
                                random ^= random >> 7;
                                random ^= random << 17;
                                arguments[i] = round == 0 ? 0 : round == 1 ? UINT64_MAX : round % 3 ? random : random % 64;
                        }
                        class = gbx_denial_classify(number, arguments);
                        count = gbx_denial_class_names(number, &class, names);
                        assert_true(count <= GBX_DENIAL_NAMES_MAX);
                        for (size_t i = 0; i < count; i++)
                                assert_true(names[i] && (strcmp(names[i], "other") == 0 ||
                                                        strspn(names[i], "ABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789") == strlen(names[i])));
                }
}

static void denials_are_grouped(void **state) {
        static struct gbx_denials denials;
        char text[1024];

        (void)state;
        for (uint64_t i = 0; i < 1000; i++) {
                const uint64_t same[6] = { 2, 1, i, 0x1000 + i, i, i }; /* the protocol is a free number */
                const uint64_t address[6] = { 0x7f0000000000 + i };

                gbx_denials_add(&denials, SYS_socket, same, refusal);
                gbx_denials_add(&denials, SYS_chroot, address, refusal);
                gbx_denials_add(&denials, SYS_mmap, (uint64_t[6]){ i, i, i % 8, i % 3, i, i }, refusal);
                gbx_denials_add(&denials, 5000 + (int)i, address, refusal);
        }
        assert_int_equal(denials.group_count, 4);
        assert_int_equal(denials.groups[0].count, 1000);
        class_text(SYS_mmap, &denials.groups[2].class, text);
        assert_string_equal(text, "PROT_READ PROT_WRITE PROT_EXEC MAP_SHARED MAP_PRIVATE");
        assert_int_equal(denials.groups[3].syscall, GBX_DENIALS_NO_CALL);
        assert_int_equal(denials.groups[3].count, 1000);
        assert_int_equal(denials.total, 4000);
}

/* Whatever a job does with one call, or with all of them, another still has its place. */
static void no_denial_is_crowded_out(void **state) {
        static struct gbx_denials denials;
        size_t sockets = 0;
        bool found = false;

        (void)state;
        memset(&denials, 0, sizeof denials);
        for (int number = 0; number < 2000; number++)
                for (uint64_t i = 0; i < 64; i++)
                        if (number != SYS_reboot)
                                gbx_denials_add(&denials, number, (uint64_t[6]){ i, i % 16, i, i, i, i }, refusal);
        gbx_denials_add(&denials, SYS_reboot, (uint64_t[6]){ 0xfee1dead }, refusal);
        for (size_t i = 0; i < denials.group_count; i++) {
                sockets += denials.groups[i].syscall == SYS_socket;
                found |= denials.groups[i].syscall == SYS_reboot;
        }
        assert_true(found);
        assert_true(denials.group_count < GBX_DENIALS_MAX);
        assert_true(sockets > 2 && sockets <= GBX_DENIALS_PER_CALL + 1);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_small_spec_gets_defaults),
                cmocka_unit_test(a_full_spec_is_read),
                cmocka_unit_test(bad_specs_are_refused_with_the_path),
                cmocka_unit_test(own_cgroups_are_found),
                cmocka_unit_test(keyed_values_are_found),
                cmocka_unit_test(no_two_launchers_share_ids),
                cmocka_unit_test(ranges_of_ordinary_users_are_found),
                cmocka_unit_test(orders_are_read),
                cmocka_unit_test(denials_are_classed),
                cmocka_unit_test(classes_are_words),
                cmocka_unit_test(denials_are_grouped),
                cmocka_unit_test(no_denial_is_crowded_out),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
