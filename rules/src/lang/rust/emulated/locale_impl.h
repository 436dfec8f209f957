// What musl's strsignal.c wants of the header of this name: there is one language.
#define LCTRANS_CUR(message) (message)
