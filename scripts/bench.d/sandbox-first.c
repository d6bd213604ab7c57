/*
 * Its first instruction tells the time: the job of the pool's measurement
 *
 * Without the C library, whose own start takes longer than what is measured.
 * Writes CLOCK_MONOTONIC as 16 bytes (struct timespec) to standard output.
 */
#include <sys/syscall.h>

static long call(long number, long a, long b, long c) {
        long result;

        __asm__ volatile("syscall" : "=a"(result) : "a"(number), "D"(a), "S"(b), "d"(c) : "rcx", "r11", "memory");
        return result;
}

void _start(void) {
        long time[2];

        call(SYS_clock_gettime, 1, (long)time, 0);
        call(SYS_write, 1, (long)time, sizeof time);
        call(SYS_exit_group, 0, 0, 0);
}
