/* Android's log, to stderr. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

int __android_log_vprint(int priority, const char* tag, const char* form, va_list rest) {
    fprintf(stderr, "%d/%s: ", priority, tag ? tag : "");
    int written = vfprintf(stderr, form, rest);
    fputc('\n', stderr);
    return written;
}

int __android_log_print(int priority, const char* tag, const char* form, ...) {
    va_list rest;
    va_start(rest, form);
    int written = __android_log_vprint(priority, tag, form, rest);
    va_end(rest);
    return written;
}

int __android_log_write(int priority, const char* tag, const char* text) {
    return __android_log_print(priority, tag, "%s", text);
}

void __android_log_assert(const char* condition, const char* tag, const char* form, ...) {
    va_list rest;
    va_start(rest, form);
    __android_log_vprint(7, tag, form ? form : condition, rest);
    va_end(rest);
    abort();
}
