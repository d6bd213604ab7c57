/*
 * E07. No socket of any family, by any door: socket(2) and socketpair(2) for every
 * family and type, 32-bit calls by int 0x80, x32 calls, and io_uring.
 * Layers: the filter (default deny; foreign architectures are killed). The empty
 * network namespace is the second wall for what can be reached, see e09_network.
 * Reference: CVE-2026-31431 (AF_ALG), Moby 52494 (AF_VSOCK and the OR of two
 * `!=` rules; socketcall on i386), isolate 2.6 (sockets by io_uring).
 */
#include "tests/attack/lib/attempt.h"

#include <linux/io_uring.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { FAMILIES = AF_MAX + 2, X32_BIT = 0x40000000, I386_SOCKETCALL = 102, I386_SOCKET = 359 };

static const int types[] = { SOCK_STREAM, SOCK_DGRAM, SOCK_RAW, SOCK_SEQPACKET };

/* All types of one family; the errno of the last refusal that is a refusal. */
static int try_socket(const struct attempt *self) {
        int result = EAFNOSUPPORT;

        for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
                int protocols[] = { 0, 1, 15, 255 };

                for (size_t j = 0; j < sizeof(protocols) / sizeof(protocols[0]); j++) {
                        long fd = syscall(self->number, (long)self->integer, (long)types[i], (long)protocols[j]);

                        if (fd >= 0)
                                return ATTEMPT_BREACH;
                        if (errno == EPERM || errno == EACCES)
                                return errno;
                        result = errno == EAFNOSUPPORT ? result : EPROTONOSUPPORT;
                }
        }
        return result;
}

static int try_socketpair(const struct attempt *self) {
        int ends[2], result = EAFNOSUPPORT;

        for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
                if (socketpair(self->integer, types[i], 0, ends) == 0)
                        return ATTEMPT_BREACH;
                if (errno == EPERM || errno == EACCES)
                        return errno;
                result = errno == EOPNOTSUPP || errno == ESOCKTNOSUPPORT ? EPROTONOSUPPORT : errno;
        }
        return result;
}

/* The 32-bit entry of the kernel. Its pointers have 32 bits, so the arguments are mapped low. */
static int try_int80(const struct attempt *self) {
        uint32_t *low = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
        long result, number = self->number;
        long b = self->integer, c = SOCK_STREAM, d = 0;

        if (low == MAP_FAILED)
                return errno;
        if (number == I386_SOCKETCALL) {
                low[0] = (uint32_t)self->integer, low[1] = SOCK_STREAM, low[2] = 0;
                b = 1 /* SYS_SOCKET */, c = (long)(uintptr_t)low;
        }
        __asm__ volatile("int $0x80"
                         : "=a"(result)
                         : "a"(number), "b"(b), "c"(c), "d"(d)
                         : "memory", "r8", "r9", "r10", "r11");
        errno = result < 0 ? (int)-result : 0;
        return result < 0 ? errno : ATTEMPT_BREACH;
}

/* IORING_OP_SOCKET makes the kernel call socket() behind the filter's back. */
static int try_ring(const struct attempt *self) {
        struct io_uring_params setup = { 0 };
        int ring = (int)syscall(SYS_io_uring_setup, 4, &setup);
        struct io_uring_sqe *entries;
        char *queue;
        uint32_t tail;

        if (ring < 0)
                return errno;
        queue = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, ring, IORING_OFF_SQ_RING);
        entries = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, ring, (off_t)IORING_OFF_SQES);
        if (queue == MAP_FAILED || entries == MAP_FAILED)
                return errno;
        memset(&entries[0], 0, sizeof(entries[0]));
        entries[0].opcode = 45; /* IORING_OP_SOCKET */
        entries[0].fd = self->integer;
        entries[0].off = SOCK_STREAM;
        tail = 1;
        memcpy(queue + setup.sq_off.tail, &tail, sizeof(tail));
        if (syscall(SYS_io_uring_enter, ring, 1, 1, IORING_ENTER_GETEVENTS, NULL, 0) < 0)
                return errno;
        return ATTEMPT_BREACH; /* the call was made; what it returned does not matter */
}

static const struct attempt others[] = {
        { "int80-socketcall-inet", try_int80, 0, .number = I386_SOCKETCALL, .integer = AF_INET },
        { "int80-socketcall-alg", try_int80, 0, .number = I386_SOCKETCALL, .integer = AF_ALG },
        { "int80-socket-unix", try_int80, 0, .number = I386_SOCKET, .integer = AF_UNIX },
        { "int80-socket-inet", try_int80, 0, .number = I386_SOCKET, .integer = AF_INET },
        { "int80-socket-netlink", try_int80, 0, .number = I386_SOCKET, .integer = AF_NETLINK },
        { "x32-socket-unix", try_socket, 0, .number = X32_BIT | SYS_socket, .integer = AF_UNIX },
        { "x32-socket-inet", try_socket, 0, .number = X32_BIT | SYS_socket, .integer = AF_INET },
        { "x32-socket-netlink", try_socket, 0, .number = X32_BIT | SYS_socket, .integer = AF_NETLINK },
        { "io-uring-socket-inet", try_ring, 0, .integer = AF_INET },
};

/* A filter that compares 64 bits where the kernel takes 32 can be passed with high bits set. */
static int try_high_bits(const struct attempt *self) {
        return attempts_result(syscall(SYS_socket, 0x100000000L | self->integer, (long)SOCK_STREAM, 0L));
}

int main(int argc, char **argv) {
        static struct attempt attempts[2 * FAMILIES + 3 + sizeof(others) / sizeof(others[0])];
        static char names[2 * FAMILIES][32];
        static const int high[] = { AF_UNIX, AF_INET, AF_NETLINK };
        static const char *const high_names[] = { "socket-high-bits-unix", "socket-high-bits-inet",
                                                  "socket-high-bits-netlink" };
        size_t count = 0;

        for (int family = 0; family < FAMILIES; family++) {
                (void)snprintf(names[count], sizeof(names[count]), "socket-family-%d", family);
                attempts[count] = (struct attempt){ names[count], try_socket, 0, .number = SYS_socket,
                                                    .integer = family };
                count++;
                (void)snprintf(names[count], sizeof(names[count]), "socketpair-family-%d", family);
                attempts[count] = (struct attempt){ names[count], try_socketpair, 0, .integer = family };
                count++;
        }
        for (size_t i = 0; i < 3; i++)
                attempts[count++] = (struct attempt){ high_names[i], try_high_bits, 0, .integer = high[i] };
        for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
                attempts[count++] = others[i];
        return attempts_run(attempts, count, argc, argv);
}
