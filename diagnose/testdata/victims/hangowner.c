// A worker ends without unlocking on its way out.
#include <pthread.h>
#include <stdio.h>

static pthread_mutex_t queue = PTHREAD_MUTEX_INITIALIZER;
static int length;

static void *drain(void *arg) {
    pthread_mutex_lock(&queue);
    if (length == 0) return arg;
    length = 0;
    pthread_mutex_unlock(&queue);
    return arg;
}

__attribute__((noinline)) static void push(void) {
    pthread_mutex_lock(&queue);
    length++;
    pthread_mutex_unlock(&queue);
}

int main(void) {
    pthread_t worker;
    pthread_create(&worker, NULL, drain, NULL);
    pthread_join(worker, NULL);
    push();
    printf("%d\n", length);
}
