// A thread asks a server that never answers while it holds the lock that all others need.
#include <arpa/inet.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

static pthread_mutex_t cache = PTHREAD_MUTEX_INITIALIZER;
static int server;

__attribute__((noinline)) static int ask(void) {
    char answer[16];
    return (int)read(server, answer, sizeof answer);
}

static void *refresh(void *arg) {
    pthread_mutex_lock(&cache);
    ask();
    pthread_mutex_unlock(&cache);
    return arg;
}

__attribute__((noinline)) static void lookup(void) {
    pthread_mutex_lock(&cache);
    pthread_mutex_unlock(&cache);
}

static void *look(void *arg) { lookup(); return arg; }

int main(void) {
    pthread_t refresher, readers[2];
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t size = sizeof at;
    int silent = socket(AF_INET, SOCK_STREAM, 0);
    if (bind(silent, (struct sockaddr *)&at, size) || listen(silent, 4)) return 1;
    getsockname(silent, (struct sockaddr *)&at, &size);
    server = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(server, (struct sockaddr *)&at, size)) return 1;
    pthread_create(&refresher, NULL, refresh, NULL);
    while (pthread_mutex_trylock(&cache) == 0) {
        pthread_mutex_unlock(&cache);
        usleep(1000);
    }
    for (int i = 0; i < 2; i++) pthread_create(&readers[i], NULL, look, NULL);
    pthread_join(readers[0], NULL);
    puts("done");
}
