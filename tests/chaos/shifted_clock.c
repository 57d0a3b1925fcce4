/* Shifts the wall clock of the processes that preload this by the seconds that stand in a file, at any time.

The file, $SHIFTED_CLOCK, holds one number of 8 bytes. Clocks that do not jump are left alone. Waits until a time of
the wall clock are handed to the kernel as it counts them: it knows nothing of the shift. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static volatile const int64_t *file;

__attribute__((constructor)) static void open_file(void)
{
    const char *path = getenv("SHIFTED_CLOCK");
    int descriptor = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (descriptor < 0)
        return;
    void *found = mmap(NULL, sizeof(int64_t), PROT_READ, MAP_SHARED, descriptor, 0);
    close(descriptor);
    if (found != MAP_FAILED)
        file = found;
}

static time_t shift(void)
{
    return file ? (time_t)*file : 0;
}

int clock_gettime(clockid_t id, struct timespec *now)
{
    int failed = syscall(SYS_clock_gettime, id, now);
    if (!failed && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE))
        now->tv_sec += shift();
    return failed;
}

int gettimeofday(struct timeval *now, void *zone)
{
    struct timespec precise;
    (void)zone;
    if (clock_gettime(CLOCK_REALTIME, &precise))
        return -1;
    now->tv_sec = precise.tv_sec;
    now->tv_usec = precise.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *result)
{
    struct timespec precise;
    clock_gettime(CLOCK_REALTIME, &precise);
    if (result)
        *result = precise.tv_sec;
    return precise.tv_sec;
}

int pthread_cond_timedwait(pthread_cond_t *condition, pthread_mutex_t *mutex, const struct timespec *until)
{
    static int (*original)(pthread_cond_t *, pthread_mutex_t *, const struct timespec *);
    struct timespec kernels = *until;
    struct timespec now;
    if (!original) /* of x86-64's two versions dlsym would take the old one */
        original = dlvsym(RTLD_NEXT, "pthread_cond_timedwait", "GLIBC_2.3.2");
    if (!original)
        original = dlsym(RTLD_NEXT, "pthread_cond_timedwait");
    /* The condition may count by the monotonic clock: such a time is not near the wall clock's. */
    clock_gettime(CLOCK_REALTIME, &now);
    if (until->tv_sec > now.tv_sec / 2)
        kernels.tv_sec -= shift();
    return original(condition, mutex, &kernels);
}

int sem_timedwait(sem_t *semaphore, const struct timespec *until)
{
    static int (*original)(sem_t *, const struct timespec *);
    struct timespec kernels = *until;
    if (!original)
        original = dlsym(RTLD_NEXT, "sem_timedwait");
    kernels.tv_sec -= shift();
    return original(semaphore, &kernels);
}
