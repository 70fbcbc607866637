#!/bin/sh
# Knows the two questions that are asked first, and then finds a request about which it says nothing.
[ "$1" = --version ] && echo "This is cvc5 version 1.0.3" && exit
asked=0
while read -r line; do
  case "$line" in
    "(check-sat)") asked=$((asked + 1)); [ "$asked" = 2 ] && echo unsat || echo sat ;;
    "(get-model)") printf '(\n)\n' ;;
  esac
done
