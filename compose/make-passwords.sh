#!/bin/sh
# Generates the passwords of the database, once, into the folder that `database` and the nodes share. Each file is
# readable by the processes that need it: the superuser's by the database, the owner's by the nodes too.
set -eu
cd "$1"

make_password() { # file, user that reads it beside the group of the database
    if [ ! -s "$1" ]; then
        (umask 077; head -c 24 /dev/urandom | od -An -vtx1 | tr -d ' \n' > "$1.draft")
        mv "$1.draft" "$1"
    fi
    chown "$2:postgres" "$1"
    chmod 0440 "$1"
}

make_password postgres root
make_password cartwright 10001
