/* Where Android's C library means something else than glibc under the same name, for libraries of x86_64. Everything
 * else that a library wants from it is handed on to glibc by `shim.py`, which appends to this file. Numbers and sizes:
 * bionic's own headers (libc/include/stdio.h, bits/sysconf.h, signal.h, android/log.h). */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* stdin, stdout and stderr are an array of three structures of 152 bytes. */
enum { STREAM_BYTES = 152 };
char bionic___sF[3 * STREAM_BYTES] __attribute__((aligned(16)));

static FILE* stream(void* given) {
    char* at = given;
    if (at < bionic___sF || at >= bionic___sF + sizeof bionic___sF) return given;
    long number = (at - bionic___sF) / STREAM_BYTES;
    return number == 0 ? stdin : number == 1 ? stdout : stderr;
}

int bionic_fprintf(void* to, const char* form, ...) {
    va_list rest;
    va_start(rest, form);
    int written = vfprintf(stream(to), form, rest);
    va_end(rest);
    return written;
}

int bionic_vfprintf(void* to, const char* form, va_list rest) { return vfprintf(stream(to), form, rest); }
size_t bionic_fwrite(const void* from, size_t size, size_t count, void* to) {
    return fwrite(from, size, count, stream(to));
}
size_t bionic_fread(void* to, size_t size, size_t count, void* from) { return fread(to, size, count, stream(from)); }
int bionic_fputc(int c, void* to) { return fputc(c, stream(to)); }
int bionic_putc(int c, void* to) { return fputc(c, stream(to)); }
int bionic_fputs(const char* text, void* to) { return fputs(text, stream(to)); }
int bionic_fflush(void* to) { return fflush(to ? stream(to) : NULL); }
int bionic_fileno(void* of) { return fileno(stream(of)); }
int bionic_ferror(void* of) { return ferror(stream(of)); }
int bionic_fclose(void* given) { return stream(given) == given ? fclose(given) : 0; }

int* bionic___errno(void) { return &errno; }

/* POSIX's form has the plain name; glibc's own has it only where _GNU_SOURCE is not set. */
extern int __xpg_strerror_r(int, char*, size_t);
int bionic_strerror_r(int number, char* to, size_t size) { return __xpg_strerror_r(number, to, size); }
char* bionic___gnu_strerror_r(int number, char* to, size_t size) { return strerror_r(number, to, size); }

long bionic_sysconf(int name) {
    static const struct {
        int theirs, ours;
    } known[] = {
        {0x06, _SC_CLK_TCK},          {0x0b, _SC_OPEN_MAX},         {0x27, _SC_PAGESIZE},   {0x28, _SC_PAGESIZE},
        {0x60, _SC_NPROCESSORS_CONF}, {0x61, _SC_NPROCESSORS_ONLN}, {0x62, _SC_PHYS_PAGES}, {0x63, _SC_AVPHYS_PAGES},
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (known[i].theirs == name) return sysconf(known[i].ours);
    errno = EINVAL;
    return -1;
}

/* A set of signals has 64 bits; glibc's has 1024. */
int bionic_sigemptyset(unsigned long* set) { return *set = 0, 0; }
int bionic_sigfillset(unsigned long* set) { return *set = ~0ul, 0; }
int bionic_sigaddset(unsigned long* set, int signal) { return *set |= 1ul << (signal - 1), 0; }
int bionic_pthread_sigmask(int how, const unsigned long* set, unsigned long* old) {
    sigset_t now, before;
    sigemptyset(&now);
    sigemptyset(&before);
    if (set) memcpy(&now, set, sizeof *set);
    int failed = pthread_sigmask(how, set ? &now : NULL, &before);
    if (old) memcpy(old, &before, sizeof *old);
    return failed;
}

/* Checks that the compiler puts in; the sizes are those of the objects, which we trust. */
size_t bionic___strlen_chk(const char* text, size_t size) { return (void)size, strlen(text); }
char* bionic___strchr_chk(const char* text, int c, size_t size) { return (void)size, strchr(text, c); }
char* bionic___strrchr_chk(const char* text, int c, size_t size) { return (void)size, strrchr(text, c); }
ssize_t bionic___write_chk(int to, const void* from, size_t count, size_t size) {
    return (void)size, write(to, from, count);
}

void bionic_android_set_abort_message(const char* text) { fprintf(stderr, "abort: %s\n", text); }
void bionic___assert2(const char* file, int line, const char* function, const char* what) {
    fprintf(stderr, "%s:%d: %s: %s\n", file, line, function, what);
    abort();
}

/* The only property that is asked for with an effect: the version of Android. */
int bionic___system_property_get(const char* name, char* value) {
    strcpy(value, strcmp(name, "ro.build.version.sdk") == 0 ? "34" : "");
    return (int)strlen(value);
}
