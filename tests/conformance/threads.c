/* Threads, futexes and what pthreads makes of them. */
#include "conformance.h"
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <threads.h>

static long futex(void *word, int operation, uint32_t value, const struct timespec *timeout, void *second, uint32_t third)
{
    return syscall(SYS_futex, word, operation, value, timeout, second, third);
}

static pthread_t start(void *(*body)(void *), void *argument)
{
    pthread_t thread;
    CHECK_CODE(pthread_create(&thread, NULL, body, argument), 0);
    return thread;
}

static void *join(pthread_t thread)
{
    void *result;
    CHECK_CODE(pthread_join(thread, &result), 0);
    return result;
}

static struct timespec in_ms(clockid_t clock, long ms)
{
    int64_t at = clock_ns(clock) + ms * 1000000;
    return (struct timespec) { at / 1000000000, at % 1000000000 };
}

static void *give_back(void *argument) { return (char *)argument + 1; }

CASE(a_thread_returns_a_value_to_join)
{
    char base[2];
    CHECK(join(start(give_back, base)) == base + 1);
}

static void *note_ids(void *argument)
{
    int *ids = argument;
    ids[0] = getpid();
    ids[1] = gettid();
    return NULL;
}

CASE(threads_share_the_pid_and_have_their_own_tid)
{
    int ids[2];
    join(start(note_ids, ids));
    CHECK_EQ(ids[0], getpid());
    CHECK(ids[1] != getpid());
}

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t condition = PTHREAD_COND_INITIALIZER;
static long counter;
static atomic_long atomic_counter;

static void *count_locked(void *argument)
{
    for (long i = 0; i < (long)argument; i++) {
        pthread_mutex_lock(&mutex);
        counter++;
        pthread_mutex_unlock(&mutex);
    }
    return NULL;
}

CASE(eight_threads_count_under_a_mutex)
{
    pthread_t threads[8];
    for (int i = 0; i < 8; i++) threads[i] = start(count_locked, (void *)20000);
    for (int i = 0; i < 8; i++) join(threads[i]);
    CHECK_EQ(counter, 160000);
}

static void *count_atomic(void *argument)
{
    for (long i = 0; i < (long)argument; i++) atomic_counter++;
    return NULL;
}

CASE(eight_threads_count_atomically)
{
    pthread_t threads[8];
    for (int i = 0; i < 8; i++) threads[i] = start(count_atomic, (void *)50000);
    for (int i = 0; i < 8; i++) join(threads[i]);
    CHECK_EQ(atomic_counter, 400000);
}

static void *nothing(void *argument) { return argument; }

CASE(many_threads_one_after_another)
{
    for (long i = 0; i < 100; i++) CHECK(join(start(nothing, (void *)i)) == (void *)i);
}

CASE(fifty_threads_at_once)
{
    pthread_t threads[50];
    for (long i = 0; i < 50; i++) threads[i] = start(nothing, (void *)i);
    for (long i = 0; i < 50; i++) CHECK(join(threads[i]) == (void *)i);
}

static _Thread_local int local = 5;
static void *use_local(void *argument)
{
    if (local != 5) return (void *)1;
    local = (int)(intptr_t)argument;
    sched_yield();
    return local == (int)(intptr_t)argument ? NULL : (void *)2;
}

CASE(thread_local_variables_are_apart)
{
    pthread_t threads[6];
    local = 77;
    for (long i = 0; i < 6; i++) threads[i] = start(use_local, (void *)(100 + i));
    for (int i = 0; i < 6; i++) CHECK(join(threads[i]) == NULL);
    CHECK_EQ(local, 77);
}

static pthread_key_t key;
static int destroyed;
static void destroy(void *value) { destroyed += *(int *)value; }
static void *use_key(void *argument) { pthread_setspecific(key, argument); return NULL; }

CASE(destructors_of_thread_specific_data_run)
{
    int value = 3;
    CHECK_CODE(pthread_key_create(&key, destroy), 0);
    join(start(use_key, &value));
    CHECK_EQ(destroyed, 3);
    CHECK(pthread_getspecific(key) == NULL);
}

CASE(a_detached_thread_ends_by_itself)
{
    pthread_attr_t attributes;
    pthread_t thread;
    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    CHECK_CODE(pthread_create(&thread, &attributes, count_atomic, (void *)10), 0);
    int64_t until = now_ms() + 5000;
    while (atomic_counter < 10 && now_ms() < until) sched_yield();
    CHECK_EQ(atomic_counter, 10);
}

static void *try_lock(void *argument) { (void)argument; return (void *)(intptr_t)pthread_mutex_trylock(&mutex); }

CASE(trylock_of_a_held_mutex_is_ebusy)
{
    pthread_mutex_lock(&mutex);
    CHECK_EQ((intptr_t)join(start(try_lock, NULL)), EBUSY);
    pthread_mutex_unlock(&mutex);
    CHECK_EQ((intptr_t)join(start(try_lock, NULL)), 0);
}

static void *timed_lock(void *argument)
{
    (void)argument;
    int64_t before = now_ms();
    struct timespec deadline = in_ms(CLOCK_REALTIME, 30);
    int code = pthread_mutex_timedlock(&mutex, &deadline);
    return (void *)(intptr_t)(now_ms() - before < 28 ? 1000 : code);
}

CASE(timedlock_times_out)
{
    pthread_mutex_lock(&mutex);
    CHECK_EQ((intptr_t)join(start(timed_lock, NULL)), ETIMEDOUT);
}

CASE(error_checking_and_recursive_mutexes)
{
    pthread_mutexattr_t attributes;
    pthread_mutex_t checking, recursive;
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_ERRORCHECK);
    pthread_mutex_init(&checking, &attributes);
    CHECK_CODE(pthread_mutex_lock(&checking), 0);
    CHECK_CODE(pthread_mutex_lock(&checking), EDEADLK);
    CHECK_CODE(pthread_mutex_unlock(&checking), 0);
    CHECK_CODE(pthread_mutex_unlock(&checking), EPERM);
    pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_RECURSIVE);
    pthread_mutex_init(&recursive, &attributes);
    CHECK_CODE(pthread_mutex_lock(&recursive), 0);
    CHECK_CODE(pthread_mutex_lock(&recursive), 0);
    CHECK_CODE(pthread_mutex_unlock(&recursive), 0);
    CHECK_CODE(pthread_mutex_unlock(&recursive), 0);
}

static int turn;
static void *ping(void *argument)
{
    int mine = (int)(intptr_t)argument;
    for (int i = 0; i < 200; i++) {
        pthread_mutex_lock(&mutex);
        while (turn != mine) pthread_cond_wait(&condition, &mutex);
        turn = 1 - mine;
        pthread_cond_broadcast(&condition);
        pthread_mutex_unlock(&mutex);
    }
    return NULL;
}

CASE(two_threads_take_turns_with_a_condition)
{
    pthread_t one = start(ping, (void *)0), two = start(ping, (void *)1);
    join(one);
    join(two);
    CHECK_EQ(turn, 0);
}

CASE(cond_timedwait_times_out)
{
    pthread_condattr_t attributes;
    pthread_cond_t monotonic;
    pthread_mutex_lock(&mutex);
    struct timespec deadline = in_ms(CLOCK_REALTIME, 20);
    CHECK_CODE(pthread_cond_timedwait(&condition, &mutex, &deadline), ETIMEDOUT);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&monotonic, &attributes);
    int64_t before = now_ms();
    deadline = in_ms(CLOCK_MONOTONIC, 20);
    CHECK_CODE(pthread_cond_timedwait(&monotonic, &mutex, &deadline), ETIMEDOUT);
    CHECK(now_ms() - before >= 19);
}

static pthread_barrier_t barrier;
static atomic_int serial, before_barrier;
static void *meet(void *argument)
{
    (void)argument;
    for (int round = 1; round <= 5; round++) {
        before_barrier++;
        if (pthread_barrier_wait(&barrier) == PTHREAD_BARRIER_SERIAL_THREAD) serial++;
        if (before_barrier < round * 4) return (void *)1;
        pthread_barrier_wait(&barrier);
    }
    return NULL;
}

CASE(a_barrier_lets_all_through_together)
{
    pthread_t threads[4];
    pthread_barrier_init(&barrier, NULL, 4);
    for (int i = 0; i < 4; i++) threads[i] = start(meet, NULL);
    for (int i = 0; i < 4; i++) CHECK(join(threads[i]) == NULL);
    CHECK_EQ(serial, 5);
}

static pthread_rwlock_t rwlock = PTHREAD_RWLOCK_INITIALIZER;
static atomic_int readers, writers, violations;
static void *read_or_write(void *argument)
{
    for (int i = 0; i < 200; i++) {
        if (((intptr_t)argument + i) % 4 == 0) {
            pthread_rwlock_wrlock(&rwlock);
            if (++writers != 1 || readers != 0) violations++;
            writers--;
        } else {
            pthread_rwlock_rdlock(&rwlock);
            readers++;
            if (writers != 0) violations++;
            readers--;
        }
        pthread_rwlock_unlock(&rwlock);
    }
    return NULL;
}

CASE(a_rwlock_keeps_writers_alone)
{
    pthread_t threads[6];
    for (long i = 0; i < 6; i++) threads[i] = start(read_or_write, (void *)i);
    for (int i = 0; i < 6; i++) join(threads[i]);
    CHECK_EQ(violations, 0);
    pthread_rwlock_rdlock(&rwlock);
    CHECK_CODE(pthread_rwlock_tryrdlock(&rwlock), 0);
    CHECK_CODE(pthread_rwlock_trywrlock(&rwlock), EBUSY);
}

static sem_t semaphore;
static void *post(void *argument) { (void)argument; for (int i = 0; i < 50; i++) sem_post(&semaphore); return NULL; }

CASE(a_semaphore_counts)
{
    sem_init(&semaphore, 0, 0);
    CHECK_ERRNO(sem_trywait(&semaphore), EAGAIN);
    pthread_t thread = start(post, NULL);
    for (int i = 0; i < 50; i++) OK(sem_wait(&semaphore));
    join(thread);
    struct timespec deadline = in_ms(CLOCK_REALTIME, 20);
    CHECK_ERRNO(sem_timedwait(&semaphore, &deadline), ETIMEDOUT);
}

CASE(a_semaphore_is_shared_between_processes)
{
    sem_t *shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    OK(sem_init(shared, 1, 0));
    pid_t pid;
    CHILD(pid) { OK(sem_wait(shared)); }
    sleep_ms(10);
    OK(sem_post(shared));
    CHECK_EQ(wait_for(pid), 0);
}

CASE(a_mutex_is_shared_between_processes)
{
    struct { pthread_mutex_t mutex; long value; } *shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pthread_mutexattr_t attributes;
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
    pthread_mutex_init(&shared->mutex, &attributes);
    pid_t pids[4];
    for (int i = 0; i < 4; i++) {
        CHILD(pids[i]) {
            for (int k = 0; k < 3000; k++) {
                pthread_mutex_lock(&shared->mutex);
                shared->value++;
                pthread_mutex_unlock(&shared->mutex);
            }
        }
    }
    for (int i = 0; i < 4; i++) CHECK_EQ(wait_for(pids[i]), 0);
    CHECK_EQ(shared->value, 12000);
}

CASE(a_robust_mutex_tells_of_its_dead_owner)
{
    pthread_mutex_t *shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pthread_mutexattr_t attributes;
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
    pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
    pthread_mutex_init(shared, &attributes);
    IN_CHILD { CHECK_CODE(pthread_mutex_lock(shared), 0); }
    CHECK_CODE(pthread_mutex_lock(shared), EOWNERDEAD);
    CHECK_CODE(pthread_mutex_consistent(shared), 0);
    CHECK_CODE(pthread_mutex_unlock(shared), 0);
    CHECK_CODE(pthread_mutex_lock(shared), 0);
    CHECK_CODE(pthread_mutex_unlock(shared), 0);
    IN_CHILD { CHECK_CODE(pthread_mutex_lock(shared), 0); }
    CHECK_CODE(pthread_mutex_lock(shared), EOWNERDEAD);
    pthread_mutex_unlock(shared);
    CHECK_CODE(pthread_mutex_lock(shared), ENOTRECOVERABLE);
}

CASE(a_waiter_of_a_robust_mutex_is_woken_by_the_death_of_its_owner)
{
    pthread_mutex_t *shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pthread_mutexattr_t attributes;
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
    pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
    pthread_mutex_init(shared, &attributes);
    int fds[2];
    char byte;
    OK(pipe(fds));
    pid_t pid;
    CHILD(pid) { CHECK_CODE(pthread_mutex_lock(shared), 0); CHECK_EQ(write(fds[1], "x", 1), 1); sleep_ms(40); }
    CHECK_EQ(read(fds[0], &byte, 1), 1);
    CHECK_CODE(pthread_mutex_lock(shared), EOWNERDEAD);
    CHECK_EQ(wait_for(pid), 0);
}

CASE(a_priority_inheriting_mutex)
{
    pthread_mutexattr_t attributes;
    pthread_mutex_t pi;
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_setprotocol(&attributes, PTHREAD_PRIO_INHERIT);
    CHECK_CODE(pthread_mutex_init(&pi, &attributes), 0);
    CHECK_CODE(pthread_mutex_lock(&pi), 0);
    CHECK_CODE(pthread_mutex_unlock(&pi), 0);
}

static pthread_once_t once = PTHREAD_ONCE_INIT;
static atomic_int once_calls;
static void run_once(void) { once_calls++; sleep_ms(5); }
static void *call_once_here(void *argument) { (void)argument; pthread_once(&once, run_once); return (void *)(intptr_t)once_calls; }

CASE(pthread_once_runs_once)
{
    pthread_t threads[5];
    for (int i = 0; i < 5; i++) threads[i] = start(call_once_here, NULL);
    for (int i = 0; i < 5; i++) CHECK_EQ((intptr_t)join(threads[i]), 1);
}

static int cleaned;
static void clean(void *argument) { cleaned += (int)(intptr_t)argument; }
static void *wait_for_cancel(void *argument)
{
    (void)argument;
    pthread_cleanup_push(clean, (void *)4);
    for (;;) sleep(100);
    pthread_cleanup_pop(0);
    return NULL;
}

CASE(a_sleeping_thread_can_be_cancelled)
{
    pthread_t thread = start(wait_for_cancel, NULL);
    sleep_ms(10);
    CHECK_CODE(pthread_cancel(thread), 0);
    CHECK(join(thread) == PTHREAD_CANCELED);
    CHECK_EQ(cleaned, 4);
}

static void unlock(void *argument) { pthread_mutex_unlock(argument); }

static void *wait_on_condition(void *argument)
{
    (void)argument;
    pthread_mutex_lock(&mutex);
    pthread_cleanup_push(unlock, &mutex);
    for (;;) pthread_cond_wait(&condition, &mutex);
    pthread_cleanup_pop(1);
    return NULL;
}

CASE(a_thread_waiting_on_a_condition_can_be_cancelled)
{
    pthread_t thread = start(wait_on_condition, NULL);
    sleep_ms(10);
    CHECK_CODE(pthread_cancel(thread), 0);
    CHECK(join(thread) == PTHREAD_CANCELED);
    CHECK_CODE(pthread_mutex_trylock(&mutex), 0);
}

static void *spin_cancellable(void *argument)
{
    pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, NULL);
    *(atomic_int *)argument = 1;
    for (;;) { __asm__ volatile("" ::: "memory"); }
    return NULL;
}

CASE(a_spinning_thread_can_be_cancelled_asynchronously)
{
    atomic_int started = 0;
    pthread_t thread = start(spin_cancellable, &started);
    while (!started) sched_yield();
    CHECK_CODE(pthread_cancel(thread), 0);
    CHECK(join(thread) == PTHREAD_CANCELED);
}

static void *call_exit_group(void *argument) { (void)argument; _exit(17); }

CASE(exit_group_in_a_thread_ends_the_process)
{
    pid_t pid;
    CHILD(pid) { start(call_exit_group, NULL); for (;;) pause(); }
    CHECK_EQ(wait_for(pid), 17);
}

static void *outlive_main(void *argument) { (void)argument; sleep_ms(20); _exit(18); }

CASE(a_process_lives_on_when_its_main_thread_exits)
{
    pid_t pid;
    CHILD(pid) { start(outlive_main, NULL); pthread_exit(NULL); }
    CHECK_EQ(wait_for(pid), 18);
}

CASE(fork_in_a_threaded_process_has_one_thread)
{
    atomic_int started = 0;
    start(spin_cancellable, &started);
    while (!started) sched_yield();
    IN_CHILD {
        CHECK(strstr(read_file("/proc/self/status"), "Threads:\t1\n") != NULL);
    }
}

static void *exec_here(void *argument)
{
    char self[32];
    snprintf(self, sizeof self, "test $$ = %d", *(int *)argument);
    execl("/bin/sh", "sh", "-c", self, (char *)NULL);
    return NULL;
}

CASE(exec_in_a_thread_keeps_the_pid_and_ends_the_others)
{
    pid_t pid;
    CHILD(pid) {
        int self = getpid();
        atomic_int started = 0;
        start(spin_cancellable, &started);
        start(exec_here, &self);
        for (;;) pause();
    }
    CHECK_EQ(wait_for(pid), 0);
}

static int start_c11(void *argument) { return *(int *)argument * 2; }

CASE(c11_threads)
{
    thrd_t thread;
    int value = 21, result;
    CHECK_EQ(thrd_create(&thread, start_c11, &value), thrd_success);
    CHECK_EQ(thrd_join(thread, &result), thrd_success);
    CHECK_EQ(result, 42);
}

CASE(pthread_attr_of_a_running_thread)
{
    pthread_attr_t attributes;
    void *address;
    size_t size;
    CHECK_CODE(pthread_getattr_np(pthread_self(), &attributes), 0);
    CHECK_CODE(pthread_attr_getstack(&attributes, &address, &size), 0);
    char here;
    CHECK(&here >= (char *)address && &here < (char *)address + size);
}

CASE(a_thread_name_can_be_set_from_outside)
{
    char name[16];
    CHECK_CODE(pthread_setname_np(pthread_self(), "main-thread"), 0);
    CHECK_CODE(pthread_getname_np(pthread_self(), name, sizeof name), 0);
    CHECK_STR(name, "main-thread");
}

CASE(futex_wait_with_another_value_is_eagain)
{
    uint32_t word = 5;
    CHECK_ERRNO(futex(&word, FUTEX_WAIT, 4, NULL, NULL, 0), EAGAIN);
    CHECK_ERRNO(futex(&word, FUTEX_WAIT_PRIVATE, 4, NULL, NULL, 0), EAGAIN);
}

CASE(futex_wait_times_out)
{
    uint32_t word = 5;
    struct timespec timeout = { 0, 20000000 };
    int64_t before = now_ms();
    CHECK_ERRNO(futex(&word, FUTEX_WAIT_PRIVATE, 5, &timeout, NULL, 0), ETIMEDOUT);
    CHECK(now_ms() - before >= 19);
    timeout = in_ms(CLOCK_MONOTONIC, 20);
    CHECK_ERRNO(futex(&word, FUTEX_WAIT_BITSET_PRIVATE, 5, &timeout, NULL, 0xFFFFFFFF), ETIMEDOUT);
    timeout = in_ms(CLOCK_REALTIME, 20);
    CHECK_ERRNO(futex(&word, FUTEX_WAIT_BITSET_PRIVATE | FUTEX_CLOCK_REALTIME, 5, &timeout, NULL, 0xFFFFFFFF), ETIMEDOUT);
    CHECK(now_ms() - before >= 58);
}

CASE(futex_errors)
{
    uint32_t words[2] = { 0 };
    struct timespec bad = { 0, 1000000000 };
    CHECK_ERRNO(futex((char *)words + 1, FUTEX_WAIT, 0, NULL, NULL, 0), EINVAL);
    CHECK_ERRNO(futex(words, FUTEX_WAIT, 0, &bad, NULL, 0), EINVAL);
    CHECK_ERRNO(futex((void *)8, FUTEX_WAIT, 0, NULL, NULL, 0), EFAULT);
    CHECK_ERRNO(futex(words, FUTEX_WAIT_BITSET, 0, NULL, NULL, 0), EINVAL);
    CHECK_ERRNO(futex(words, 99, 0, NULL, NULL, 0), ENOSYS);
    CHECK_EQ(futex(words, FUTEX_WAKE, 1, NULL, NULL, 0), 0);
}

static uint32_t word_a, word_b;
static atomic_int woken;
static void *wait_on_a(void *argument)
{
    (void)argument;
    while (futex(&word_a, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0) != 0 && errno == EINTR) { }
    woken++;
    return NULL;
}

static void wait_until_asleep(int count)
{
    /* Nobody can be seen waiting; FUTEX_CMP_REQUEUE of a word to itself counts them without waking. */
    int64_t until = now_ms() + 5000;
    while (futex(&word_a, FUTEX_CMP_REQUEUE_PRIVATE, 0, (struct timespec *)100, &word_a, word_a) < count) {
        if (now_ms() > until) FAIL("the threads do not wait");
        sched_yield();
    }
}

CASE(futex_wake_wakes_as_many_as_it_says)
{
    pthread_t threads[4];
    for (int i = 0; i < 4; i++) threads[i] = start(wait_on_a, NULL);
    wait_until_asleep(4);
    CHECK_EQ(futex(&word_a, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0), 1);
    CHECK_EQ(futex(&word_a, FUTEX_WAKE_PRIVATE, 2, NULL, NULL, 0), 2);
    CHECK_EQ(futex(&word_a, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0), 1);
    CHECK_EQ(futex(&word_a, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0), 0);
    for (int i = 0; i < 4; i++) join(threads[i]);
    CHECK_EQ(woken, 4);
}

CASE(futex_requeue_moves_waiters)
{
    pthread_t threads[3];
    for (int i = 0; i < 3; i++) threads[i] = start(wait_on_a, NULL);
    wait_until_asleep(3);
    CHECK_ERRNO(futex(&word_a, FUTEX_CMP_REQUEUE_PRIVATE, 1, (struct timespec *)100, &word_b, 1), EAGAIN);
    CHECK_EQ(futex(&word_a, FUTEX_CMP_REQUEUE_PRIVATE, 1, (struct timespec *)100, &word_b, 0), 3);
    CHECK_EQ(futex(&word_a, FUTEX_WAKE_PRIVATE, 100, NULL, NULL, 0), 0);
    CHECK_EQ(futex(&word_b, FUTEX_WAKE_PRIVATE, 100, NULL, NULL, 0), 2);
    for (int i = 0; i < 3; i++) join(threads[i]);
}

CASE(futex_wake_op)
{
    pthread_t thread = start(wait_on_a, NULL);
    wait_until_asleep(1);
    word_b = 10;
    CHECK_EQ(futex(&word_b, FUTEX_WAKE_OP_PRIVATE, 1, (struct timespec *)1, &word_a, FUTEX_OP(FUTEX_OP_ADD, 7, FUTEX_OP_CMP_EQ, 0)), 1);
    CHECK_EQ(word_a, 7);
    join(thread);
}

static void *wait_with_bits(void *argument)
{
    return (void *)futex(&word_a, FUTEX_WAIT_BITSET_PRIVATE, 0, NULL, NULL, (uint32_t)(uintptr_t)argument);
}

CASE(futex_bitsets_select_whom_to_wake)
{
    pthread_t one = start(wait_with_bits, (void *)1), two = start(wait_with_bits, (void *)2);
    int64_t until = now_ms() + 5000;
    int first = 0;
    while (first == 0 && now_ms() < until) first = (int)futex(&word_a, FUTEX_WAKE_BITSET_PRIVATE, 10, NULL, NULL, 2);
    CHECK_EQ(first, 1);
    CHECK(join(two) == 0);
    int second = 0;
    while (second == 0 && now_ms() < until) second = (int)futex(&word_a, FUTEX_WAKE_BITSET_PRIVATE, 10, NULL, NULL, 5);
    CHECK_EQ(second, 1);
    CHECK(join(one) == 0);
}

CASE(a_shared_futex_works_between_processes)
{
    uint32_t *shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pid_t pid;
    CHILD(pid) {
        while (__atomic_load_n(shared, __ATOMIC_SEQ_CST) == 0) futex(shared, FUTEX_WAIT, 0, NULL, NULL, 0);
    }
    sleep_ms(20);
    __atomic_store_n(shared, 1, __ATOMIC_SEQ_CST);
    futex(shared, FUTEX_WAKE, 1, NULL, NULL, 0);
    CHECK_EQ(wait_for(pid), 0);
}

CASE(a_futex_in_a_shared_file_mapping_works_between_mappings)
{
    int fd = OK(open("f", O_RDWR | O_CREAT, 0600));
    OK(ftruncate(fd, 4096));
    uint32_t *shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    pid_t pid;
    CHILD(pid) {
        uint32_t *other = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        while (__atomic_load_n(other, __ATOMIC_SEQ_CST) == 0) futex(other, FUTEX_WAIT, 0, NULL, NULL, 0);
    }
    sleep_ms(20);
    __atomic_store_n(shared, 1, __ATOMIC_SEQ_CST);
    futex(shared, FUTEX_WAKE, 1, NULL, NULL, 0);
    CHECK_EQ(wait_for(pid), 0);
}

static void on_signal(int signal) { (void)signal; }

CASE(a_signal_interrupts_a_futex_wait)
{
    struct sigaction action = { .sa_handler = on_signal };
    OK(sigaction(SIGALRM, &action, NULL));
    uint32_t word = 0;
    alarm(1);
    CHECK_ERRNO(futex(&word, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0), EINTR);
}

static int sleep_a_little(void *argument)
{
    struct timespec time = { 0, 10000000 };
    (void)argument;
    syscall(SYS_nanosleep, &time, NULL);
    return 0;
}

CASE(child_cleartid_wakes_a_joiner)
{
    static char stack[65536] __attribute__((aligned(16)));
    static uint32_t word = 1;
    pid_t pid = OK(clone(sleep_a_little, stack + sizeof stack, CLONE_VM | CLONE_CHILD_CLEARTID | SIGCHLD, NULL, NULL, NULL, &word));
    while (__atomic_load_n(&word, __ATOMIC_SEQ_CST) != 0) futex(&word, FUTEX_WAIT, 1, NULL, NULL, 0);
    CHECK_EQ(wait_for(pid), 0);
}

CASE(get_and_set_robust_list)
{
    void *head = NULL;
    size_t length = 0;
    OK(syscall(SYS_get_robust_list, 0, &head, &length));
    CHECK_EQ(length, 24);
    CHECK(head != NULL);
    CHECK_ERRNO(syscall(SYS_set_robust_list, head, 5), EINVAL);
    OK(syscall(SYS_set_robust_list, head, 24));
}

CASE(a_thread_keeps_its_floating_point_registers)
{
    static atomic_int stop;
    pthread_t thread = start(count_atomic, (void *)3000000);
    double x = 1.5, y = 0;
    for (int i = 0; i < 3000000; i++) y = y * 0.5 + x;
    (void)stop;
    join(thread);
    CHECK(y > 2.999999 && y < 3.000001);
}

/* In one piece of assembly, so that the register lives through many time slices, on whichever processors they are. */
static void *keep_in_a_register(void *argument)
{
    uint64_t wrong = 0;
    for (uint64_t i = 1; i <= 10; i++) {
        uint64_t put = (uint64_t)argument * 1000 + i, got, turns = 12000000;
        __asm__ volatile("movq %2, %%xmm7\n1: decq %1\njnz 1b\nmovq %%xmm7, %0" : "=r"(got), "+r"(turns) : "r"(put) : "xmm7", "cc");
        wrong += got != put;
    }
    return (void *)wrong;
}

CASE(a_thread_takes_its_registers_along_to_other_processors)
{
    pthread_t threads[5];
    for (uint64_t i = 0; i < 5; i++) threads[i] = start(keep_in_a_register, (void *)(i + 1));
    for (int i = 0; i < 5; i++) CHECK(join(threads[i]) == 0);
}

CASE(sched_getcpu_names_a_processor)
{
    unsigned cpu = 999, node = 999;
    OK(syscall(SYS_getcpu, &cpu, &node, NULL));
    CHECK(cpu < 1024 && node < 64);
    CHECK(sched_getcpu() >= 0);
}
