/* A clock 60 days behind, for a JVM that is started with this in LD_PRELOAD; what measures durations goes on as it is. */
#define _GNU_SOURCE
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

int clock_gettime(clockid_t clock, struct timespec *now)
{
    int failed = syscall(SYS_clock_gettime, clock, now);
    if (!failed && clock == CLOCK_REALTIME)
        now->tv_sec -= 60 * 24 * 60 * 60;
    return failed;
}
