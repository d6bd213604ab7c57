/*
 * E11. A job reads no counter that all processes of the machine share: a sandbox
 * that moves one and a sandbox that reads it would have a channel.
 * Layers: /proc with subset=pid and no /sys; the filter for those that are calls.
 * Reference: isolate(1); Gao et al., ContainerLeaks, DSN 2017.
 */
#include "tests/attack/lib/attempt.h"

#include <fcntl.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <sys/timex.h>
#include <unistd.h>

/* Free memory, load and the number of processes are those of the whole machine. */
static int try_sysinfo(const struct attempt *self) {
        struct sysinfo info;

        (void)self;
        return attempts_result(syscall(SYS_sysinfo, &info));
}

static int try_adjtimex(const struct attempt *self) {
        struct timex time = { 0 };

        (void)self;
        return attempts_result(syscall(SYS_adjtimex, &time));
}

static int try_read(const struct attempt *self) {
        char byte;
        int fd = open(self->text, O_RDONLY | O_CLOEXEC);

        return fd < 0 ? errno : attempts_result(read(fd, &byte, 1));
}

static int try_open(const struct attempt *self) {
        return attempts_result(open(self->text, O_RDONLY | O_CLOEXEC));
}

#define SHARED(label, path) { label, try_read, .flags = 0, .text = path }

static const struct attempt attempts[] = {
        { "sysinfo", try_sysinfo, .flags = 0 },
        { "adjtimex", try_adjtimex, .flags = 0 },
        SHARED("loadavg", "/proc/loadavg"),
        SHARED("meminfo", "/proc/meminfo"),
        SHARED("stat", "/proc/stat"),
        SHARED("vmstat", "/proc/vmstat"),
        SHARED("uptime", "/proc/uptime"),
        SHARED("interrupts", "/proc/interrupts"),
        SHARED("softirqs", "/proc/softirqs"),
        SHARED("zoneinfo", "/proc/zoneinfo"),
        SHARED("slabinfo", "/proc/slabinfo"),
        SHARED("buddyinfo", "/proc/buddyinfo"),
        SHARED("diskstats", "/proc/diskstats"),
        SHARED("locks", "/proc/locks"),
        SHARED("key-users", "/proc/key-users"),
        SHARED("file-nr", "/proc/sys/fs/file-nr"),
        SHARED("inode-nr", "/proc/sys/fs/inode-nr"),
        SHARED("dentry-state", "/proc/sys/fs/dentry-state"),
        SHARED("pty-nr", "/proc/sys/kernel/pty/nr"),
        SHARED("entropy", "/proc/sys/kernel/random/entropy_avail"),
        SHARED("boot-id", "/proc/sys/kernel/random/boot_id"),
        { "pressure", try_open, .flags = ATTEMPT_NO_CONTROL, .text = "/proc/pressure/cpu" },
        { "sys-block", try_open, .flags = 0, .text = "/sys/block" },
        { "sys-devices", try_open, .flags = 0, .text = "/sys/devices/system/cpu" },
        { "sys-thermal", try_open, .flags = ATTEMPT_NO_CONTROL, .text = "/sys/class/thermal" },
        { "cgroup-usage", try_open, .flags = 0, .text = "/sys/fs/cgroup" },
};

ATTEMPTS_MAIN(attempts)
