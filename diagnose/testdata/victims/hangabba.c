// Two transfers in opposite directions take the same two locks in opposite order.
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

struct account { pthread_mutex_t lock; long money; };
static struct account savings = { PTHREAD_MUTEX_INITIALIZER, 100 };
static struct account current = { PTHREAD_MUTEX_INITIALIZER, 100 };
static pthread_barrier_t both;

__attribute__((noinline)) static void transfer(struct account *from, struct account *to) {
    pthread_mutex_lock(&from->lock);
    pthread_barrier_wait(&both);
    pthread_mutex_lock(&to->lock);
    from->money--;
    to->money++;
    pthread_mutex_unlock(&to->lock);
    pthread_mutex_unlock(&from->lock);
}

static void *save(void *arg) { transfer(&current, &savings); return arg; }
static void *spend(void *arg) { transfer(&savings, &current); return arg; }

int main(void) {
    pthread_t a, b;
    pthread_barrier_init(&both, NULL, 2);
    puts("transferring");
    fflush(stdout);
    pthread_create(&a, NULL, save, NULL);
    pthread_create(&b, NULL, spend, NULL);
    pthread_join(a, NULL);
    pthread_join(b, NULL);
    puts("done");
}
