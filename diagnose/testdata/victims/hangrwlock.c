// Two writers each ask to read what the other one writes.
#include <pthread.h>
#include <stdio.h>

static pthread_rwlock_t table = PTHREAD_RWLOCK_INITIALIZER;
static pthread_rwlock_t index_lock = PTHREAD_RWLOCK_INITIALIZER;
static pthread_barrier_t both;

__attribute__((noinline)) static void update(pthread_rwlock_t *first, pthread_rwlock_t *second) {
    pthread_rwlock_wrlock(first);
    pthread_barrier_wait(&both);
    pthread_rwlock_rdlock(second);
    pthread_rwlock_unlock(second);
    pthread_rwlock_unlock(first);
}

static void *reindex(void *arg) { update(&index_lock, &table); return arg; }

int main(void) {
    pthread_t other;
    pthread_barrier_init(&both, NULL, 2);
    pthread_create(&other, NULL, reindex, NULL);
    update(&table, &index_lock);
    pthread_join(other, NULL);
    puts("done");
}
