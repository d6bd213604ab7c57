/*
 * E11. Two sandboxes that run at the same time and agree on a protocol cannot send
 * each other a word, by any of these channels. A pair of programs really tries:
 * the sender sets a state for each bit in its slot of the wall clock, the receiver
 * reads it in the middle of the slot (attack-run --pair starts both).
 * Layers: namespaces (ipc, network, user), nothing writable shared, the filter
 * (locks, leases, notification, keys, residency).
 * Reference: isolate(1) "SYSTEM CALL RESTRICTIONS"; systemd-nspawn ("keyring not
 * namespaced"); Gruss et al., Page Cache Attacks, CCS 2019.
 * Arguments: role=sender|receiver, start=MILLISECONDS of the wall clock, slot=MICROSECONDS, image=FOLDER.
 */
#include "tests/attack/lib/attempt.h"

#include <fcntl.h>
#include <mqueue.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { BITS = 24, ENOUGH = 21, PAUSE_SLOTS = 4, KEY = 0x67627831, PAGE = 4096, STRIDE = 256 * 1024,
       NANOSECONDS_COLD = 20000, USER_KEYRING = -4, MANY_PIPES = 1200 };

struct channel {
        const char *name;
        int (*send)(const struct channel *self, int bit, int index); /* 0 or an errno */
        int (*receive)(const struct channel *self, int index);       /* 0, 1 or a negated errno */
        const char *path;
        int kind;
};

static int opened = -1; /* the file of the current channel, kept open over its bits */

/* The folder of the image that both use has another path outside. */
static const char *path_of(const struct channel *self) {
        static char path[256];
        const char *image = attempts_argument("image");

        if (!self->path || strncmp(self->path, "IMAGE", 5) != 0)
                return self->path;
        (void)snprintf(path, sizeof(path), "%s%s", image ? image : "/bin", self->path + 5);
        return path;
}

static int file_of(const struct channel *self) {
        if (opened < 0)
                opened = open(path_of(self), O_RDONLY | O_CLOEXEC);
        return opened;
}

/* --- locks, leases, notification on an inode that both can name ------------------ */

static int send_lock(const struct channel *self, int bit, int index) {
        struct flock lock = { .l_type = (short)(bit ? F_RDLCK : F_UNLCK), .l_whence = SEEK_SET, .l_len = 1 };

        (void)index;
        if (file_of(self) < 0)
                return errno;
        if (self->kind == 0)
                return attempts_result(flock(opened, bit ? LOCK_EX | LOCK_NB : LOCK_UN));
        return attempts_result(fcntl(opened, self->kind, &lock));
}

static int receive_lock(const struct channel *self, int index) {
        struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_len = 1 };

        (void)index;
        if (file_of(self) < 0)
                return -errno;
        if (self->kind == 0) {
                if (flock(opened, LOCK_SH | LOCK_NB) < 0)
                        return errno == EWOULDBLOCK ? 1 : -errno;
                return flock(opened, LOCK_UN) < 0 ? -errno : 0;
        }
        if (fcntl(opened, self->kind == F_SETLK ? F_GETLK : F_OFD_GETLK, &lock) < 0)
                return -errno;
        return lock.l_type != F_UNLCK;
}

/* A read lease needs the file's owner; a write-open that would block shows it. */
static int send_lease(const struct channel *self, int bit, int index) {
        (void)index;
        (void)signal(SIGIO, SIG_IGN);
        if (file_of(self) < 0)
                return errno;
        (void)fcntl(opened, F_SETLEASE, F_UNLCK); /* the receiver may have begun to break it */
        return bit ? attempts_result(fcntl(opened, F_SETLEASE, F_RDLCK)) : 0;
}

static int receive_lease(const struct channel *self, int index) {
        int fd = open(path_of(self), O_WRONLY | O_NONBLOCK | O_CLOEXEC);

        (void)index;
        if (fd < 0)
                return errno == EWOULDBLOCK ? 1 : -errno;
        (void)close(fd);
        return 0;
}

static int send_open(const struct channel *self, int bit, int index) {
        char byte;
        int fd = bit ? open(path_of(self), O_RDONLY | O_CLOEXEC) : -1;

        (void)index;
        if (bit && fd < 0)
                return errno;
        if (bit && read(fd, &byte, 1) < 0 && errno != EISDIR)
                return errno;
        if (bit && self->kind == 1)
                (void)syscall(SYS_getdents64, fd, (char[4096]){ 0 }, 4096);
        if (bit)
                (void)close(fd);
        return 0;
}

static int receive_inotify(const struct channel *self, int index) {
        char events[4096];
        ssize_t n;

        (void)index;
        if (opened < 0) {
                opened = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
                if (opened < 0 || inotify_add_watch(opened, path_of(self), IN_OPEN | IN_ACCESS) < 0)
                        return -errno;
        }
        n = read(opened, events, sizeof(events));
        return n > 0 ? 1 : errno == EAGAIN ? 0 : -errno;
}

static int receive_dnotify(const struct channel *self, int index) {
        const struct timespec now = { 0, 0 };
        sigset_t set;

        (void)index;
        (void)sigemptyset(&set);
        (void)sigaddset(&set, SIGIO);
        (void)sigprocmask(SIG_BLOCK, &set, NULL);
        if (file_of(self) < 0 || fcntl(opened, F_NOTIFY, DN_ACCESS | DN_MULTISHOT) < 0)
                return -errno;
        return sigtimedwait(&set, NULL, &now) == SIGIO;
}

/* --- names in shared name spaces --------------------------------------------------- */

static int send_ipc(const struct channel *self, int bit, int index) {
        int id;

        (void)index;
        switch (self->kind) {
        case 0:
                id = shmget(KEY, PAGE, IPC_CREAT | 0666);
                return id < 0 ? errno : bit ? 0 : attempts_result(shmctl(id, IPC_RMID, NULL));
        case 1:
                id = semget(KEY, 1, IPC_CREAT | 0666);
                return id < 0 ? errno : bit ? 0 : attempts_result(semctl(id, 0, IPC_RMID));
        default:
                id = msgget(KEY, IPC_CREAT | 0666);
                return id < 0 ? errno : bit ? 0 : attempts_result(msgctl(id, IPC_RMID, NULL));
        }
}

static int receive_ipc(const struct channel *self, int index) {
        int id = self->kind == 0 ? shmget(KEY, 0, 0) : self->kind == 1 ? semget(KEY, 0, 0) : msgget(KEY, 0);

        (void)index;
        return id >= 0 ? 1 : errno == ENOENT ? 0 : -errno;
}

static int send_mqueue(const struct channel *self, int bit, int index) {
        mqd_t queue;

        (void)index;
        if (!bit)
                return mq_unlink(self->path) < 0 && errno != ENOENT ? errno : 0;
        queue = mq_open(path_of(self), O_CREAT | O_RDWR, 0666, NULL);
        return queue < 0 ? errno : attempts_result(mq_close(queue));
}

static int receive_mqueue(const struct channel *self, int index) {
        mqd_t queue = mq_open(path_of(self), O_RDONLY);

        (void)index;
        if (queue < 0)
                return errno == ENOENT ? 0 : -errno;
        (void)mq_close(queue);
        return 1;
}

static int send_file(const struct channel *self, int bit, int index) {
        int fd;

        (void)index;
        if (!bit)
                return unlink(self->path) < 0 && errno != ENOENT ? errno : 0;
        fd = open(path_of(self), O_CREAT | O_WRONLY | O_CLOEXEC, 0666);
        return fd < 0 ? errno : attempts_result(close(fd));
}

static int receive_file(const struct channel *self, int index) {
        (void)index;
        return access(self->path, F_OK) == 0 ? 1 : errno == ENOENT ? 0 : -errno;
}

static int send_key(const struct channel *self, int bit, int index) {
        static long key;

        (void)index;
        if (bit)
                key = syscall(SYS_add_key, "user", self->path, "x", 1, USER_KEYRING);
        else
                (void)syscall(SYS_keyctl, 9 /* KEYCTL_UNLINK */, key, USER_KEYRING);
        return key < 0 ? errno : 0;
}

static int receive_key(const struct channel *self, int index) {
        long key = syscall(SYS_keyctl, 10 /* KEYCTL_SEARCH */, USER_KEYRING, "user", self->path, 0);

        (void)index;
        return key > 0 ? 1 : errno == ENOKEY ? 0 : -errno;
}

static int bind_name(const struct channel *self) {
        struct sockaddr_in port = { .sin_family = AF_INET, .sin_port = htons(47361),
                                    .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        struct sockaddr_un name = { .sun_family = AF_UNIX, .sun_path = "\0gbx-attack-covert" };
        int fd = socket(self->kind ? AF_INET : AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        int r = fd < 0 ? -1
                       : bind(fd, self->kind ? (void *)&port : (void *)&name,
                              self->kind ? sizeof(port) : sizeof(sa_family_t) + 18);
        int saved = errno;

        if (r < 0 && fd >= 0)
                (void)close(fd);
        errno = saved;
        return r < 0 ? -1 : fd;
}

static int send_name(const struct channel *self, int bit, int index) {
        (void)index;
        if (opened >= 0 && !bit) {
                (void)close(opened);
                opened = -1;
        }
        if (bit && opened < 0)
                opened = bind_name(self);
        return bit && opened < 0 ? errno : 0;
}

static int receive_name(const struct channel *self, int index) {
        int fd = bind_name(self);

        (void)index;
        if (fd < 0)
                return errno == EADDRINUSE ? 1 : -errno;
        (void)close(fd);
        return 0;
}

/* --- residency of shared pages -------------------------------------------------------- */

static int send_residency(const struct channel *self, int bit, int index) {
        char byte;

        (void)index;
        if (file_of(self) < 0)
                return errno;
        if (bit)
                return posix_fadvise(opened, 0, STRIDE, POSIX_FADV_DONTNEED);
        return pread(opened, &byte, 1, 0) < 0 ? errno : 0;
}

static int receive_residency(const struct channel *self, int index) {
        char byte;
        struct iovec piece = { &byte, 1 };
        unsigned char resident = 0;
        void *memory;
        uint64_t range[2] = { 0, PAGE }, counts[5] = { 0 };

        (void)index;
        if (file_of(self) < 0)
                return -errno;
        (void)posix_fadvise(opened, 0, 0, POSIX_FADV_RANDOM);
        switch (self->kind) {
        case 0:
                if (preadv2(opened, &piece, 1, 0, RWF_NOWAIT) >= 0)
                        return 0;
                return errno == EAGAIN ? 1 : -errno;
        case 1:
                memory = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, opened, 0);
                if (memory == MAP_FAILED || mincore(memory, PAGE, &resident) < 0)
                        return -errno;
                (void)munmap(memory, PAGE);
                return !(resident & 1);
        default:
                if (syscall(451 /* cachestat */, opened, range, counts, 0) < 0)
                        return -errno;
                return counts[0] == 0;
        }
}

/* A page for each bit, cold at first: the sender warms it, the receiver takes the time of one read. */
static int send_warm(const struct channel *self, int bit, int index) {
        char byte;

        if (file_of(self) < 0)
                return errno;
        (void)posix_fadvise(opened, 0, 0, POSIX_FADV_RANDOM);
        return bit && pread(opened, &byte, 1, (off_t)(index + 1) * STRIDE) < 0 ? errno : 0;
}

static int receive_warm(const struct channel *self, int index) {
        struct timespec before, after;
        char byte;

        if (file_of(self) < 0)
                return -errno;
        (void)posix_fadvise(opened, 0, 0, POSIX_FADV_RANDOM);
        (void)clock_gettime(CLOCK_MONOTONIC, &before);
        if (pread(opened, &byte, 1, (off_t)(index + 1) * STRIDE) < 0)
                return -errno;
        (void)clock_gettime(CLOCK_MONOTONIC, &after);
        return (after.tv_sec - before.tv_sec) * 1000000000L + after.tv_nsec - before.tv_nsec < NANOSECONDS_COLD;
}

/* --- a counter of the kernel: inode numbers of pipes are taken from one for all --------- */

static unsigned long use_inodes(int pipes) {
        struct stat info = { 0 };
        int ends[2];

        for (int i = 0; i < pipes; i++) {
                if (pipe(ends) < 0)
                        return 0;
                (void)fstat(ends[0], &info);
                (void)close(ends[0]);
                (void)close(ends[1]);
        }
        return info.st_ino;
}

static int send_inodes(const struct channel *self, int bit, int index) {
        (void)self, (void)index;
        return bit && use_inodes(MANY_PIPES) == 0 ? errno : 0;
}

/* A CPU takes 1,024 numbers at a time, so that that many pipes show how far the counter has gone. */
static int receive_inodes(const struct channel *self, int index) {
        static unsigned long last;
        unsigned long now = use_inodes(1024), gone = now - last;

        (void)self;
        last = now;
        if (now == 0)
                return -errno;
        return index >= 0 && gone > 1024 + 512;
}

/* --- the protocol ------------------------------------------------------------------------ */

#define LOCKS(label, path)                                                \
        { "flock-" label, send_lock, receive_lock, path, 0 },             \
        { "posix-lock-" label, send_lock, receive_lock, path, F_SETLK },  \
        { "ofd-lock-" label, send_lock, receive_lock, path, F_OFD_SETLK }

static const struct channel channels[] = {
        LOCKS("image-file", "IMAGE/pages"),
        LOCKS("image-directory", "IMAGE"),
        LOCKS("dev-null", "/dev/null"),
        LOCKS("namespace", "/proc/self/ns/uts"),
        LOCKS("proc", "/proc"),
        { "lease-image-file", send_lease, receive_lease, "IMAGE/pages", 0 },
        { "inotify-image-file", send_open, receive_inotify, "IMAGE/pages", 0 },
        { "inotify-dev-null", send_open, receive_inotify, "/dev/null", 0 },
        { "dnotify-image-directory", send_open, receive_dnotify, "IMAGE", 1 },
        { "sysv-memory", send_ipc, receive_ipc, NULL, 0 },
        { "sysv-semaphore", send_ipc, receive_ipc, NULL, 1 },
        { "sysv-queue", send_ipc, receive_ipc, NULL, 2 },
        { "posix-queue", send_mqueue, receive_mqueue, "/gbx-attack", 0 },
        { "file-dev-shm", send_file, receive_file, "/dev/shm/gbx-attack-covert", 0 },
        { "file-tmp", send_file, receive_file, "/tmp/gbx-attack-covert", 0 },
        { "user-keyring", send_key, receive_key, "gbx-attack-covert", 0 },
        { "unix-abstract-name", send_name, receive_name, NULL, 0 },
        { "udp-port", send_name, receive_name, NULL, 1 },
        { "residency-nowait", send_residency, receive_residency, "IMAGE/pages", 0 },
        { "residency-mincore", send_residency, receive_residency, "IMAGE/pages", 1 },
        { "residency-cachestat", send_residency, receive_residency, "IMAGE/pages", 2 },
        { "residency-timing", send_warm, receive_warm, "IMAGE/pages", 0 },
        { "pipe-inode-numbers", send_inodes, receive_inodes, NULL, 0 },
};

static long argument(const char *name, long fallback) {
        const char *text = attempts_argument(name);

        return text ? atol(text) : fallback;
}

/* Both know the word, and nobody could guess it. Half of its bits are set, so that silence is half wrong. */
static uint32_t word_of(size_t channel) {
        uint64_t x = (uint64_t)argument("start", 0) * 0x9e3779b97f4a7c15ULL + channel;

        do
                x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL + 1;
        while (__builtin_popcountll(x >> (64 - BITS)) != BITS / 2);
        return (uint32_t)(x >> (64 - BITS));
}

/* Sleeps until a place on the time line, in slots and hundredths of one. */
static void wait_for(size_t channel, int slot, int hundredths) {
        long microseconds = argument("slot", 4000);
        long slots = channels[channel].send == send_inodes ? 3 : 1; /* slow, and the last of the list */
        long offset = ((long)channel * (BITS + PAUSE_SLOTS) + slot * slots) * microseconds +
                      microseconds * slots * hundredths / 100;
        long milliseconds = argument("start", 0);
        struct timespec until = { milliseconds / 1000 + offset / 1000000,
                                  milliseconds % 1000 * 1000000 + offset % 1000000 * 1000 };

        until.tv_sec += until.tv_nsec / 1000000000;
        until.tv_nsec %= 1000000000;
        (void)clock_nanosleep(CLOCK_REALTIME, TIMER_ABSTIME, &until, NULL);
}

static void send_word(const struct channel *channel, size_t number) {
        for (int i = 0; i < BITS; i++) {
                wait_for(number, i, 0);
                if (channel->send(channel, word_of(number) >> i & 1, i) != 0)
                        break;
        }
        wait_for(number, BITS, 0);
        (void)channel->send(channel, 0, 0);
}

static bool receive_word(const struct channel *channel, size_t number) {
        int right = 0, refused = 0;

        wait_for(number, -1, 50);
        (void)channel->receive(channel, -1); /* where it stands before the first bit */
        for (int i = 0; i < BITS; i++) {
                int bit;

                wait_for(number, i, 65);
                bit = channel->receive(channel, i);
                if (bit < 0)
                        refused = -bit;
                else
                        right += bit == (int)(word_of(number) >> i & 1);
        }
        if (right >= ENOUGH)
                (void)printf("BREACH %s worked\n", channel->name);
        else
                (void)printf("stopped %s %s\n", channel->name, refused ? strerrorname_np(refused) : "silence");
        (void)fflush(stdout);
        return right >= ENOUGH;
}

int main(int argc, char **argv) {
        const size_t count = sizeof(channels) / sizeof(channels[0]);
        bool sender, breached = false;

        attempts_begin(argc, argv);
        sender = attempts_argument("role") && strcmp(attempts_argument("role"), "sender") == 0;
        for (size_t i = 0; i < count; i++) {
                if (sender)
                        send_word(&channels[i], i);
                else
                        breached |= receive_word(&channels[i], i);
                if (opened >= 0)
                        (void)close(opened);
                opened = -1;
        }
        if (!sender)
                (void)printf("done %zu\n", count);
        return breached ? 1 : 0;
}
