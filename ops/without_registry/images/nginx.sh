#!/bin/sh
# With the places that the official image was built with.
exec /usr/local/libexec/nginx -e /dev/stderr -c /etc/nginx/nginx.conf -p /tmp "$@"
