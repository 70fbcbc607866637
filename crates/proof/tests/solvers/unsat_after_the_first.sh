#!/bin/sh
# Knows the two questions that are asked first, and then finds nothing.
[ "$1" = --version ] && echo "This is cvc5 version 1.0.3" && exit
answer=sat
while read -r line; do
  [ "$line" = "(check-sat)" ] && echo "$answer" && answer=unsat
done
