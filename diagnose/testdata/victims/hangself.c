// A function that takes a lock calls another one that takes it, too.
#include <pthread.h>
#include <stdio.h>

static pthread_mutex_t registry = PTHREAD_MUTEX_INITIALIZER;
static int entries;

__attribute__((noinline)) static int count(void) {
    pthread_mutex_lock(&registry);
    int n = entries;
    pthread_mutex_unlock(&registry);
    return n;
}

__attribute__((noinline)) static int add(int most) {
    pthread_mutex_lock(&registry);
    int full = count() >= most;
    if (!full) entries++;
    pthread_mutex_unlock(&registry);
    return full;
}

int main(void) { printf("%d\n", add(4)); }
