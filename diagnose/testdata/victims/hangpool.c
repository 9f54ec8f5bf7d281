// A server with a pool that nobody asks: one thread waits for connections, two for work, and main for the first to end.
#include <arpa/inet.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t work = PTHREAD_COND_INITIALIZER;
static int queued[16], length;

static void *serve(void *arg) {
    int port = *(int *)arg;
    for (;;) {
        int client = accept(port, NULL, NULL);
        pthread_mutex_lock(&lock);
        if (length < 16) queued[length++] = client;
        pthread_cond_signal(&work);
        pthread_mutex_unlock(&lock);
    }
}

static void *answer(void *arg) {
    for (;;) {
        pthread_mutex_lock(&lock);
        while (length == 0) pthread_cond_wait(&work, &lock);
        int client = queued[--length];
        pthread_mutex_unlock(&lock);
        close(client);
    }
    return arg;
}

int main(void) {
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    int port = socket(AF_INET, SOCK_STREAM, 0);
    if (bind(port, (struct sockaddr *)&at, sizeof at) || listen(port, 4)) return 1;
    pthread_t server, pool[2];
    pthread_create(&server, NULL, serve, &port);
    for (int i = 0; i < 2; i++) pthread_create(&pool[i], NULL, answer, NULL);
    pthread_join(server, NULL);
}
