#!/bin/sh
# Answers, but not like a solver.
[ "$1" = --version ] && echo "This is cvc5 version 1.0.3" && exit
while read -r line; do
  [ "$line" = "(check-sat)" ] && echo "perhaps (maybe ("
done
