#!/bin/sh
# Another program altogether.
echo "something 5.1"
