/*
 * fsdown MOUNTPOINT: shut a file system down at once, with all that is not on its device yet, as when the power goes. EXT4_IOC_SHUTDOWN and XFS_IOC_GOINGDOWN are one number; 2: without writing the log out.
 * Unmounting and mounting brings it back.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/ioctl.h>

int main(int argc, char **argv)
{
    uint32_t without_log = 2;
    const int fd = argc == 2 ? open(argv[1], O_RDONLY) : -1;

    if (fd >= 0 && ioctl(fd, _IOR('X', 125, uint32_t), &without_log) == 0) return 0;
    perror("fsdown");
    return 1;
}
