// A server that nobody asks: it waits in epoll for a connection.
#include <arpa/inet.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

__attribute__((noinline)) static int serve(int loop, int port) {
    struct epoll_event event;
    for (;;) {
        if (epoll_wait(loop, &event, 1, -1) < 1) return 1;
        int client = accept(port, NULL, NULL);
        if (client >= 0) close(client);
    }
}

int main(void) {
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    int port = socket(AF_INET, SOCK_STREAM, 0), loop = epoll_create1(0);
    if (bind(port, (struct sockaddr *)&at, sizeof at) || listen(port, 4)) return 1;
    struct epoll_event event = { .events = EPOLLIN, .data.fd = port };
    epoll_ctl(loop, EPOLL_CTL_ADD, port, &event);
    puts("listening");
    fflush(stdout);
    return serve(loop, port);
}
