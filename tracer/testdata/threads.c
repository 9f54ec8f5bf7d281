// 300 threads, all alive at once, then joined.
#include <pthread.h>
#include <stdio.h>
static pthread_barrier_t all;
static long sum;
static pthread_mutex_t mu = PTHREAD_MUTEX_INITIALIZER;
static void *work(void *arg) {
    pthread_barrier_wait(&all);
    pthread_mutex_lock(&mu);
    sum += (long)arg;
    pthread_mutex_unlock(&mu);
    return arg;
}
int main(void) {
    enum { N = 300 };
    pthread_t th[N];
    long back = 0;
    pthread_attr_t small;
    pthread_attr_init(&small);
    pthread_attr_setstacksize(&small, 65536);
    pthread_barrier_init(&all, 0, N + 1);
    for (long i = 0; i < N; i++)
        if (pthread_create(&th[i], &small, work, (void *)i)) return 1;
    pthread_barrier_wait(&all);
    for (int i = 0; i < N; i++) {
        void *r;
        pthread_join(th[i], &r);
        back += (long)r;
    }
    printf("%ld %ld\n", sum, back);
    return 0;
}
