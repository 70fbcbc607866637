#!/bin/sh
# Finds nothing, ever: believed, it would prove everything.
[ "$1" = --version ] && echo "This is cvc5 version 1.0.3" && exit
while read -r line; do
  [ "$line" = "(check-sat)" ] && echo unsat
done
