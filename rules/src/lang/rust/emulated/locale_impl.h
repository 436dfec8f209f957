// The part of the header of this name that musl's strsignal.c needs. There is only one language.
#define LCTRANS_CUR(message) (message)
