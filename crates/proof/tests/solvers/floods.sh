#!/bin/sh
# Prints without end, whatever it is told.
[ "$1" = --version ] && echo "This is cvc5 version 1.0.3" && exit
exec tr '\0' '(' 3<&0 < /dev/zero
