// Becomes a daemon and leaves; the daemon writes to the file argv[1] when its parent is long gone.
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>
int main(int argc, char **argv) {
    if (argc < 2) return 1;
    if (fork()) { puts("parent leaves"); return 0; }
    setsid();
    if (fork()) _exit(0);
    int null = open("/dev/null", O_RDWR);
    dup2(null, 0); dup2(null, 1); dup2(null, 2);
    usleep(150000);
    int fd = open(argv[1], O_CREAT | O_WRONLY, 0600);
    if (write(fd, "daemon was here\n", 16) != 16) return 1;
    return 0;
}
