// A consumer waits for a signal that was given before it waited: nobody sends another.
#include <pthread.h>
#include <stdio.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t filled = PTHREAD_COND_INITIALIZER;

static void *produce(void *arg) {
    pthread_mutex_lock(&lock);
    pthread_cond_signal(&filled);
    pthread_mutex_unlock(&lock);
    return arg;
}

__attribute__((noinline)) static void consume(void) {
    pthread_mutex_lock(&lock);
    pthread_cond_wait(&filled, &lock);
    pthread_mutex_unlock(&lock);
}

int main(void) {
    pthread_t producer;
    pthread_create(&producer, NULL, produce, NULL);
    pthread_join(producer, NULL);
    consume();
    puts("consumed");
}
